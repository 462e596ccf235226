/**
 * A call inside a Twilio that is played: live from the start, with streams that TwiML or REST began, which carry its
 * audio at real-time pace; redirected and hung up by REST. Status callbacks go out signed, as Twilio sends them.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Clip } from './clips.ts'
import { MediaStream } from './media-stream.ts'
import { frameMs, type PacedStream } from './pacing-wheel.ts'
import {
  type CallIdentity,
  type NamedStream,
  postCallback,
  readNamedStream,
  type StreamTwiml,
  type TwilioTarget,
} from './twilio-webhook.ts'

export interface PlayedStream {
  readonly sid: string
  readonly name: string
  readonly tracks: readonly ('inbound' | 'outbound')[]
  status: 'in-progress' | 'stopped'
}

/** What became of a call, for whoever watches. `detail`: TwiML, a stream's name, an error. */
export interface CallEvent {
  readonly atMs: number
  readonly callSid: string
  readonly kind: 'placed' | 'stream_started' | 'stream_stopped' | 'stream_error' | 'redirected' | 'hung_up' | 'ended'
  readonly detail: string
}

export interface PlayedCallOptions {
  readonly target: TwilioTarget
  readonly identity: CallIdentity
  readonly direction: 'inbound' | 'outbound-api'
  readonly clip: Clip
  readonly newSid: (prefix: 'MZ') => string
  readonly clock: Clock
  readonly told: (event: CallEvent) => void
}

interface OpenStream extends PlayedStream {
  media: MediaStream | null
  startFrame: number
  readonly statusPath: string | null
}

export type CallStatus = 'ringing' | 'in-progress' | 'completed'

export class PlayedCall implements PacedStream {
  readonly identity: CallIdentity
  readonly direction: string
  status: CallStatus = 'in-progress'
  /** TwiML (or URLs) that REST put in place of what ran. */
  readonly redirects: string[] = []
  readonly #options: PlayedCallOptions
  readonly #streams: OpenStream[] = []
  readonly #startedAtMs: number
  #frame = 0

  constructor(options: PlayedCallOptions) {
    this.#options = options
    this.identity = options.identity
    this.direction = options.direction
    this.#startedAtMs = options.clock.wallMs()
    this.#tell('placed', '')
  }

  get streams(): readonly PlayedStream[] {
    return this.#streams
  }

  /** Tracks that are being streamed; Twilio allows 4. */
  get tracksInUse(): number {
    return this.#streams.filter(isOn).reduce((sum, { tracks }) => sum + tracks.length, 0)
  }

  /** Runs the `<Start><Stream>` of a TwiML, if there is one. */
  runTwiml(twiml: string): Promise<void> {
    if (!/<Stream\b/.test(twiml)) return Promise.resolve()
    return this.startStream(readNamedStream(twiml)).opened
  }

  /** The stream is known at once; its socket opens a moment later, as with Twilio. */
  startStream(order: NamedStream): { stream: PlayedStream; opened: Promise<void> } {
    const statusPath = order.statusCallback === undefined ? null : pathOf(order.statusCallback, this.#options.target)
    const stream: OpenStream = {
      sid: this.#options.newSid('MZ'),
      name: order.name,
      tracks: order.tracks,
      status: 'in-progress',
      media: null,
      startFrame: 0,
      statusPath,
    }
    this.#streams.push(stream)
    return { stream, opened: this.#open(stream, order) }
  }

  /** By SID or name. False: no such stream. */
  stopStream(sidOrName: string): PlayedStream | undefined {
    const stream = this.#streams.findLast(({ sid, name }) => sid === sidOrName || name === sidOrName)
    if (stream !== undefined && isOn(stream)) {
      stream.media?.stop()
      this.#stopped(stream)
    }
    return stream
  }

  /** Other TwiML takes over. `<Start>` streams go on. A `<Hangup/>` ends the call. */
  redirect(twiml: string): void {
    this.redirects.push(twiml)
    this.#tell('redirected', twiml)
    this.runTwiml(twiml).catch((thrown: unknown) => this.#tell('stream_error', messageOf(thrown)))
    if (/<(Hangup|Reject)\b/.test(twiml)) this.end()
  }

  hangUp(): void {
    this.#tell('hung_up', '')
    this.end()
  }

  /** The call is over, from either side: streams say stop, the status callback follows. */
  end(): void {
    if (this.status === 'completed') return
    this.status = 'completed'
    for (const stream of this.#streams.filter(isOn)) {
      stream.media?.stop()
      this.#stopped(stream)
    }
    this.#tell('ended', '')
    const durationS = Math.round((this.#options.clock.wallMs() - this.#startedAtMs) / 1000)
    this.#callback('/twilio/call-status', {
      CallStatus: 'completed',
      CallDuration: String(durationS),
      Timestamp: new Date(this.#options.clock.wallMs()).toUTCString(),
    })
  }

  /** The connection of every stream breaks; the call goes on, and nothing of Twilio's own opens them again. */
  breakStreams(): void {
    for (const stream of this.#streams.filter(isOn)) {
      stream.media?.terminate()
      stream.status = 'stopped'
    }
  }

  tick(): boolean {
    if (this.status === 'completed') return false
    for (const { media, startFrame } of this.#streams) {
      if (media === null || !media.live) continue
      for (const track of media.tracks) {
        media.media(track, this.#audio(track.track), 40 + (this.#frame - startFrame) * frameMs, false)
      }
    }
    this.#frame += 1
    return true
  }

  #audio(track: 'inbound' | 'outbound'): Uint8Array {
    const { inbound, outbound } = this.#options.clip
    const frames = track === 'outbound' ? (outbound ?? inbound) : inbound
    return frames[this.#frame % frames.length]!
  }

  async #open(stream: OpenStream, twiml: StreamTwiml): Promise<void> {
    const { target } = this.#options
    const listener = {
      closedByServer: (code: number) => this.#broke(stream, `Stream - WebSocket - Connection broken (${code})`),
      messageFromServer: () => this.#tell('stream_error', '31924: a message on a one-way stream'),
    }
    try {
      const order = { target, twiml, call: this.identity, streamSid: stream.sid, listener }
      const media = await MediaStream.open(order)
      if (!isOn(stream) || this.status === 'completed') return media.stop()
      stream.startFrame = this.#frame
      stream.media = media
      this.#tell('stream_started', stream.name)
      this.#report(stream, 'stream-started', '')
    } catch (thrown) {
      this.#broke(stream, `Stream - WebSocket - Handshake Error: ${messageOf(thrown)}`)
    }
  }

  #broke(stream: OpenStream, error: string): void {
    if (!isOn(stream)) return
    stream.status = 'stopped'
    this.#tell('stream_error', error)
    this.#report(stream, 'stream-error', error)
  }

  #stopped(stream: OpenStream): void {
    stream.status = 'stopped'
    this.#tell('stream_stopped', stream.name)
    this.#report(stream, 'stream-stopped', '')
  }

  #report(stream: OpenStream, event: string, error: string): void {
    if (stream.statusPath === null) return
    const fields = {
      StreamSid: stream.sid,
      StreamName: stream.name,
      StreamEvent: event,
      Timestamp: new Date(this.#options.clock.wallMs()).toISOString(),
    }
    this.#callback(stream.statusPath, error === '' ? fields : { ...fields, StreamError: error })
  }

  /** Twilio sends a callback once; who does not listen misses it. */
  #callback(path: string, fields: Readonly<Record<string, string>>): void {
    const { callSid, from, to } = this.identity
    const { target } = this.#options
    const call = { AccountSid: target.accountSid, CallSid: callSid, Direction: this.direction, From: from, To: to }
    postCallback(target, path, { ...call, ApiVersion: '2010-04-01', ...fields }).catch(() => {})
  }

  #tell(kind: CallEvent['kind'], detail: string): void {
    this.#options.told({ atMs: this.#options.clock.steadyMs(), callSid: this.identity.callSid, kind, detail })
  }
}

function isOn({ status }: PlayedStream): boolean {
  return status === 'in-progress'
}

/** What Twilio is told is the public name; where it is sent is the machine under test. */
function pathOf(url: string, { publicUrl }: TwilioTarget): string {
  return url.startsWith(publicUrl) ? url.slice(publicUrl.length) : new URL(url).pathname
}
