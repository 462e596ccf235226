/** What a stability index is read as; see histograms.ts for the sources. Pure; any thread, and the page. */

const steadyBelow = 0.1
const shiftedFrom = 0.25
export type DriftState = 'steady' | 'moved' | 'shifted' | 'unknown'

export function driftState(psi: number | null): DriftState {
  if (psi === null) return 'unknown'
  return psi < steadyBelow ? 'steady' : psi < shiftedFrom ? 'moved' : 'shifted'
}
