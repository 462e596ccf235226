/** How a model stands, as the API and the page tell it: what judges, what is tried beside it, what drifts. Types. */
import type { AgreementView } from '../inference/agreement.ts'
import type { DriftView } from '../inference/drift-watch.ts'

export interface ShadowView {
  readonly candidate: string
  readonly active: string
  readonly state: 'running' | 'failed'
  readonly problem: string | null
  readonly since: string
  /** What the active one judged since, and the share of it that the candidate judged too. */
  readonly judged: number
  readonly share: number | null
  /** Share of one core that the candidate takes, and may take. */
  readonly cpuShare: number
  readonly cpuShareMax: number
  readonly agreement: AgreementView
}

export interface VersionView {
  readonly version: string
  /** Null where the manifest cannot be used; `problem` says why. */
  readonly sha256: string | null
  readonly parameters: number | null
  readonly thresholds: Readonly<Record<string, number>> | null
  readonly problem: string | null
}

export interface ModelView {
  readonly name: string
  readonly kind: 'voice' | 'flash_call'
  /** What judges new calls now: `voice/1`, or `rule`. */
  readonly serving: string
  /** As the registry has it. */
  readonly active: string | null
  readonly previous: string | null
  readonly candidate: string | null
  readonly state: 'ok' | 'swapping' | 'refused'
  /** Why what the registry names does not serve, or is not tried. */
  readonly problem: string | null
  readonly lastSwap: { readonly at: string; readonly from: string; readonly to: string } | null
  readonly versions: readonly VersionView[]
  /** Live tracks by the model that judges them; of a voice model. */
  readonly tracks: Readonly<Record<string, number>> | null
  readonly shadow: ShadowView | null
  readonly drift: DriftView | null
}
