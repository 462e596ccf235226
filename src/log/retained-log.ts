/**
 * A durable log that keeps what its readers have passed for a while longer: so many ms and so many bytes, whichever is
 * reached first. Restarts read the kept stretch to rebuild what lives in memory. Forgetting goes by whole stretches of
 * about a MiB or a minute, a transaction each. Main thread.
 *
 *   kept cursor                       drain's cursor              end
 *   | stretch | stretch | stretch ... | not yet stored            |
 *   ^ let go when it is too old, or when the kept bytes are too many
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { type DurableLog, footprintBytes, type LogEntry } from './durable-log.ts'

export interface RetainedLogOptions {
  readonly log: DurableLog
  readonly clock: Clock
  readonly keepMs: number
  readonly keepBytesMax: number
  /** When an entry was appended, wall ms: read from the entry itself at a restart; NaN when it does not say. */
  readonly stampOf: (entry: LogEntry) => number
}

interface Stretch {
  toSeq: number
  bytes: number
  firstMs: number
  lastMs: number
}

const reader = 'kept'
const stretchBytes = 1_048_576
const stretchMs = 60_000
const readEntriesMax = 1000

export class RetainedLog {
  readonly #options: RetainedLogOptions
  readonly #stretches: Stretch[] = []
  #bytes = 0
  #trimming: Promise<void> | null = null

  constructor(options: RetainedLogOptions) {
    this.#options = options
    // Asking registers the reader: nothing leaves before it.
    options.log.cursor(reader)
  }

  /** Reads everything that is kept, in order, in slices that leave the thread to others in between. Once, at start. */
  async replay(visit: (entry: LogEntry) => void): Promise<void> {
    const { stampOf, clock } = this.#options
    await this.visit((entry) => {
      visit(entry)
      const stamp = stampOf(entry)
      this.#remember(entry.seq + 1, entry.bytes.length, Number.isFinite(stamp) ? stamp : clock.wallMs())
    })
  }

  /** Shows everything that is kept, as it stands, in such slices. */
  async visit(visit: (entry: LogEntry) => void): Promise<void> {
    const { log } = this.#options
    let from = log.cursor(reader)
    const end = log.end()
    while (from < end) {
      const entries = log.read(from, readEntriesMax, stretchBytes / 4)
      if (entries.length === 0) break
      for (const entry of entries) {
        if (entry.seq >= end) break
        visit(entry)
      }
      from = (entries.at(-1)?.seq ?? end) + 1
      await turn()
    }
  }

  /** All entries or none, on disk when it resolves. @throws OperatingError spool_full, Error of the disk. */
  async append(entries: readonly Uint8Array[]): Promise<number> {
    const { log, clock } = this.#options
    const first = await log.append(entries)
    const nowMs = clock.wallMs()
    for (const [index, entry] of entries.entries()) this.#remember(first + index + 1, entry.length, nowMs)
    return first
  }

  /** Wall ms of the oldest entry that is kept; null when there is none. */
  oldestMs(): number | null {
    return this.#stretches[0]?.firstMs ?? null
  }

  bytes(): number {
    return this.#bytes
  }

  /** Lets go of what is too old or too much. Call it about once a second. */
  trim(): Promise<void> {
    this.#trimming ??= this.#trimNow().finally(() => {
      this.#trimming = null
    })
    return this.#trimming
  }

  async #trimNow(): Promise<void> {
    const { log, clock, keepMs, keepBytesMax } = this.#options
    for (let oldest = this.#stretches[0]; oldest !== undefined; oldest = this.#stretches[0]) {
      const isOld = oldest.lastMs < clock.wallMs() - keepMs
      if (!isOld && this.#bytes <= keepBytesMax) return
      // Flushed entries only: the newest stretch may still be on its way.
      if (oldest.toSeq > log.end()) return
      await log.advance(reader, oldest.toSeq)
      this.#stretches.shift()
      this.#bytes -= oldest.bytes
    }
  }

  #remember(toSeq: number, payloadBytes: number, atMs: number): void {
    const bytes = footprintBytes(payloadBytes)
    this.#bytes += bytes
    const last = this.#stretches.at(-1)
    if (last !== undefined && last.bytes < stretchBytes && atMs - last.firstMs < stretchMs) {
      last.toSeq = toSeq
      last.bytes += bytes
      last.lastMs = atMs
    } else this.#stretches.push({ toSeq, bytes, firstMs: atMs, lastMs: atMs })
  }
}
