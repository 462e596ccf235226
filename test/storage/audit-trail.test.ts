import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { type AuditEntry, ChainCheck } from '../../src/storage/audit-chain.ts'
import { AuditRows, linkedEntry } from '../../src/storage/audit-rows.ts'
import { AuditTrail } from '../../src/storage/audit-trail.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { RowQuarantine } from '../../src/storage/row-quarantine.ts'
import type { Store } from '../../src/storage/store.ts'
import { MemoryLog } from '../fakes/memory-log.ts'
import { scratchDirectory, scratchStore } from '../fakes/scratch.ts'

function entry(n: number, detail = ''): AuditEntry {
  const who = { actor: 'ann', role: 'admin', subject: 's', result: 'ok', remote: '192.0.2.1', detail }
  return { at: Date.UTC(2026, 0, 1) + n, action: `act.${n}`, ...who }
}

interface House {
  readonly trail: AuditTrail
  close(): Promise<void>
}

function open(directory: string, store: Store): House {
  const counters = zeroCounters()
  const logs = LogEnvironment.open({ directory: `${directory}/spool`, counters, log: silentLog })
  const quarantine = new RowQuarantine({ file: `${directory}/q`, bytesMax: 1e6, counters, log: silentLog })
  const common = { logs, store, quarantine, counters, log: silentLog, clock: systemClock }
  const trail = new AuditTrail({ ...common, flushMs: 10, batchRowsMax: 1000 })
  return {
    trail,
    async close() {
      await trail.close()
      await logs.close()
    },
  }
}

async function verified(store: Store, head: AuditTrail): Promise<[number, readonly object[]]> {
  const rows = await new AuditRows(store).page({
    ...{ order: 'chain', fromMs: 0, toMs: Date.UTC(2100, 0, 1), actor: '', action: '', after: null, limit: 10_000 },
  })
  const check = new ChainCheck({ keptSinceMs: 0 })
  for (const row of rows) {
    const { link, entry: told } = linkedEntry(row)
    check.push(link, told)
  }
  return [rows.length, check.report(head.head()).problems]
}

async function prepared(test: TestContext): Promise<Store> {
  const { store } = await scratchStore(test)
  await migrate(store, Date.UTC(2026, 0, 1))
  return store
}

/** Takes entries, but lets go of none. */
class KeepingLog extends MemoryLog {
  override advance(): Promise<void> {
    return Promise.reject(new Error('no space left'))
  }
}

describe('the audit trail', () => {
  it('is one chain over restarts, also when rows had not reached the table', async (test) => {
    const store = await prepared(test)
    const directory = scratchDirectory(test)
    const first = open(directory, store)
    for (let n = 0; n < 30; n++) first.trail.write(entry(n))
    await first.trail.durable()
    assert.equal(first.trail.head().seq, 30)
    // Nothing has begun to flow: the table is empty, the log holds all.
    await first.close()
    const second = open(directory, store)
    second.trail.begin()
    assert.equal(second.trail.head().seq, 30)
    for (let n = 30; n < 50; n++) second.trail.write(entry(n))
    await second.trail.stored()
    assert.deepEqual(await verified(store, second.trail), [50, []])
    await second.close()
    // The table has them, the log has let go of all but its last entry.
    const third = open(directory, store)
    third.trail.begin()
    third.trail.write(entry(50))
    await third.trail.stored()
    assert.deepEqual(await verified(store, third.trail), [51, []])
    await third.close()
  })

  it('hashes what is stored, so that every text comes back as it was hashed', async (test) => {
    const store = await prepared(test)
    const house = open(scratchDirectory(test), store)
    house.trail.begin()
    for (const detail of ['"\\\n\t\u0000', '\ud800 half', '☎ é', "'; DROP TABLE audit --", '']) {
      house.trail.write(entry(1, detail))
    }
    await house.trail.stored()
    assert.deepEqual(await verified(store, house.trail), [5, []])
    await house.close()
  })

  it('is found out when the table is changed behind its back', async (test) => {
    const store = await prepared(test)
    const house = open(scratchDirectory(test), store)
    house.trail.begin()
    for (let n = 1; n <= 9; n++) house.trail.write(entry(n))
    await house.trail.stored()
    await store.command("ALTER TABLE audit UPDATE remote = 'bob' WHERE seq = 4 SETTINGS mutations_sync = 2")
    await store.command('ALTER TABLE audit DELETE WHERE seq = 7 SETTINGS mutations_sync = 2')
    await store.command('INSERT INTO audit SELECT * FROM audit WHERE seq = 2')
    const [, problems] = await verified(store, house.trail)
    assert.deepEqual(
      problems.map((problem) => Object.values(problem).slice(0, 4)).map(([kind, , from, to]) => [kind, from, to]),
      [
        ['inserted', 2, 2],
        ['changed', 4, 4],
        ['removed', 7, 7],
      ],
    )
    await house.close()
  })
})

describe('a disk that fills up', () => {
  it('says that rows are on disk although the log could not let go of older ones', async (test) => {
    const counters = zeroCounters()
    const quarantine = new RowQuarantine({ file: 'none', bytesMax: 0, counters, log: silentLog })
    const logs = { id: 'test', log: () => new KeepingLog() }
    const common = { logs, quarantine, counters, log: silentLog, clock: systemClock, store: {} as Store }
    const trail = new AuditTrail({ ...common, flushMs: 10, batchRowsMax: 1000 })
    test.after(() => trail.close())
    trail.write(entry(1))
    await trail.durable()
    trail.write(entry(2))
    await trail.durable()
    assert.equal(trail.head().seq, 2)
  })
})
