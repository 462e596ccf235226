/** `POST /v1/cdr` with NDJSON, and `POST /v1/decisions`, as a sender uses them. Main thread. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, OperatingError } from '../core/errors.ts'
import {
  answerTimeoutMs,
  type CdrDoor,
  parsedJson,
  type Question,
  type Receipt,
  receiptOf,
  triesMax,
} from './cdr-receipt.ts'

export interface PostDoorOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly retryMs: number
}

type Answered = { readonly status: number; readonly text: string; readonly retryAfterS: number }

const retryMsMax = 10_000

export class PostDoor implements CdrDoor {
  readonly windowMax = 8
  readonly reconnects = 0
  resent = 0
  readonly #options: PostDoorOptions

  constructor(options: PostDoorOptions) {
    this.#options = options
  }

  async send(lines: readonly string[]): Promise<Receipt> {
    const { url } = this.#options
    // Latin-1: bytes that are bad on purpose stay bad.
    const body = Buffer.from(`${lines.join('\n')}\n`, 'latin1')
    for (let tries = 1; ; tries++) {
      const outcome = await this.#deliver(body)
      if ('receipt' in outcome) return outcome.receipt
      if (tries >= triesMax) throw new OperatingError('bad_request', `${url}: ${outcome.why}, ${tries} times`)
      this.resent++
      await sleep(outcome.waitMs)
    }
  }

  async ask(question: Question): Promise<string> {
    const url = new URL('/v1/decisions', this.#options.url).href
    const answer = await this.#post(url, 'application/json', JSON.stringify(question))
    const { action } = (parsedJson(answer.text) ?? {}) as Readonly<Record<string, unknown>>
    if (answer.status === 200 && typeof action === 'string') return action
    throw new OperatingError('bad_request', `${url} was answered ${answer.status}`)
  }

  close(): void {}

  async #deliver(body: Buffer): Promise<{ receipt: Receipt } | { why: string; waitMs: number }> {
    const { url, retryMs } = this.#options
    let answer: Answered
    try {
      answer = await this.#post(url, 'application/x-ndjson', body)
    } catch (thrown) {
      return { why: messageOf(thrown), waitMs: retryMs }
    }
    const { status, text, retryAfterS } = answer
    if (status === 200) return { receipt: receiptOf(parsedJson(text)) }
    if (status !== 429 && status !== 503) {
      throw new OperatingError('bad_request', `${url} was answered ${status}`, { got: text.slice(0, 200) })
    }
    return { why: `answered ${status}`, waitMs: Math.min(retryMsMax, Math.max(retryMs, retryAfterS * 1000 || 0)) }
  }

  async #post(url: string, type: string, body: Buffer | string): Promise<Answered> {
    try {
      const signal = AbortSignal.timeout(answerTimeoutMs)
      const headers = { ...this.#options.headers, 'content-type': type }
      const response = await fetch(url, { method: 'POST', headers, body, signal })
      const text = await response.text()
      return { status: response.status, text, retryAfterS: Number(response.headers.get('retry-after') ?? '') }
    } catch (thrown) {
      const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown
      throw new OperatingError('bad_request', messageOf(cause))
    }
  }
}
