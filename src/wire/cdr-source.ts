/**
 * One source from end to end: raw records in; canonical CDRs, rejections and skipped records out. Ties together
 * skipping, joining, mapping and forks, and is what the doors, `map` and `replay` hold. Every raw record ends in
 * exactly one of `cdr`, `rejected`, `skipped`, or is a row that went into a joined record. Any thread; one a source.
 */
import type { DecodeOptions } from './cdr-decode.ts'
import { ForkSorter } from './cdr-forks.ts'
import { RowJoiner, type UnclosedCall } from './cdr-join.ts'
import { RecordMapper } from './cdr-mapping.ts'
import type { SourceMapping } from './cdr-mapping-schema.ts'
import type { RawProblem, RawRecord, RawSink } from './cdr-raw.ts'
import { type CdrRecord, isProblem } from './cdr-record.ts'
import type { Reading } from './cdr-values.ts'

export interface Rejection {
  readonly index: number
  readonly line: number
  readonly code: string
  readonly detail: string
}

export interface CdrSink {
  cdr(record: CdrRecord, raw: RawRecord): void
  rejected(rejection: Rejection): void
  /** The mapping says that this is no call: `reason` is its word for it, or `repeated_row`. */
  skipped(reason: string, raw: RawRecord): void
}

export class CdrSource implements RawSink {
  readonly name: string
  readonly decodeOptions: DecodeOptions
  readonly #mapper: RecordMapper
  readonly #joiner: RowJoiner | null
  readonly #forks: ForkSorter | null
  readonly #rejectUnclosed: boolean
  readonly #sink: CdrSink
  #nowMs = 0
  /** Rows that wait for others, or have gone into a joined record. */
  joinedRows = 0

  constructor(name: string, mapping: SourceMapping, sink: CdrSink) {
    const { input } = mapping
    this.name = name
    this.decodeOptions = {
      formats: input.formats,
      csv: input.csv,
      xmlRecord: input.xml.record,
      keyValue: input.keyValue,
      percentValues: input.percentValues,
    }
    const options = { foldNames: input.csv.foldNames, percentValues: input.percentValues }
    this.#mapper = new RecordMapper(name, mapping)
    this.#joiner = mapping.join === undefined ? null : new RowJoiner(mapping.join, options)
    this.#forks = mapping.forks === undefined ? null : new ForkSorter(mapping.forks)
    this.#rejectUnclosed = mapping.join?.unclosed === 'reject'
    this.#sink = sink
  }

  /** Calls that wait: in a joiner for their other rows, in a fork sorter for their other legs. */
  get waiting(): number {
    return (this.#joiner?.waiting ?? 0) + (this.#forks?.held ?? 0)
  }

  undecodable(problem: RawProblem): void {
    this.#sink.rejected(problem)
  }

  record(raw: RawRecord): void {
    const reading = this.#mapper.read(raw, false)
    const reason = this.#mapper.skipReason(reading)
    if (reason !== null) {
      this.#sink.skipped(reason, raw)
      return
    }
    if (this.#joiner === null) {
      this.#map(reading, false)
      return
    }
    const outcome = this.#joiner.accept(reading, this.#nowMs, (call) => this.#unclosed(call))
    if (outcome.state === 'repeated') this.#sink.skipped('repeated_row', raw)
    else if (outcome.state === 'held') this.joinedRows++
    else if (outcome.state === 'keyless') {
      const detail = 'join key: none of its parts has a value'
      this.#sink.rejected({ index: raw.index, line: raw.line, code: 'field_missing', detail })
    } else if (outcome.state === 'complete') this.#map(this.#mapper.read(outcome.raw, true), false)
    else this.#map(reading, false)
  }

  /** Moves the clock of waiting rows; calls that waited too long leave. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs
    this.#joiner?.expire(nowMs, (call) => this.#unclosed(call))
  }

  /** A batch is at its end: legs that wait for others are let go. Joined rows go on waiting. */
  endBatch(): void {
    this.#forks?.flush((record, raw) => this.#sink.cdr(record, raw))
  }

  /** The input is at its end: nothing waits any longer. */
  end(): void {
    this.#joiner?.flush((call) => this.#unclosed(call))
    this.endBatch()
  }

  #map(reading: Reading, stopMissing: boolean): void {
    const { raw } = reading
    const outcome = this.#mapper.map(reading)
    if (isProblem(outcome)) {
      this.#sink.rejected({ index: raw.index, line: raw.line, code: outcome.code, detail: outcome.detail })
      return
    }
    if (stopMissing) outcome.flags = [...(outcome.flags ?? []), 'stop_missing']
    if (this.#forks === null) this.#sink.cdr(outcome, raw)
    else this.#forks.accept(outcome, raw, (record, of) => this.#sink.cdr(record, of))
  }

  #unclosed(call: UnclosedCall): void {
    if (call.opened && !this.#rejectUnclosed) {
      this.joinedRows--
      this.#map(this.#mapper.read(call.raw, true), true)
      return
    }
    const detail = `the rows ${call.rows.join(', ')} came, the others of their call did not`
    this.joinedRows--
    this.#sink.rejected({ index: call.raw.index, line: call.raw.line, code: 'join_incomplete', detail })
  }
}
