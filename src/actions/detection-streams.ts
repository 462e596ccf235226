/**
 * Streams of detections over Twilio REST: asked for, stopped, and asked for again when they were lost. Both tracks of
 * a call that are lost together share one new stream. A stream is asked for in vain at most `triesMax` times in a row,
 * ever more seldom. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { CallFacts, TrackName } from '../ingest/track.ts'
import { type Detection, isActive, noteStream } from './detection.ts'
import type { DetectionRegistry } from './detection-registry.ts'
import type { StreamOrder, TwilioRest } from './twilio-rest.ts'

/** What the rooms of streams offer. */
export interface StreamDoors {
  /** A URL with a one-time token for a stream of this call. */
  streamUrl(call: CallFacts): string
  /** Where Twilio reports on streams. */
  statusCallback(): string
  /** Whether another detection would be taken. */
  hasRoom(): boolean
  /** Ends the live track, if there is one. */
  endTrack(callSid: string, track: TrackName): void
  /** Ends all live tracks of a call. */
  endCall(callSid: string, accountSid: string): void
}

export interface DetectionStreamsOptions {
  readonly rest: Pick<TwilioRest, 'startStream' | 'stopStream' | 'fetchCall'>
  readonly doors: StreamDoors
  readonly restartStreams: boolean
  /** The name of a party of a call. */
  readonly party: (raw: string) => string
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly counters: Counters
  readonly log: Log
  readonly registry: DetectionRegistry
  readonly save: (detection: Detection) => Promise<void>
  readonly finish: (detection: Detection, state: 'ended' | 'failed', reason: string, detail?: string) => void
  readonly turn: <T>(callSid: string, work: () => Promise<T>) => Promise<T>
}

/** A stream that breaks right after it was asked for is not asked for again before. */
const restartMsMin = 5000
const triesMax = 10
const backoffMsMax = 60_000
/** A new stream has so long to arrive before another is asked for. */
const arrivalMsMax = 15_000
const liveStatuses: readonly string[] = ['in-progress']
const comingStatuses: readonly string[] = ['queued', 'ringing', 'initiated']

export class DetectionStreams {
  readonly #options: DetectionStreamsOptions
  /** CallSid -> steady ms at which its lost streams are asked for again. */
  readonly #due = new Map<string, number>()
  #isClosed = false

  constructor(options: DetectionStreamsOptions) {
    this.#options = options
  }

  close(): void {
    this.#isClosed = true
    this.#due.clear()
  }

  /** The facts of a call that is live. @throws OperatingError call_over, call_not_answered, and those of TwilioRest */
  async fetch(who: Pick<CallFacts, 'accountSid' | 'callSid' | 'stirVerstat'>): Promise<CallFacts> {
    const { accountSid, callSid, stirVerstat } = who
    const { status, from, to, direction } = await this.#options.rest.fetchCall(accountSid, callSid)
    if (comingStatuses.includes(status)) throw new OperatingError('call_not_answered', `the call is ${status}`)
    if (!liveStatuses.includes(status)) throw new OperatingError('call_over', `the call is ${status}`)
    const { party } = this.#options
    return { callSid, accountSid, from: party(from), to: party(to), direction, stirVerstat }
  }

  /** One stream for detections of one call. They are in the journal before Twilio knows of it. */
  async ask(detections: readonly Detection[], call: CallFacts): Promise<void> {
    const { clock, doors, random, rest, save } = this.#options
    const name = `voicefw-${Buffer.from(random(6)).toString('hex')}`
    const tracks = detections.map(({ track }) => track)
    for (const detection of detections) {
      detection.askedAtMs = clock.steadyMs()
      noteStream(detection.streamNames, name)
    }
    try {
      await Promise.all(detections.map(save))
      const url = doors.streamUrl({ ...call, tracks })
      const track = tracks.length > 1 ? 'both_tracks' : tracks[0] === 'outbound' ? 'outbound_track' : 'inbound_track'
      const order: StreamOrder = { url, track, name, statusCallback: doors.statusCallback() }
      const { streamSid } = await rest.startStream(call.accountSid, call.callSid, order)
      for (const detection of detections) {
        detection.askedAtMs = clock.steadyMs()
        noteStream(detection.streamSids, streamSid)
      }
    } catch (thrown) {
      // The answer may be lost and the stream be there all the same.
      if (detections.every(({ state, lostAtMs }) => state === 'live' && lostAtMs === null)) return
      for (const detection of detections) {
        if (detection.lostAtMs === null && isActive(detection)) this.#fail(detection, thrown)
      }
      throw thrown
    }
  }

  /** Streams that no other live detection of the call hears. */
  ownedBy(detection: Detection): string[] {
    const others = this.#options.registry.ofCall(detection.callSid).filter((other) => other !== detection)
    const shared = others.filter(isActive).flatMap(({ streamSids, streamNames }) => [...streamSids, ...streamNames])
    // The SID is unknown when the answer to our request was lost.
    const { streamSids, streamNames } = detection
    const known = streamSids.length > 0 ? streamSids : streamNames
    return known.filter((stream) => !shared.includes(stream))
  }

  /** Stops the streams of an ended detection. What is gone already is stopped. */
  async stop(detection: Detection): Promise<void> {
    for (const stream of [...detection.unstopped]) {
      try {
        await this.#options.rest.stopStream(detection.accountSid, detection.callSid, stream)
      } catch (thrown) {
        if (!(thrown instanceof OperatingError) || thrown.code !== 'call_over') throw thrown
      }
      detection.unstopped = detection.unstopped.filter((other) => other !== stream)
    }
  }

  /** A detection that should be heard has no stream. */
  lost(detection: Detection): void {
    if (this.#isClosed) return
    const { clock, restartStreams, finish } = this.#options
    if (!restartStreams) {
      finish(detection, 'ended', 'interrupted')
      return
    }
    const now = clock.steadyMs()
    const isQuick = detection.restarts > 0 && now - detection.askedAtMs < restartMsMin
    this.#plan(detection.callSid, now + (isQuick ? restartMsMin : 0))
  }

  tick(): void {
    const now = this.#options.clock.steadyMs()
    for (const [callSid, dueMs] of this.#due) {
      if (now < dueMs) continue
      this.#due.delete(callSid)
      this.#options
        .turn(callSid, () => this.#restart(callSid))
        .catch((thrown: unknown) =>
          this.#options.log.error('a stream could not be asked for', { callSid, reason: messageOf(thrown) }),
        )
    }
  }

  #plan(callSid: string, dueMs: number): void {
    this.#due.set(callSid, Math.min(dueMs, this.#due.get(callSid) ?? Number.POSITIVE_INFINITY))
  }

  async #restart(callSid: string): Promise<void> {
    const { counters, registry } = this.#options
    const lost = registry.ofCall(callSid).filter((one) => isActive(one) && one.lostAtMs !== null)
    const [first] = lost
    if (first === undefined || this.#isClosed) return
    try {
      const call = first.call ?? (await this.fetch(first))
      for (const detection of lost) {
        detection.call = call
        detection.tries += 1
      }
      await this.ask(lost, call)
      counters.streamsRestarted += 1
      for (const detection of lost) detection.restarts += 1
      this.#again(first, Math.max(arrivalMsMax, backoffMs(first)), 'no_stream')
    } catch (thrown) {
      this.#restartFailed(lost, thrown)
    }
  }

  #restartFailed(lost: readonly Detection[], thrown: unknown): void {
    const { doors, finish } = this.#options
    if (!(thrown instanceof OperatingError)) throw thrown
    const waiting = lost.filter((one) => isActive(one) && one.lostAtMs !== null)
    const [first] = waiting
    if (first === undefined) return
    if (thrown.code === 'call_over' || thrown.code === 'account_unknown') {
      for (const detection of waiting) {
        const isRestart = detection.reason === 'server_restarted'
        finish(detection, 'ended', isRestart ? 'interrupted' : thrown.code, thrown.message)
      }
      doors.endCall(first.callSid, first.accountSid)
    } else if (thrown.retryable || thrown.code === 'call_not_answered') {
      for (const detection of waiting) {
        if (first.call === null) detection.tries += 1
        detection.detail = thrown.message
      }
      this.#again(first, backoffMs(first), thrown.code)
    } else for (const detection of waiting) this.#fail(detection, thrown)
  }

  /** Another try later, or the end of trying. */
  #again(detection: Detection, afterMs: number, reason: string): void {
    const { clock, finish, registry } = this.#options
    if (detection.tries < triesMax) {
      this.#plan(detection.callSid, clock.steadyMs() + afterMs)
      return
    }
    for (const one of registry.ofCall(detection.callSid)) {
      if (isActive(one) && one.lostAtMs !== null) finish(one, 'failed', reason, `${triesMax} streams came to nothing`)
    }
  }

  #fail(detection: Detection, thrown: unknown): void {
    const code = thrown instanceof OperatingError ? thrown.code : 'internal'
    this.#options.finish(detection, 'failed', code, messageOf(thrown))
  }
}

function backoffMs({ tries }: Detection): number {
  return Math.min(backoffMsMax, 1000 * 2 ** tries)
}
