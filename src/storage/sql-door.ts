/**
 * Runs other people's queries: checks one with the engine's own parser, then has it run in the read-only session.
 * At most so many at a time. Main thread.
 */
import { OperatingError } from '../core/errors.ts'
import type { SqlLimits } from './chdb-protocol.ts'
import {
  categoriesClosed,
  checkSyntaxTree,
  type EngineNames,
  preparedSql,
  rowFiltersOf,
  SqlRefused,
} from './sql-check.ts'
import type { SqlStore, Store } from './store.ts'

export interface SqlDoorOptions {
  readonly store: Pick<Store, 'query'> & SqlStore
  readonly database: string
  readonly limits: SqlLimits & { readonly queriesMax: number }
}

export interface SqlAsked {
  readonly text: string
  /** Fields of TabSeparated. */
  readonly parameters: Readonly<Record<string, string>>
  /** When the text has no FORMAT clause. */
  readonly defaultFormat: string
}

export interface SqlAnswer {
  readonly bytes: Uint8Array
  readonly format: string
  readonly mediaType: string
}

/** Formats that are offered, with their media types as ClickHouse says them. */
const mediaTypes: Readonly<Record<string, string>> = {
  TabSeparated: 'text/tab-separated-values; charset=UTF-8',
  TSV: 'text/tab-separated-values; charset=UTF-8',
  TabSeparatedWithNames: 'text/tab-separated-values; charset=UTF-8',
  TSVWithNames: 'text/tab-separated-values; charset=UTF-8',
  TabSeparatedWithNamesAndTypes: 'text/tab-separated-values; charset=UTF-8',
  TSVWithNamesAndTypes: 'text/tab-separated-values; charset=UTF-8',
  CSV: 'text/csv; charset=UTF-8; header=absent',
  CSVWithNames: 'text/csv; charset=UTF-8; header=present',
  JSON: 'application/json; charset=UTF-8',
  JSONCompact: 'application/json; charset=UTF-8',
  JSONStrings: 'application/json; charset=UTF-8',
  JSONEachRow: 'application/x-ndjson; charset=UTF-8',
  JSONStringsEachRow: 'application/x-ndjson; charset=UTF-8',
  JSONCompactEachRow: 'application/x-ndjson; charset=UTF-8',
  JSONCompactEachRowWithNames: 'application/x-ndjson; charset=UTF-8',
  JSONCompactEachRowWithNamesAndTypes: 'application/x-ndjson; charset=UTF-8',
  Pretty: 'text/plain; charset=UTF-8',
  PrettyCompact: 'text/plain; charset=UTF-8',
  Vertical: 'text/plain; charset=UTF-8',
  Markdown: 'text/markdown; charset=UTF-8',
  RowBinary: 'application/octet-stream',
  RowBinaryWithNamesAndTypes: 'application/octet-stream',
  Native: 'application/octet-stream',
  Parquet: 'application/octet-stream',
  ArrowStream: 'application/octet-stream',
  Null: 'text/plain; charset=UTF-8',
}

export const sqlFormats = Object.keys(mediaTypes)

/** UNKNOWN_FORMAT */
const unknownFormat = 73

export class SqlDoor {
  readonly #options: SqlDoorOptions
  #names: Promise<EngineNames> | null = null
  #running = 0

  constructor(options: SqlDoorOptions) {
    this.#options = options
  }

  /** @throws SqlRefused, StoreError, OperatingError capacity_full */
  async ask({ text, parameters, defaultFormat }: SqlAsked): Promise<SqlAnswer> {
    const { store, database, limits } = this.#options
    const { sql, format: clause } = preparedSql(text)
    const format = clause ?? defaultFormat
    const mediaType = mediaTypes[format]
    if (mediaType === undefined) throw new SqlRefused(unknownFormat, `Unknown format; one of ${sqlFormats.join(', ')}`)
    if (this.#running >= limits.queriesMax) {
      throw new OperatingError('capacity_full', `at most ${limits.queriesMax} queries at a time`)
    }
    this.#running += 1
    try {
      const names = await this.#engineNames()
      const tables = await store.query('SELECT name FROM system.tables WHERE database = currentDatabase()', {})
      const rowFilters = rowFiltersOf(database)
      const asked = { parameters, limits, rowFilters }
      const tree = await store.ask({ ...asked, sql: `EXPLAIN AST ${sql}`, format: 'TSVRaw' })
      const known = new Set(tables.map((row) => String(row['name'])))
      checkSyntaxTree(Buffer.from(tree).toString('utf8'), database, known, names)
      return { bytes: await store.ask({ ...asked, sql, format }), format, mediaType }
    } finally {
      this.#running -= 1
    }
  }

  #engineNames(): Promise<EngineNames> {
    this.#names ??= this.#readNames().catch((thrown: unknown) => {
      this.#names = null
      throw thrown
    })
    return this.#names
  }

  async #readNames(): Promise<EngineNames> {
    const { store } = this.#options
    const functions = await store.query(
      'SELECT name, alias_to, toString(categories) AS category FROM system.functions',
      {},
    )
    const categoryOf = new Map(functions.map((row) => [String(row['name']), String(row['category'])]))
    const closed = functions.filter((row) => {
      const [name, alias] = [String(row['name']), String(row['alias_to'])]
      return categoriesClosed.includes(categoryOf.get(alias === '' ? name : alias) ?? '')
    })
    const tableFunctions = await store.query('SELECT name FROM system.table_functions', {})
    const lower = (row: Record<string, unknown>): string => String(row['name']).toLowerCase()
    return { functionsClosed: new Set(closed.map(lower)), tableFunctions: new Set(tableFunctions.map(lower)) }
  }
}
