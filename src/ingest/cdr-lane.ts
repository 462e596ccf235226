/**
 * The lane of one source: its batches are mapped one after the other, in slices of a few milliseconds, and handed to
 * the ledger in the order they came. Keeps what a mapping carries from batch to batch (rows that wait for others,
 * forked legs) right when the disk refuses a batch and after a restart: rows are kept durably until their call can no
 * longer be open, and records that a refused batch has already taken out of that state are owed and go first next
 * time. Main thread.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { LogEntry } from '../log/durable-log.ts'
import { packChunk, unpackChunk } from '../log/row-chunks.ts'
import type { NumberDoors } from '../privacy/number-doors.ts'
import type { NumberNames } from '../privacy/number-vault.ts'
import type { SourceMapping } from '../wire/cdr-mapping-schema.ts'
import type { RawRecord, RawSink } from '../wire/cdr-raw.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import { encodeCdrRow } from '../wire/cdr-row.ts'
import { type CdrSink, CdrSource, type Rejection } from '../wire/cdr-source.ts'
import type { Feed } from './cdr-body.ts'
import type { CdrLedger, LedgerAnswer, LedgerBatch } from './cdr-ledger.ts'
import type { CdrQuality } from './cdr-quality.ts'

/** What became of a batch. `skipped` stands only where a mapping said of some records that they are no calls. */
export interface CdrAnswer {
  readonly accepted: number
  readonly duplicates: number
  readonly rejected: readonly { readonly index: number; readonly code: string; readonly detail: string }[]
  readonly skipped?: number
}

export interface CdrLaneOptions {
  readonly ledger: CdrLedger
  readonly quality: CdrQuality
  readonly doors: NumberDoors
  readonly clock: Clock
}

/** ms of mapping before the thread is left to others. */
const sliceMsMax = 4
/** A batch with more rejections is no batch of records: 413, nothing of it is taken. */
export const rejectionsMax = 10_000

/** What a batch has come to so far. */
interface Batch {
  readonly records: CdrRecord[]
  readonly lines: string[]
  readonly rejected: { index: number; code: string; detail: string }[]
  readonly heldRows: string[]
  bytes: number
  skipped: number
  repeated: number
  held: number
}

function freshBatch(): Batch {
  return { records: [], lines: [], rejected: [], heldRows: [], bytes: 0, skipped: 0, repeated: 0, held: 0 }
}

/** Columns of a chunk in the log of held rows. */
const heldColumns = 'received_ms,source,fields,columns,bad_utf8'

export class CdrLane implements CdrSink {
  readonly source: CdrSource
  readonly #options: CdrLaneOptions
  readonly #joins: boolean
  readonly #carries: boolean
  readonly #raws: RawSink
  #batch = freshBatch()
  #owed = freshBatch()
  #tail: Promise<unknown> = Promise.resolve()
  #muted = false
  /** As of the slice. */
  #nowMs = 0
  #horizonMs = 0

  constructor(name: string, mapping: SourceMapping, options: CdrLaneOptions) {
    this.#options = options
    this.source = new CdrSource(name, mapping, this)
    this.#joins = mapping.join !== undefined
    this.#carries = this.#joins || mapping.forks !== undefined
    this.#raws = this.#joins
      ? { record: (raw) => this.#joined(raw), undecodable: (problem) => this.source.undecodable(problem) }
      : this.source
  }

  /** It keeps rows that wait for others. */
  get joins(): boolean {
    return this.#joins
  }

  /** Records that the disk has refused and that nobody would give again. */
  get owes(): boolean {
    return this.#owed.records.length > 0 || this.#owed.heldRows.length > 0
  }

  /** Maps a batch and resolves once it is durable. @throws OperatingError: nothing of it was taken. */
  async take(feed: Feed): Promise<CdrAnswer> {
    const { batch, answer } = await this.#inTurn(async () => {
      await this.#payOwed()
      const batch = await this.#map(feed)
      return { batch, answer: this.#submit(batch) }
    })
    const { accepted, duplicates } = await answer
    return {
      accepted: accepted + batch.held,
      duplicates: duplicates + batch.repeated,
      rejected: batch.rejected,
      ...(batch.skipped > 0 ? { skipped: batch.skipped } : {}),
    }
  }

  /** Moves the clock of rows that wait. Call it about once a second. */
  async tick(): Promise<void> {
    if (!this.#joins) return
    const answer = await this.#inTurn(async () => {
      this.#batch = freshBatch()
      this.#beginSlice()
      this.source.tick(this.#nowMs)
      return { answer: this.#batch.records.length > 0 ? this.#submit(this.#batch) : null }
    })
    await answer.answer
  }

  /** Rows that were on disk when a former run ended wait again; calls that they complete are known already. */
  async resume(rows: readonly RawRecord[]): Promise<void> {
    await this.#inTurn(async () => {
      this.#muted = true
      try {
        this.#batch = freshBatch()
        this.#beginSlice()
        this.source.tick(this.#nowMs)
        for (const row of rows) this.source.record(row)
        this.source.endBatch()
        await this.#submit(this.#batch)
      } finally {
        this.#muted = false
      }
    })
  }

  cdr(record: CdrRecord): void {
    this.#options.doors.record(record)
    const line = encodeCdrRow(record, this.#nowMs, record.startUs / 1000 < this.#horizonMs)
    this.#batch.records.push(record)
    this.#batch.lines.push(line)
    this.#batch.bytes += line.length
  }

  rejected({ index, code, detail: words }: Rejection): void {
    const detail = this.#options.doors.words(words)
    if (!this.#muted) this.#options.quality.rejected(this.source.name, code, `index ${index}`, detail)
    this.#batch.rejected.push({ index, code, detail })
  }

  skipped(reason: string): void {
    if (reason === 'repeated_row') {
      this.#batch.repeated += 1
      return
    }
    this.#batch.skipped += 1
    if (!this.#muted) this.#options.quality.skipped(this.source.name, reason)
  }

  async #map(feed: Feed): Promise<Batch> {
    const { clock } = this.#options
    const batch = freshBatch()
    this.#batch = batch
    this.#beginSlice()
    let sinceMs = clock.steadyMs()
    while (feed(this.#raws)) {
      if (batch.rejected.length > rejectionsMax) break
      if (clock.steadyMs() - sinceMs < sliceMsMax) continue
      await turn()
      this.#beginSlice()
      sinceMs = clock.steadyMs()
    }
    this.source.endBatch()
    if (batch.rejected.length > rejectionsMax) {
      this.#owe(batch)
      throw new OperatingError('body_too_large', `more than ${rejectionsMax} records of the batch are rejected`)
    }
    return batch
  }

  #beginSlice(): void {
    const { clock, ledger } = this.#options
    this.#nowMs = clock.wallMs()
    this.#horizonMs = ledger.horizonMs()
  }

  #joined(raw: RawRecord): void {
    const before = this.source.joinedRows
    this.source.record(raw)
    if (this.source.joinedRows > before) this.#batch.held += 1
    const columns = raw.columns === null ? null : [...raw.columns.keys()]
    const row = [this.#nowMs, this.source.name, raw.fields, columns, raw.badUtf8 ? 1 : 0]
    this.#batch.heldRows.push(`${JSON.stringify(row)}\n`)
  }

  async #submit(batch: Batch): Promise<LedgerAnswer> {
    try {
      return await this.#options.ledger.submit(this.#ledgerBatch(batch))
    } catch (thrown) {
      this.#owe(batch)
      throw thrown
    }
  }

  /** The mapping will not give these records again: they are kept until the disk takes them. */
  #owe(batch: Batch): void {
    if (!this.#carries) return
    this.#owed.records.push(...batch.records)
    this.#owed.lines.push(...batch.lines)
    this.#owed.heldRows.push(...batch.heldRows)
    this.#owed.bytes += batch.bytes
  }

  async #payOwed(): Promise<void> {
    const owed = this.#owed
    if (owed.records.length === 0 && owed.heldRows.length === 0) return
    await this.#options.ledger.submit(this.#ledgerBatch(owed))
    this.#owed = freshBatch()
  }

  /** Rows that wait hold numbers as the switch wrote them: on disk they are sealed. */
  #ledgerBatch({ records, lines, heldRows, bytes }: Batch): LedgerBatch {
    const { names } = this.#options.doors
    const heldEntries = heldRows.length === 0 ? [] : [names.seal(packChunk(heldColumns, heldRows))]
    return { records, lines, bytes, heldEntries }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }
}

export interface HeldRow {
  readonly receivedMs: number
  readonly source: string
  readonly raw: RawRecord
}

/** The rows of an entry of the log of held rows. */
export function heldRowsOf(entry: LogEntry, names: Pick<NumberNames, 'unseal'>): HeldRow[] {
  const bytes = names.unseal(entry.bytes)
  const chunk = bytes === null ? null : unpackChunk(bytes)
  if (chunk === null || chunk.columns !== heldColumns) return []
  const lines = Buffer.from(chunk.lines).toString('utf8').split('\n').slice(0, -1)
  return lines.map((line, index) => {
    const row = JSON.parse(line) as [number, string, unknown, string[] | null, number]
    const columns = row[3] === null ? null : new Map(row[3].map((name, at) => [name, at]))
    return {
      receivedMs: row[0],
      source: row[1],
      raw: { index, line: index + 1, fields: row[2], columns, badUtf8: row[4] === 1 },
    }
  })
}
