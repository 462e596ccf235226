/**
 * A backup put back, while no server runs: verified first, refused where something is unless told to replace it, tables
 * filled and brought to the present schema, the durable log laid where the next start finds it, and every number of the
 * ledger of erasures that came back with it forgotten again. Main thread.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeDataDir } from '../config/data-dir.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { zeroCounters } from '../core/metrics.ts'
import { LogEnvironment } from '../log/log-environment.ts'
import { ownerOf } from '../log/owner.ts'
import { clearNumbers, NumberVault } from '../privacy/number-vault.ts'
import { VaultKeys } from '../privacy/vault-keys.ts'
import { damagedFiles, type Manifest, readManifest } from '../storage/backup-files.ts'
import { type Seals, scrubEntry } from '../storage/entry-scrub.ts'
import { ErasedNumbers } from '../storage/erased-numbers.ts'
import { eraseInFiles } from '../storage/erasure-files.ts'
import type { ErasureLedger } from '../storage/erasure-ledger.ts'
import { applyRetention, readMigrations } from '../storage/migrations.ts'
import type { Store } from '../storage/store.ts'
import { createStore } from '../storage/stores.ts'
import { TableErasure, type TableFinding } from '../storage/table-erasure.ts'
import { TableFill } from '../storage/table-fill.ts'
import { NumberSpellings } from '../wire/number-spellings.ts'
import { isToken } from '../wire/number-token.ts'
import { openLedger } from './erasures.ts'
import { vaultKeyFile, vaultTable } from './privacy.ts'
import { restoringName } from './storage.ts'

export interface RestoreOptions {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  /** Holds the manifest. */
  readonly directory: string
  /** What is there is deleted first. */
  readonly replaces: boolean
  /** Copies of `dataDir/erasures` of a machine that is lost; the newest there is. */
  readonly ledgers: readonly string[]
  readonly progress: (what: string, done: number, of: number) => void
}

export interface RestoreReport {
  readonly manifest: Manifest
  readonly tables: readonly { readonly table: string; readonly rows: number }[]
  /** Entries of the durable log: rows on their way, call records that are kept, cases. */
  readonly entries: Readonly<Record<string, number>>
  readonly migrated: readonly string[]
  /** Numbers of the ledger that came back and were forgotten again. */
  readonly erasedAgain: number
}

/** @throws OperatingError bad_request: the backup is damaged; conflict: something is there; config_invalid */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const { config, clock, log, directory } = options
  const manifest = await verifiedManifest(options)
  // Before anything is touched: a key file that cannot be used would leave erased numbers in what it sealed.
  const keyFile = vaultKeyFile(config)
  const keys = existsSync(keyFile) ? VaultKeys.read(keyFile) : null
  makeDataDir(config.dataDir)
  checkSpool(options)
  let isWhole = false
  const store = createStore(config, { counters: zeroCounters(), log })
  try {
    await store.start()
    const fill = new TableFill({ store, wallMs: clock.wallMs(), progress: options.progress })
    const found = await fill.found()
    if (found.length > 0 && !options.replaces) {
      const held = found.map(({ table, rows }) => `${table} ${rows}`).join(', ')
      throw new OperatingError('conflict', `the database holds rows (${held}); --replace deletes them`)
    }
    writeFileSync(`${config.dataDir}/${restoringName}`, `${directory}\n`, { mode: 0o600 })
    // The log goes first: a start that finds the old one beside new tables would store its rows twice.
    rmSync(`${config.dataDir}/spool`, { recursive: true, force: true })
    const tables = await fill.fill(directory, manifest)
    const migrated = await fill.migrate()
    await applyRetention(store, config.retention)
    layFiles(directory, config.dataDir, manifest)
    const ledger = mergedLedger(options)
    const logs = LogEnvironment.open({ directory: `${config.dataDir}/spool`, counters: zeroCounters(), log })
    try {
      const entries = Object.fromEntries(logs.names().map((name) => [name, logs.entriesOf(name)]))
      const erasedAgain = await eraseAgain(options, { keys, store, logs, ledger })
      isWhole = true
      return { manifest, tables, entries, migrated, erasedAgain }
    } finally {
      await logs.close()
      if (isWhole) rmSync(`${config.dataDir}/${restoringName}`)
    }
  } finally {
    await store.close()
  }
}

async function verifiedManifest({ directory, progress }: RestoreOptions): Promise<Manifest> {
  const manifest = readManifest(directory)
  const known = readMigrations().length
  if (manifest.schemaVersion > known) {
    const made = `the backup has schema ${manifest.schemaVersion} (voicefw ${manifest.voicefw}), we know ${known}`
    throw new OperatingError('bad_request', made)
  }
  progress('verifying', 0, manifest.files.length)
  const problems = await damagedFiles(directory, manifest)
  if (problems.length > 0) throw new OperatingError('bad_request', `the backup is damaged: ${problems.join('; ')}`)
  return manifest
}

function checkSpool({ config, replaces }: RestoreOptions): void {
  const spool = `${config.dataDir}/spool`
  const owner = ownerOf(spool)
  if (owner !== null) {
    throw new OperatingError('conflict', `a server runs on ${config.dataDir} (process ${owner}); stop it`)
  }
  if (existsSync(`${spool}/log/data.mdb`) && !replaces) {
    throw new OperatingError('conflict', `${spool} holds the durable log of a server; --replace deletes it`)
  }
}

function layFiles(directory: string, dataDir: string, manifest: Manifest): void {
  for (const { path } of manifest.files) {
    const [room = '', ...rest] = path.split('/')
    if (room === 'tables' || path.startsWith('files/erasures/')) continue
    const target = room === 'log' ? `${dataDir}/spool/log/${rest.join('/')}` : `${dataDir}/${rest.join('/')}`
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
    copyFileSync(`${directory}/${path}`, target)
  }
}

/** The machine's own ledger is the newest, if there is one; the backup's and others' are added to it. */
function mergedLedger({ config, directory, ledgers }: RestoreOptions): ErasureLedger {
  const ledger = openLedger(config.dataDir)
  const copied = `${directory}/files/erasures`
  for (const each of [...ledgers, ...(existsSync(copied) ? [copied] : [])]) ledger.merge(each)
  return ledger
}

interface Rooms {
  readonly keys: VaultKeys | null
  readonly store: Store
  readonly logs: LogEnvironment
  readonly ledger: ErasureLedger
}

/** @returns how many numbers came back and were forgotten again */
async function eraseAgain({ config, clock, progress }: RestoreOptions, rooms: Rooms): Promise<number> {
  const { keys, store, logs, ledger } = rooms
  if (ledger.size === 0) return 0
  progress('erasures', 0, ledger.size)
  const numbers = new ErasedNumbers(ledger)
  await numbers.lookInTables(store)
  const seals = sealsOf(keys, logs)
  await numbers.lookInLogs(logs, seals)
  for (const name of readdirSync(config.dataDir).filter((each) => /^quarantine.*\.ndjson$/.test(each))) {
    numbers.lookIn(readFileSync(`${config.dataDir}/${name}`, 'utf8'))
  }
  const vault = logs.table(vaultTable)
  const back = numbers.lookInVault(vault)
  if (back.length > 0) {
    await vault.commit((table) => {
      for (const token of back) table.remove(token)
    })
  }
  const tables = new TableErasure({ store, database: config.storage.database, clock })
  const findings: TableFinding[] = []
  for (const [index, digits] of numbers.found.entries()) {
    const spellings = isToken(digits) ? new NumberSpellings('', [digits]) : new NumberSpellings(digits)
    await logs.rewrite((name, payload) => scrubEntry(name, payload, spellings, seals))
    eraseInFiles(config.dataDir, spellings)
    const found = await tables.erase(spellings)
    const left = found.filter(({ rowsAfter }) => rowsAfter > 0).map(({ table }) => table)
    if (left.length > 0) throw new OperatingError('storage_rejected', `an erased number is left in ${left.join(', ')}`)
    findings.push(...found)
    progress('erasures', index + 1, numbers.found.length)
  }
  if (numbers.found.length + back.length > 0) await logs.compact()
  await tables.settled(findings)
  return numbers.found.length
}

/** Opens what mode tokens has sealed. Under other keys than those that are here nobody reads it any more. */
function sealsOf(keys: VaultKeys | null, logs: LogEnvironment): Seals {
  if (keys === null) return clearNumbers
  try {
    return new NumberVault({ table: logs.table(vaultTable), keys, cacheNumbersMax: 1, counters: zeroCounters() })
  } catch (thrown) {
    if (thrown instanceof OperatingError && thrown.code === 'config_invalid') return clearNumbers
    throw thrown
  }
}
