/**
 * A server's doors for CDRs as a sender sees them: `POST /v1/cdr` with NDJSON, or the WebSocket of the same path with
 * `{seq, events}` and `{ack}`. A door takes a batch until the server has answered for it: what was refused for the
 * moment, or was not answered before the connection broke, is sent again, unchanged. Main thread.
 *
 *   -> {"seq":7,"events":[{...},{...}]}          <- {"ack":7,"accepted":2,"duplicates":0,"rejected":[]}
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type RawData, WebSocket } from 'ws'
import { messageOf, OperatingError } from '../core/errors.ts'

/** What the server says of a batch. */
export interface Receipt {
  readonly accepted: number
  readonly duplicates: number
  readonly rejected: number
}

export interface CdrDoor {
  /** Batches that may wait for their answer at a time. */
  readonly windowMax: number
  /** Batches that were sent again. */
  readonly resent: number
  /** Resolves when the server has answered for the batch. @throws OperatingError when it never will */
  send(lines: readonly string[]): Promise<Receipt>
  close(): void
}

export interface DoorOptions {
  /** http(s):// posts, ws(s):// keeps a socket open; without a path, that of the contract. */
  readonly url: string
  /** Bearer token. */
  readonly key?: string | undefined
  /** Between tries. */
  readonly retryMs?: number
}

/** Tries in a row before a server is given up. */
export const triesMax = 20
const retryMsUsual = 500
const retryMsMax = 10_000
const answerTimeoutMs = 30_000

export function cdrDoor(options: DoorOptions): CdrDoor {
  const url = new URL(options.url)
  if (url.pathname === '/') url.pathname = '/v1/cdr'
  if (!url.searchParams.has('source')) url.searchParams.set('source', 'canonical')
  const headers = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }
  const retryMs = options.retryMs ?? retryMsUsual
  if (url.protocol.startsWith('ws')) return new SocketDoor(url.href, headers, retryMs)
  return new PostDoor(url.href, headers, retryMs)
}

type Headers = Readonly<Record<string, string>>

class PostDoor implements CdrDoor {
  readonly windowMax = 8
  resent = 0
  readonly #url: string
  readonly #headers: Headers
  readonly #retryMs: number

  constructor(url: string, headers: Headers, retryMs: number) {
    this.#retryMs = retryMs
    this.#url = url
    this.#headers = { ...headers, 'content-type': 'application/x-ndjson' }
  }

  async send(lines: readonly string[]): Promise<Receipt> {
    // Latin-1: bytes that are bad on purpose stay bad.
    const body = Buffer.from(`${lines.join('\n')}\n`, 'latin1')
    for (let tries = 1; ; tries++) {
      const outcome = await this.#post(body)
      if ('receipt' in outcome) return outcome.receipt
      if (tries >= triesMax) throw new OperatingError('bad_request', `${this.#url}: ${outcome.why}, ${tries} times`)
      this.resent++
      await sleep(outcome.waitMs)
    }
  }

  close(): void {}

  async #post(body: Buffer): Promise<{ receipt: Receipt } | { why: string; waitMs: number }> {
    let status: number
    let text: string
    let retryAfterS: number
    try {
      const signal = AbortSignal.timeout(answerTimeoutMs)
      const response = await fetch(this.#url, { method: 'POST', headers: this.#headers, body, signal })
      status = response.status
      text = await response.text()
      retryAfterS = Number(response.headers.get('retry-after') ?? '')
    } catch (thrown) {
      const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown
      return { why: messageOf(cause), waitMs: this.#retryMs }
    }
    if (status === 200) return { receipt: receiptOf(parsed(text) ?? {}) }
    if (status !== 429 && status !== 503) {
      throw new OperatingError('bad_request', `${this.#url} was answered ${status}`, { got: text.slice(0, 200) })
    }
    return { why: `answered ${status}`, waitMs: Math.min(retryMsMax, Math.max(this.#retryMs, retryAfterS * 1000 || 0)) }
  }
}

interface Unanswered {
  readonly text: string
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (reason: OperatingError) => void
}

class SocketDoor implements CdrDoor {
  readonly windowMax = 64
  resent = 0
  readonly #url: string
  readonly #headers: Headers
  readonly #retryMs: number
  /** By seq, in order: what has to be sent again after a break. */
  readonly #unanswered = new Map<number, Unanswered>()
  #socket: WebSocket | undefined
  #seq = 0
  #tries = 0
  #closed = false

  constructor(url: string, headers: Headers, retryMs: number) {
    this.#retryMs = retryMs
    this.#url = url
    this.#headers = headers
    this.#connect()
  }

  send(lines: readonly string[]): Promise<Receipt> {
    const seq = ++this.#seq
    const text = `{"seq":${seq},"events":[${lines.map(asJson).join(',')}]}`
    return new Promise((resolve, reject) => {
      this.#unanswered.set(seq, { text, resolve, reject })
      if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text)
    })
  }

  close(): void {
    this.#closed = true
    this.#socket?.close(1000)
  }

  #connect(): void {
    const socket = new WebSocket(this.#url, { headers: this.#headers, handshakeTimeout: answerTimeoutMs })
    let why = 'closed'
    this.#socket = socket
    socket.on('open', () => {
      for (const { text } of this.#unanswered.values()) socket.send(text)
    })
    socket.on('message', (data) => this.#answer(data))
    socket.on('error', (error) => {
      why = error.message
    })
    socket.on('close', (code) => this.#broken(`${why} (${code})`))
  }

  #answer(data: RawData): void {
    const answer = parsed(String(data))
    const seq = typeof answer === 'object' && answer !== null && 'ack' in answer ? answer.ack : undefined
    const waiting = typeof seq === 'number' ? this.#unanswered.get(seq) : undefined
    // Other messages (credit, decisions) are not about a batch of ours.
    if (waiting === undefined) return
    this.#tries = 0
    this.#unanswered.delete(seq as number)
    waiting.resolve(receiptOf(answer))
  }

  #broken(why: string): void {
    if (this.#closed) return
    this.#tries++
    const refused = /server response: 4(?!29)/.test(why)
    if (this.#tries < triesMax && !refused) {
      this.resent += this.#unanswered.size
      setTimeout(() => this.#connect(), this.#retryMs)
      return
    }
    this.#closed = true
    const error = new OperatingError('bad_request', `${this.#url}: ${why}, ${this.#tries} times`)
    for (const { reject } of this.#unanswered.values()) reject(error)
    this.#unanswered.clear()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A line that is cut off cannot stand in a JSON array; as a text it is a bad record all the same. */
function asJson(line: string): string {
  if (line.endsWith('}')) return line
  return JSON.stringify(line)
}

function receiptOf(answer: unknown): Receipt {
  const { accepted, duplicates, rejected } = answer as Readonly<Record<string, unknown>>
  const count = (value: unknown) => (Array.isArray(value) ? value.length : Number(value ?? 0))
  return { accepted: count(accepted), duplicates: count(duplicates), rejected: count(rejected) }
}
