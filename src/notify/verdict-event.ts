/** What a `verdict` event says: the state of one track after a hop, or at its end. Pure; main thread. */
import type { LiveTrack } from '../decisions/live-calls.ts'
import type { Opinion } from '../decisions/opinion-agreement.ts'
import type { CallState, Label, Reason, WindowView } from '../decisions/verdict-view.ts'
import type { TrackName } from '../ingest/track.ts'

export interface VerdictEvent {
  readonly callSid: string
  readonly track: TrackName
  readonly state: CallState
  readonly label: Label
  readonly score: number | null
  readonly confidence: number
  readonly provisional: boolean
  readonly netSpeechMs: number
  readonly audioMs: number
  readonly gapMs: number
  readonly lostMs: number
  /** The window just judged; null at the start and the end of a call. */
  readonly window: WindowView | null
  /** The label changed with this event. */
  readonly changed: boolean
  readonly reasons: readonly Reason[]
  readonly opinions?: readonly Opinion[]
  readonly from: string
  readonly to: string
  /** ISO 8601. */
  readonly startedAt: string
  readonly endReason: string | null
  readonly at: string
}

export function verdictEvent(track: LiveTrack, changed: boolean, withWindow: boolean, nowMs: number): VerdictEvent {
  const view = track.verdict.brief(withWindow ? 1 : 0)
  return {
    callSid: track.facts.call.callSid,
    track: track.facts.track,
    state: track.state,
    label: view.label,
    score: view.score,
    confidence: view.confidence,
    provisional: view.provisional,
    netSpeechMs: view.netSpeechMs,
    audioMs: view.audioMs,
    gapMs: view.gapMs,
    lostMs: view.lostMs,
    window: view.windows[0] ?? null,
    changed,
    reasons: view.reasons,
    ...(view.opinions === undefined ? {} : { opinions: view.opinions }),
    from: track.facts.call.from,
    to: track.facts.call.to,
    startedAt: new Date(track.facts.startedAtMs).toISOString(),
    endReason: track.endReason,
    at: new Date(nowMs).toISOString(),
  }
}
