/**
 * `WS /v1/cdr` as a sender uses it: messages `{seq, events}` in MessagePack or JSON, never more of them unacknowledged
 * than the server gives credit for; what was not acknowledged when the connection broke goes out again on the next
 * one, unchanged and in order. Questions travel on the same socket; they are not asked again. Main thread.
 *
 *   -> {"seq":7,"events":[{...},{...}]}          <- {"ack":7,"accepted":2,"duplicates":0,"rejected":[]}
 *   -> {"ask":3,"from":"...","to":"..."}         <- {"answer":3,"action":"allow",...}
 */
import { WebSocket } from 'ws'
import { OperatingError } from '../core/errors.ts'
import { readAck } from '../wire/cdr-envelope.ts'
import { MessagePacker } from '../wire/cdr-pack.ts'
import {
  answerTimeoutMs,
  type CdrDoor,
  type CdrEncoding,
  parsedJson,
  type Question,
  type Receipt,
  receiptOf,
  triesMax,
} from './cdr-receipt.ts'

/** What may be unacknowledged at a time. */
export interface CreditWindow {
  readonly messagesMax: number
  readonly bytesMax: number
}

/** `cdr.doors.unackedMessagesMax` and `unackedBytesMax` as shipped. */
export const usualWindow: CreditWindow = { messagesMax: 256, bytesMax: 8_388_608 }

export interface SocketDoorOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly retryMs: number
  readonly encoding: CdrEncoding
  readonly window: CreditWindow
}

interface Unanswered {
  readonly seq: number
  readonly message: string | Buffer
  readonly bytes: number
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (reason: OperatingError) => void
}

interface Asked {
  readonly resolve: (action: string) => void
  readonly reject: (reason: OperatingError) => void
}

/** Close codes of a message that the server will never take: wrong data, too large. */
const hopeless: ReadonlySet<number> = new Set([1007, 1009])

export class SocketDoor implements CdrDoor {
  readonly windowMax: number
  resent = 0
  reconnects = 0
  readonly #options: SocketDoorOptions
  readonly #packer = new MessagePacker()
  /** By seq, in order: what has gone out and would have to go out again after a break. */
  readonly #unanswered = new Map<number, Unanswered>()
  /** In order: what waits for credit. */
  readonly #waiting: Unanswered[] = []
  readonly #asked = new Map<number, Asked>()
  #unansweredBytes = 0
  #socket: WebSocket | undefined
  #seq = 0
  #asks = 0
  #tries = 0
  #closed = false

  constructor(options: SocketDoorOptions) {
    this.#options = options
    this.windowMax = options.window.messagesMax
    this.#connect()
  }

  send(lines: readonly string[]): Promise<Receipt> {
    const seq = ++this.#seq
    const message = this.#options.encoding === 'json' ? jsonMessage(seq, lines) : this.#packedMessage(seq, lines)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ seq, message, bytes: Buffer.byteLength(message), resolve, reject })
      this.#fill()
    })
  }

  ask(question: Question): Promise<string> {
    const ask = ++this.#asks
    const socket = this.#socket
    if (socket?.readyState !== WebSocket.OPEN) {
      return Promise.reject(new OperatingError('bad_request', 'no connection to ask on'))
    }
    return new Promise((resolve, reject) => {
      this.#asked.set(ask, { resolve, reject })
      if (this.#options.encoding === 'json') socket.send(JSON.stringify({ ask, ...question }))
      else {
        this.#packer.value({ ask, ...question })
        socket.send(this.#packer.take())
      }
    })
  }

  close(): void {
    this.#closed = true
    this.#socket?.close(1000)
  }

  /** Sends what the server gives credit for. */
  #fill(): void {
    const { messagesMax, bytesMax } = this.#options.window
    const socket = this.#socket
    if (socket?.readyState !== WebSocket.OPEN) return
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const none = this.#unanswered.size === 0
      if (!none && this.#unanswered.size >= messagesMax) return
      if (!none && this.#unansweredBytes + next.bytes > bytesMax) return
      this.#waiting.shift()
      this.#unanswered.set(next.seq, next)
      this.#unansweredBytes += next.bytes
      socket.send(next.message)
    }
  }

  #connect(): void {
    const { url, headers } = this.#options
    const options = { headers, handshakeTimeout: answerTimeoutMs, perMessageDeflate: false }
    const socket = new WebSocket(url, options)
    let why = 'closed'
    this.#socket = socket
    socket.on('open', () => {
      for (const { message } of this.#unanswered.values()) socket.send(message)
      this.#fill()
    })
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#answer(data, isBinary))
    socket.on('error', (error) => {
      why = error.message
    })
    socket.on('close', (code, reason) => this.#broken(code, reason.length > 0 ? String(reason) : why))
  }

  #answer(data: Buffer, isBinary: boolean): void {
    const answer = readAck(data, isBinary)
    if (answer === null) return
    const asked = this.#asked.get(Number(answer['answer']))
    if (asked !== undefined) {
      this.#asked.delete(Number(answer['answer']))
      asked.resolve(String(answer['action'] ?? 'none'))
    }
    const seq = Number(answer['ack'])
    const waiting = this.#unanswered.get(seq)
    // Other messages are not about a batch of ours.
    if (waiting === undefined) return
    this.#tries = 0
    this.#unanswered.delete(seq)
    this.#unansweredBytes -= waiting.bytes
    waiting.resolve(receiptOf(answer))
    this.#fill()
  }

  #broken(code: number, why: string): void {
    if (this.#closed) return
    const lost = new OperatingError('bad_request', 'the connection broke before the answer')
    for (const { reject } of this.#asked.values()) reject(lost)
    this.#asked.clear()
    this.#tries++
    const refused = hopeless.has(code) || /server response: 4(?!29)/.test(why)
    if (this.#tries < triesMax && !refused) {
      this.resent += this.#unanswered.size
      this.reconnects++
      setTimeout(() => this.#connect(), this.#options.retryMs)
      return
    }
    this.#closed = true
    const error = new OperatingError('bad_request', `${this.#options.url}: ${why} (${code}), ${this.#tries} times`)
    for (const { reject } of [...this.#unanswered.values(), ...this.#waiting]) reject(error)
    this.#unanswered.clear()
    this.#waiting.length = 0
  }

  #packedMessage(seq: number, lines: readonly string[]): Buffer {
    const packer = this.#packer
    packer.mapHead(2)
    packer.text('seq')
    packer.number(seq)
    packer.text('events')
    packer.arrayHead(lines.length)
    // A line that is cut off is a bad record as a text too.
    for (const line of lines) packer.value(parsedJson(line) ?? line)
    return packer.take()
  }
}

function jsonMessage(seq: number, lines: readonly string[]): string {
  return `{"seq":${seq},"events":[${lines.map(asJson).join(',')}]}`
}

/** A line that is cut off cannot stand in a JSON array; as a text it is a bad record all the same. */
function asJson(line: string): string {
  if (line.endsWith('}')) return line
  return JSON.stringify(line)
}
