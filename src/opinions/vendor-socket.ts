/**
 * A WebSocket to a vendor: bounded in what waits to be sent and in what comes, private addresses refused unless
 * allowed. Ends once, with a reason; the URL, which may hold a key, appears nowhere. Main thread.
 */
import type { ClientRequestArgs, IncomingMessage } from 'node:http'
import { type ClientOptions, WebSocket } from 'ws'
import { checkLiteral, guardedLookup, OutwardFailure } from '../http/outward.ts'
import { asFailure, failureOfStatus, OpinionFailure } from './opinion.ts'

/** Bytes that wait to be sent; 8 s of audio. A vendor that is slower has failed. */
const backlogBytesMax = 65_536
/** Bytes of one message of theirs. */
const messageBytesMax = 65_536

export interface VendorSocketOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly allowPrivate: boolean
  readonly handshakeMs: number
  readonly text: (text: string) => void
  /** Once, when it is over, whoever ended it. */
  readonly over: (failure: OpinionFailure) => void
}

export class VendorSocket {
  readonly #options: VendorSocketOptions
  readonly #waiting: (Uint8Array | string)[] = []
  readonly #socket: WebSocket | null = null
  #waitingBytes = 0
  #isOver = false

  constructor(options: VendorSocketOptions) {
    this.#options = options
    const { url, headers, allowPrivate, handshakeMs } = options
    try {
      checkLiteral(new URL(url), allowPrivate)
      const settings: ClientOptions & Pick<ClientRequestArgs, 'lookup'> = {
        headers,
        handshakeTimeout: handshakeMs,
        maxPayload: messageBytesMax,
        perMessageDeflate: false,
        followRedirects: false,
        lookup: guardedLookup(allowPrivate),
      }
      this.#socket = this.#listen(new WebSocket(url, settings))
    } catch (thrown) {
      const refused = thrown instanceof OutwardFailure ? thrown.message : 'the socket cannot be opened'
      queueMicrotask(() => this.#end(new OpinionFailure('unavailable', refused)))
    }
  }

  send(data: Uint8Array | string): void {
    const socket = this.#socket
    if (this.#isOver || socket === null) return
    if (socket.readyState === WebSocket.OPEN) socket.send(data)
    else {
      this.#waiting.push(data)
      this.#waitingBytes += data.length
    }
    if (this.#waitingBytes + socket.bufferedAmount > backlogBytesMax) {
      this.#end(new OpinionFailure('slow', `more than ${backlogBytesMax} bytes wait to be sent`))
    }
  }

  close(): void {
    this.#end(new OpinionFailure('timeout', 'given up'))
  }

  #listen(socket: WebSocket): WebSocket {
    socket.on('open', () => {
      for (const data of this.#waiting.splice(0)) socket.send(data)
      this.#waitingBytes = 0
    })
    socket.on('message', (data, isBinary) => {
      if (this.#isOver) return
      if (isBinary) this.#end(new OpinionFailure('garbled', 'bytes where text was expected'))
      else this.#text(String(data))
    })
    socket.on('unexpected-response', (_request, response: IncomingMessage) => {
      response.resume()
      this.#end(failureOfStatus({ status: response.statusCode ?? 0, headers: response.headers }))
    })
    socket.on('error', (error) => {
      const isLong = /max payload|handshake has timed out/i.exec(error.message)?.[0]
      const known = asFailure(error)
      if (known instanceof OpinionFailure) this.#end(known)
      else if (isLong === undefined) this.#end(new OpinionFailure('unavailable', codeOf(error)))
      else if (isLong.startsWith('h')) this.#end(new OpinionFailure('timeout', 'no handshake in time'))
      else this.#end(new OpinionFailure('garbled', `a message of more than ${messageBytesMax} bytes`))
    })
    socket.on('close', (code) => this.#end(failureOfClose(code)))
    return socket
  }

  #text(text: string): void {
    try {
      this.#options.text(text)
    } catch (thrown) {
      if (!(thrown instanceof OpinionFailure)) throw thrown
      this.#end(thrown)
    }
  }

  #end(failure: OpinionFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiting.length = 0
    this.#socket?.terminate()
    this.#options.over(failure)
  }
}

/** Close codes of RFC 6455, and of Modulate: 1003 bad parameters, 4002 wrong data, 4003 key or limits. */
function failureOfClose(code: number): OpinionFailure {
  const detail = `closed ${code}`
  if (code === 4003 || code === 4001) return new OpinionFailure('auth', detail)
  if (code === 1003 || code === 4002 || code === 1008) return new OpinionFailure('refused', detail)
  if (code === 1013) return new OpinionFailure('rate', detail)
  return new OpinionFailure('disconnected', detail)
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : 'connection failed'
}
