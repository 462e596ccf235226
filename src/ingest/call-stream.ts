/**
 * The two things the call table keeps: a detection (one track of one call) and a stream (one socket of Twilio's),
 * joined by lanes: whether a track of a stream feeds a detection, and by how much its timestamps are shifted. Plain
 * state, changed by the call table only; a stream is also held by its socket. Times are the steady clock's, ms. Main
 * thread.
 */
import type { CallFacts, TrackFacts, TrackName } from './track.ts'

/** One (CallSid, track), from its first start message to its end. */
export interface Detection {
  readonly facts: TrackFacts
  /** The stream that feeds it; null while it waits for one. */
  stream: CallStream | null
  /** Older streams of this call and track that are still open, oldest first. */
  readonly displaced: CallStream[]
  detachedAtMs: number
  /** Arrival of the last frame; the opening, before there is one. */
  frameAtMs: number
  /** Media time of the last frame, and of its end; -1 before there is one. */
  mediaMs: number
  mediaEndMs: number
}

/** One track of one stream. */
export interface StreamLane {
  /**
   * `unwatched`: not a track we listen to (or not named at the start); `current`: feeds its detection; `displaced`: a
   * newer stream does; `refused`: no room; `idled`: its detection ended for want of frames, the next one opens
   * another; `over`.
   */
  state: 'unwatched' | 'current' | 'displaced' | 'refused' | 'idled' | 'over'
  /** Of `current` and `displaced`. */
  detection: Detection | null
  /** Added to this stream's timestamps; null until its first frame as the current stream. */
  baseMs: number | null
  /** Timestamps where the run of far too old frames, that the last one belongs to, begins and ends; NaN without one. */
  setBackStartMs: number
  setBackEndMs: number
  /** Arrival of the last frame, kept while it is not the current stream. */
  frameAtMs: number
}

export class CallStream {
  readonly call: CallFacts
  readonly streamSid: string
  /** Of the last media message; -1 before there is one. */
  sequenceNumber = -1
  readonly #inbound: StreamLane = unwatchedLane()
  readonly #outbound: StreamLane = unwatchedLane()

  constructor(call: CallFacts, streamSid: string) {
    this.call = call
    this.streamSid = streamSid
  }

  lane(track: TrackName): StreamLane {
    return track === 'inbound' ? this.#inbound : this.#outbound
  }
}

function unwatchedLane(): StreamLane {
  return {
    state: 'unwatched',
    detection: null,
    baseMs: null,
    setBackStartMs: Number.NaN,
    setBackEndMs: Number.NaN,
    frameAtMs: Number.NEGATIVE_INFINITY,
  }
}
