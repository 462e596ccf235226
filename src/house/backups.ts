/**
 * Backups: the durable log and all tables as they stood at one moment, in a directory. That moment is short: while no
 * row goes from the log to a table, the log is copied and the tables' parts are linked to tables beside them; these
 * are then read while everything goes on. What was accepted before is in the one or in the other, and in one only. One
 * backup at a time. Main thread.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { version } from '../core/project.ts'
import { checkEmpty, describeFile, LineFile, type Manifest, writeManifest } from '../storage/backup-files.ts'
import type { ErasureLedger } from '../storage/erasure-ledger.ts'
import { readMigrations } from '../storage/migrations.ts'
import { type SnapshotTable, TableSnapshot } from '../storage/table-snapshot.ts'
import type { Stillness } from './stillness.ts'
import type { Storage } from './storage.ts'

export interface BackupState {
  state: 'none' | 'running' | 'done' | 'failed'
  directory: string | null
  startedAt: string | null
  finishedAt: string | null
  problem: string | null
  /** Table that is being read. */
  table: string | null
  rows: number
  rowsTotal: number
  tables: { table: string; rows: number }[]
}

/** What keeping and erasing need of the house. */
export interface KeepingParts {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly storage: Storage
  readonly stillness: Stillness
  readonly ledger: ErasureLedger
}

/** Who asks a running server for a backup shows by a file of this name that they may write to the directory. */
export const proofName = 'requested'
/** Of the data directory, beside log and tables. Keys are not among them: a backup opens no door. */
const keptFiles = /^(erasures|sources)$|^detection-rules\.json$|^quarantine[\w-]*\.ndjson$/

export class Backups {
  readonly #options: KeepingParts
  #state: BackupState = fresh('none', null, null)

  constructor(options: KeepingParts) {
    this.#options = options
  }

  get state(): BackupState {
    return this.#state
  }

  /**
   * @param proof what stands in the directory's file `requested`
   * @throws OperatingError conflict, forbidden
   */
  checked(directory: string, proof: string): void {
    const file = `${directory}/${proofName}`
    const is = existsSync(file) && statSync(file).size < 200 ? readFileSync(file, 'utf8').trim() : ''
    if (is === '' || is !== proof) {
      throw new OperatingError('forbidden', `there is no file ${proofName} with that proof in the directory`)
    }
    checkEmpty(directory, [proofName])
  }

  /** Begins; `finished` resolves with how it ended. @throws OperatingError conflict: one is running */
  begin(directory: string): Promise<BackupState> {
    const { clock, stillness } = this.#options
    if (this.#state.state === 'running') throw new OperatingError('conflict', 'a backup is running already')
    const state = fresh('running', directory, new Date(clock.wallMs()).toISOString())
    this.#state = state
    return stillness.inTurn(() => this.#run(directory, state))
  }

  async #run(directory: string, state: BackupState): Promise<BackupState> {
    const { log, clock, storage } = this.#options
    const snapshot = new TableSnapshot(storage.store)
    try {
      await this.#write(directory, state, snapshot)
      state.state = 'done'
      log.info('backup written', { directory, rows: state.rows })
    } catch (thrown) {
      state.state = 'failed'
      state.problem = messageOf(thrown)
      log.error('backup not written', { directory, reason: state.problem })
    }
    await snapshot.drop().catch((thrown: unknown) => log.warn('a snapshot is left', { reason: messageOf(thrown) }))
    state.table = null
    state.finishedAt = new Date(clock.wallMs()).toISOString()
    return state
  }

  async #write(directory: string, state: BackupState, snapshot: TableSnapshot): Promise<void> {
    const { config, storage, stillness, ledger, clock } = this.#options
    if (!storage.upkeep.prepared()) throw new OperatingError('storage_unavailable', 'ClickHouse is not ready')
    for (const each of ['tables', 'log', 'files']) mkdirSync(`${directory}/${each}`, { recursive: true, mode: 0o700 })
    await storage.writer.durable()
    const takenAt = new Date(clock.wallMs()).toISOString()
    const tables = await stillness.ofTables(
      async () => {
        await storage.logs.copyTo(`${directory}/log`)
        return snapshot.take()
      },
      { isClear: true },
    )
    const paths = ['log/data.mdb', ...copyFiles(config.dataDir, `${directory}/files`).map((path) => `files/${path}`)]
    state.rowsTotal = tables.reduce((sum, { rows }) => sum + rows, 0)
    for (const table of tables) {
      state.table = table.table
      await this.#dump(snapshot, table, `${directory}/tables/${table.table}.ndjson.gz`, state)
    }
    const named = tables.map(({ table, rows, merged, columns }) => ({
      table,
      rows,
      merged,
      columns,
      path: `tables/${table}.ndjson.gz`,
    }))
    const files: Manifest['files'] = []
    for (const path of [...paths, ...named.map(({ path }) => path)]) files.push(await describeFile(directory, path))
    rmSync(`${directory}/${proofName}`, { force: true })
    writeManifest(directory, {
      ...{ format: 1, voicefw: version, schemaVersion: readMigrations().length, takenAt },
      store: config.storage.url === null ? 'embedded' : 'server',
      ...{
        logId: storage.logs.id,
        erasures: ledger.size,
        tables: named.map((each) => ({ ...each, columns: [...each.columns] })),
        files,
      },
    })
  }

  async #dump(snapshot: TableSnapshot, table: SnapshotTable, path: string, state: BackupState): Promise<void> {
    const file = new LineFile(path)
    for await (const page of snapshot.pages(table)) {
      await file.write(page.lines)
      state.rows += page.rows
    }
    await file.close()
    state.tables.push({ table: table.table, rows: table.rows })
  }
}

/** @returns the files, by their paths within the data directory */
function copyFiles(dataDir: string, into: string): string[] {
  const kept = readdirSync(dataDir).filter((name) => keptFiles.test(name))
  const paths = kept.flatMap((name) => {
    if (!statSync(`${dataDir}/${name}`).isDirectory()) return [name]
    const files = readdirSync(`${dataDir}/${name}`, { withFileTypes: true }).filter((entry) => entry.isFile())
    return files.map((entry) => `${name}/${entry.name}`)
  })
  for (const path of paths) {
    mkdirSync(dirname(`${into}/${path}`), { recursive: true, mode: 0o700 })
    copyFileSync(`${dataDir}/${path}`, `${into}/${path}`)
  }
  return paths
}

function fresh(state: BackupState['state'], directory: string | null, startedAt: string | null): BackupState {
  const nothing = { finishedAt: null, problem: null, table: null, rows: 0, rowsTotal: 0, tables: [] }
  return { state, directory, startedAt, ...nothing }
}
