/**
 * Drains one table's log into the store: cuts batches, writes their boundary to disk before the first attempt,
 * inserts one at a time under a token made of the log's sequence range, and moves the cursor when it is confirmed.
 * After an unclear error, also after a crash, the identical batch goes out again and ClickHouse drops it if it had
 * arrived. Rows that are refused as such are found by halving and quarantined; their neighbours are stored. Main
 * thread.
 */

import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { DurableLog } from '../log/durable-log.ts'
import { rowEnds, unpackChunk } from '../log/row-chunks.ts'
import type { RowQuarantine } from './row-quarantine.ts'
import { type Store, StoreError } from './store.ts'

export interface TableDrainOptions {
  readonly table: string
  readonly rows: DurableLog
  /** Name of the log environment; first part of every token. */
  readonly logId: string
  readonly store: Store
  readonly quarantine: RowQuarantine
  readonly counters: Pick<Counters, 'rowsStored' | 'insertsRetried'>
  readonly log: Log
  readonly clock: Clock
  readonly flushMs: number
  readonly batchRowsMax: number
  readonly retryDelayMsMin?: number
  readonly retryDelayMsMax?: number
}

interface Batch {
  readonly toSeq: number
  readonly columns: readonly string[]
  readonly lines: Uint8Array
  readonly rows: number
}

const reader = 'store'
/** Below ClickHouse's block limits, so that a batch is one block: wholly stored or not at all. */
const batchBytesMax = 8_388_608
const entriesMax = 20_000

export class TableDrain {
  readonly #options: TableDrainOptions
  readonly #waiters: { readonly seq: number; readonly done: () => void }[] = []
  #waitingRows = 0
  #hurry: boolean
  /** The batch cut last left entries behind: the next need not wait to fill. */
  #backlog = false
  #closing = false
  #isPaused = false
  /** Who waits for the attempt in flight to end. */
  readonly #resting: (() => void)[] = []
  #failing = false
  #wake: (() => void) | null = null
  #running: Promise<void> | null = null
  #refused = 0

  constructor(options: TableDrainOptions) {
    this.#options = options
    // What a former run left behind has waited long enough.
    this.#hurry = options.rows.cursor(reader) < options.rows.end()
  }

  begin(): void {
    this.#running ??= this.#run()
  }

  /** Rows that have just become durable. */
  arrived(rows: number): void {
    this.#waitingRows += rows
    this.#wakeUp()
  }

  /** The last insert failed and has not been confirmed since. */
  get failing(): boolean {
    return this.#failing
  }

  /** A batch went out and nobody knows whether it arrived; the next attempt finds out. */
  get isUnclear(): boolean {
    return this.#options.rows.reserved(reader) !== null
  }

  /** Entries of the log that are not confirmed as stored. */
  get waiting(): number {
    return this.#options.rows.end() - this.#options.rows.cursor(reader)
  }

  /** Resolves once everything before `seq` is stored or quarantined, without waiting for a batch to fill. */
  drained(seq: number): Promise<void> {
    if (this.#options.rows.cursor(reader) >= seq) return Promise.resolve()
    this.#hurry = true
    this.#wakeUp()
    return new Promise((done) => this.#waiters.push({ seq, done }))
  }

  /** Resolves when no insert is under way; none begins until `resume`. What comes meanwhile stays in the log. */
  pause(): Promise<void> {
    this.#isPaused = true
    if (this.#running === null || this.#closing) return Promise.resolve()
    const rested = new Promise<void>((done) => this.#resting.push(done))
    this.#wakeUp()
    return rested
  }

  resume(): void {
    this.#isPaused = false
    this.#wakeUp()
  }

  /** Ends after the attempt in flight; what is not confirmed stays in the log. */
  async close(): Promise<void> {
    this.#closing = true
    this.#wakeUp()
    await this.#running
    for (const rested of this.#resting.splice(0)) rested()
  }

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }

  /** Until woken or so many ms later. */
  #pause(ms: number | null): Promise<void> {
    return new Promise((done) => {
      const timer = ms === null ? null : setTimeout(() => this.#wakeUp(), ms)
      this.#wake = () => {
        if (timer !== null) clearTimeout(timer)
        done()
      }
    })
  }

  async #run(): Promise<void> {
    const { rows } = this.#options
    while (!this.#closing) {
      if (this.#isPaused) {
        for (const rested of this.#resting.splice(0)) rested()
        await this.#pause(null)
        continue
      }
      this.#settleWaiters(rows.cursor(reader))
      if (rows.cursor(reader) >= rows.end()) {
        await this.#pause(null)
        continue
      }
      if (rows.reserved(reader) === null) await this.#gather()
      if (this.#closing || this.#isPaused) continue
      try {
        await this.#drainOne()
      } catch (thrown) {
        // The log itself failed (disk): nothing is lost, only later.
        this.#options.log.error('rows could not be drained', { table: this.#options.table, reason: messageOf(thrown) })
        await this.#backOff(5000)
      }
    }
  }

  /** Lets a batch fill: until it has its rows, or its oldest has waited flushMs, or somebody waits for it. */
  async #gather(): Promise<void> {
    const { flushMs, batchRowsMax } = this.#options
    const until = this.#options.clock.steadyMs() + flushMs
    while (!this.#closing && !this.#isPaused && !this.#hurry && !this.#backlog && this.#waitingRows < batchRowsMax) {
      const left = until - this.#options.clock.steadyMs()
      if (left <= 0) return
      await this.#pause(left)
    }
  }

  async #drainOne(): Promise<void> {
    const { rows, table, logId, counters } = this.#options
    const from = rows.cursor(reader)
    const batch = this.#cut(from, rows.reserved(reader))
    if (rows.reserved(reader) === null) await rows.reserve(reader, batch.toSeq)
    if (batch.rows > 0) {
      this.#refused = 0
      const stored = await this.#insert(batch, batch.lines, `${logId}/${table}/${from}-${batch.toSeq}`)
      if (!stored) return
      counters.rowsStored += batch.rows - this.#refused
    }
    await rows.advance(reader, batch.toSeq)
    this.#waitingRows = Math.max(0, this.#waitingRows - batch.rows)
  }

  #settleWaiters(seq: number): void {
    for (let at = this.#waiters.length - 1; at >= 0; at -= 1) {
      const waiter = this.#waiters[at]
      if (waiter === undefined || waiter.seq > seq) continue
      this.#waiters.splice(at, 1)
      waiter.done()
      if (this.#waiters.length === 0) this.#hurry = false
    }
  }

  /** The batch from `from`: the reserved one again, or as many whole entries of the same columns as fit. */
  #cut(from: number, reserved: number | null): Batch {
    const { rows, batchRowsMax } = this.#options
    const wholeBatch = reserved !== null
    const entries = wholeBatch
      ? rows.read(from, reserved - from).filter((entry) => entry.seq < reserved)
      : rows.read(from, entriesMax, batchBytesMax)
    const parts: Uint8Array[] = []
    let columns = ''
    let count = 0
    let toSeq = from
    for (const entry of entries) {
      const chunk = unpackChunk(entry.bytes)
      if (chunk === null) {
        this.#options.log.error('log entry that is no chunk of rows passed over', { table: this.#options.table })
        continue
      }
      const full = count > 0 && (count + chunk.rows > batchRowsMax || chunk.columns !== columns)
      if (full && !wholeBatch) break
      columns = chunk.columns
      count += chunk.rows
      parts.push(chunk.lines)
      toSeq = entry.seq + 1
    }
    // Nothing readable is left before the end: damaged entries are passed over.
    if (count === 0) toSeq = rows.end()
    this.#backlog = (reserved ?? toSeq) < rows.end()
    return { toSeq: reserved ?? toSeq, columns: columns.split(','), lines: Buffer.concat(parts), rows: count }
  }

  /** True once every row of `lines` is stored or quarantined; false when we close or pause before that. */
  async #insert(batch: Batch, lines: Uint8Array, token: string): Promise<boolean> {
    const { store, table, counters, log, retryDelayMsMin = 100, retryDelayMsMax = 5000 } = this.#options
    for (let delayMs = retryDelayMsMin; ; delayMs = Math.min(retryDelayMsMax, delayMs * 2)) {
      try {
        await store.insert(table, batch.columns, lines, token)
        if (this.#failing) log.info('storage takes rows again', { table })
        this.#failing = false
        return true
      } catch (thrown) {
        if (thrown instanceof StoreError && thrown.badRow) return this.#halve(batch, lines, token, thrown.message)
        if (!this.#failing) log.warn('insert not confirmed; rows stay on disk', { table, reason: messageOf(thrown) })
        this.#failing = true
        if (this.#closing || this.#isPaused) return false
        await this.#backOff(delayMs)
        if (this.#closing || this.#isPaused) return false
        counters.insertsRetried += 1
      }
    }
  }

  async #halve(batch: Batch, lines: Uint8Array, token: string, why: string): Promise<boolean> {
    const ends = rowEnds(lines)
    if (ends.length <= 1) {
      this.#refused += 1
      this.#options.quarantine.put(this.#options.table, token, why, Buffer.from(lines).toString('utf8').trimEnd())
      return true
    }
    const middle = ends.length >> 1
    const cut = ends[middle - 1] ?? 0
    const first = await this.#insert(batch, lines.subarray(0, cut), `${token}/0-${middle}`)
    return first && this.#insert(batch, lines.subarray(cut), `${token}/${middle}-${ends.length}`)
  }

  /** Waits out a delay; arrivals do not cut it short, closing does. */
  async #backOff(ms: number): Promise<void> {
    const until = this.#options.clock.steadyMs() + ms
    while (!this.#closing && !this.#isPaused) {
      const left = until - this.#options.clock.steadyMs()
      if (left <= 0) return
      await this.#pause(left)
    }
  }
}
