/** What the call table tells the rest of the house about calls and tracks. Main thread. */
import type { NumberSpellings } from '../wire/number-spellings.ts'

export type TrackName = 'inbound' | 'outbound'

/** Why a detection ended. `interrupted`: the server stopped or crashed before the call did. */
export type EndReason = 'stop' | 'call_status' | 'idle' | 'socket_closed' | 'interrupted' | 'operator'

/** A call as the webhook and the stream's start message describe it. Numbers may be empty (hidden, or unknown). */
export interface CallFacts {
  readonly callSid: string
  readonly accountSid: string
  readonly from: string
  readonly to: string
  readonly direction: string
  /** Twilio's StirVerstat field, or empty. */
  readonly stirVerstat: string
  /** Tracks to be heard although `twilio.track` does not name them: somebody asked for them by REST. */
  readonly tracks?: readonly TrackName[]
  /** Whoever routes the call asked that no audio of it be kept. */
  readonly keepsNoAudio?: boolean
}

/**
 * Forgets a number in a call. In place: the call table, verdicts, policy and detections of a call share its facts.
 * @returns whether the number was there
 */
export function eraseInCall(call: CallFacts, spellings: NumberSpellings): boolean {
  const [from, to] = [spellings.scrub(call.from, true), spellings.scrub(call.to, true)]
  if (from === call.from && to === call.to) return false
  Object.assign(call, { from, to })
  return true
}

/** One detection: a track of a call, over all its streams. */
export interface TrackFacts {
  /** Unique in this process, never reused. */
  readonly trackId: number
  readonly track: TrackName
  readonly call: CallFacts
  readonly streamSid: string
  /** Wall time of the first start message, ms since the epoch. */
  readonly startedAtMs: number
}

/** Where the audio of tracks goes. Implemented by the worker pool; a fake in tests. */
export interface TrackSink {
  /** False: no room (admission); the call goes on unwatched. */
  open(trackId: number): boolean
  /**
   * One media message. `message[payloadStart, payloadEnd)` is base64 text of mu-law bytes, copied before return.
   * @param mediaMs time of its first sample on the detection's own clock (stream time plus the stream's base)
   * @param enteredMs the clock's `steadyMs` when the message came
   * @returns false when the ring was full: the frame is lost and shows as a gap
   */
  frame(
    trackId: number,
    mediaMs: number,
    message: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
    enteredMs: number,
  ): boolean
  close(trackId: number): void
}

/** What the call table reports; main.ts hands these on to decisions, storage and notify. */
export interface CallListener {
  opened(track: TrackFacts): void
  /** A new stream took over within the grace. */
  resumed(track: TrackFacts, streamSid: string): void
  /** Its socket broke and nothing else feeds it; it ends with the grace unless a new stream comes. */
  detached?(track: TrackFacts): void
  /** Exactly once per opened track. */
  closed(trackId: number, reason: EndReason): void
}
