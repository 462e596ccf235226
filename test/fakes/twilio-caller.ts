/**
 * Twilio as its documentation and the `twilio` package describe it: signs webhooks and upgrades with the package's own
 * function, reads the TwiML, opens the media socket and sends the documented messages (numbers are strings).
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import twilio from 'twilio'
import { WebSocket } from 'ws'

export interface CallerOptions {
  /** Where the server listens, e.g. http://127.0.0.1:40001. */
  readonly url: string
  /** What Twilio was told; signatures are over it. Default: `url`. */
  readonly publicUrl?: string
  readonly accountSid: string
  readonly authToken: string
  /** Numbers of its calls. */
  readonly from?: string
  readonly to?: string
}

export interface StreamChoices {
  /** Of the webhook's URL, with its question mark. */
  readonly query?: string
  /** Of the start message. */
  readonly parameters?: Readonly<Record<string, string>>
}

export function randomSid(prefix: 'CA' | 'MZ' | 'AC'): string {
  return prefix + randomBytes(16).toString('hex')
}

export class TwilioCaller {
  readonly #options: CallerOptions
  readonly #publicUrl: string

  constructor(options: CallerOptions) {
    this.#options = options
    this.#publicUrl = options.publicUrl ?? options.url
  }

  /** A signed form POST as Twilio sends it. */
  post(path: string, form: Record<string, string>, signature?: string): Promise<Response> {
    const signed = twilio.getExpectedTwilioSignature(this.#options.authToken, this.#publicUrl + path, form)
    return fetch(this.#options.url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-twilio-signature': signature ?? signed,
      },
      body: new URLSearchParams(form).toString(),
    })
  }

  /** Asks the webhook what to do with a call. */
  ring(callSid: string, query = ''): Promise<Response> {
    return this.post(`/twilio/voice${query}`, {
      AccountSid: this.#options.accountSid,
      CallSid: callSid,
      From: this.#options.from ?? '+15005550006',
      To: this.#options.to ?? '+15005550001',
      Direction: 'inbound',
      CallStatus: 'ringing',
      ApiVersion: '2010-04-01',
    })
  }

  /** The stream URL of the TwiML that the webhook answers. */
  async streamUrl(callSid: string, query = ''): Promise<string> {
    const response = await this.ring(callSid, query)
    const twiml = await response.text()
    assert.equal(response.status, 200, twiml)
    const url = /<Stream[^>]*\surl="([^"]+)"/.exec(twiml)?.[1]
    assert.ok(url, `no stream in ${twiml}`)
    return url
  }

  /** Opens a socket on a stream URL; resolves when it is open, rejects with the status it was refused with. */
  connect(streamUrl: string, signature?: string): Promise<WebSocket> {
    const signed = twilio.getExpectedTwilioSignature(this.#options.authToken, streamUrl, {})
    const local = new URL(streamUrl)
    const target = new URL(this.#options.url)
    local.protocol = 'ws:'
    local.host = target.host
    const socket = new WebSocket(local, { headers: { 'x-twilio-signature': signature ?? signed } })
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(socket))
      socket.once('unexpected-response', (_, response) => reject(new Error(`status ${response.statusCode}`)))
      socket.once('error', reject)
    })
  }

  /** Webhook, socket, `connected` and `start`: a stream that is ready for media. */
  async stream(
    callSid: string,
    tracks: readonly string[] = ['inbound'],
    over: StreamChoices = {},
  ): Promise<CallerStream> {
    const socket = await this.connect(await this.streamUrl(callSid, over.query))
    const stream = new CallerStream(socket, this.#options.accountSid, callSid)
    stream.begin(tracks, over.parameters)
    return stream
  }
}

/** One media stream: keeps sequence numbers, chunks and timestamps as Twilio does. */
export class CallerStream {
  readonly socket: WebSocket
  readonly streamSid = randomSid('MZ')
  readonly callSid: string
  readonly #accountSid: string
  #sequence = 0
  #chunk = 0
  /** Presentation time of the next frame, ms from stream start. */
  timestampMs = 0

  constructor(socket: WebSocket, accountSid: string, callSid: string) {
    this.socket = socket
    this.callSid = callSid
    this.#accountSid = accountSid
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message))
  }

  begin(tracks: readonly string[], parameters: Readonly<Record<string, string>> = {}): void {
    this.send({ event: 'connected', protocol: 'Call', version: '1.0.0' })
    this.#sequence += 1
    this.send({
      event: 'start',
      sequenceNumber: String(this.#sequence),
      start: {
        accountSid: this.#accountSid,
        streamSid: this.streamSid,
        callSid: this.callSid,
        tracks,
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        customParameters: parameters,
      },
      streamSid: this.streamSid,
    })
  }

  /** One frame of mu-law at the stream's own time, which it moves on. */
  media(bytes: Uint8Array, track = 'inbound'): void {
    this.#sequence += 1
    this.#chunk += 1
    this.send({
      event: 'media',
      sequenceNumber: String(this.#sequence),
      media: {
        track,
        chunk: String(this.#chunk),
        timestamp: String(this.timestampMs),
        payload: Buffer.from(bytes).toString('base64'),
      },
      streamSid: this.streamSid,
    })
    this.timestampMs += bytes.length / 8
  }

  /** A whole recording in frames of 20 ms, without waiting: the server's clock is the timestamp. */
  recording(bytes: Uint8Array, track = 'inbound'): void {
    for (let at = 0; at < bytes.length; at += 160) this.media(bytes.subarray(at, at + 160), track)
  }

  stop(): void {
    this.#sequence += 1
    this.send({
      event: 'stop',
      sequenceNumber: String(this.#sequence),
      stop: { accountSid: this.#accountSid, callSid: this.callSid },
      streamSid: this.streamSid,
    })
  }
}
