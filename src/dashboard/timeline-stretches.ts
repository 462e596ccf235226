/**
 * Flags of windows as stretches of media time. A window looks back over several hops, its flags speak of its last hop
 * only:
 *
 *   window   |--------------------|          startMs ... endMs
 *   flags                     |---|          endMs - hop ... endMs
 *
 * Pure. Browser.
 */
import type { WindowView } from '../decisions/verdict-view.ts'

export interface Stretch {
  readonly startMs: number
  readonly endMs: number
}

/** In the order of the lanes. */
const laneFlags = ['silence', 'music', 'tone', 'dtmf', 'clipped', 'gap'] as const

export type LaneFlag = (typeof laneFlags)[number]

const hopMsDefault = 500

/** A place on the timeline: a judged window, or nothing, where audio never came and the line must break. */
export interface TimelinePoint {
  readonly atMs: number
  readonly window: WindowView | null
}

export function timelinePoints(windows: readonly WindowView[]): TimelinePoint[] {
  const hopMs = hopMsOf(windows)
  const points: TimelinePoint[] = []
  for (const window of windows) {
    const lastMs = points.at(-1)?.atMs ?? window.endMs
    if (window.endMs - lastMs > 1.5 * hopMs) points.push({ atMs: lastMs + hopMs / 2, window: null })
    points.push({ atMs: window.endMs, window })
  }
  return points
}

/** The step between windows: the smallest that occurs. */
export function hopMsOf(windows: readonly WindowView[]): number {
  let hopMs = Number.POSITIVE_INFINITY
  for (const [at, window] of windows.entries()) {
    const stepMs = window.endMs - (windows[at - 1]?.endMs ?? Number.NEGATIVE_INFINITY)
    if (stepMs > 0 && stepMs < hopMs) hopMs = stepMs
  }
  return Number.isFinite(hopMs) ? hopMs : hopMsDefault
}

/** Stretches per flag, joined where hops touch; flags that never occur are absent. Gaps add to the `gap` lane. */
export function flagStretches(
  windows: readonly WindowView[],
  gaps: readonly Stretch[],
): Map<LaneFlag, readonly Stretch[]> {
  const hopMs = hopMsOf(windows)
  const lanes = new Map<LaneFlag, readonly Stretch[]>()
  for (const flag of laneFlags) {
    const hops = windows
      .filter((window) => window.flags.includes(flag))
      .map((window) => ({ startMs: Math.max(0, window.endMs - hopMs), endMs: window.endMs }))
    const stretches = joined(flag === 'gap' ? [...hops, ...gaps] : hops)
    if (stretches.length > 0) lanes.set(flag, stretches)
  }
  return lanes
}

function joined(stretches: readonly Stretch[]): Stretch[] {
  const out: { startMs: number; endMs: number }[] = []
  for (const stretch of [...stretches].sort((a, b) => a.startMs - b.startMs)) {
    const last = out.at(-1)
    if (last && stretch.startMs <= last.endMs) last.endMs = Math.max(last.endMs, stretch.endMs)
    else out.push({ ...stretch })
  }
  return out
}
