/**
 * Writes the audit: links each row to the one before, in the order of the calls, makes them durable within
 * milliseconds in a log of their own, and has them drained into table `audit`. The log keeps its last entry for ever:
 * it is where the chain goes on after a restart, and what `audit verify` holds the table against. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { ByteBudget, type DurableLog } from '../log/durable-log.ts'
import { packChunk, unpackChunk } from '../log/row-chunks.ts'
import { type AuditEntry, type ChainHead, linkTo, newChain } from './audit-chain.ts'
import { type AuditRecord, recordOf } from './audit-rows.ts'
import { encodeRow } from './row-encoding.ts'
import type { RowQuarantine } from './row-quarantine.ts'
import type { Store } from './store.ts'
import { TableDrain } from './table-drain.ts'
import { columnsOf, columnTypesOf, rowOf } from './tables.ts'

export interface AuditTrailOptions {
  readonly logs: { readonly id: string; log(name: string, budget: ByteBudget): DurableLog }
  readonly store: Store
  readonly quarantine: RowQuarantine
  readonly counters: Pick<Counters, 'auditRefused' | 'rowsStored' | 'insertsRetried'>
  readonly log: Log
  readonly clock: Clock
  readonly flushMs: number
  readonly batchRowsMax: number
}

/** Rows that ClickHouse has not confirmed, on disk. */
const auditBytesMax = 268_435_456
/** Rows that the disk has not confirmed. */
const pendingMax = 20_000
/** Rows of one log entry. */
const chunkRowsMax = 1000
const groupCommitMs = 5
const retryMs = 1000
const columns = columnsOf('audit')
const types = columnTypesOf('audit')
const reader = 'head'

export class AuditTrail {
  readonly #options: AuditTrailOptions
  readonly #rows: DurableLog
  readonly #drain: TableDrain
  /** Where the next row links on. */
  #next: ChainHead
  /** The last row on disk. */
  #head: ChainHead
  #pending: { line: string; head: ChainHead }[] = []
  #timer: NodeJS.Timeout | null = null
  #committing: Promise<void> | null = null
  /** The disk refused the last append. */
  #isStuck = false

  constructor(options: AuditTrailOptions) {
    this.#options = options
    const { logs, store, quarantine, counters, log, clock, flushMs, batchRowsMax } = options
    this.#rows = logs.log('audit', new ByteBudget(auditBytesMax))
    this.#rows.cursor(reader)
    this.#head = headIn(this.#rows) ?? newChain(logs.id, clock.wallMs())
    this.#next = this.#head
    const common = { store, quarantine, counters, log, clock, flushMs, batchRowsMax }
    this.#drain = new TableDrain({ ...common, table: 'audit', rows: this.#rows, logId: logs.id })
  }

  /** Rows begin to flow to the store; call once its schema is there. */
  begin(): void {
    this.#drain.begin()
  }

  /** False: the disk has refused for so long that the row is not taken, counted. */
  write(entry: AuditEntry): boolean {
    if (this.#pending.length >= pendingMax) {
      this.#options.counters.auditRefused += 1
      return false
    }
    const stored = wellFormed(entry)
    const { chain, seq, prevHash, hash } = linkTo(this.#next, stored)
    const line = encodeRow(columns, types, rowOf('audit', { ...stored, chain, seq, prev_hash: prevHash, hash }))
    this.#next = { chain, seq, hash }
    this.#pending.push({ line, head: this.#next })
    this.#timer ??= setTimeout(() => void this.#commit(), groupCommitMs)
    return true
  }

  /** The last row on disk; seq 0 before the first. */
  head(): ChainHead {
    return this.#head
  }

  /** Resolves once every row written so far is on disk. @throws when the disk refuses */
  async durable(): Promise<void> {
    const { chain, seq } = this.#next
    while (this.#head.chain === chain && this.#head.seq < seq) {
      await this.#commit()
      if (this.#isStuck) throw new OperatingError('spool_full', 'audit rows cannot be written to disk')
    }
  }

  /** Resolves once every row written so far is in the table; waits for as long as ClickHouse is away. */
  async stored(): Promise<void> {
    await this.durable()
    await this.#drain.drained(this.#rows.end())
  }

  /** Resolves when no insert is under way; none begins until `resume`. */
  pause(): Promise<void> {
    return this.#drain.pause()
  }

  get isUnclear(): boolean {
    return this.#drain.isUnclear
  }

  resume(): void {
    this.#drain.resume()
  }

  async close(): Promise<void> {
    await this.durable().catch((thrown: unknown) => {
      this.#options.log.error('audit rows lost: the disk refuses them', { reason: messageOf(thrown) })
    })
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#drain.close()
  }

  /** One append in flight; rows that come meanwhile ride the next. */
  #commit(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    let waitMs = groupCommitMs
    this.#committing ??= this.#commitNow()
      .then(() => {
        this.#isStuck = false
      })
      .catch((thrown: unknown) => {
        waitMs = retryMs
        this.#isStuck = true
        this.#options.log.error('audit rows not on disk yet; tried again', { reason: messageOf(thrown) })
      })
      .finally(() => {
        this.#committing = null
        if (this.#pending.length > 0) this.#timer ??= setTimeout(() => void this.#commit(), waitMs)
      })
    return this.#committing
  }

  async #commitNow(): Promise<void> {
    const batch = this.#pending.slice(0, pendingMax)
    const chunks: Uint8Array[] = []
    for (let at = 0; at < batch.length; at += chunkRowsMax) {
      const lines = batch.slice(at, at + chunkRowsMax).map(({ line }) => line)
      chunks.push(packChunk(columns.join(','), lines))
    }
    const last = batch.at(-1)
    if (last === undefined) return
    const first = await this.#rows.append(chunks)
    this.#pending.splice(0, batch.length)
    this.#head = last.head
    this.#drain.arrived(batch.length)
    // The rows are on disk all the same; what was left behind goes with the next.
    await this.#rows.advance(reader, first + chunks.length - 1).catch((thrown: unknown) => {
      this.#options.log.warn('the log of the audit keeps older rows for now', { reason: messageOf(thrown) })
    })
  }
}

/** The last row of the log's last entry. */
function headIn(rows: DurableLog): ChainHead | null {
  const last = rows
    .read(rows.end() - 1, 1)
    .flatMap(({ bytes }) => recordsIn(bytes))
    .at(-1)
  return last === undefined ? null : { chain: last.chain, seq: last.seq, hash: last.hash }
}

/** For a check while no server runs: the end of the chain, and rows that may not be in the table yet. */
export function waitingAudit(logs: AuditTrailOptions['logs']): { head: ChainHead | null; records: AuditRecord[] } {
  const rows = logs.log('audit', new ByteBudget(auditBytesMax))
  const records = rows.read(0, Number.POSITIVE_INFINITY).flatMap(({ bytes }) => recordsIn(bytes))
  return { head: headIn(rows), records }
}

function recordsIn(bytes: Uint8Array): AuditRecord[] {
  const chunk = unpackChunk(bytes)
  if (chunk === null) return []
  const names = chunk.columns.split(',')
  const lines = Buffer.from(chunk.lines).toString('utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const values = JSON.parse(line) as unknown[]
    return recordOf(Object.fromEntries(names.map((name, index) => [name, values[index]])))
  })
}

/** As the row is stored and read back: half a surrogate pair becomes U+FFFD before it is hashed. */
function wellFormed(entry: AuditEntry): AuditEntry {
  const texts = Object.entries(entry).map(([key, value]) => [
    key,
    typeof value === 'string' ? Buffer.from(value, 'utf8').toString('utf8') : value,
  ])
  return Object.fromEntries(texts) as AuditEntry
}
