/**
 * Hands notices to one webhook, each at least once: the notices about one call or case in order, different ones side by
 * side. One that fails waits with growing pauses and holds back only what is about the same; when the receiver itself
 * is down, a single probe at a time finds out when it is back, and never twice the same notice first. Main thread.
 *
 *   about A: [a1 sending][a2][a3]
 *   about B: [b1 waits 4 s][b2]           b1 failed; b2 waits for it, A does not
 *   about C: [c1 sending]
 */
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import {
  type Attempts,
  type Bury,
  type Courier,
  type CourierView,
  giveUp,
  noAttempts,
  type Outcome,
  pauseMs,
  type RetryLimits,
} from './courier.ts'
import type { Notice } from './notice.ts'
import type { Outbox, Pending } from './outbox.ts'

/** Requests to one receiver at a time. */
const inFlightMax = 4

export interface WebhookCourierOptions {
  readonly name: string
  readonly outbox: Outbox
  /** One attempt; never throws. */
  readonly deliver: (notice: Notice, signal: AbortSignal) => Promise<Outcome>
  readonly retry: RetryLimits
  readonly bury: Bury
  readonly clock: Clock
  /** 0..1. */
  readonly random: () => number
  readonly counters: Pick<Counters, 'noticesDelivered' | 'noticesFailed' | 'noticesDead'>
}

interface Item extends Attempts {
  readonly pending: Pending
  sending: boolean
}

export class WebhookCourier implements Courier {
  readonly name: string
  readonly #options: WebhookCourierOptions
  /** By what they are about; a lane is never empty. */
  readonly #lanes = new Map<string, Item[]>()
  readonly #stop = new AbortController()
  readonly #sending = new Set<Promise<void>>()
  #down: { failures: number; nextMs: number } | null = null
  #succeededMs = Number.NEGATIVE_INFINITY
  #waiting = 0
  #delivered = 0
  #lastError: string | null = null

  constructor(options: WebhookCourierOptions) {
    this.name = options.name
    this.#options = options
  }

  get held(): number {
    return this.#options.outbox.waiting
  }

  wake(): void {
    if (this.#stop.signal.aborted) return
    for (const pending of this.#options.outbox.pull()) this.#enqueue(pending)
    while (this.#sending.size < (this.#down === null ? inFlightMax : 1)) {
      const item = this.#next(this.#options.clock.steadyMs())
      if (item === undefined) return
      const sent = this.#send(item).finally(() => this.#sending.delete(sent))
      this.#sending.add(sent)
    }
  }

  view(): CourierView {
    const state = this.#down !== null ? 'down' : this.#sending.size > 0 ? 'sending' : 'idle'
    return {
      name: this.name,
      kind: 'webhook',
      state,
      waiting: this.#waiting,
      oldestAt: this.#options.outbox.oldest?.at ?? null,
      delivered: this.#delivered,
      lastError: this.#lastError,
    }
  }

  erase(spellings: NumberSpellings): void {
    this.#options.outbox.erase(spellings)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#sending)
    await this.#options.outbox.settled()
  }

  #enqueue(pending: Pending): void {
    const { about } = pending.notice
    const item: Item = { pending, sending: false, ...noAttempts() }
    const lane = this.#lanes.get(about)
    if (lane === undefined) this.#lanes.set(about, [item])
    else lane.push(item)
    this.#waiting += 1
  }

  /** The head that was tried longest ago, or never, among those that are due. */
  #next(nowMs: number): Item | undefined {
    const down = this.#down
    if (down !== null && nowMs < down.nextMs) return undefined
    let best: Item | undefined
    for (const [head] of this.#lanes.values()) {
      if (head === undefined || head.sending) continue
      if (down === null && head.nextMs > nowMs) continue
      if (best === undefined || head.lastMs < best.lastMs) best = head
      if (best.tries === 0) break
    }
    return best
  }

  async #send(item: Item): Promise<void> {
    const { clock, counters, deliver } = this.#options
    const { notice } = item.pending
    const beforeMs = item.lastMs
    item.sending = true
    item.lastMs = clock.steadyMs()
    const outcome = await deliver(notice, this.#stop.signal)
    item.sending = false
    if (this.#stop.signal.aborted && outcome.state !== 'done') return
    if (outcome.state === 'done') {
      counters.noticesDelivered += 1
      this.#delivered += 1
      this.#isUp()
      this.#finish(item)
    } else await this.#failed(item, outcome, beforeMs)
    // In a later turn: a receiver that fails at once must not keep the thread.
    setImmediate(() => this.wake())
  }

  async #failed(item: Item, outcome: Exclude<Outcome, { state: 'done' }>, beforeMs: number): Promise<void> {
    const { bury, clock, counters, random, retry } = this.#options
    const { notice } = item.pending
    counters.noticesFailed += 1
    this.#lastError = outcome.why
    const ageMs = clock.wallMs() - Date.parse(notice.at)
    // Its first failure says nothing yet; a later one does, when others got through since the one before.
    const othersGotThrough = item.tries > 0 && this.#succeededMs > beforeMs
    const why = giveUp(item, outcome, { ageMs, giveUpMs: retry.giveUpMs, othersGotThrough })
    if (outcome.state === 'unavailable') this.#isDown(outcome.afterMs)
    else this.#isUp()
    item.nextMs = clock.steadyMs() + pauseMs(retry, item.tries, random)
    if (why === null) return
    if (await bury(this.name, notice, why, item.tries)) {
      counters.noticesDead += 1
      this.#finish(item)
    } else item.nextMs = clock.steadyMs() + retry.mostMs
  }

  #isDown(afterMs: number | null): void {
    const { clock, random, retry } = this.#options
    const failures = (this.#down?.failures ?? 0) + 1
    const asked = Math.min(afterMs ?? 0, retry.mostMs)
    this.#down = { failures, nextMs: clock.steadyMs() + Math.max(asked, pauseMs(retry, failures, random)) }
  }

  #isUp(): void {
    const nowMs = this.#options.clock.steadyMs()
    const wasDown = this.#down !== null
    this.#down = null
    this.#succeededMs = nowMs
    if (!wasDown) return
    // What failed because the receiver was down need not wait any longer.
    for (const [head] of this.#lanes.values()) if (head !== undefined && head.refusals === 0) head.nextMs = nowMs
  }

  #finish(item: Item): void {
    const { about } = item.pending.notice
    const lane = this.#lanes.get(about)
    lane?.shift()
    if (lane?.length === 0) this.#lanes.delete(about)
    this.#waiting -= 1
    this.#options.outbox.done(item.pending.seq)
  }
}
