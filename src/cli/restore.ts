/**
 * `restore DIR`: puts a backup back while no server runs, into an empty place, or with --replace instead of what is
 * there. Numbers that were erased since are forgotten again: from this machine's ledger, and from copies given by
 * --erasures.
 */
import { resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { silentLog } from '../core/log.ts'
import { restoreBackup } from '../house/restore.ts'
import { type ExitCode, progressText, type Terminal, table } from './terminal.ts'

export interface RestoreContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

export interface RestoreFlags {
  readonly replace: boolean
  /** Copies of `erasures` of a data directory that is lost. */
  readonly erasures: readonly string[]
}

/** @throws OperatingError bad_request: the backup is incomplete or damaged; conflict: something is there */
export async function restore(context: RestoreContext, path: string, flags: RestoreFlags): Promise<ExitCode> {
  const { config, clock, terminal } = context
  const sinceMs = clock.steadyMs()
  const { manifest, tables, entries, migrated, erasedAgain } = await restoreBackup({
    ...{ config, clock, log: silentLog, directory: resolve(path), replaces: flags.replace },
    ledgers: flags.erasures.map((each) => resolve(each)),
    progress: (what, done, of) => terminal.progress(`${what} ${progressText(done, of, clock.steadyMs() - sinceMs)}`),
  })
  terminal.progress('')
  const inTables = tables.map((each) => [`table ${each.table}`, String(each.rows)])
  const inLog = Object.entries(entries).map(([name, count]) => [`log ${name}`, String(count)])
  for (const line of table(['where', 'rows or entries'], [...inTables, ...inLog])) terminal.print(line)
  if (migrated.length > 0) terminal.print(`schema brought up from ${manifest.schemaVersion}: ${migrated.join(', ')}`)
  if (erasedAgain > 0) terminal.print(`${erasedAgain} number(s) erased since the backup were erased again`)
  const rows = tables.reduce((sum, each) => sum + each.rows, 0)
  terminal.print(`${rows} rows of the backup of ${manifest.takenAt} (voicefw ${manifest.voicefw}) are back`)
  return 0
}
