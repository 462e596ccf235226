/** The embedded engine's process: killed, locked out, not installed, orphaned. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { statSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { silentLog } from '../../src/core/log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { EmbeddedStore } from '../../src/storage/embedded-store.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { RowWriter } from '../../src/storage/row-writer.ts'
import type { StoreError } from '../../src/storage/store.ts'
import { auditRow } from '../fakes/rows.ts'
import { embeddedDefaults, eventually, scratchDirectory, scratchStore } from '../fakes/scratch.ts'

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('the storage child', () => {
  it('is killed again and again during inserts: no confirmed row is lost, no row is there twice', async (t) => {
    const { store, counters, dataDir } = await scratchStore(t)
    await migrate(store, 0)
    const logs = LogEnvironment.open({ directory: `${dataDir}/spool`, counters, log: silentLog })
    t.after(() => logs.close())
    const writer = new RowWriter({
      logs,
      store,
      counters,
      log: silentLog,
      clock: systemClock,
      flushMs: 5,
      batchRowsMax: 400,
      spoolBytesMax: 50_000_000,
      quarantineFile: `${dataDir}/quarantine.ndjson`,
      retryDelayMsMin: 20,
      retryDelayMsMax: 100,
    })
    writer.begin()
    let written = 0
    for (let kill = 0; kill < 5; kill += 1) {
      const until = counters.rowsStored + 150 + 37 * kill
      for (; counters.rowsStored < until; written += 1) {
        assert(writer.write('audit', auditRow(`row-${written}`)))
        if (written % 5 === 0) await new Promise((done) => setTimeout(done, 1))
      }
      process.kill(store.childPid() as number, 'SIGKILL')
      await eventually(() => store.state() === 'down' || counters.storeChildRestarts > kill)
    }
    await writer.flush()
    const [row] = await store.query('SELECT count() AS c, uniqExact(subject) AS u FROM audit', {})
    assert.deepEqual(row, { c: String(written), u: String(written) })
    assert.equal(counters.rowsStored, written)
    assert(counters.storeChildRestarts >= 5)
    assert(counters.insertsRetried >= 1)
    await writer.close()
  })

  it('fails what was in flight as unavailable, and answers again by itself', async (t) => {
    const { store } = await scratchStore(t)
    const slow = store.query('SELECT sleep(2)', {})
    process.kill(store.childPid() as number, 'SIGKILL')
    await assert.rejects(slow, (thrown) => (thrown as StoreError).code === 'storage_unavailable')
    await assert.rejects(store.query('SELECT 1', {}), (thrown) => (thrown as StoreError).retryable)
    await eventually(() => store.state() === 'up')
    assert.deepEqual(await store.query('SELECT 1 AS one', {}), [{ one: 1 }])
  })

  it('is replaced when it gives no answer in time', async (t) => {
    const { store, counters } = await scratchStore(t, { requestTimeoutMs: 2500 })
    process.kill(store.childPid() as number, 'SIGSTOP')
    await assert.rejects(store.query('SELECT 1', {}), (thrown) => (thrown as StoreError).code === 'storage_unavailable')
    await eventually(() => store.state() === 'up')
    assert.equal(counters.storeChildRestarts, 1)
  })

  it('keeps its directories to its owner', async (t) => {
    const { dataDir } = await scratchStore(t)
    assert.equal(statSync(`${dataDir}/clickhouse`).mode & 0o777, 0o700)
    assert.equal(statSync(`${dataDir}/clickhouse.xml`).mode & 0o777, 0o600)
  })

  it('refuses to start, saying how to mend it, when chdb is not installed', async (t) => {
    const options = { ...embeddedDefaults(scratchDirectory(t)), chdbModule: 'chdb-that-is-not-there' }
    await assert.rejects(new EmbeddedStore(options).start(), (thrown) => {
      assert(thrown instanceof OperatingError)
      assert.equal(thrown.code, 'config_invalid')
      assert.match(thrown.message, /npm install.*storage\.url/s)
      return true
    })
  })

  it('waits a while for another process to let go of the data, then says so', async (t) => {
    const { store, dataDir } = await scratchStore(t)
    const second = new EmbeddedStore({ ...embeddedDefaults(dataDir), lockWaitMs: 300 })
    await assert.rejects(second.start(), /Cannot lock file/)
    const patient = new EmbeddedStore({ ...embeddedDefaults(dataDir), lockWaitMs: 8000 })
    t.after(() => patient.close())
    const started = patient.start()
    await new Promise((done) => setTimeout(done, 300))
    await store.close()
    await started
    assert.equal(patient.state(), 'up')
  })
})

describe('a whole process killed under load', () => {
  it('leaves no orphan, and every acknowledged row arrives exactly once after the restart', async (t) => {
    const dataDir = scratchDirectory(t)
    const script = fileURLToPath(new URL('../fakes/row-feeder.js', import.meta.url))
    const acknowledged = new Set<string>()
    const engines: number[] = []
    const rounds = 3
    for (let round = 0; round < rounds; round += 1) {
      const child = fork(script, [dataDir, String(round), '0'])
      let batches = 0
      await new Promise<void>((done) => {
        child.on('exit', () => done())
        child.on('message', (message: string[] | { engine: number }) => {
          if (!Array.isArray(message)) {
            engines.push(message.engine)
            return
          }
          for (const name of message) acknowledged.add(name)
          batches += 1
          // The engine is up after about a second: the last round dies in the midst of inserts, the first before any.
          if (batches === 20) setTimeout(() => child.kill('SIGKILL'), 100 + 900 * round)
        })
      })
    }
    assert.equal(engines.length, rounds)
    await eventually(() => !engines.some(isRunning), 3000)
    const last = fork(script, [dataDir, String(rounds), '100'])
    const stored = await new Promise<[string, number][]>((done, fail) => {
      last.on('exit', (code) => fail(new Error(`ended with ${code} before it reported`)))
      last.on('message', (message: string[] | { stored: [string, number][] } | { engine: number }) => {
        if (Array.isArray(message)) for (const name of message) acknowledged.add(name)
        else if ('stored' in message) done(message.stored)
      })
    })
    await new Promise((done) => last.once('exit', done))
    const times = new Map(stored)
    for (const name of acknowledged) assert.equal(times.get(name), 1, name)
    for (const [name, count] of stored) assert.equal(count, 1, name)
    assert(acknowledged.size > 400)
  })
})
