/** The row writer's rules, against a store in memory that keeps ClickHouse's promises and fails on demand. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget, type DurableLog } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { packChunk } from '../../src/log/row-chunks.ts'
import { RowWriter, type RowWriterOptions } from '../../src/storage/row-writer.ts'
import { MemoryStore } from '../fakes/memory-store.ts'
import { auditRow, callRow, windowRow } from '../fakes/rows.ts'
import { eventually, scratchDirectory } from '../fakes/scratch.ts'

interface Bench {
  readonly writer: RowWriter
  readonly store: MemoryStore
  readonly counters: Counters
  readonly directory: string
  readonly logs: LogEnvironment
}

function bench(t: TestContext, over: Partial<RowWriterOptions> = {}, directory = scratchDirectory(t)): Bench {
  const counters = zeroCounters()
  const store = (over.store as MemoryStore | undefined) ?? new MemoryStore()
  const logs = LogEnvironment.open({ directory, counters, log: silentLog })
  const writer = new RowWriter({
    logs,
    store,
    counters,
    log: silentLog,
    clock: systemClock,
    flushMs: 10,
    batchRowsMax: 100,
    spoolBytesMax: 10_000_000,
    quarantineFile: `${directory}/quarantine.ndjson`,
    retryDelayMsMin: 5,
    retryDelayMsMax: 20,
    ...over,
  })
  return { writer, store, counters, directory, logs }
}

/** Stops a writer as a crash would after its rows are durable, and opens the next on the same files. */
async function reopen(t: TestContext, former: Bench, over: Partial<RowWriterOptions> = {}): Promise<Bench> {
  await former.writer.close(0)
  await former.logs.close()
  return bench(t, { store: former.store, ...over }, former.directory)
}

async function end({ writer, logs }: Bench): Promise<void> {
  await writer.close()
  await logs.close()
}

function subjectsOf(store: MemoryStore): string[] {
  return store.lines.map((line) => String((JSON.parse(line) as unknown[])[4]))
}

describe('the row writer', () => {
  it('stores rows in the order they were written, in batches', async (t) => {
    const it = bench(t)
    it.writer.begin()
    for (let row = 0; row < 250; row += 1) assert(it.writer.write('audit', auditRow(`r${row}`)))
    await it.writer.flush()
    assert.deepEqual(
      subjectsOf(it.store),
      Array.from({ length: 250 }, (_, row) => `r${row}`),
    )
    assert(it.store.attempts.length <= 4)
    assert.deepEqual([it.counters.rowsSpooled, it.counters.rowsStored, it.writer.spoolBytes()], [250, 250, 0])
    await end(it)
  })

  it('stores a lone row within about flushMs', async (t) => {
    const it = bench(t, { flushMs: 20 })
    it.writer.begin()
    it.writer.write('audit', auditRow('lone'))
    await eventually(() => it.store.lines.length === 1, 1000)
    await end(it)
  })

  it('sends the identical batch under the same token until it is confirmed, whatever arrives meanwhile', async (t) => {
    const it = bench(t)
    it.store.faults = ['before', 'after', 'before', 'after']
    it.writer.begin()
    it.writer.write('audit', auditRow('first'))
    await eventually(() => it.store.attempts.length >= 2)
    it.writer.write('audit', auditRow('second'))
    await it.writer.flush()
    const first = it.store.attempts.slice(0, 5)
    assert.equal(new Set(first.map((attempt) => `${attempt.token} ${attempt.text}`)).size, 1)
    assert.deepEqual(subjectsOf(it.store), ['first', 'second'])
    assert.equal(it.counters.insertsRetried, 4)
    await end(it)
  })

  it('sends the identical batch again after a restart, even when its limits were changed', async (t) => {
    const before = bench(t, { batchRowsMax: 5 })
    for (let row = 0; row < 12; row += 1) {
      before.writer.write('audit', auditRow(`r${row}`))
      await before.writer.durable()
    }
    before.store.faults = Array.from({ length: 50 }, () => 'after' as const)
    before.writer.begin()
    await eventually(() => before.store.attempts.length > 0)
    const after = await reopen(t, before, { batchRowsMax: 1000 })
    const [attempt] = before.store.attempts
    after.store.faults = []
    const sent = after.store.attempts.length
    after.writer.begin()
    await after.writer.flush()
    assert.deepEqual(after.store.attempts[sent], attempt)
    assert.equal(subjectsOf(after.store).join(), Array.from({ length: 12 }, (_, row) => `r${row}`).join())
    await end(after)
  })

  it('has tokens that another spool in front of the same server never uses', async (t) => {
    const [a, b] = [bench(t), bench(t)]
    for (const it of [a, b]) {
      it.writer.begin()
      it.writer.write('audit', auditRow('same'))
      await it.writer.flush()
    }
    assert.notEqual(a.store.attempts[0]?.token, b.store.attempts[0]?.token)
    await end(a)
    await end(b)
  })

  it('quarantines a row that the table refuses and stores its neighbours, once each', async (t) => {
    const it = bench(t)
    it.writer.begin()
    for (let row = 0; row < 40; row += 1) {
      it.writer.write(
        'audit',
        auditRow(row === 13 || row === 14 || row === 39 ? `${it.store.poison}${row}` : `r${row}`),
      )
    }
    await it.writer.flush()
    assert.equal(it.store.lines.length, 37)
    assert.equal(new Set(it.store.lines).size, 37)
    assert.deepEqual([it.counters.rowsQuarantined, it.counters.rowsStored], [3, 37])
    const lines = readFileSync(`${it.directory}/quarantine.ndjson`, 'utf8').trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { row: string }).row.includes('poison')),
      [true, true, true],
    )
    await end(it)
  })

  it('halves a refused batch the same way again when that was interrupted, and stores nothing twice', async (t) => {
    const before = bench(t)
    before.store.storesUntilDown = 2
    for (let row = 0; row < 20; row += 1) {
      before.writer.write('audit', auditRow(row === 7 ? before.store.poison : `r${row}`))
    }
    before.writer.begin()
    await eventually(() => before.store.down)
    const after = await reopen(t, before)
    assert(after.store.lines.length > 0 && after.store.lines.length < 19)
    after.store.down = false
    after.writer.begin()
    await after.writer.flush()
    assert.equal(new Set(subjectsOf(after.store)).size, 19)
    assert.equal(after.store.lines.length, 19)
    await end(after)
  })

  it('quarantines a value that does not fit its column at once, and takes the next row', async (t) => {
    const it = bench(t)
    it.writer.begin()
    assert.equal(it.writer.write('voice_windows', windowRow({ flags: 70_000 })), true)
    assert.equal(it.writer.write('calls', callRow({ version: 1n << 64n })), true)
    assert.equal(it.writer.write('voice_windows', windowRow({})), true)
    await it.writer.flush()
    assert.deepEqual([it.counters.rowsQuarantined, it.counters.rowsStored], [2, 1])
    await end(it)
  })

  it('keeps rows on disk while the store is down, says so, and drains by itself', async (t) => {
    const before = bench(t)
    before.store.down = true
    before.writer.begin()
    for (let row = 0; row < 150; row += 1) before.writer.write('audit', auditRow(`r${row}`))
    await before.writer.durable()
    await eventually(() => before.writer.state() === 'spooling')
    const after = await reopen(t, before)
    assert(after.writer.spoolBytes() > 0)
    after.store.down = false
    after.writer.begin()
    await eventually(() => after.counters.rowsStored === 150)
    assert.equal(after.writer.state(), 'up')
    assert.equal(new Set(subjectsOf(after.store)).size, 150)
    await end(after)
  })

  it('refuses rows when the spool is full, counts them, and takes rows again when there is room', async (t) => {
    const it = bench(t, { spoolBytesMax: 60_000, refusedShownMs: 1000 })
    it.store.down = true
    it.writer.begin()
    let taken = 0
    while (it.writer.write('audit', auditRow(`r${taken}`)) && taken < 10_000) taken += 1
    assert(taken > 100 && taken < 1000, `${taken} rows in 60 kB`)
    assert.equal(it.writer.write('audit', auditRow('refused')), false)
    assert.equal(it.writer.state(), 'full')
    assert.equal(it.counters.rowsRefused, 2)
    it.store.down = false
    await it.writer.flush()
    assert.equal(it.store.lines.length, taken)
    assert.equal(it.writer.write('audit', auditRow('again')), true)
    await it.writer.flush()
    assert.equal(it.writer.state(), 'full', 'there is room again, but rows were refused a moment ago')
    await eventually(() => it.writer.state() === 'up')
    await end(it)
  })

  it('refuses rows while the disk fails, and loses none that it took', async (t) => {
    let broken = true
    const plain = bench(t)
    const logs = {
      id: plain.logs.id,
      log(name: string, budget: ByteBudget): DurableLog {
        const log = plain.logs.log(`faulty.${name}`, budget)
        const append = log.append.bind(log)
        log.append = async (batch) => {
          if (broken) throw new Error('EIO')
          return await append(batch)
        }
        return log
      },
    }
    const it = { ...plain, writer: new RowWriter({ ...writerOptions(plain), logs }) }
    it.writer.begin()
    assert.equal(it.writer.write('audit', auditRow('held')), true)
    await assert.rejects(it.writer.durable(), /cannot be written/)
    assert.equal(it.writer.write('audit', auditRow('refused')), false)
    assert.equal(it.writer.state(), 'full')
    broken = false
    await it.writer.flush()
    assert.deepEqual(subjectsOf(it.store), ['held'])
    assert.equal(it.writer.write('audit', auditRow('next')), true)
    await plain.writer.close()
    await end(it)
  })

  it('inserts rows that an older version spooled with the columns they were written with', async (t) => {
    const it = bench(t)
    const log = it.logs.log('rows.audit', new ByteBudget(1_000_000))
    await log.append([packChunk('at,actor', ['[0,"old"]\n']), Buffer.from('not a chunk')])
    it.writer.write('audit', auditRow('new'))
    await it.writer.durable()
    it.writer.begin()
    await it.writer.flush()
    assert.deepEqual(
      it.store.attempts.map((attempt) => attempt.columns.length),
      [2, 12],
    )
    await end(it)
  })

  it('makes rows durable before it closes and leaves them for the next start', async (t) => {
    const before = bench(t)
    before.writer.write('calls', callRow({}))
    assert.equal(existsSync(`${before.directory}/log/data.mdb`), true)
    const after = await reopen(t, before)
    assert.equal(before.writer.write('calls', callRow({})), false)
    after.writer.begin()
    await after.writer.flush()
    assert.equal(after.store.lines.length, 1)
    await end(after)
  })
})

function writerOptions({ store, counters, directory, logs }: Bench): RowWriterOptions {
  return {
    logs,
    store,
    counters,
    log: silentLog,
    clock: systemClock,
    flushMs: 10,
    batchRowsMax: 100,
    spoolBytesMax: 10_000_000,
    quarantineFile: `${directory}/quarantine.ndjson`,
    retryDelayMsMin: 5,
    retryDelayMsMax: 20,
  }
}
