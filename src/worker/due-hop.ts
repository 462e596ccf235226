/**
 * What the voice pipeline keeps of a track, and of a hop of it that closed and waits for the tick. Voice worker, or
 * wherever recordings are scored.
 */
import { noSignals, type TrackSignals } from '../features/call-signals.ts'
import { MediaClock } from './media-clock.ts'

export interface Track {
  readonly trackId: number
  readonly slot: number
  readonly historySlot: number
  readonly clock: MediaClock
  /** Hops closed since the window began. */
  windowHops: number
  /** The next hop is the first of a new window. */
  restarted: boolean
  /** Since the last hop. */
  lostMs: number
  duplicates: number
  /** Hops of this track that wait for the tick. */
  due: number
  closed: boolean
}

/** A closed hop that waits to be judged. The objects and their arrays are made once and used again. */
export interface DueHop {
  readonly features: Float32Array
  readonly speech: Float32Array
  track: Track
  wave: number
  restarted: boolean
  hopStartMs: number
  /** 0 where nothing was heard and only a loss is told. */
  lengthMs: number
  speechFrames: number
  flags: number
  filledMs: number
  lostMs: number
  duplicates: number
  enteredMs: number
  readonly signals: TrackSignals
}

/** Of entries that are free. */
export const noTrack: Track = {
  trackId: -1,
  slot: -1,
  historySlot: -1,
  clock: new MediaClock(0),
  windowHops: 0,
  restarted: false,
  lostMs: 0,
  duplicates: 0,
  due: 0,
  closed: true,
}

/** @param row values a model's row has of each */
export function emptyDueHop(row: { readonly features: number; readonly speech: number }): DueHop {
  return {
    features: new Float32Array(row.features),
    speech: new Float32Array(row.speech),
    track: noTrack,
    wave: 0,
    restarted: false,
    hopStartMs: 0,
    lengthMs: 0,
    speechFrames: 0,
    flags: 0,
    filledMs: 0,
    lostMs: 0,
    duplicates: 0,
    enteredMs: 0,
    signals: noSignals(),
  }
}
