/**
 * All tables as they stand at one moment, to be read at leisure while they go on: each table's parts are attached to a
 * table of its own beside it (hard links: a moment, and no space until the parts are merged away), where nothing is
 * merged. Pages go by part and place within it, so every row comes exactly once. By SQL alone, so the same for the
 * embedded engine and a server. Main thread.
 */
import { OperatingError } from '../core/errors.ts'
import { madeBy, readMigrations } from './migrations.ts'
import { type DumpStore, quotedName, type Store } from './store.ts'

export interface SnapshotTable {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: number
  /** When rows of one key are one. */
  readonly merged: number
  readonly bytes: number
}

interface Part {
  readonly name: string
  readonly rows: number
}

const prefix = 'snapshot_'
/** Rows of a page are so many that it is about this long. */
const pageBytes = 4_194_304
const pageRowsMax = 50_000

export class TableSnapshot {
  readonly #store: Pick<Store, 'query' | 'command'> & DumpStore

  constructor(store: Pick<Store, 'query' | 'command'> & DumpStore) {
    this.#store = store
  }

  /** Nothing must be inserted meanwhile. @throws StoreError */
  async take(): Promise<SnapshotTable[]> {
    await this.drop()
    const ours = new Set(madeBy(readMigrations(), 'TABLE'))
    const tables = (await this.#names(`engine LIKE '%MergeTree'`)).filter((name) => ours.has(name))
    for (const table of tables) {
      const copy = quotedName(prefix + table)
      await this.#store.command(`CREATE TABLE ${copy} AS ${quotedName(table)}`)
      await this.#store.command(`SYSTEM STOP MERGES ${copy}`)
      const of = `database = currentDatabase() AND table = '${table}' AND active`
      const partitions = await this.#store.query(`SELECT DISTINCT partition_id FROM system.parts WHERE ${of}`, {})
      for (const row of partitions) {
        const id = String(row['partition_id'])
        await this.#store.command(`ALTER TABLE ${copy} ATTACH PARTITION ID '${id}' FROM ${quotedName(table)}`)
      }
    }
    return Promise.all(tables.map((table) => this.#facts(table)))
  }

  /** Rows a page at a time, JSONCompactEachRow. */
  async *pages({ table, columns, rows, bytes }: SnapshotTable): AsyncIterable<{ lines: Uint8Array; rows: number }> {
    const pageRows = Math.max(1, Math.min(pageRowsMax, Math.floor(pageBytes / Math.max(1, bytes / Math.max(1, rows)))))
    const names = columns.map(quotedName).join(', ')
    let left = rows
    for (const part of await this.#parts(table)) {
      for (let from = 0; from < part.rows; from += pageRows) {
        const place = `_part = '${part.name}' AND _part_offset >= ${from} AND _part_offset < ${from + pageRows}`
        const lines = await this.#store.dump(`SELECT ${names} FROM ${quotedName(prefix + table)} WHERE ${place}`)
        const found = linesIn(lines)
        if (found !== Math.min(pageRows, part.rows - from)) {
          throw new OperatingError('storage_rejected', `part ${part.name} of ${table} gave ${found} rows of a page`)
        }
        left -= found
        yield { lines, rows: found }
      }
    }
    if (left !== 0) throw new OperatingError('storage_rejected', `${table} has ${rows} rows, ${rows - left} were read`)
  }

  async drop(): Promise<void> {
    for (const name of await this.#names(`startsWith(name, '${prefix}')`)) {
      await this.#store.command(`DROP TABLE ${quotedName(name)} SYNC`)
    }
  }

  async #names(condition: string): Promise<string[]> {
    const rows = await this.#store.query(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND ${condition} ORDER BY name`,
      {},
    )
    return rows.map((row) => String(row['name']))
  }

  async #facts(table: string): Promise<SnapshotTable> {
    const described = await this.#store.query(
      `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '${table}'
         AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position`,
      {},
    )
    const [row = {}] = await this.#store.query(
      `SELECT sum(rows) AS rows, sum(data_uncompressed_bytes) AS bytes FROM system.parts
       WHERE database = currentDatabase() AND table = '${prefix}${table}' AND active`,
      {},
    )
    const columns = described.map((each) => String(each['name']))
    const merged = await mergedRows(this.#store, prefix + table)
    return { table, columns, rows: Number(row['rows']), merged, bytes: Number(row['bytes']) }
  }

  async #parts(table: string): Promise<Part[]> {
    const rows = await this.#store.query(
      `SELECT name, rows FROM system.parts WHERE database = currentDatabase() AND table = '${prefix}${table}' AND active
       ORDER BY name`,
      {},
    )
    return rows.map((row) => ({ name: String(row['name']), rows: Number(row['rows']) }))
  }
}

/** Rows of a table as its engine makes them one in the end; an insert may do that at once. */
export async function mergedRows(store: Pick<Store, 'query'>, table: string): Promise<number> {
  const of = `FROM system.tables WHERE database = currentDatabase() AND name = '${table}'`
  const [engine = {}] = await store.query(`SELECT engine ${of}`, {})
  const final = engine['engine'] === 'MergeTree' ? '' : 'FINAL'
  const [row = {}] = await store.query(`SELECT count() AS rows FROM ${quotedName(table)} ${final}`, {})
  return Number(row['rows'])
}

const newline = 10

export function linesIn(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count += 1
  return count
}
