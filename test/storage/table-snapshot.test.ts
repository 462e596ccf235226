/**
 * Tables as they stood at one moment, read through a server's HTTP while rows go on coming, and put into another
 * store: all rows, each once, of any text, and roll-ups no second time.
 */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import {
  checkEmpty,
  damagedFiles,
  describeFile,
  LineFile,
  type Manifest,
  readManifest,
  writeManifest,
} from '../../src/storage/backup-files.ts'
import { migrate, readMigrations } from '../../src/storage/migrations.ts'
import { ServerStore } from '../../src/storage/server-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { TableFill } from '../../src/storage/table-fill.ts'
import { type SnapshotTable, TableSnapshot } from '../../src/storage/table-snapshot.ts'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'
import { cdrColumns, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { ClickHouseFront } from '../fakes/clickhouse-front.ts'
import { scratchDirectory, scratchStore } from '../fakes/scratch.ts'

const noonMs = Date.UTC(2026, 2, 1, 12)
const strange = 'quotes " and \\ and \n newline and \u2028 and ü'
const endings: (() => Promise<void> | void)[] = []
const suite = { after: (fn: () => Promise<void> | void) => void endings.push(fn) }
let source: Store
let target: Store
let manifest: Manifest
let directory = ''

function lines(from: number, to: number): Buffer {
  const ids = Array.from({ length: to - from }, (_, index) => `r${from + index}`)
  const rows = ids.map((id, index) => {
    const startUs = (noonMs + index * 40_000_000) * 1000
    const numbers = { from: '12025550123', to: '442079460123', ingress: 'a', egress: 'b' }
    const record = parseCdr({ id, callId: id, startUs, answerUs: null, ...numbers, attributes: { x: strange } }, 'pbx')
    if (isProblem(record)) throw new Error(record.detail)
    return encodeCdrRow(record, noonMs, false)
  })
  return Buffer.from(rows.join(''))
}

async function countOf(store: Store, sql: string): Promise<number> {
  const [row = {}] = await store.query(sql, {})
  return Number(row['n'])
}

async function written(snapshot: TableSnapshot, table: SnapshotTable): Promise<Manifest['tables'][number]> {
  const path = `tables/${table.table}.ndjson.gz`
  const file = new LineFile(`${directory}/${path}`)
  for await (const page of snapshot.pages(table)) await file.write(page.lines)
  await file.close()
  const { rows, merged, columns } = table
  return { table: table.table, rows, merged, columns: [...columns], path }
}

before(async () => {
  directory = scratchDirectory(suite)
  mkdirSync(`${directory}/tables`)
  const { store: behind } = await scratchStore(suite)
  const front = new ClickHouseFront(behind)
  await front.listen()
  suite.after(() => front.refuse())
  const login = { username: 'default', password: '', database: 'voicefw_test', requestTimeoutMs: 20_000 }
  const server = new ServerStore({ url: front.url, ...login })
  await server.start()
  suite.after(() => server.close())
  source = server
  target = (await scratchStore(suite)).store
  await migrate(source, 0)
  for (const [from, to] of [
    [0, 50],
    [50, 120],
    [120, 130],
  ] as const) {
    await source.insert('cdrs', cdrColumns, lines(from, to), `t${from}`)
  }
  const snapshot = new TableSnapshot(server)
  const tables = await snapshot.take()
  // These come after the moment.
  await source.insert('cdrs', cdrColumns, lines(1000, 1040), 'later')
  const named: Manifest['tables'] = []
  for (const table of tables) named.push(await written(snapshot, table))
  await snapshot.drop()
  const files = await Promise.all(named.map(({ path }) => describeFile(directory, path)))
  const facts = {
    format: 1,
    voicefw: '0.1.0',
    schemaVersion: readMigrations().length,
    logId: 'x',
    erasures: 0,
  } as const
  writeManifest(directory, { ...facts, takenAt: '2026-03-01T12:00:00.000Z', store: 'server', tables: named, files })
  manifest = readManifest(directory)
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

describe('a snapshot of tables', () => {
  it('has every row of its moment once, and no later one; nothing of it is left in the database', async () => {
    assert.equal(manifest.tables.find(({ table }) => table === 'cdrs')?.rows, 130)
    assert.deepEqual(await damagedFiles(directory, manifest), [])
    const left = await source.query("SELECT name FROM system.tables WHERE startsWith(name, 'snapshot_')", {})
    assert.deepEqual(left, [])
    assert.throws(() => checkEmpty(directory), /not empty/)
  })

  it('fills another store: the same rows, roll-ups as they were; later rows are rolled up again', async () => {
    const fill = new TableFill({ store: target, wallMs: 0, progress: () => {} })
    const filled = await fill.fill(directory, manifest)
    assert.equal(filled.find(({ table }) => table === 'cdrs')?.rows, 130)
    assert.deepEqual(await fill.migrate(), [])
    const sum = 'SELECT sum(attempts) AS n FROM traffic_minutes'
    assert.equal(await countOf(target, sum), 130)
    const text = `concat('quotes " and ', char(92), ' and ', char(10), ' newline and ', unhex('E280A8'), ' and ü')`
    const same = `SELECT count() AS n FROM cdrs FINAL WHERE attributes['x'] = ${text}`
    assert.equal(await countOf(target, same), 130)
    await target.insert('cdrs', cdrColumns, lines(1000, 1040), 'later')
    assert.equal(await countOf(target, sum), 170)
  })

  it('refuses nothing silently: rows in the target are told, and replaced when it is filled again', async () => {
    const fill = new TableFill({ store: target, wallMs: 0, progress: () => {} })
    const held = await fill.found()
    assert.equal(held.find(({ table }) => table === 'cdrs')?.rows, 170)
    await fill.fill(directory, manifest)
    assert.equal(await countOf(target, 'SELECT count() AS n FROM cdrs FINAL'), 130)
  })
})
