/** What a voice worker reports of each closed hop, scored or not; the object crosses threads. Pure. */
import type { TrackSignals } from '../features/call-signals.ts'
import { unfamiliarBit } from '../features/hop.ts'

export interface ScoredHop {
  readonly trackId: number
  /** Media time of the sliding window that was judged: from its oldest hop's start to this hop's end, ms. */
  readonly windowStartMs: number
  readonly hopStartMs: number
  readonly hopEndMs: number
  /** Speech inside this hop, ms. */
  readonly hopSpeechMs: number
  /** Speech inside the whole window, ms. */
  readonly windowSpeechMs: number
  /** Calibrated natural log-likelihood ratio, positive = synthetic; NaN when the hop was not scored (no speech). */
  readonly llr: number
  /** OR of `hopFlag` and `unfamiliarBit`. */
  readonly flags: number
  /** Of this hop: samples filled in, as ms. */
  readonly filledMs: number
  /** Audio lost since the previous hop of this track (jump of the media clock beyond filling), ms. */
  readonly lostMs: number
  /** Frames dropped since the previous hop because their time was already covered. */
  readonly duplicates: number
  /** steadyMs of the main thread's clock when the frame that closed the hop entered the ring; for latency. */
  readonly enteredMs: number
  /** What the track tells after this hop besides its score, media time; absent where only a loss is told. */
  readonly signals?: Readonly<TrackSignals> | undefined
  /** Means over the hop's speech frames, of the lower and the upper half of a frame's features; for watching drift. */
  readonly lowFeatures?: number
  readonly highFeatures?: number
}

/** The model judged it, and on audio of a kind that it learned from. */
export function isEvidence({ llr, flags }: Pick<ScoredHop, 'llr' | 'flags'>): boolean {
  return !Number.isNaN(llr) && (flags & unfamiliarBit) === 0
}
