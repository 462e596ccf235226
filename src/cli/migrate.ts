/**
 * `migrate`: brings the tables to this version and sets how long rows are kept, before a server of this version
 * starts. A start does the same by itself.
 */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { silentLog } from '../core/log.ts'
import { zeroCounters } from '../core/metrics.ts'
import { applyRetention, migrate, readMigrations } from '../storage/migrations.ts'
import { createStore } from '../storage/stores.ts'
import { isServerRunning } from './running-server.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface MigrateContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

/** @throws OperatingError config_invalid: the tables are newer than we are; storage_unavailable */
export async function migrateTables({ config, clock, terminal }: MigrateContext): Promise<ExitCode> {
  if (isServerRunning(config) && config.storage.url === null) {
    throw new OperatingError('conflict', 'a server runs on this data directory; it migrated its tables when it started')
  }
  const store = createStore(config, { counters: zeroCounters(), log: silentLog })
  try {
    await store.start()
    const applied = await migrate(store, clock.wallMs())
    for (const name of applied) terminal.print(`applied ${name}`)
    const changed = await applyRetention(store, config.retention)
    for (const { table, days } of changed) terminal.print(`${table}: rows are kept for ${days} days`)
    terminal.print(`${applied.length} migration(s) applied; the schema is at version ${readMigrations().length}`)
    return 0
  } finally {
    await store.close()
  }
}
