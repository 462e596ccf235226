/**
 * Notices that were given up, kept on disk until somebody sends them again or there are too many; the oldest leaves
 * then, counted. The log holds what happened, the list is rebuilt from it at start. Main thread.
 *
 *   log  | dead a | dead b | gone a | dead c | ...      listed: b, c
 *                   ^ kept from here: the oldest that is listed
 */
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { DurableLog } from '../log/durable-log.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import type { Notice } from './notice.ts'

export interface DeadLetter {
  /** `<receiver>.<notice's id>`. */
  readonly id: string
  readonly receiver: string
  readonly notice: Notice
  readonly why: string
  readonly tries: number
  /** ISO 8601. */
  readonly diedAt: string
}

export interface DeadLettersOptions {
  readonly log: DurableLog
  readonly lettersMax: number
  readonly counters: Pick<Counters, 'deadLettersEvicted'>
}

type Entry = { readonly dead: DeadLetter } | { readonly gone: string }

const reader = 'listed'
const readEntriesMax = 1000

export class DeadLetters {
  readonly #options: DeadLettersOptions
  /** In order of the log, so the first is the oldest. */
  readonly #letters = new Map<string, { readonly letter: DeadLetter; readonly seq: number }>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: DeadLettersOptions) {
    this.#options = options
    const { log } = options
    let from = log.cursor(reader)
    while (from < log.end()) {
      const entries = log.read(from, readEntriesMax)
      for (const { seq, bytes } of entries) this.#remember(JSON.parse(Buffer.from(bytes).toString()) as Entry, seq)
      from = (entries.at(-1)?.seq ?? log.end() - 1) + 1
    }
  }

  get size(): number {
    return this.#letters.size
  }

  /** Newest first. */
  list(): DeadLetter[] {
    return [...this.#letters.values()].map(({ letter }) => letter).reverse()
  }

  find(id: string): DeadLetter | undefined {
    return this.#letters.get(id)?.letter
  }

  /** Lets go of letters that died before then. @returns how many */
  expire(beforeMs: number): Promise<number> {
    return this.#inTurn(async () => {
      const old = [...this.#letters.values()].filter(({ letter }) => Date.parse(letter.diedAt) < beforeMs)
      for (const { letter } of old) await this.#write({ gone: letter.id })
      return old.length
    })
  }

  /** Forgets a number in what is listed; the log is changed by whoever changes all logs. */
  erase(spellings: NumberSpellings): void {
    for (const { letter } of this.#letters.values()) Object.assign(letter, spellings.scrubValue(letter))
  }

  /** On disk when it resolves. False: the disk refuses even after the oldest have left. */
  add(letter: DeadLetter): Promise<boolean> {
    return this.#inTurn(() => this.#add(letter))
  }

  /** It was sent again, or nobody wants it. */
  remove(id: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#letters.has(id)) await this.#write({ gone: id })
    })
  }

  /** One change after the other: the log is trimmed by what the list says. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #add(letter: DeadLetter): Promise<boolean> {
    while (this.#letters.size >= this.#options.lettersMax && !this.#letters.has(letter.id)) this.#evict()
    for (;;) {
      try {
        await this.#write({ dead: letter })
        return true
      } catch (thrown) {
        if (!(thrown instanceof OperatingError) || this.#letters.size === 0) return false
        this.#evict()
        await this.#trim()
      }
    }
  }

  async #write(entry: Entry): Promise<void> {
    const seq = await this.#options.log.append([Buffer.from(JSON.stringify(entry))])
    this.#remember(entry, seq)
    await this.#trim()
  }

  #remember(entry: Entry, seq: number): void {
    if ('gone' in entry) this.#letters.delete(entry.gone)
    else {
      // A letter that died again is as new as its last death.
      this.#letters.delete(entry.dead.id)
      this.#letters.set(entry.dead.id, { letter: entry.dead, seq })
    }
  }

  #evict(): void {
    const oldest = this.#letters.keys().next().value
    if (oldest === undefined) return
    this.#letters.delete(oldest)
    this.#options.counters.deadLettersEvicted += 1
  }

  async #trim(): Promise<void> {
    const { log } = this.#options
    const first = this.#letters.values().next().value?.seq ?? log.end()
    try {
      if (first > log.cursor(reader)) await log.advance(reader, first)
    } catch {
      // The disk has no room for that; the next change trims.
    }
  }
}
