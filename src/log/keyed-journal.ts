/**
 * What is true now of things with a key, on disk: each change is an entry of a durable log, the newest entry of a key
 * counts. When far more was written than is kept, the kept ones are written once more and everything before is let go.
 * Main thread.
 */
import type { DurableLog } from './durable-log.ts'

/** How things lie in the log. `isKept` false: over, a restart need not know of it. */
export interface JournalForm<T> {
  readonly keyOf: (value: T) => string
  readonly isKept: (value: T) => boolean
  readonly toEntry: (value: T) => Uint8Array
  /** Null: not an entry of this version. */
  readonly fromEntry: (bytes: Uint8Array) => T | null
}

const reader = 'live'
/** Entries beyond those that are kept before the log is written anew. */
const entriesSpare = 1000
const readEntriesMax = 1000

export class KeyedJournal<T> {
  readonly #log: DurableLog
  readonly #form: JournalForm<T>
  readonly #kept = new Map<string, T>()
  #compacting: Promise<void> | null = null
  /** End of the log from which it is written anew, when the disk refused that. */
  #compactFrom = 0

  constructor(log: DurableLog, form: JournalForm<T>) {
    this.#log = log
    this.#form = form
    // Asking registers the reader: nothing leaves before it.
    log.cursor(reader)
  }

  /** What was kept when the last process ended, in order of the last change. Once, at start. */
  read(): T[] {
    let from = this.#log.cursor(reader)
    for (;;) {
      const entries = this.#log.read(from, readEntriesMax)
      for (const { bytes } of entries) {
        const value = this.#form.fromEntry(bytes)
        if (value === null) continue
        this.#kept.delete(this.#form.keyOf(value))
        if (this.#form.isKept(value)) this.#kept.set(this.#form.keyOf(value), value)
      }
      const last = entries.at(-1)
      if (last === undefined) return [...this.#kept.values()]
      from = last.seq + 1
    }
  }

  /**
   * On disk when it resolves. The value itself is held: written anew, it is told as it is then.
   * @throws OperatingError spool_full, Error of the disk
   */
  async write(value: T): Promise<void> {
    const { keyOf, isKept, toEntry } = this.#form
    if (isKept(value)) this.#kept.set(keyOf(value), value)
    else this.#kept.delete(keyOf(value))
    await this.#log.append([toEntry(value)])
    const end = this.#log.end()
    if (end < this.#compactFrom || end - this.#log.cursor(reader) <= entriesSpare + 2 * this.#kept.size) return
    // The value is on disk, whether or not there is room for the others once more.
    await this.#compact().catch(() => {
      this.#compactFrom = end + entriesSpare
    })
  }

  /** No longer kept: the next time the log is written anew it is left out. */
  forget(key: string): void {
    this.#kept.delete(key)
  }

  #compact(): Promise<void> {
    this.#compacting ??= this.#compactNow().finally(() => {
      this.#compacting = null
    })
    return this.#compacting
  }

  async #compactNow(): Promise<void> {
    const { isKept, toEntry } = this.#form
    for (const [key, value] of this.#kept) if (!isKept(value)) this.#kept.delete(key)
    const first = await this.#log.append([...this.#kept.values()].map(toEntry))
    await this.#log.advance(reader, Math.min(first, this.#log.end()))
  }
}
