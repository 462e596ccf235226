/**
 * One receiver's view of the durable log of notices: what it has not been given yet. Notices may be done out of order;
 * the cursor stands at the first that is not, so after a crash some are given again (with the same id), none is lost.
 * Bounded: at most `pendingMax` are held in memory, the rest waits in the log. Main thread.
 *
 *   log    | done | done | pending | done | pending | not read yet ...
 *                        ^ cursor                   ^ next to read
 */
import type { DurableLog } from '../log/durable-log.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import type { Notice } from './notice.ts'

/** An entry of the log. `only`: for that receiver alone, a dead letter sent again. */
export interface NoticeEntry {
  readonly notice: Notice
  readonly only?: string
}

export interface Pending {
  readonly seq: number
  readonly notice: Notice
  /** Somebody asked for this one again. */
  readonly again: boolean
}

export interface OutboxOptions {
  readonly log: DurableLog
  /** The receiver's name. */
  readonly name: string
  readonly wants: (notice: Notice) => boolean
  readonly pendingMax: number
}

const readEntriesMax = 256
const readBytesMax = 1_048_576

export class Outbox {
  readonly #options: OutboxOptions
  /** In order of the log, so the first is the oldest. */
  readonly #pending = new Map<number, Notice>()
  #next: number
  #advancing: Promise<void> | null = null

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#next = options.log.cursor(readerOf(options.name))
  }

  /** Newly read notices that the receiver wants, oldest first; empty when there are none or no room. */
  pull(): Pending[] {
    const { log, name, wants, pendingMax } = this.#options
    const out: Pending[] = []
    while (this.#pending.size < pendingMax && this.#next < log.end()) {
      const room = Math.min(readEntriesMax, pendingMax - this.#pending.size)
      const entries = log.read(this.#next, room, readBytesMax)
      for (const { seq, bytes } of entries) {
        const entry = decodeEntry(bytes)
        const again = entry?.only === name
        if (entry === null || (entry.only === undefined ? !wants(entry.notice) : !again)) continue
        this.#pending.set(seq, entry.notice)
        out.push({ seq, notice: entry.notice, again })
      }
      this.#next = (entries.at(-1)?.seq ?? log.end() - 1) + 1
    }
    this.#advance()
    return out
  }

  /** Given, or given up. */
  done(seq: number): void {
    this.#pending.delete(seq)
    this.#advance()
  }

  /** Forgets a number in notices that wait. In place: the courier holds the same ones. */
  erase(spellings: NumberSpellings): void {
    for (const notice of this.#pending.values()) Object.assign(notice, spellings.scrubValue(notice))
  }

  /** Entries of the log that this receiver holds back, wanted or not. */
  get waiting(): number {
    return this.#options.log.end() - this.#first()
  }

  /** The oldest notice that was not given, or undefined. */
  get oldest(): Notice | undefined {
    return this.#pending.values().next().value
  }

  /** Resolves when the cursor has moved as far as it can. */
  async settled(): Promise<void> {
    while (this.#advancing !== null) await this.#advancing
  }

  #first(): number {
    return this.#pending.keys().next().value ?? this.#next
  }

  /** One at a time; what is done meanwhile goes along with the next. */
  #advance(): void {
    const { log, name } = this.#options
    const reader = readerOf(name)
    const to = this.#first()
    if (this.#advancing !== null || to <= log.cursor(reader)) return
    const moved = (): void => {
      this.#advancing = null
      this.#advance()
    }
    // The disk refuses: the cursor moves with the next notice that is done, or at the next look.
    const failed = (): void => {
      this.#advancing = null
    }
    this.#advancing = log.advance(reader, to).then(moved, failed)
  }
}

const readerPrefix = 'to-'

export function readerOf(name: string): string {
  return `${readerPrefix}${name}`
}

export function encodeEntry(entry: NoticeEntry): Uint8Array {
  return Buffer.from(JSON.stringify(entry))
}

/** Null when the bytes are not an entry of ours. */
export function decodeEntry(bytes: Uint8Array): NoticeEntry | null {
  try {
    const entry = JSON.parse(Buffer.from(bytes).toString()) as Partial<NoticeEntry> | null
    return typeof entry?.notice?.id === 'string' ? (entry as NoticeEntry) : null
  } catch {
    return null
  }
}
