/**
 * From the bus to the receivers: what is a notice goes to the durable log, and from there every receiver is given it
 * by a courier of its own, over restarts. The log is bounded; full, new notices are refused and counted, the events
 * themselves go on. Main thread.
 *
 *   bus --[sieve]--> log `notices` (LMDB) --> outbox of each receiver --> courier --> webhook | Slack | mail
 *                                                                          '-> dead letters --resend--> log
 */
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { DurableLog } from '../log/durable-log.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import type { Bury, Courier, CourierView } from './courier.ts'
import { type DeadLetter, DeadLetters } from './dead-letters.ts'
import type { BusEvent, EventBus } from './event-bus.ts'
import { NoticeSieve } from './notice.ts'
import { encodeEntry, type NoticeEntry, readerOf } from './outbox.ts'

/** What is due is looked for so often, ms. */
const tickMs = 250
/** One line of log a minute about notices that the log refuses. */
const complainMs = 60_000

export interface NotifierOptions {
  readonly bus: EventBus
  readonly notices: DurableLog
  readonly dead: DurableLog
  readonly deadMax: number
  /** Names of the receivers; those that were and are no more are forgotten. */
  readonly names: readonly string[]
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<Counters, 'noticesQueued' | 'noticesRefused' | 'deadLettersEvicted'>
}

export class Notifier {
  readonly #options: NotifierOptions
  readonly #sieve = new NoticeSieve()
  readonly #letters: DeadLetters
  readonly #writing = new Set<Promise<unknown>>()
  #couriers: readonly Courier[] = []
  #unsubscribe: () => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #complainedMs = Number.NEGATIVE_INFINITY

  private constructor(options: NotifierOptions) {
    this.#options = options
    const { dead: log, deadMax: lettersMax, counters } = options
    this.#letters = new DeadLetters({ log, lettersMax, counters })
  }

  /** @param couriersOf makes the couriers; given where they bury what they give up */
  static async open(options: NotifierOptions, couriersOf: (bury: Bury) => readonly Courier[]): Promise<Notifier> {
    const notifier = new Notifier(options)
    await keepReaders(options)
    notifier.#couriers = couriersOf((...letter) => notifier.#bury(...letter))
    // With nobody to tell, nothing would ever leave the log.
    if (notifier.#couriers.length === 0) return notifier
    notifier.#unsubscribe = options.bus.subscribe(null, (event) => notifier.#take(event))
    notifier.#timer = setInterval(() => notifier.#wake(), tickMs).unref()
    return notifier
  }

  /** Entries of the log that the slowest receiver holds back. */
  get waiting(): number {
    return Math.max(0, ...this.#couriers.map(({ held }) => held))
  }

  get bytes(): number {
    return this.#options.notices.bytes()
  }

  /** Age of the oldest notice that some receiver was not given, s; 0 when there is none. */
  get oldestS(): number {
    const nowMs = this.#options.clock.wallMs()
    const ages = this.views().map(({ oldestAt }) => (oldestAt === null ? 0 : nowMs - Date.parse(oldestAt)))
    return Math.max(0, ...ages) / 1000
  }

  get deadCount(): number {
    return this.#letters.size
  }

  views(): CourierView[] {
    return this.#couriers.map((courier) => courier.view())
  }

  deadLetters(): DeadLetter[] {
    return this.#letters.list()
  }

  /** Gives a dead letter to its receiver once more, with the id it had. @throws OperatingError not_found, spool_full */
  async resend(id: string): Promise<DeadLetter> {
    const letter = this.#letters.find(id)
    if (letter === undefined) throw new OperatingError('not_found', 'no dead letter of that id')
    if (!this.#couriers.some(({ name }) => name === letter.receiver)) {
      throw new OperatingError('not_found', `there is no receiver ${letter.receiver} any more`)
    }
    await this.#options.notices.append([encodeEntry({ notice: letter.notice, only: letter.receiver })])
    await this.#letters.remove(id)
    this.#wake()
    return letter
  }

  /** Lets go of dead letters from before then. @returns how many */
  expire(beforeMs: number): Promise<number> {
    return this.#letters.expire(beforeMs)
  }

  /** Forgets a number in what waits and what was given up. What was sent before is with the receivers. */
  erase(spellings: NumberSpellings): void {
    this.#letters.erase(spellings)
    for (const courier of this.#couriers) courier.erase(spellings)
  }

  /** What was published is on disk when it resolves. */
  async close(): Promise<void> {
    this.#unsubscribe()
    clearInterval(this.#timer)
    await Promise.all(this.#writing)
    await Promise.all(this.#couriers.map((courier) => courier.close()))
  }

  #take(event: BusEvent): void {
    const notice = this.#sieve.take(event, this.#options.clock.wallMs())
    if (notice === null) return
    const written = this.#append({ notice }).finally(() => this.#writing.delete(written))
    this.#writing.add(written)
  }

  async #append(entry: NoticeEntry): Promise<void> {
    const { clock, counters, log, notices } = this.#options
    try {
      await notices.append([encodeEntry(entry)])
      counters.noticesQueued += 1
      this.#wake()
    } catch (thrown) {
      counters.noticesRefused += 1
      if (clock.steadyMs() - this.#complainedMs < complainMs) return
      this.#complainedMs = clock.steadyMs()
      log.error('notices cannot be kept', { reason: messageOf(thrown) })
    }
  }

  #wake(): void {
    for (const courier of this.#couriers) courier.wake()
  }

  async #bury(receiver: string, notice: DeadLetter['notice'], why: string, tries: number): Promise<boolean> {
    const { clock, log } = this.#options
    const id = `${receiver}.${notice.id}`
    log.warn('a notice was given up', { receiver, notice: notice.id, why, tries })
    return await this.#letters.add({ id, receiver, notice, why, tries, diedAt: new Date(clock.wallMs()).toISOString() })
  }
}

/** A new receiver begins with what happens from now on; one that left the configuration holds nothing back. */
async function keepReaders({ notices, names }: NotifierOptions): Promise<void> {
  const readers = names.map(readerOf)
  const known = new Set(notices.readers())
  for (const reader of readers) {
    if (!known.has(reader) && notices.end() > notices.cursor(reader)) await notices.advance(reader, notices.end())
  }
  for (const reader of known) if (!readers.includes(reader)) await notices.forget(reader)
}
