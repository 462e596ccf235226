/**
 * Hands notices to people, by Slack or mail: one message per call or case and stage, a digest when more wait than a
 * person would read one by one, and in quiet hours nothing but what is severe; the rest comes as one digest after
 * them. Sent one message at a time, at a pace; a message that fails is tried again with what came meanwhile. Main
 * thread.
 *
 *   log -> [known stage? dropped] -> quiet? held --- quiet hours end ---> ready -> message, or digest
 *                                      severe, or not quiet ------------------^
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
  type ReceiverKind,
  type RetryLimits,
} from './courier.ts'
import type { Notice } from './notice.ts'
import type { Outbox, Pending } from './outbox.ts'
import type { QuietHours } from './quiet-hours.ts'

/** ms between two messages to one receiver; Slack takes one a second. */
const paceMs = 1000
/** So many waiting notices are told as one digest. */
const digestMin = 5
/** Notices in one message at most, and held back by quiet hours; what is held beyond is counted in the digest. */
const digestMax = 1000
/** Stages remembered, so that none is told twice when a label goes to and fro. */
const toldMax = 20_000

export interface Message {
  readonly notices: readonly Notice[]
  readonly digest: boolean
  /** They were held back by quiet hours. */
  readonly quiet: boolean
  /** Held back beside these, counted only. */
  readonly more: number
}

export interface MessageCourierOptions {
  readonly name: string
  readonly kind: ReceiverKind
  readonly outbox: Outbox
  /** One attempt; never throws. */
  readonly deliver: (message: Message, signal: AbortSignal) => Promise<Outcome>
  readonly quietHours: QuietHours | null
  readonly retry: RetryLimits
  readonly bury: Bury
  readonly clock: Clock
  readonly random: () => number
  readonly counters: Pick<Counters, 'noticesDelivered' | 'noticesFailed' | 'noticesDead' | 'noticesRepeated'>
}

export class MessageCourier implements Courier {
  readonly name: string
  readonly #options: MessageCourierOptions
  readonly #stop = new AbortController()
  readonly #told = new Set<string>()
  #held: Pending[] = []
  #heldMore = 0
  #ready: Pending[] = []
  /** The next message is what quiet hours held back. */
  #afterQuiet = false
  #attempts: Attempts = noAttempts()
  #sending: Promise<void> | null = null
  #nextMs = 0
  #delivered = 0
  #lastError: string | null = null

  constructor(options: MessageCourierOptions) {
    this.name = options.name
    this.#options = options
  }

  get held(): number {
    return this.#options.outbox.waiting
  }

  wake(): void {
    if (this.#stop.signal.aborted) return
    const { clock, outbox, quietHours } = this.#options
    const isQuiet = quietHours?.isQuiet(clock.wallMs()) ?? false
    if (!isQuiet && this.#held.length > 0) {
      this.#ready.unshift(...this.#held.splice(0))
      this.#afterQuiet = true
    }
    for (const pending of outbox.pull()) this.#take(pending, isQuiet)
    if (this.#sending !== null || this.#ready.length === 0 || clock.steadyMs() < this.#nextMs) return
    this.#sending = this.#send().finally(() => {
      this.#sending = null
    })
  }

  view(): CourierView {
    const { clock, kind, outbox, quietHours } = this.#options
    const isQuiet = quietHours?.isQuiet(clock.wallMs()) ?? false
    const state = this.#attempts.tries > 0 ? 'down' : this.#sending !== null ? 'sending' : isQuiet ? 'quiet' : 'idle'
    return {
      name: this.name,
      kind,
      state,
      waiting: this.#held.length + this.#ready.length,
      oldestAt: outbox.oldest?.at ?? null,
      delivered: this.#delivered,
      lastError: this.#lastError,
    }
  }

  erase(spellings: NumberSpellings): void {
    this.#options.outbox.erase(spellings)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#sending
    await this.#options.outbox.settled()
  }

  #take(pending: Pending, isQuiet: boolean): void {
    const { counters, outbox, quietHours } = this.#options
    const { notice, again } = pending
    if (!again && this.#wasTold(`${notice.about} ${notice.stage}`)) {
      counters.noticesRepeated += 1
      outbox.done(pending.seq)
    } else if (!isQuiet || quietHours?.passes(notice.severity)) {
      // What was held about the same goes before it, so that the order of a call or case stays.
      const before = this.#held.filter((other) => other.notice.about === notice.about)
      this.#held = this.#held.filter((other) => other.notice.about !== notice.about)
      this.#ready.push(...before, pending)
    } else if (this.#held.length < digestMax) this.#held.push(pending)
    else {
      // The cursor stays before those that are held, so a restart finds this one again.
      this.#heldMore += 1
      outbox.done(pending.seq)
    }
  }

  #wasTold(stage: string): boolean {
    if (this.#told.has(stage)) return true
    for (const oldest of this.#told) {
      if (this.#told.size < toldMax) break
      this.#told.delete(oldest)
    }
    this.#told.add(stage)
    return false
  }

  async #send(): Promise<void> {
    const { clock, counters, deliver } = this.#options
    const digest = this.#ready.length >= digestMin || (this.#afterQuiet && this.#ready.length > 1)
    const batch = this.#ready.slice(0, digest ? digestMax : 1)
    const notices = batch.map(({ notice }) => notice)
    const quiet = digest && this.#afterQuiet
    const message = { notices, digest, quiet, more: quiet ? this.#heldMore : 0 }
    const outcome = await deliver(message, this.#stop.signal)
    if (this.#stop.signal.aborted && outcome.state !== 'done') return
    if (outcome.state === 'done') {
      counters.noticesDelivered += batch.length
      this.#delivered += batch.length
      this.#nextMs = clock.steadyMs() + paceMs
      this.#finish(batch)
    } else await this.#failed(batch, outcome)
  }

  async #failed(batch: readonly Pending[], outcome: Exclude<Outcome, { state: 'done' }>): Promise<void> {
    const { bury, clock, counters, random, retry } = this.#options
    counters.noticesFailed += 1
    this.#lastError = outcome.why
    const ageMs = clock.wallMs() - Date.parse(batch[0]!.notice.at)
    const why = giveUp(this.#attempts, outcome, { ageMs, giveUpMs: retry.giveUpMs, othersGotThrough: false })
    const asked = outcome.state === 'unavailable' ? Math.min(outcome.afterMs ?? 0, retry.mostMs) : 0
    this.#nextMs = clock.steadyMs() + Math.max(asked, pauseMs(retry, this.#attempts.tries, random))
    if (why === null) return
    const { tries } = this.#attempts
    const buried: Pending[] = []
    for (const pending of batch) {
      if (await bury(this.name, pending.notice, why, tries)) buried.push(pending)
    }
    counters.noticesDead += buried.length
    this.#finish(buried)
  }

  #finish(batch: readonly Pending[]): void {
    const over = new Set(batch)
    this.#ready = this.#ready.filter((pending) => !over.has(pending))
    if (this.#afterQuiet) this.#heldMore = 0
    this.#afterQuiet = false
    this.#attempts = noAttempts()
    for (const { seq } of batch) this.#options.outbox.done(seq)
  }
}
