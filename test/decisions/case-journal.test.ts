import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { type BookedCase, CaseJournal } from '../../src/decisions/case-journal.ts'
import { ByteBudget, type DurableLog } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { seed } from '../fakes/fraud.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const nowMs = Date.UTC(2026, 0, 6)

function state(id: string, version: number, note: string | null = null): BookedCase {
  return { seed: seed(id, nowMs), decidedBy: null, decidedMs: null, note, quietUntilMs: 0, version }
}

function openLog(t: TestContext): DurableLog {
  const logs = LogEnvironment.open({ directory: scratchDirectory(t), counters: zeroCounters(), log: silentLog })
  t.after(() => logs.close())
  return logs.log('cases', new ByteBudget(1e9))
}

describe('the journal of cases', () => {
  it('gives back the last state of each case, as it was written', async (t) => {
    const log = openLog(t)
    const journal = new CaseJournal(log)
    await journal.write([state('a', 1), state('b', 1)])
    await journal.write([])
    await journal.write([state('a', 2, 'seen')])
    assert.deepEqual(new CaseJournal(log).read(), [state('a', 2, 'seen'), state('b', 1)])
  })

  it('leaves out an entry that cannot be read', async (t) => {
    const log = openLog(t)
    const journal = new CaseJournal(log)
    await journal.write([state('a', 1)])
    await log.append([Buffer.from('[{"seed":')])
    assert.deepEqual(
      journal.read().map((each) => each.version),
      [1],
    )
  })

  it('is begun anew when it has grown large, and then holds what it was given and nothing else', async (t) => {
    const log = openLog(t)
    const journal = new CaseJournal(log)
    const note = 'n'.repeat(1000)
    for (let n = 0; !journal.isLarge; n++) {
      await journal.write(Array.from({ length: 1000 }, (_, i) => state(`case-${i}`, n + 1, note)))
      assert.ok(n < 20, 'it says that it is large')
    }
    const before = log.bytes()
    await journal.compact([state('a', 7), state('b', 8)])
    assert.ok(log.bytes() < before / 100)
    assert.equal(journal.isLarge, false)
    assert.deepEqual(journal.read(), [state('a', 7), state('b', 8)])
  })
})
