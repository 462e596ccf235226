/**
 * Brings the schema to this version: the files of migrations/, in order, each once, remembered with its checksum in
 * `schema_migrations`; the same for both back ends. Every statement is idempotent, so a start that died half way is
 * simply repeated. Retention is no migration: TTLs follow the configuration at every start. Main thread.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import { OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { encodeRow } from './row-encoding.ts'
import type { Store } from './store.ts'

export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

/** tsc copies no .sql, so the files are read where they are written. */
export const migrationsDirectory = `${projectRoot}src/storage/migrations/`

/** Files `NNNN_name.sql`, by number. Two files of one number, or a hole, is a bug of the release. */
export function readMigrations(directory = migrationsDirectory): Migration[] {
  const files = readdirSync(directory).filter((file) => /^\d{4}_[a-z0-9_]+\.sql$/.test(file))
  const migrations = files.sort().map((file) => {
    const sql = readFileSync(`${directory}${file}`, 'utf8')
    const checksum = createHash('sha256').update(sql).digest('hex')
    return { version: Number(file.slice(0, 4)), name: file.slice(5, -4), sql, checksum }
  })
  for (const [index, migration] of migrations.entries()) {
    if (migration.version !== index + 1) {
      throw new OperatingError('config_invalid', `migrations are not numbered without holes at ${migration.name}`)
    }
  }
  return migrations
}

/** Statements end with a semicolon at the end of a line; `--` lines are comments. */
export function statementsOf(sql: string): string[] {
  const code = sql.replace(/^\s*--.*$/gm, '')
  const parts = code.split(/;[ \t]*$/m).map((part) => part.trim())
  return parts.filter((part) => part !== '')
}

/** Of what migrations make, by name: tables that keep rows, and views that feed some of them. */
export function madeBy(migrations: readonly Migration[], kind: 'TABLE' | 'MATERIALIZED VIEW'): string[] {
  const pattern = new RegExp(`CREATE ${kind} IF NOT EXISTS (\\w+)`, 'g')
  return migrations.flatMap(({ sql }) => [...sql.matchAll(pattern)].map((match) => match[1] ?? ''))
}

const ledger = `CREATE TABLE IF NOT EXISTS schema_migrations
(version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC'))
ENGINE = ReplacingMergeTree(applied_at) ORDER BY version
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1`

/**
 * Applies what is missing and returns the names of what was applied.
 * @throws OperatingError config_invalid when a file was changed after it was applied, or the schema is newer than us.
 */
export async function migrate(store: Store, wallMs: number, migrations = readMigrations()): Promise<string[]> {
  await store.command(ledger)
  const rows = await store.query('SELECT version, name, checksum FROM schema_migrations FINAL ORDER BY version', {})
  const applied = new Map(rows.map((row) => [Number(row['version']), row]))
  const newest = migrations.at(-1)?.version ?? 0
  for (const [version, row] of applied) {
    const ours = migrations[version - 1]
    if (version > newest || ours === undefined) {
      throw new OperatingError(
        'config_invalid',
        `the database has migration ${version} (${row['name']}), we know ${newest}`,
      )
    }
    if (row['checksum'] !== ours.checksum) {
      throw new OperatingError('config_invalid', `migration ${version} (${ours.name}) was changed after it was applied`)
    }
  }
  const done: string[] = []
  for (const migration of migrations) {
    if (applied.has(migration.version)) continue
    for (const statement of statementsOf(migration.sql)) await store.command(statement)
    await remember(store, migration, wallMs)
    done.push(migration.name)
  }
  return done
}

async function remember(store: Store, migration: Migration, wallMs: number): Promise<void> {
  const columns = ['version', 'name', 'checksum', 'applied_at']
  const values = [migration.version, migration.name, migration.checksum, wallMs]
  const row = encodeRow(columns, ['UInt32', 'String', 'String', 'Time'], values)
  await store.insert(
    'schema_migrations',
    columns,
    Buffer.from(row),
    `migration:${migration.version}:${migration.checksum}`,
  )
}

/** Sets each table's TTL to the configured days where it differs. Returns the tables that were changed. */
export async function applyRetention(
  store: Store,
  retention: Config['retention'],
): Promise<{ readonly table: string; readonly days: number }[]> {
  const wanted = [
    { table: 'calls', column: 'started_at', days: retention.callsDays },
    { table: 'voice_windows', column: 'started_at', days: retention.voiceWindowsDays },
    { table: 'actions', column: 'decided_at', days: retention.actionsDays },
    { table: 'audit', column: 'at', days: retention.auditDays },
    { table: 'cdrs', column: 'start_at', days: retention.cdrsDays },
    { table: 'traffic_minutes', column: 'minute', days: retention.trafficDays },
    { table: 'cases', column: 'opened_at', days: retention.casesDays },
    { table: 'cdr_scores', column: 'start_at', days: retention.cdrScoresDays },
    { table: 'shadow_scores', column: 'scored_at', days: retention.shadowScoresDays },
    { table: 'source_quality', column: 'hour', days: retention.qualityDays },
    { table: 'source_quality_examples', column: 'at', days: retention.qualityDays },
  ]
  const rows = await store.query('SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()', {})
  const engines = new Map(rows.map((row) => [String(row['name']), String(row['engine_full'])]))
  const changed: { table: string; days: number }[] = []
  for (const { table, column, days } of wanted) {
    const current = /TTL toDateTime\((\w+)\) \+ toIntervalDay\((\d+)\)/.exec(engines.get(table) ?? '')
    if (current?.[1] === column && Number(current[2]) === days) continue
    await store.command(`ALTER TABLE ${table} MODIFY TTL toDateTime(${column}) + toIntervalDay(${days})`)
    changed.push({ table, days })
  }
  return changed
}
