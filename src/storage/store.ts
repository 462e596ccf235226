/**
 * The store: what the rest of the house may ask of ClickHouse, whichever back end answers (embedded child process, or
 * a server over HTTP). Rows go in as finished JSONCompactEachRow bytes under a token: the same token never stores
 * twice. Rows come out as JSON objects in which 64-bit integers are decimal strings, dates ISO 8601 in UTC and NaN is
 * "nan". Also the map from ClickHouse's error numbers to our codes. Main thread.
 */
import { type ErrorCode, OperatingError } from '../core/errors.ts'
import type { SqlQuestion } from './chdb-protocol.ts'

export interface Store {
  /** Resolves once queries are answered and the database exists. @throws OperatingError */
  start(): Promise<void>
  state(): 'up' | 'down'
  /**
   * Resolves once stored durably. After an unclear error the caller sends the identical batch under the same token.
   */
  insert(table: string, columns: readonly string[], rows: Uint8Array, token: string): Promise<void>
  query(sql: string, parameters: Record<string, string | number>): Promise<Record<string, unknown>[]>
  command(sql: string): Promise<void>
  close(): Promise<void>
}

/** Answers other people's queries: read-only, within limits, both enforced by the engine. */
export interface SqlStore {
  /** @throws StoreError with the engine's code */
  ask(question: SqlQuestion): Promise<Uint8Array>
}

/** Gives rows as they go in again. */
export interface DumpStore {
  /** JSONCompactEachRow, as `insert` takes it. @throws StoreError */
  dump(sql: string): Promise<Uint8Array>
}

/** Settings of such a query. `readonly` comes last: after it none can be changed, also not by a SETTINGS clause. */
export function sqlSettings({
  limits,
  rowFilters,
}: Pick<SqlQuestion, 'limits' | 'rowFilters'>): Record<string, string> {
  return {
    max_threads: '1',
    // As ClickHouse's clients are used to it; our own queries have other wishes.
    date_time_output_format: 'simple',
    additional_table_filters: filterMap(rowFilters),
    max_result_rows: String(limits.rowsMax),
    max_result_bytes: String(limits.answerBytesMax),
    result_overflow_mode: 'throw',
    max_execution_time: String(limits.timeMs / 1000),
    timeout_overflow_mode: 'throw',
    max_memory_usage: String(limits.memoryBytesMax),
    max_temporary_data_on_disk_size_for_query: '1',
    readonly: '1',
  }
}

/** A map as a setting takes it: `{'system.tables':'name = \\'calls\\''}`. */
function filterMap(rowFilters: SqlQuestion['rowFilters']): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  return `{${Object.entries(rowFilters)
    .map(([table, condition]) => `${quoted(table)}:${quoted(condition)}`)
    .join(',')}}`
}

/**
 * A failure of ClickHouse or of the way to it. `badRow`: the rows themselves were refused, before any was written.
 */
export class StoreError extends OperatingError {
  readonly engineCode: number | null
  readonly badRow: boolean

  constructor(code: ErrorCode, detail: string, engineCode: number | null, badRow: boolean, cause?: unknown) {
    super(code, detail, cause === undefined ? {} : { cause })
    this.name = 'StoreError'
    this.engineCode = engineCode
    this.badRow = badRow
  }
}

/**
 * ClickHouse's numbers (src/Common/ErrorCodes.cpp) for "this text is not a row of this table": cannot parse escape
 * sequence 25, quoted string 26, input 27, date 38, datetime 41, number 72; attempt to read after eof 32; cannot read
 * all data 33; bad arguments 36; parse text 6; cannot parse bool 467; type mismatch 53; argument out of bound 69;
 * cannot convert type 70; incorrect data 117; too large string 131; decimal overflow 407; unknown enum element 691;
 * null in an ordinary column 349; value out of range 321; cannot parse UUID 376, IPv4 441, IPv6 442.
 */
const badRowCodes = new Set([
  6, 25, 26, 27, 32, 33, 36, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 376, 407, 441, 442, 467, 691,
])
/**
 * The statement is wrong, so trying again changes nothing: syntax 62, unknown identifier 47, function 46, parameter
 * 456.
 */
const badStatementCodes = new Set([36, 42, 43, 46, 47, 62, 456, 457])

/** What ClickHouse said, as our error. Everything not known to be our fault may be tried again. */
export function insertError(engineCode: number | null, message: string, cause?: unknown): StoreError {
  const badRow = engineCode !== null && badRowCodes.has(engineCode)
  return new StoreError(badRow ? 'storage_rejected' : 'storage_unavailable', brief(message), engineCode, badRow, cause)
}

export function queryError(engineCode: number | null, message: string, cause?: unknown): StoreError {
  const bad = engineCode !== null && (badStatementCodes.has(engineCode) || badRowCodes.has(engineCode))
  return new StoreError(bad ? 'storage_rejected' : 'storage_unavailable', brief(message), engineCode, false, cause)
}

/** The first line, short: what follows in ClickHouse's messages quotes the row, and rows hold phone numbers. */
function brief(message: string): string {
  const line = message.split('\n', 1)[0] ?? ''
  return line.replace(/(before: |value ).*$/, '$1...').slice(0, 300)
}

/** Settings both back ends run with. One answer format, one reading of rows. */
export function engineSettings(requestTimeoutMs: number): Record<string, string> {
  return {
    async_insert: '0',
    input_format_skip_unknown_fields: '0',
    // A retry that its table drops as known still goes on to the views, which drop it or have missed it.
    deduplicate_blocks_in_dependent_materialized_views: '1',
    // Broken clocks of switches spread a batch over years; the partitions are months, and bounded by their range.
    max_partitions_per_insert_block: '0',
    date_time_input_format: 'best_effort',
    date_time_output_format: 'iso',
    output_format_json_quote_64bit_integers: '1',
    output_format_json_quote_denormals: '1',
    // The engine gives up before we do, so that our own timeout means that it hangs.
    max_execution_time: String(Math.max(0.5, (requestTimeoutMs * 0.8) / 1000)),
  }
}

/** Quotes a name for SQL. Names come from configuration and our own tables, checked there. */
export function quotedName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}
