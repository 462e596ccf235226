/** The server back end when the way to ClickHouse is bad: every fault, and each row still exactly once. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { RowWriter } from '../../src/storage/row-writer.ts'
import { ServerStore } from '../../src/storage/server-store.ts'
import { SqlDoor } from '../../src/storage/sql-door.ts'
import { StoreError } from '../../src/storage/store.ts'
import { ClickHouseFront, type FrontFault } from '../fakes/clickhouse-front.ts'
import { auditRow } from '../fakes/rows.ts'
import { eventually, scratchDirectory, scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
const suite = { after: (fn: () => Promise<void> | void) => void endings.push(fn) }
let front: ClickHouseFront
let store: ServerStore

before(async () => {
  const scratch = await scratchStore(suite)
  front = new ClickHouseFront(scratch.store)
  front.slowMs = 1600
  await front.listen()
  suite.after(() => front.refuse())
  store = new ServerStore({
    url: front.url,
    username: 'default',
    password: '',
    database: 'voicefw_test',
    requestTimeoutMs: 1200,
  })
  suite.after(() => store.close())
  await store.start()
  await migrate(store, 0)
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

const columns = ['at', 'actor', 'role', 'action', 'subject', 'result', 'remote', 'detail']

function rows(subject: string): Buffer {
  return Buffer.from(`["2026-01-01T00:00:00.000Z","a","admin","x","${subject}","ok","",""]\n`)
}

async function timesStored(subject: string): Promise<number> {
  const sql = 'SELECT count() AS c FROM audit WHERE subject = {subject:String}'
  return Number((await store.query(sql, { subject }))[0]?.['c'])
}

describe('a ClickHouse server', () => {
  const faults: { fault: FrontFault; stored: boolean; up: boolean }[] = [
    { fault: 'reset_mid_body', stored: false, up: false },
    { fault: 'reset_after_writing', stored: true, up: false },
    { fault: 'error_after_writing', stored: true, up: true },
    { fault: 'exception_with_200', stored: true, up: true },
    { fault: 'slow', stored: true, up: false },
  ]
  for (const { fault, stored, up } of faults) {
    it(`fails an insert with ${fault} as unclear; the same batch sent again is there once`, async () => {
      front.faults = [fault]
      await assert.rejects(store.insert('audit', columns, rows(fault), `token-${fault}`), (thrown) => {
        assert(thrown instanceof StoreError)
        assert.deepEqual([thrown.code, thrown.retryable, thrown.badRow], ['storage_unavailable', true, false])
        return true
      })
      assert.equal(store.state(), up ? 'up' : 'down')
      assert.equal(await timesStored(fault), stored ? 1 : 0)
      await store.insert('audit', columns, rows(fault), `token-${fault}`)
      assert.equal(store.state(), 'up')
      assert.equal(await timesStored(fault), 1)
    })
  }

  it('that refuses connections is down, and up again when it is back', async () => {
    await front.refuse()
    await assert.rejects(store.query('SELECT 1', {}), (thrown) => (thrown as StoreError).code === 'storage_unavailable')
    assert.equal(store.state(), 'down')
    await front.listen()
    assert.deepEqual(await store.query('SELECT 1 AS one', {}), [{ one: 1 }])
  })

  it('gets every row exactly once from a writer, through all of these in turn', async (t) => {
    const counters = zeroCounters()
    const directory = scratchDirectory(t)
    const logs = LogEnvironment.open({ directory, counters, log: silentLog })
    t.after(() => logs.close())
    const writer = new RowWriter({
      logs,
      store,
      counters,
      log: silentLog,
      clock: systemClock,
      flushMs: 5,
      batchRowsMax: 30,
      spoolBytesMax: 50_000_000,
      quarantineFile: `${directory}/quarantine.ndjson`,
      retryDelayMsMin: 10,
      retryDelayMsMax: 50,
    })
    writer.begin()
    front.faults = faults.flatMap(({ fault }) => (fault === 'slow' ? [fault] : [fault, fault]))
    for (let row = 0; row < 300; row += 1) {
      writer.write('audit', auditRow(`w-${row}`))
      if (row % 30 === 0) await writer.durable()
    }
    await eventually(() => front.faults.length < 6)
    await front.refuse()
    await eventually(() => writer.state() === 'spooling')
    for (let row = 300; row < 400; row += 1) writer.write('audit', auditRow(`w-${row}`))
    await front.listen()
    await writer.flush()
    assert.equal(writer.state(), 'up')
    const sql = "SELECT count() AS c, uniqExact(subject) AS u FROM audit WHERE startsWith(subject, 'w-')"
    assert.deepEqual(await store.query(sql, {}), [{ c: '400', u: '400' }])
    assert(counters.insertsRetried >= 9)
    await writer.close()
  })
})

describe("other people's queries on a ClickHouse server", () => {
  const limits = { rowsMax: 100, answerBytesMax: 10_000, timeMs: 1000, memoryBytesMax: 200_000_000, queriesMax: 2 }
  const refusal = async (door: SqlDoor, text: string): Promise<number | null> => {
    const asked = door.ask({ text, parameters: {}, defaultFormat: 'TabSeparated' })
    return await asked.then(
      () => 0,
      (thrown: unknown) => (thrown as StoreError).engineCode,
    )
  }

  it('go out read-only, with limits, filters and parameters as they were written', async () => {
    const door = new SqlDoor({ store, database: 'voicefw_test', limits })
    const text = 'SELECT hex({x:String}), {a:Array(String)}'
    const parameters = { x: 'a\\tb', a: "['it\\'s']" }
    const { bytes } = await door.ask({ text, parameters, defaultFormat: 'TabSeparated' })
    assert.equal(Buffer.from(bytes).toString(), "610962\t['it\\'s']\n")
    const { asked } = front
    const told = [asked['readonly'], asked['max_result_rows'], asked['max_execution_time'], asked['param_x']]
    assert.deepEqual(told, ['1', '100', '1', 'a\\tb'])
    // An error that comes late must not look like the end of an answer.
    assert.equal(asked['wait_end_of_query'], '1')
    const tables = await door.ask({ text: 'SHOW TABLES', parameters: {}, defaultFormat: 'TSV' })
    assert.match(Buffer.from(tables.bytes).toString(), /^actions\ncalls\n/)
    assert.doesNotMatch(Buffer.from(tables.bytes).toString(), /audit/)
  })

  it('change nothing, read nothing else, and stay within the limits', async () => {
    const door = new SqlDoor({ store, database: 'voicefw_test', limits })
    assert.equal(await refusal(door, 'DROP TABLE calls'), 164)
    assert.equal(await refusal(door, 'SELECT 1 SETTINGS readonly = 0'), 164)
    assert.equal(await refusal(door, 'SELECT * FROM audit'), 497)
    assert.equal(await refusal(door, 'SELECT * FROM nowhere'), 60)
    assert.equal(await refusal(door, 'SELECT number FROM numbers(101)'), 396)
    assert.equal(await refusal(door, "SELECT repeat('x', 9000) FROM numbers(2)"), 396)
    assert.equal(store.state(), 'up')
  })
})
