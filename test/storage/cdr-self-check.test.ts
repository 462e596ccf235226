/** Counts against one another over the real engine, from records that were counted by hand. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CdrSelfCheck } from '../../src/storage/cdr-self-check.ts'
import { migrate } from '../../src/storage/migrations.ts'
import type { Store } from '../../src/storage/store.ts'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'
import { cdrColumns, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
let store: Store
let check: CdrSelfCheck
const noonMs = Date.UTC(2026, 2, 1, 12)
const arrivedMs = noonMs + 120_000
const span = { fromMs: Date.UTC(2026, 2, 1), toMs: Date.UTC(2026, 2, 3) }

before(async () => {
  store = (await scratchStore({ after: (fn: () => Promise<void> | void) => void endings.push(fn) })).store
  await migrate(store, 0)
  check = new CdrSelfCheck({ store, waitingEntries: () => 3 })
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

let tokens = 0

async function insert(source: string, records: object[], backfill = false): Promise<void> {
  const lines = records.map((value) => {
    const record = parseCdr(value, source)
    if (isProblem(record)) throw new Error(record.detail)
    return encodeCdrRow(record, arrivedMs, backfill)
  })
  await store.insert('cdrs', cdrColumns, Buffer.from(lines.join('')), `t${tokens++}`)
}

async function accepted(source: string, count: number): Promise<void> {
  const line = `["2026-03-01 12:00:00.000","${source}","records",${count}]\n`
  const columns = ['hour', 'source', 'defect', 'count']
  await store.insert('source_quality', columns, Buffer.from(line), `t${tokens++}`)
}

function call(id: string, hour: number, over: object = {}): object {
  const startUs = (noonMs + hour * 3_600_000) * 1000
  const numbers = { from: '12025550123', to: '442079460123', ingress: 'a', egress: 'b' }
  return { id, callId: id, startUs, endUs: startUs + 30_000_000, answerUs: null, ...numbers, ...over }
}

function answered(hour: number, talkMs: number): object {
  const startMs = noonMs + hour * 3_600_000
  return { answerUs: startMs * 1000, endUs: (startMs + talkMs) * 1000 }
}

/** Noon: 2 answered (62 s in all, one of 2 s), 2 busy, 2 given up, 3 failed, 1 leg. Next day at one: 1 given up. */
const records = [
  call('1', 0, answered(0, 60_000)),
  call('2', 0, answered(0, 2000)),
  call('3', 0, { causeQ850: 17, releasedBy: 'callee' }),
  call('4', 0, { causeSip: 486, releasedBy: 'caller' }),
  call('5', 0, { causeQ850: 16, releasedBy: 'caller' }),
  call('6', 0, { causeSip: 487 }),
  call('7', 0, { causeQ850: 19, releasedBy: 'network' }),
  call('8', 0, { causeQ850: 1, causeSip: 404, releasedBy: 'network' }),
  call('9', 0, { causeQ850: 34, causeSip: 503 }),
  call('10', 0, { leg: 'b', isAttempt: false, causeSip: 487, releasedBy: 'network' }),
  call('11', 13, { causeQ850: 16, releasedBy: 'caller' }),
]

const counted = {
  attempts: 9,
  answered: 2,
  short: 1,
  unanswered: 7,
  cancelled: 2,
  busy: 2,
  failed: 3,
  talkMs: 62_000,
}

describe('the self-check of call records', () => {
  it('counts answered, given up, busy and failed calls per source and day, as the traffic report does', async () => {
    await insert('pbx', records)
    await accepted('pbx', 11)
    const { agrees, days, arrivals, waitingEntries } = await check.check(span)
    assert.deepEqual(
      days.map(({ day, source, records: rows, differs }) => [day, source, rows, differs]),
      [
        ['2026-03-02', 'pbx', 1, []],
        ['2026-03-01', 'pbx', 10, []],
      ],
    )
    assert.deepEqual(days[1]?.table, counted)
    assert.deepEqual(days[1]?.report, counted)
    assert.deepEqual(arrivals, [{ day: '2026-03-01', source: 'pbx', accepted: 11, stored: 11, state: 'agrees' }])
    assert.equal(agrees, true)
    assert.equal(waitingEntries, 3)
  })

  it('agrees when records came again that the doors had forgotten: they count once', async () => {
    await insert('late', records.slice(0, 5), true)
    await insert('late', records.slice(2, 5), true)
    await accepted('late', 5)
    const { agrees, days } = await check.check(span)
    const [day] = days.filter(({ source }) => source === 'late')
    assert.deepEqual([day?.records, day?.table.attempts, day?.table.busy, day?.differs], [5, 5, 2, []])
    assert.equal(agrees, true)
  })

  it('names the counts that differ when the roll-up has lost or invented calls', async () => {
    const line = '["2026-03-01 12:07:00","pbx","a","b",2,0,0,1,1,0]\n'
    const columns = 'minute,source,ingress,egress,attempts,answered,short,cancelled,busy,talk_ms'.split(',')
    await store.insert('traffic_minutes', columns, Buffer.from(line), `t${tokens++}`)
    const { agrees, days } = await check.check(span)
    const day = days.find(({ day: name, source }) => name === '2026-03-01' && source === 'pbx')
    assert.deepEqual(day?.differs, ['attempts', 'unanswered', 'cancelled', 'busy'])
    assert.deepEqual([day?.table.busy, day?.report.busy], [2, 3])
    assert.equal(agrees, false)
  })

  it('tells accepted records that are not in the table, and forgives counting that a kill took with it', async () => {
    await insert('lossy', records.slice(0, 3))
    await accepted('lossy', 5)
    await insert('killed', records.slice(0, 3))
    await accepted('killed', 2)
    const { arrivals } = await check.check(span)
    const states = arrivals.map(({ source, accepted: told, stored, state }) => [source, told, stored, state])
    assert.deepEqual(states.slice(0, 3), [
      ['killed', 2, 3, 'more_stored'],
      ['late', 5, 5, 'agrees'],
      ['lossy', 5, 3, 'fewer_stored'],
    ])
  })

  it('looks at nothing outside the days asked for', async () => {
    const { days, arrivals } = await check.check({ fromMs: Date.UTC(2026, 2, 3), toMs: Date.UTC(2026, 2, 4) })
    assert.deepEqual([days, arrivals], [[], []])
  })
})
