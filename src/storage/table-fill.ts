/**
 * Tables filled from a backup: emptied or refused first, made by the migrations that the backup's schema had, filled
 * with what makes roll-ups of new rows taken off, counted, and only then brought to the present schema. Main thread.
 */
import { OperatingError } from '../core/errors.ts'
import { chunksOf, type Manifest } from './backup-files.ts'
import { type Migration, madeBy, migrate, readMigrations } from './migrations.ts'
import { quotedName, type Store } from './store.ts'
import { linesIn, mergedRows } from './table-snapshot.ts'

/** Made by the migrations themselves. */
const ledgerTable = 'schema_migrations'

type TableInBackup = Manifest['tables'][number]

export interface TableFillOptions {
  readonly store: Pick<Store, 'query' | 'command' | 'insert' | 'start' | 'state' | 'close'>
  readonly wallMs: number
  /** Called while it goes on. */
  readonly progress: (table: string, rows: number, of: number) => void
}

export class TableFill {
  readonly #options: TableFillOptions
  readonly #migrations: readonly Migration[]

  constructor(options: TableFillOptions) {
    this.#options = options
    this.#migrations = readMigrations()
  }

  /** Tables of ours that hold rows. */
  async found(): Promise<{ table: string; rows: number }[]> {
    const names = await this.#tables()
    const counted: { table: string; rows: number }[] = []
    for (const table of names) {
      if (table === ledgerTable) continue
      const [row = {}] = await this.#options.store.query(`SELECT count() AS rows FROM ${quotedName(table)}`, {})
      if (Number(row['rows']) > 0) counted.push({ table, rows: Number(row['rows']) })
    }
    return counted
  }

  /** @throws OperatingError when a table does not take its rows, or not all of them */
  async fill(directory: string, manifest: Manifest): Promise<{ table: string; rows: number }[]> {
    const { store, wallMs } = this.#options
    for (const view of await this.#views()) await store.command(`DROP VIEW ${quotedName(view)} SYNC`)
    for (const table of await this.#tables()) await store.command(`DROP TABLE ${quotedName(table)} SYNC`)
    await migrate(store as Store, wallMs, this.#migrations.slice(0, manifest.schemaVersion))
    const views = await this.#views()
    for (const view of views) await store.command(`DETACH TABLE ${quotedName(view)}`)
    const filled: { table: string; rows: number }[] = []
    try {
      for (const table of manifest.tables) {
        if (table.table === ledgerTable) continue
        await this.#fillOne(directory, table, manifest.takenAt)
        filled.push({ table: table.table, rows: table.rows })
      }
    } finally {
      for (const view of views) await store.command(`ATTACH TABLE ${quotedName(view)}`)
    }
    return filled
  }

  /** Up to the present schema. @returns what was applied */
  migrate(): Promise<string[]> {
    return migrate(this.#options.store as Store, this.#options.wallMs)
  }

  async #fillOne(directory: string, { table, path, columns, rows, merged }: TableInBackup, takenAt: string) {
    const { store, progress } = this.#options
    const name = quotedName(table)
    // Rows that are older than they are kept are counted, too.
    await store.command(`SYSTEM STOP MERGES ${name}`)
    let filled = 0
    for await (const lines of chunksOf(`${directory}/${path}`)) {
      await store.insert(table, columns, lines, `restore:${takenAt}:${table}:${filled}`)
      filled += linesIn(lines)
      progress(table, filled, rows)
    }
    const found = await mergedRows(store, table)
    await store.command(`SYSTEM START MERGES ${name}`)
    if (filled !== rows || found !== merged) {
      throw new OperatingError(
        'storage_rejected',
        `${table} took ${filled} rows of ${rows} and holds ${found} of ${merged}`,
      )
    }
  }

  /** Tables of ours: those that migrations make, and snapshots that were cut off. */
  async #tables(): Promise<string[]> {
    const names = await this.#engines(`LIKE '%MergeTree'`)
    const ours = new Set([ledgerTable, ...madeBy(this.#migrations, 'TABLE')])
    return names.filter((name) => ours.has(name) || name.startsWith('snapshot_'))
  }

  async #views(): Promise<string[]> {
    const ours = new Set(madeBy(this.#migrations, 'MATERIALIZED VIEW'))
    return (await this.#engines(`= 'MaterializedView'`)).filter((name) => ours.has(name))
  }

  async #engines(condition: string): Promise<string[]> {
    const rows = await this.#options.store.query(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine ${condition} ORDER BY name`,
      {},
    )
    return rows.map((row) => String(row['name']))
  }
}
