/**
 * One answer on its way out. The library's response object must not be touched after the peer has gone or the answer
 * has ended, and must be corked outside the first callback: this wrapper holds both rules, adds the security headers,
 * and turns an `HttpStream` into writes with a bound on what a slow reader may leave behind. Main thread.
 */
import { strict as assert } from 'node:assert'
import { STATUS_CODES } from 'node:http'
import type { HttpAnswer, HttpStream, StreamWriter } from './exchange.ts'

/** The part of the library's response that we use. */
export interface RawResponse {
  writeStatus(status: string): unknown
  writeHeader(key: string, value: string): unknown
  write(chunk: string | Uint8Array): boolean
  end(body?: string | Uint8Array, closeConnection?: boolean): unknown
  endWithoutBody(): unknown
  onWritable(listener: (offset: number) => boolean): unknown
  cork(write: () => void): unknown
}

export interface ReplyOptions {
  /** HEAD: the answer without its body (and without its length, which may be left out). */
  readonly headersOnly: boolean
  readonly isTls: boolean
  /** Bytes a stream's reader may be behind before `write` says false. */
  readonly streamBytesMax: number
  /** Read when the answer goes out: true once the server drains. */
  readonly closing: () => boolean
}

/** Set on every answer that does not set them itself. */
const securityHeaders: readonly (readonly [string, string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Cache-Control', 'no-store'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Referrer-Policy', 'no-referrer'],
]

export class Reply {
  readonly #response: RawResponse
  readonly #options: ReplyOptions
  #state: 'open' | 'streaming' | 'over' = 'open'
  #endStream: (() => void) | null = null
  #backlogBytes = 0

  constructor(response: RawResponse, options: ReplyOptions) {
    this.#response = response
    this.#options = options
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** The peer has gone: from here on the response object is dead. */
  abort(): void {
    this.#state = 'over'
    this.#leaveStream()
  }

  /** A whole answer; does nothing when the request is already over. `close`: end the connection after it. */
  send(answer: HttpAnswer, close = false): void {
    if (this.#state !== 'open') return
    this.#state = 'over'
    const closeConnection = close || this.#options.closing()
    const response = this.#response
    response.cork(() => {
      this.#writeHead(answer.status, answer.headers ?? {})
      const isBodiless = this.#options.headersOnly || answer.status === 204 || answer.status === 304
      if (!isBodiless) response.end(answer.body ?? '', closeConnection)
      else {
        // Not endWithoutBody(length, close): the library would announce a length and then wait for that body.
        if (closeConnection) response.writeHeader('Connection', 'close')
        response.endWithoutBody()
      }
    })
  }

  /** Headers now, the body as the owner writes it. */
  stream(answer: HttpStream): void {
    if (this.#options.headersOnly) this.send({ status: answer.status, headers: answer.headers })
    if (this.#state !== 'open') return
    this.#state = 'streaming'
    this.#response.onWritable(() => {
      this.#backlogBytes = 0
      return true
    })
    this.#response.cork(() => {
      this.#writeHead(answer.status, answer.headers)
      // A first write sends the headers even when no event is at hand; a comment line means nothing to the reader.
      this.#response.write(':\n\n')
    })
    const writer: StreamWriter = {
      write: (text) => this.#write(text),
      drained: () => this.#backlogBytes === 0,
      end: () => this.end(),
    }
    const left = answer.open(writer)
    if (this.#state === 'streaming') this.#endStream = left
    else left()
  }

  /** Ends a stream, as its owner or the drain wants. */
  end(): void {
    if (this.#state !== 'streaming') return
    this.#state = 'over'
    // Without the close flag: the library would write its Connection header into the middle of the stream.
    this.#response.cork(() => this.#response.end(''))
    this.#leaveStream()
  }

  #write(text: string): boolean {
    if (this.#state !== 'streaming') return false
    this.#response.cork(() => {
      if (!this.#response.write(text)) this.#backlogBytes += Buffer.byteLength(text)
    })
    return this.#backlogBytes <= this.#options.streamBytesMax
  }

  #leaveStream(): void {
    const left = this.#endStream
    this.#endStream = null
    left?.()
  }

  #writeHead(status: number, headers: Readonly<Record<string, string>>): void {
    this.#response.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Unknown'}`)
    const own = new Set<string>()
    for (const [name, value] of Object.entries(headers)) {
      assert(!/[\r\n\0]/.test(name + value), 'a header of ours has a line break')
      own.add(name.toLowerCase())
      this.#response.writeHeader(name, value)
    }
    for (const [name, value] of securityHeaders) {
      if (!own.has(name.toLowerCase())) this.#response.writeHeader(name, value)
    }
    if (this.#options.isTls) this.#response.writeHeader('Strict-Transport-Security', 'max-age=31536000')
  }
}
