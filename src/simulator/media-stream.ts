/**
 * One Media Streams socket as Twilio's side drives it: signed upgrade,
 * `connected`, `start`, then media with running numbers, `stop`. Frames may be held back and released at once, as
 * congested paths do. It knows nothing of time or audio; `SimulatedCall` does.
 */
import { WebSocket } from 'ws'
import { OperatingError } from '../core/errors.ts'
import { mediaMessage, mediaTail } from './media-message.ts'
import { type CallIdentity, type StreamTwiml, type TwilioTarget, twilioSignature } from './twilio-webhook.ts'

const handshakeTimeoutMs = 15_000

export interface MediaStreamOptions {
  readonly target: TwilioTarget
  readonly twiml: StreamTwiml
  readonly call: CallIdentity
  readonly streamSid: string
  readonly listener: StreamListener
}

export interface StreamListener {
  /** The server ended the socket, not we. */
  closedByServer(code: number): void
  /** Twilio takes any message on a one-way stream for an error (31924). */
  messageFromServer(): void
}

interface TrackNumbers {
  readonly track: 'inbound' | 'outbound'
  chunk: number
}

export class MediaStream {
  readonly tracks: readonly TrackNumbers[]
  readonly #options: MediaStreamOptions
  readonly #socket: WebSocket
  readonly #tail: Buffer
  readonly #held: Buffer[] = []
  #sequenceNumber = 0
  #leaving = false

  private constructor(options: MediaStreamOptions, socket: WebSocket) {
    this.#options = options
    this.#socket = socket
    this.#tail = mediaTail(options.streamSid)
    this.tracks = options.twiml.tracks.map((track) => ({ track, chunk: 0 }))
    socket.on('message', () => options.listener.messageFromServer())
    socket.on('close', (code: number) => {
      if (!this.#leaving) options.listener.closedByServer(code)
      this.#leaving = true
    })
    this.#begin()
  }

  /** Opens the socket and says `connected` and `start`. @throws OperatingError when the upgrade is refused */
  static async open(options: MediaStreamOptions): Promise<MediaStream> {
    const { target, twiml } = options
    const path = /^wss?:\/\/[^/]*(\/.*)$/.exec(twiml.url)?.[1] ?? '/'
    const signature = twilioSignature(target.authToken, twiml.url, {})
    const socket = new WebSocket(target.origin.replace(/^http/, 'ws') + path, {
      headers: { 'x-twilio-signature': signature, 'user-agent': 'Twilio.TmeWs/1.0' },
      handshakeTimeout: handshakeTimeoutMs,
      perMessageDeflate: false,
    })
    await opened(socket)
    return new MediaStream(options, socket)
  }

  /** False once either side has begun to close. */
  get live(): boolean {
    return !this.#leaving && this.#socket.readyState === WebSocket.OPEN
  }

  /** Bytes the kernel has not taken yet: more than a moment's worth means the server stalls. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  /** One frame of one track. `hold`: keep it back until `release`. */
  media(track: TrackNumbers, payload: Uint8Array, timestampMs: number, hold: boolean): void {
    track.chunk++
    this.#sequenceNumber++
    const numbers = { track: track.track, sequenceNumber: this.#sequenceNumber, chunk: track.chunk, timestampMs }
    const message = mediaMessage(numbers, payload, this.#tail)
    if (hold) this.#held.push(Buffer.from(message))
    else this.#send(message)
  }

  /** Sends the frame again exactly as it went out last, with its old numbers. */
  repeat(track: TrackNumbers, payload: Uint8Array, timestampMs: number): void {
    const numbers = { track: track.track, sequenceNumber: this.#sequenceNumber, chunk: track.chunk, timestampMs }
    this.#send(mediaMessage(numbers, payload, this.#tail))
  }

  /** Everything held back goes out at once, in order. */
  release(): void {
    for (const message of this.#held) this.#send(message)
    this.#held.length = 0
  }

  /** A numbered message of an event that no document knows. */
  unknownEvent(): void {
    this.#sequenceNumber++
    const { streamSid } = this.#options
    this.#say({ event: 'novelty', sequenceNumber: String(this.#sequenceNumber), streamSid, novelty: { level: '3' } })
  }

  /** Text that is no message at all. */
  garbage(text: string): void {
    this.#send(Buffer.from(text))
  }

  /** `stop`, then a clean close. */
  stop(): void {
    this.release()
    const { call, target, streamSid } = this.#options
    this.#sequenceNumber++
    const stop = { accountSid: target.accountSid, callSid: call.callSid }
    this.#say({ event: 'stop', sequenceNumber: String(this.#sequenceNumber), streamSid, stop })
    this.close()
  }

  /** A clean close without `stop`. */
  close(): void {
    this.#leaving = true
    this.#socket.close(1000)
  }

  /** The connection breaks: no close frame. */
  terminate(): void {
    this.#leaving = true
    this.#socket.terminate()
  }

  #begin(): void {
    const { call, target, twiml, streamSid } = this.#options
    this.#say({ event: 'connected', protocol: 'Call', version: '1.0.0' })
    this.#sequenceNumber++
    const start = {
      accountSid: target.accountSid,
      streamSid,
      callSid: call.callSid,
      tracks: twiml.tracks,
      mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      customParameters: twiml.parameters,
    }
    this.#say({ event: 'start', sequenceNumber: String(this.#sequenceNumber), start, streamSid })
  }

  #say(message: object): void {
    this.#send(Buffer.from(JSON.stringify(message)))
  }

  #send(message: Buffer): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message, { binary: false })
  }
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string) => {
      socket.terminate()
      reject(new OperatingError('bad_request', `the media socket was refused: ${why}`))
    }
    socket.once('open', resolve)
    socket.once('unexpected-response', (_request, response) => refuse(`status ${response.statusCode}`))
    // Stays for the socket's life: after an error `close` follows, which tells.
    socket.on('error', (thrown) => refuse(thrown.message))
  })
}
