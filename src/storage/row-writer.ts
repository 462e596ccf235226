/**
 * Takes rows, makes them durable within a few milliseconds (one log append carries the rows of all tables: group
 * commit) and has them drained into ClickHouse in batches. A row that `write` accepted is stored exactly once,
 * however often ClickHouse, its child process or this process dies after it became durable; while ClickHouse is away
 * rows wait on disk, and when the disk budget is used up `write` says no. Main thread.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { ByteBudget, type DurableLog, footprintBytes } from '../log/durable-log.ts'
import { packChunk } from '../log/row-chunks.ts'
import { encodeRow } from './row-encoding.ts'
import { RowQuarantine } from './row-quarantine.ts'
import type { Store } from './store.ts'
import { TableDrain } from './table-drain.ts'
import { type ColumnType, columnsOf, columnTypesOf, type TableName, tableNames } from './tables.ts'

/** `spooling`: ClickHouse does not confirm, rows wait on disk. `full`: new rows are refused. */
export type WriterState = 'up' | 'spooling' | 'full'

export interface RowWriterOptions {
  /** Where rows become durable: a LogEnvironment. */
  readonly logs: { readonly id: string; log(name: string, budget: ByteBudget): DurableLog }
  readonly store: Store
  readonly counters: Pick<
    Counters,
    'rowsStored' | 'rowsSpooled' | 'rowsRefused' | 'rowsQuarantined' | 'rowsQuarantineLost' | 'insertsRetried'
  >
  readonly log: Log
  readonly clock: Clock
  readonly flushMs: number
  readonly batchRowsMax: number
  readonly spoolBytesMax: number
  /** File for rows that no table takes. */
  readonly quarantineFile: string
  /** How long rows wait for others before the log is flushed. */
  readonly groupCommitMs?: number
  readonly retryDelayMsMin?: number
  readonly retryDelayMsMax?: number
  /** A refusal shows in `state` for so long. */
  readonly refusedShownMs?: number
}

interface TableSpool {
  readonly table: TableName
  readonly columns: readonly string[]
  readonly types: readonly ColumnType[]
  readonly names: string
  readonly rows: DurableLog
  readonly drain: TableDrain
  /** Rows not yet handed to the log, cut into chunks of at most chunkBytesMax. */
  chunks: { lines: string[]; bytes: number }[]
}

const chunkBytesMax = 131_072
const chunkRowsMax = 10_000
const quarantineBytesMax = 67_108_864
const logRetryMs = 1000
const refusedShownMsDefault = 5000
const closePollMs = 20

export class RowWriter {
  readonly #options: RowWriterOptions
  readonly #spools = new Map<TableName, TableSpool>()
  readonly #quarantine: RowQuarantine
  #pendingBytes = 0
  #timer: NodeJS.Timeout | null = null
  #committing: Promise<void> | null = null
  /** The disk refused the last append: nothing new is taken until one succeeds. */
  #stuck = false
  #closed = false
  #rowBytes = 256
  /** When a row was refused last. */
  #refusedMs = Number.NEGATIVE_INFINITY

  constructor(options: RowWriterOptions) {
    this.#options = options
    const { counters, log } = options
    this.#quarantine = new RowQuarantine({
      file: options.quarantineFile,
      bytesMax: quarantineBytesMax,
      counters,
      log,
    })
    const budget = new ByteBudget(options.spoolBytesMax)
    for (const table of tableNames) this.#spools.set(table, this.#spoolOf(table, budget))
  }

  #spoolOf(table: TableName, budget: ByteBudget): TableSpool {
    const rows = this.#options.logs.log(`rows.${table}`, budget)
    const columns = columnsOf(table)
    const { logs, store, counters, log, clock, flushMs, batchRowsMax } = this.#options
    const { retryDelayMsMin = 100, retryDelayMsMax = 5000 } = this.#options
    const common = { store, counters, log, clock, flushMs, batchRowsMax, retryDelayMsMin, retryDelayMsMax }
    const drain = new TableDrain({ ...common, table, rows, logId: logs.id, quarantine: this.#quarantine })
    return { table, columns, types: columnTypesOf(table), names: columns.join(','), rows, drain, chunks: [] }
  }

  /** Rows begin to flow to the store; call once its schema is there. Until then they gather on disk. */
  begin(): void {
    for (const spool of this.#spools.values()) spool.drain.begin()
  }

  /**
   * Takes a row, in the order of its table's columns (`rowOf`). False: the spool is full, the row is not taken,
   * counted. A row that does not fit its columns is quarantined, which counts as taken.
   */
  write(table: TableName, row: readonly unknown[]): boolean {
    const spool = this.#spools.get(table)
    if (spool === undefined) throw new OperatingError('internal', `no table ${table}`)
    if (this.#closed || this.#stuck || !spool.rows.hasRoom(this.#pendingBytes + this.#rowBytes)) {
      this.#options.counters.rowsRefused += 1
      this.#refusedMs = this.#options.clock.steadyMs()
      return false
    }
    let line: string
    try {
      line = encodeRow(spool.columns, spool.types, row)
    } catch (thrown) {
      this.#quarantine.put(table, 'not encoded', messageOf(thrown), printable(row))
      return true
    }
    let chunk = spool.chunks.at(-1)
    if (chunk === undefined || chunk.bytes + line.length > chunkBytesMax || chunk.lines.length >= chunkRowsMax) {
      chunk = { lines: [], bytes: spool.names.length }
      spool.chunks.push(chunk)
      // A chunk begins pages of its own.
      this.#pendingBytes += footprintBytes(4096)
    }
    chunk.lines.push(line)
    chunk.bytes += line.length
    this.#pendingBytes += line.length
    this.#rowBytes = Math.max(this.#rowBytes, line.length)
    this.#timer ??= setTimeout(() => void this.#commit(), this.#options.groupCommitMs ?? 5)
    return true
  }

  /** Resolves once every row written so far is on disk. */
  async durable(): Promise<void> {
    while (this.#pendingBytes > 0 || this.#committing !== null) {
      await this.#commit()
      if (this.#stuck) throw new OperatingError('spool_full', 'rows cannot be written to disk')
    }
  }

  /** Resolves once every row written so far is stored or quarantined; waits for as long as ClickHouse is away. */
  async flush(): Promise<void> {
    await this.durable()
    await Promise.all([...this.#spools.values()].map((spool) => spool.drain.drained(spool.rows.end())))
  }

  /** Resolves when no insert is under way; rows go on becoming durable, none is stored until `resume`. */
  async pause(): Promise<void> {
    await Promise.all([...this.#spools.values()].map((spool) => spool.drain.pause()))
  }

  get isUnclear(): boolean {
    return [...this.#spools.values()].some((spool) => spool.drain.isUnclear)
  }

  resume(): void {
    for (const spool of this.#spools.values()) spool.drain.resume()
  }

  /**
   * Everything written becomes durable; storing goes on for at most `storeWaitMs`, the rest waits for the next start.
   */
  async close(storeWaitMs = 5000): Promise<void> {
    this.#closed = true
    await this.durable().catch((thrown: unknown) => {
      this.#options.log.error('rows lost: the disk refuses them', { reason: messageOf(thrown) })
    })
    await this.#flushWithin(storeWaitMs)
    await Promise.all([...this.#spools.values()].map((spool) => spool.drain.close()))
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  /** Waits for the store, but not for one that does not confirm. */
  async #flushWithin(waitMs: number): Promise<void> {
    let flushed = false
    const flushing = this.flush().then(
      () => {
        flushed = true
      },
      () => {},
    )
    const until = this.#options.clock.steadyMs() + waitMs
    const failing = (): boolean => [...this.#spools.values()].some((spool) => spool.drain.failing)
    while (!flushed && !this.#stuck && !failing() && this.#options.clock.steadyMs() < until) {
      await Promise.race([flushing, sleep(closePollMs)])
    }
  }

  /** `full` also while rows were refused a moment ago: between commits there may be room that the next one fills. */
  state(): WriterState {
    const { clock, refusedShownMs = refusedShownMsDefault } = this.#options
    if (clock.steadyMs() - this.#refusedMs < refusedShownMs) return 'full'
    const spools = [...this.#spools.values()]
    if (this.#stuck || spools.some((spool) => !spool.rows.hasRoom(this.#pendingBytes + this.#rowBytes))) return 'full'
    return spools.some((spool) => spool.drain.failing) ? 'spooling' : 'up'
  }

  /** Bytes on disk that ClickHouse has not confirmed; for a gauge. */
  spoolBytes(): number {
    let bytes = 0
    for (const spool of this.#spools.values()) bytes += spool.rows.bytes()
    return bytes
  }

  /** One append in flight; rows that come meanwhile ride the next. */
  #commit(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#committing ??= this.#commitNow().finally(() => {
      this.#committing = null
      const wait = this.#stuck ? logRetryMs : (this.#options.groupCommitMs ?? 5)
      if (this.#pendingBytes > 0) this.#timer ??= setTimeout(() => void this.#commit(), wait)
    })
    return this.#committing
  }

  async #commitNow(): Promise<void> {
    this.#pendingBytes = 0
    const results = await Promise.all([...this.#spools.values()].map((spool) => this.#append(spool)))
    this.#stuck = results.includes(false)
  }

  async #append(spool: TableSpool): Promise<boolean> {
    const chunks = spool.chunks
    if (chunks.length === 0) return true
    spool.chunks = []
    const rows = chunks.reduce((sum, chunk) => sum + chunk.lines.length, 0)
    try {
      await spool.rows.append(chunks.map((chunk) => packChunk(spool.names, chunk.lines)))
    } catch (thrown) {
      this.#options.log.error('rows not on disk yet; tried again', { table: spool.table, reason: messageOf(thrown) })
      spool.chunks = [...chunks, ...spool.chunks]
      for (const chunk of chunks) this.#pendingBytes += chunk.bytes + footprintBytes(4096)
      return false
    }
    this.#options.counters.rowsSpooled += rows
    spool.drain.arrived(rows)
    return true
  }
}

function printable(row: readonly unknown[]): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? ''
}
