/**
 * What people and programs see of a track's verdict and of a call (CONTRACT: labels and fields are fixed). Types
 * only.
 */
import type { HopFlagName } from '../features/hop.ts'
import type { TrackName } from '../ingest/track.ts'
import type { Opinion } from './opinion-agreement.ts'
import type { SignalsView } from './signals-view.ts'

export const labels = [
  'likely_synthetic',
  'likely_human',
  'inconclusive',
  'insufficient_speech',
  'benign_automation',
] as const

/** `likely_human` is never identity: it says that the voice sounds recorded from a person, not who that is. */
export type Label = (typeof labels)[number]

export interface Reason {
  readonly code: string
  readonly text: string
}

/** One judged sliding window, media time. `score` is null where the hop was not judged (no speech, music, ...). */
export interface WindowView {
  readonly startMs: number
  readonly endMs: number
  readonly score: number | null
  readonly flags: readonly HopFlagName[]
}

export interface GapView {
  readonly startMs: number
  readonly endMs: number
}

export interface TrackVerdict {
  readonly track: TrackName
  readonly label: Label
  /** Calibrated probability that the speech is synthetic, 0..1; null before anything was judged. */
  readonly score: number | null
  /** 0..1: how far from undecided, times how much good speech it rests on. */
  readonly confidence: number
  readonly provisional: boolean
  /** Speech that counted, ms. */
  readonly netSpeechMs: number
  /** Audio received, ms of media time. */
  readonly audioMs: number
  /** Filled with silence, ms (part of audioMs). */
  readonly gapMs: number
  /** Never came, ms (not part of audioMs). */
  readonly lostMs: number
  readonly duplicates: number
  readonly windows: readonly WindowView[]
  readonly gaps: readonly GapView[]
  readonly reasons: readonly Reason[]
  /** What other detectors said, beside ours; absent when none was heard. */
  readonly opinions?: readonly Opinion[]
  /** What the whole track tells besides its voice; absent before anything was heard. */
  readonly signals?: SignalsView
  /** name/version of the model. */
  readonly model: string
  /** Wall time of the last change, ms since the epoch. */
  readonly updatedAtMs: number
}

/** What is told of a track after every hop. */
export type TrackBrief = Omit<TrackVerdict, 'duplicates' | 'gaps' | 'signals' | 'model' | 'updatedAtMs'>

export type CallState = 'live' | 'ended' | 'interrupted'

export interface CallView {
  readonly callSid: string
  readonly accountSid: string
  readonly from: string
  readonly to: string
  readonly direction: string
  readonly state: CallState
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly endedAt: string | null
  readonly endReason: string | null
  readonly tracks: readonly TrackVerdict[]
}
