/** One contract for both back ends: the embedded engine, and a server (HTTP front before the same engine). */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type ErrorCode, OperatingError } from '../../src/core/errors.ts'
import { migrate, readMigrations } from '../../src/storage/migrations.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import { ServerStore } from '../../src/storage/server-store.ts'
import { type Store, StoreError } from '../../src/storage/store.ts'
import { type ColumnType, columnsOf, tableNames, tables } from '../../src/storage/tables.ts'
import { cdrColumns } from '../../src/wire/cdr-row.ts'
import { cdrScoreColumns } from '../../src/wire/cdr-score-row.ts'
import { ClickHouseFront } from '../fakes/clickhouse-front.ts'
import { scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
const suite = { after: (fn: () => Promise<void> | void) => void endings.push(fn) }
const stores = new Map<string, Store>()

before(async () => {
  const { store } = await scratchStore(suite)
  const front = new ClickHouseFront(store)
  await front.listen()
  const server = new ServerStore({
    url: front.url,
    username: 'default',
    password: '',
    database: 'voicefw_test',
    requestTimeoutMs: 10_000,
  })
  await server.start()
  suite.after(() => front.refuse())
  suite.after(() => server.close())
  stores.set('embedded', store)
  stores.set('server', server)
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

const columns = ['name', 'n', 'f', 'at']
const types: ColumnType[] = ['String', 'UInt64', 'Float32', 'Time']

function line(...row: unknown[]): Buffer {
  return Buffer.from(encodeRow(columns, types, row))
}

async function codeOf(work: Promise<unknown>): Promise<ErrorCode> {
  try {
    await work
  } catch (thrown) {
    if (thrown instanceof OperatingError) return thrown.code
    throw thrown
  }
  throw new Error('nothing was thrown')
}

for (const name of ['embedded', 'server']) {
  describe(`the ${name} store`, () => {
    const table = `things_${name}`
    let store: Store

    before(async () => {
      store = stores.get(name) as Store
      await store.command(
        `CREATE TABLE ${table} (name String, n UInt64, f Float32, at DateTime64(3, 'UTC')) ENGINE = MergeTree
         ORDER BY name SETTINGS non_replicated_deduplication_window = 100`,
      )
    })

    it('is up after its start', () => assert.equal(store.state(), 'up'))

    it('gives back what went in: 64 bits, NaN, the epoch, milliseconds, any text', async () => {
      const rows = [
        ['a', 18_446_744_073_709_551_615n, Number.NaN, 0],
        ['b', 9_007_199_254_740_991, Number.POSITIVE_INFINITY, Date.UTC(2026, 10, 22, 16, 40, 1, 123)],
        ['c', 0, -0.25, -1],
        ['d "quoted"\n\t\\ \u0000 é 😀 {x:String} half\ud800pair', 1, 1e-20, Date.UTC(2299, 11, 31)],
      ]
      await store.insert(table, columns, Buffer.concat(rows.map((row) => line(...row))), 'types')
      assert.deepEqual(await store.query(`SELECT * FROM ${table} ORDER BY name`, {}), [
        { name: 'a', n: '18446744073709551615', f: 'nan', at: '1970-01-01T00:00:00.000Z' },
        { name: 'b', n: '9007199254740991', f: 'inf', at: '2026-11-22T16:40:01.123Z' },
        { name: 'c', n: '0', f: -0.25, at: '1969-12-31T23:59:59.999Z' },
        {
          name: 'd "quoted"\n\t\\ \u0000 é 😀 {x:String} half\ufffdpair',
          n: '1',
          f: 1e-20,
          at: '2299-12-31T00:00:00.000Z',
        },
      ])
    })

    it('stores a token once, whatever the rows say the second time', async () => {
      await store.insert(table, columns, line('once', 1, 0, 0), 'tok')
      await store.insert(table, columns, line('once', 1, 0, 0), 'tok')
      await store.insert(table, columns, line('once', 2, 0, 0), 'tok2')
      const found = await store.query(`SELECT n FROM ${table} WHERE name = 'once' ORDER BY n`, {})
      assert.deepEqual(found, [{ n: '1' }, { n: '2' }])
    })

    it('refuses a batch with a bad row as a whole and says that it is the row', async () => {
      const batch = Buffer.concat([line('neighbour', 1, 0, 0), Buffer.from('["bad","x",0,0]\n')])
      await assert.rejects(store.insert(table, columns, batch, 'bad'), (thrown) => {
        assert(thrown instanceof StoreError)
        assert.equal(thrown.code, 'storage_rejected')
        assert.equal(thrown.badRow, true)
        assert(!thrown.message.includes('neighbour'), 'the message must not quote rows')
        return true
      })
      const found = await store.query(`SELECT count() AS c FROM ${table} WHERE name = 'neighbour'`, {})
      assert.deepEqual(found, [{ c: '0' }])
    })

    it('keeps rows for a table that is not there: that is not the row’s fault', async () => {
      assert.equal(await codeOf(store.insert('absent', columns, line('x', 1, 0, 0), 't')), 'storage_unavailable')
    })

    it('binds parameters, so that a quote in a value is only a quote', async () => {
      const sql = `SELECT {text:String} AS text, {n:UInt32} + 1 AS n`
      const nasty = `'; DROP TABLE ${table}; -- \\ {n:UInt32}`
      assert.deepEqual(await store.query(sql, { text: nasty, n: 41 }), [{ text: nasty, n: '42' }])
    })

    it('says of a wrong statement that retrying is no use', async () => {
      assert.equal(await codeOf(store.query('SELEC 1', {})), 'storage_rejected')
    })

    it('says of a query that runs out of its memory that it may be tried again', async () => {
      const sql = 'SELECT groupArray(number) AS a FROM numbers(1000000) SETTINGS max_memory_usage = 1000000'
      assert.equal(await codeOf(store.query(sql, {})), 'storage_unavailable')
    })

    it('migrates once, and again does nothing', async () => {
      await store.command('DROP TABLE IF EXISTS schema_migrations')
      assert.deepEqual(
        await migrate(store, 0),
        readMigrations().map((migration) => migration.name),
      )
      assert.deepEqual(await migrate(store, 0), [])
    })

    it('has exactly the columns that the writer writes, in type and in order', async () => {
      const sqlType = { Time: "DateTime64(3, 'UTC')", Word: 'LowCardinality(String)' } as Record<string, string>
      for (const written of tableNames) {
        const found = await store.query(
          `SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}
           ORDER BY position`,
          { table: written },
        )
        const ours = columnsOf(written).map((column) => {
          const type = (tables[written] as Record<string, ColumnType>)[column] ?? ''
          return { name: column, type: sqlType[type] ?? type }
        })
        assert.deepEqual(found, ours)
      }
    })

    it('has the columns of rows that are made elsewhere, in their order', async () => {
      for (const [table, columns] of [
        ['cdrs', cdrColumns],
        ['cdr_scores', cdrScoreColumns],
      ] as const) {
        const found = await store.query(
          `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}
           AND default_kind = '' ORDER BY position`,
          { table },
        )
        assert.deepEqual(
          found.map(({ name }) => name),
          [...columns],
        )
      }
    })
  })
}
