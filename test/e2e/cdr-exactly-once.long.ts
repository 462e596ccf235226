/**
 * Every record that was sent is stored exactly once or was rejected, and the fraud windows are those of a clean run,
 * although clients resend, reorder, repeat and break off, and the server and its ClickHouse child are killed with
 * SIGKILL under load. VOICEFW_KILL_ROUNDS=10 makes it the long form.
 *
 *   load, kill chdb, load, kill server, start  x rounds  ->  settle, drain, stop  ->  read log and table  ->  start,
 *   compare windows and cases with those of a detector that reads the log from its beginning
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { Subject } from '../../src/decisions/case-subjects.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { unpackChunk } from '../../src/log/row-chunks.ts'
import { between, type Random, seededRandom } from '../../src/simulator/seeded-random.ts'
import { EmbeddedStore } from '../../src/storage/embedded-store.ts'
import { decodeCdrRow, type StoredCdr } from '../../src/wire/cdr-row.ts'
import { CdrStorm } from '../fakes/cdr-storm.ts'
import { aheadNumber, busyNumbers, lureNumber } from '../fakes/cdr-storm-records.ts'
import { cleanRun } from '../fakes/fraud-oracle.ts'
import { makeKey } from '../fakes/keys.ts'
import { childrenOf } from '../fakes/process-tree.ts'
import { eventually, type ServerProcess, startServer } from '../fakes/server-process.ts'
import { until } from '../fakes/until.ts'

const rounds = Number(process.env['VOICEFW_KILL_ROUNDS'] ?? 2)
const seed = Number(process.env['VOICEFW_KILL_SEED'] ?? 1)
/** Calls wait less long for earlier ones, so that the test does; records that are later than that are tested too. */
const windows = { latenessMs: 5000 }
const config = { cdr: { windows } }

/** A round of load in which both processes are killed; gives the server that was started after it. */
async function killRound(server: ServerProcess, storm: CdrStorm, key: string, random: Random): Promise<ServerProcess> {
  let over = false
  const raging = storm.rage({ url: server.url, key, isOver: () => over })
  await underLoad(storm, random)
  for (const pid of childrenOf(server.child.pid ?? 0)) process.kill(pid, 'SIGKILL')
  await underLoad(storm, random)
  await server.end('SIGKILL')
  over = true
  await raging
  return startServer({ dataDir: server.dataDir, config })
}

/** Until the server has answered for some batches (a busy machine takes longer), and then at a moment that is drawn. */
async function underLoad(storm: CdrStorm, random: Random): Promise<void> {
  const batches = storm.batchesAnswered + 25
  await until(() => storm.batchesAnswered >= batches, 60_000)
  await sleep(between(random, 50, 700))
}

async function drained(server: ServerProcess, reader: 'cdr_waiting' | 'fraud_unsettled'): Promise<void> {
  await eventually(
    `${reader} to be drained`,
    async () => {
      const metrics = await (await fetch(`${server.url}/metrics`)).text()
      return metrics.includes(`\nvoicefw_${reader}_entries 0\n`) ? true : undefined
    },
    60_000,
  )
}

/** Rows of the log of records in its order, as a clean run would read them. */
async function logged(dataDir: string): Promise<StoredCdr[]> {
  const logs = LogEnvironment.open({ directory: join(dataDir, 'spool'), counters: zeroCounters(), log: silentLog })
  const entries = logs.log('cdr', new ByteBudget(2 ** 32)).read(0, Number.MAX_SAFE_INTEGER)
  const lines = entries.flatMap(({ bytes }) => {
    const chunk = unpackChunk(bytes)
    assert.ok(chunk !== null)
    return Buffer.from(chunk.lines).toString('utf8').split('\n').slice(0, -1)
  })
  await logs.close()
  return lines.map(decodeCdrRow)
}

async function storedIds(dataDir: string): Promise<string[]> {
  const rooms = { dataDir, database: 'voicefw', counters: zeroCounters(), log: silentLog }
  const store = new EmbeddedStore({ ...rooms, memoryBytesMax: 1_073_741_824, requestTimeoutMs: 20_000 })
  await store.start()
  try {
    return (await store.query('SELECT id FROM cdrs', {})).map(({ id }) => String(id))
  } finally {
    await store.close()
  }
}

interface SelfCheck {
  readonly days: { readonly day: string; readonly records: number; readonly differs: string[] }[]
}

async function checkStored(t: TestContext, storm: CdrStorm, dataDir: string, log: readonly StoredCdr[]): Promise<void> {
  const stored = await storedIds(dataDir)
  const { sent, bad, rejected } = storm
  assert.ok(sent.size > 500 * rounds, `${sent.size} sent`)
  assert.equal(stored.length, new Set(stored).size, 'no record is stored twice')
  assert.deepEqual(new Set(stored), sent, 'what was sent and is good is stored')
  assert.deepEqual(rejected, bad, 'and what is bad was rejected')
  assert.deepEqual(
    log.map(({ record }) => record.id).sort(),
    stored.sort(),
    'the log holds what the table holds, each record once',
  )
  assert.ok(storm.accepted <= stored.length, 'no record was accepted twice')
  assert.ok(storm.duplicates > 0 && storm.brokenOff > rounds)
  const ids = `${sent.size + bad.size} ids sent = ${stored.length} stored + ${rejected.size} rejected`
  const answers = `${storm.batchesAnswered} batches answered, ${storm.duplicates} duplicates`
  t.diagnostic(`${rounds} rounds, seed ${seed}: ${ids}; ${answers}, ${storm.brokenOff} broken off`)
}

interface Profile {
  readonly windows: Record<string, object> | null
}

/**
 * Kind and campaign of a case. A case opens on whichever subject of a campaign is looked at first (range or route) and
 * keeps it over restarts; a live run, in which calls are late by another clock too, may look at another one first.
 */
function campaignOf(name: string): string {
  const [kind = '', , subject = ''] = name.split(' ')
  const campaigns = { flash: ['4477009', 'transit-a'], lure: ['21610195', 'transit-b'] }
  const found = Object.entries(campaigns).find(([, fronts]) => fronts.some((front) => subject.startsWith(front)))
  return `${kind} ${found?.[0] ?? subject}`
}

/** What the server says of numbers and cases is what a clean detector makes of the same records. */
async function checkWindows(t: TestContext, server: ServerProcess, log: readonly StoredCdr[]): Promise<void> {
  const clean = await cleanRun(log, windows)
  const flashes = log.flatMap(({ record }) => (record.ingress === 'transit-a' ? [record.from ?? ''] : [])).slice(0, 10)
  let attempts = 0
  for (const number of [lureNumber, aheadNumber, ...busyNumbers, ...flashes]) {
    const { windows: told } = (await server.get(`/v1/numbers/${number}`)) as Profile
    const wanted = clean.windowsOf(number)
    assert.deepEqual({ '1h': told?.['1h'], '24h': told?.['24h'] }, wanted, `the windows of ${number}`)
    attempts += wanted?.['24h'].attempts ?? 0
  }
  const { cases } = (await server.get('/v1/cases?limit=500')) as { cases: { kind: string; subject: Subject }[] }
  const opened = cases.map(({ kind, subject }) => `${kind} ${subject.type} ${subject.value}`).sort()
  const campaignsOf = (names: readonly string[]): string[] => [...new Set(names.map(campaignOf))].sort()
  assert.deepEqual(campaignsOf(opened), campaignsOf(clean.cases))
  assert.ok(opened.length >= 2 && attempts > log.length / 4)
  t.diagnostic(`${clean.late} late, ${clean.ahead} ahead; windows of ${attempts} attempts equal`)
  t.diagnostic(`cases: ${opened.join(', ')}; of a clean run: ${clean.cases.join(', ')}`)
}

test('records are stored exactly once although clients misbehave and both processes are killed', async (t) => {
  const storm = new CdrStorm(seed)
  const random = seededRandom(seed)
  let server = await startServer({ config })
  // Not left behind when a check fails.
  t.after(() => server.end('SIGKILL'))
  const { dataDir } = server
  const key = makeKey(server, 'ingest')
  for (let round = 0; round < rounds; round += 1) server = await killRound(server, storm, key, random)
  await storm.settle({ url: server.url, key })
  await drained(server, 'cdr_waiting')
  const check = (await server.get(`/v1/analytics/selfcheck?to=${Date.now() + 86_400_000}`)) as SelfCheck
  for (const { day, differs } of check.days) assert.deepEqual(differs, [], `${day}: reports count what the table holds`)
  assert.equal(
    check.days.reduce((sum, { records }) => sum + records, 0),
    storm.sent.size,
  )
  await server.end('SIGTERM')
  const log = await logged(dataDir)
  await checkStored(t, storm, dataDir, log)
  server = await startServer({ dataDir, config })
  await drained(server, 'fraud_unsettled')
  await checkWindows(t, server, log)
  await server.end('SIGTERM')
})
