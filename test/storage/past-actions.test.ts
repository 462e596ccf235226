/** Decisions and callers as stored and read back, over the real engine. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { ActionRecord } from '../../src/decisions/action-record.ts'
import { actionRow } from '../../src/storage/action-rows.ts'
import { CallerHistories } from '../../src/storage/caller-history.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { PastActions } from '../../src/storage/past-actions.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import type { Store } from '../../src/storage/store.ts'
import { columnsOf, columnTypesOf } from '../../src/storage/tables.ts'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'
import { cdrColumns, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { actionRecord } from '../fakes/actions.ts'
import { scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
let store: Store
let tokens = 0
const noonMs = Date.UTC(2026, 2, 1, 12)

before(async () => {
  store = (await scratchStore({ after: (fn: () => Promise<void> | void) => void endings.push(fn) })).store
  await migrate(store, 0)
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

async function put(record: ActionRecord, version: number): Promise<void> {
  const line = encodeRow(columnsOf('actions'), columnTypesOf('actions'), actionRow(record, 'run-1', version))
  await store.insert('actions', columnsOf('actions'), Buffer.from(line), `t${tokens++}`)
}

describe('stored decisions', () => {
  it('come back as they were decided, in their newest state, oldest first', async () => {
    const annotated = { id: 'act_2', action: 'annotate', note: 'sounds “generated”', decidedAtMs: noonMs } as const
    const later = actionRecord({ ...annotated, state: 'undone', undoneAtMs: noonMs + 9, undoneBy: 'key:1 desk' })
    const result = { code: 'call_over', text: 'Twilio answered 404' }
    const failed = actionRecord({ decidedAtMs: noonMs - 1000, state: 'failed', latencyMs: 4.5, result })
    await put(actionRecord({ ...annotated, state: 'done' }), 1)
    await put(later, 2)
    await put(failed, 3)
    await put(actionRecord({ id: 'act_other', callSid: 'CAother' }), 4)
    assert.deepEqual(await new PastActions(store).of(failed.callSid), [failed, later])
  })

  it('lead no call back that has left memory', async () => {
    await put(actionRecord({ callSid: 'CAback', action: 'redirect', hasWayBack: true }), 5)
    const [record] = await new PastActions(store).of('CAback')
    assert.equal(record?.hasWayBack, false)
  })
})

describe("a caller's records", () => {
  const clock = new ManualClock(noonMs)
  const counters = zeroCounters()

  it('are counted over 30 days: calls, answers, talk, numbers called; forked legs are no calls', async () => {
    const call = (id: string, daysAgo: number, talkMs: number | null, over: object = {}): string => {
      const startMs = noonMs - daysAgo * 86_400_000
      const answerUs = talkMs === null ? null : startMs * 1000
      const times = { startUs: startMs * 1000, answerUs, endUs: (startMs + (talkMs ?? 10_000)) * 1000 }
      const record = parseCdr({ id, callId: id, from: '12025550123', to: '442079460123', ...times, ...over }, 'pbx')
      if (isProblem(record)) throw new Error(record.detail)
      return encodeCdrRow(record, noonMs, false)
    }
    const lines = [
      call('1', 1, 60_000),
      call('2', 2, 120_000, { to: '442079460124' }),
      call('3', 3, null),
      call('4', 29, null),
      call('5', 31, 60_000),
      call('6', 1, 60_000, { isAttempt: false }),
      call('7', 1, 60_000, { from: '12025550124' }),
    ]
    await store.insert('cdrs', cdrColumns, Buffer.from(lines.join('')), `t${tokens++}`)
    const history = await new CallerHistories({ store, clock, counters }).of('12025550123')
    assert.deepEqual(history, { days: 30, attempts: 4, answered: 2, talkMs: 180_000, distinctCalled: 2 })
  })
})
