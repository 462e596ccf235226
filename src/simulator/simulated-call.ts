/**
 * One call as Twilio would carry it: webhook, media stream, a frame every 20 ms when the wheel calls, its faults as
 * planned, its end. It has one stream, or for a while none (reconnecting) or two (duplicate). What was really sent is
 * counted.
 */
import { messageOf } from '../core/errors.ts'
import type { Clip } from './clips.ts'
import type { Fault, FaultKind, FaultPlan } from './fault-plan.ts'
import { MediaStream, type StreamListener } from './media-stream.ts'
import { frameMs, type PacedStream } from './pacing-wheel.ts'
import { type CallIdentity, postIncomingCall, type TwilioTarget } from './twilio-webhook.ts'

/** Sums over all calls of a run. */
export interface CallCounts {
  placed: number
  /** Why calls or further streams were not taken -> how often. */
  refused: Record<string, number>
  mediaMessages: number
  /** Close code -> sockets the server closed. */
  closedByServer: Record<string, number>
  /** Must stay 0: a one-way stream is silent. */
  messagesFromServer: number
  faults: Record<FaultKind | 'no_stop' | 'no_fin', number>
  /** Most bytes that waited in one socket, sampled each second of a call. */
  bufferedBytesMax: number
}

export function zeroCounts(): CallCounts {
  return {
    placed: 0,
    refused: {},
    mediaMessages: 0,
    closedByServer: {},
    messagesFromServer: 0,
    faults: {
      hole: 0,
      loss: 0,
      duplicate: 0,
      unknown_event: 0,
      malformed: 0,
      second_stream: 0,
      reconnect: 0,
      no_stop: 0,
      no_fin: 0,
    },
    bufferedBytesMax: 0,
  }
}

export interface SimulatedCallOptions {
  readonly target: TwilioTarget
  readonly call: CallIdentity
  /** What is said, over and over; a clip without an outbound side says the inbound one on both tracks. */
  readonly clip: Clip
  readonly frames: number
  readonly plan: FaultPlan
  readonly counts: CallCounts
  /** A fresh `MZ...`. */
  readonly newStreamSid: () => string
  /** Called once, when the last frame has gone or no stream is left. */
  readonly ended: () => void
}

interface OpenStream {
  readonly stream: MediaStream
  /** Frame of the call at which this stream's time begins. */
  readonly startFrame: number
}

/** A stream's first timestamp: Twilio's are seldom 0. */
const firstTimestampMs = 40
const framesPerSecond = 1000 / frameMs

export class SimulatedCall implements PacedStream, StreamListener {
  readonly #options: SimulatedCallOptions
  readonly #streams: OpenStream[] = []
  #frame = 0
  #nextFault = 0
  #holdUntilFrame = 0
  #loseUntilFrame = 0
  #reopenAtFrame = -1
  #opening = 0
  #over = false

  private constructor(options: SimulatedCallOptions) {
    this.#options = options
  }

  /** Webhook, socket, start. Give the result to a wheel. @throws OperatingError when the server refuses */
  static async place(options: SimulatedCallOptions): Promise<SimulatedCall> {
    const call = new SimulatedCall(options)
    await call.#open()
    options.counts.placed++
    return call
  }

  tick(): boolean {
    if (this.#over) return false
    const { frames, plan, counts } = this.#options
    if (this.#frame >= frames) return this.#end()
    for (let fault = plan.faults[this.#nextFault]; fault?.atFrame === this.#frame; ) {
      this.#begin(fault)
      fault = plan.faults[++this.#nextFault]
    }
    if (this.#frame === this.#reopenAtFrame) this.#openLater()
    if (this.#frame === this.#holdUntilFrame) for (const { stream } of this.#streams) stream.release()
    if (this.#frame >= this.#loseUntilFrame) this.#play()
    this.#frame++
    if (this.#frame % framesPerSecond === 0) this.#look(counts)
    return this.#goesOn() || this.#end()
  }

  /** Ends now, with `stop`. */
  hangUp(): void {
    if (!this.#over) this.#end()
  }

  /** Drops what a `vanish` left open. */
  terminate(): void {
    this.#over = true
    for (const { stream } of this.#streams) stream.terminate()
  }

  closedByServer(code: number): void {
    const { closedByServer } = this.#options.counts
    closedByServer[code] = (closedByServer[code] ?? 0) + 1
  }

  messageFromServer(): void {
    this.#options.counts.messagesFromServer++
  }

  #play(): void {
    const { counts } = this.#options
    const hold = this.#frame < this.#holdUntilFrame
    for (const { stream, startFrame } of this.#streams) {
      if (!stream.live) continue
      const timestampMs = firstTimestampMs + (this.#frame - startFrame) * frameMs
      for (const track of stream.tracks) {
        stream.media(track, this.#audioAt(this.#frame, track.track), timestampMs, hold)
        counts.mediaMessages++
      }
    }
  }

  #begin(fault: Fault): void {
    this.#options.counts.faults[fault.kind]++
    switch (fault.kind) {
      case 'hole':
        this.#holdUntilFrame = this.#frame + fault.frames
        return
      case 'loss':
        this.#loseUntilFrame = this.#frame + fault.frames
        return
      case 'second_stream':
        this.#openLater()
        return
      case 'reconnect':
        for (const { stream } of this.#streams.splice(0)) stream.terminate()
        this.#reopenAtFrame = this.#frame + fault.frames
        return
      default:
        for (const { stream, startFrame } of this.#streams) this.#disturb(stream, startFrame, fault)
    }
  }

  #disturb(stream: MediaStream, startFrame: number, fault: Fault): void {
    if (fault.kind === 'unknown_event') stream.unknownEvent()
    if (fault.kind === 'malformed') stream.garbage(fault.text)
    if (fault.kind === 'duplicate' && this.#frame > startFrame) {
      const track = stream.tracks.at(-1)!
      const last = this.#frame - 1
      stream.repeat(track, this.#audioAt(last, track.track), firstTimestampMs + (last - startFrame) * frameMs)
    }
  }

  #audioAt(frame: number, track: 'inbound' | 'outbound'): Uint8Array {
    const { inbound, outbound } = this.#options.clip
    const frames = track === 'outbound' ? (outbound ?? inbound) : inbound
    return frames[frame % frames.length]!
  }

  /** False when every stream has gone and none will come. */
  #goesOn(): boolean {
    if (this.#opening > 0 || this.#reopenAtFrame >= this.#frame) return true
    return this.#streams.some(({ stream }) => stream.live)
  }

  #end(): false {
    this.#over = true
    const { plan, counts, ended } = this.#options
    if (plan.ending === 'vanish') counts.faults.no_fin++
    if (plan.ending === 'close') counts.faults.no_stop++
    for (const { stream } of this.#streams) {
      if (plan.ending === 'stop') stream.stop()
      if (plan.ending === 'close') stream.close()
    }
    ended()
    return false
  }

  #look(counts: CallCounts): void {
    for (const { stream } of this.#streams) {
      counts.bufferedBytesMax = Math.max(counts.bufferedBytesMax, stream.bufferedBytes)
    }
  }

  #openLater(): void {
    this.#opening++
    this.#open()
      .catch((thrown) => countRefusal(this.#options.counts, thrown))
      .finally(() => {
        this.#opening--
      })
  }

  async #open(): Promise<void> {
    const { target, call, newStreamSid } = this.#options
    const twiml = await postIncomingCall(target, call)
    const stream = await MediaStream.open({ target, twiml, call, streamSid: newStreamSid(), listener: this })
    if (this.#over) stream.stop()
    else this.#streams.push({ stream, startFrame: this.#frame })
  }
}

/** Counts why the server did not take a call or stream. */
export function countRefusal(counts: CallCounts, thrown: unknown): void {
  const why = messageOf(thrown)
  counts.refused[why] = (counts.refused[why] ?? 0) + 1
}
