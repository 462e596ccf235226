/** Reads about cases and numbers over the real engine, counted by hand. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { callEventOf } from '../../src/features/call-event.ts'
import { caseRow } from '../../src/storage/case-rows.ts'
import { FraudReports } from '../../src/storage/fraud-reports.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { PastCases } from '../../src/storage/past-cases.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import type { Store } from '../../src/storage/store.ts'
import { columnsOf, columnTypesOf } from '../../src/storage/tables.ts'
import { type CdrRecord, isProblem, parseCdr } from '../../src/wire/cdr-record.ts'
import { cdrColumns, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { cdrScoreColumns, encodeCdrScore } from '../../src/wire/cdr-score-row.ts'
import { seed } from '../fakes/fraud.ts'
import { scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
let store: Store
let reports: FraudReports
const noonMs = Date.UTC(2026, 2, 1, 12)
const [fromMs, toMs] = [noonMs - 1000, noonMs + 3_600_000]

function call(id: string, second: number, over: object = {}): CdrRecord {
  const startUs = (noonMs + second * 1000) * 1000
  const numbers = { from: '2215550001', to: `4915112${3000 + second}`, ingress: 'a', releasedBy: 'caller' }
  const record = parseCdr({ id, callId: id, startUs, endUs: startUs + 4_000_000, ...numbers, ...over }, 'pbx')
  if (isProblem(record)) throw new Error(record.detail)
  return record
}

const us = (second: number): number => (noonMs + second * 1000) * 1000
/** Two blinks (one told by its ring, one by its length), one of the network, one that rang long, two answered. */
const calls = [
  call('1', 0, { ringUs: us(1) }),
  call('2', 10),
  call('3', 20, { causeQ850: 38, releasedBy: 'network' }),
  call('4', 60, { ringUs: us(60), endUs: us(90) }),
  call('5', 70, { answerUs: us(72), endUs: us(74) }),
  call('6', 80, { answerUs: us(90), endUs: us(200), ingress: 'b' }),
  call('7', 90, { from: '4915112345678', to: '2215550001', answerUs: us(95), endUs: us(155) }),
]

function score(id: string, caseId: string, intended: string, scoredMs: number): string {
  const startMs = noonMs + Number(id) * 1000
  const kind = 'wangiri'
  return encodeCdrScore({
    id,
    source: 'pbx',
    startMs,
    caseId,
    kind,
    score: 0.9,
    ofKind: true,
    intended,
    effective: 'allow',
    scoredMs,
    model: '',
  })
}

before(async () => {
  store = (await scratchStore({ after: (fn: () => Promise<void> | void) => void endings.push(fn) })).store
  await migrate(store, 0)
  reports = new FraudReports(store)
  const rows = calls.map((record) => encodeCdrRow(record, noonMs, false))
  await store.insert('cdrs', cdrColumns, Buffer.from(rows.join('')), 'cdrs')
  const scores = [score('1', 'c1', 'allow', 5), score('2', 'c1', 'block', 5), score('2', 'c2', 'label', 5)]
  await store.insert('cdr_scores', cdrScoreColumns, Buffer.from(scores.join('')), 'scores')
  // A crash makes rows be told again: a little later, with the same key.
  const again = [score('1', 'c1', 'block', 9), score('2', 'c1', 'block', 9)]
  await store.insert('cdr_scores', cdrScoreColumns, Buffer.from(again.join('')), 'again')
  const booked = { decidedBy: null, decidedMs: null, note: null, quietUntilMs: 0 }
  const closed = { state: 'closed', openedMs: noonMs, lastSeenMs: noonMs + 5000 } as const
  const states = [
    { ...booked, seed: seed('c1', noonMs, { openedMs: noonMs }), version: 1 },
    {
      ...booked,
      seed: seed('c1', noonMs, { ...closed, verdict: 'dismissed' }),
      version: 2,
      decidedBy: 'desk',
      decidedMs: noonMs,
    },
    { ...booked, seed: seed('c2', noonMs, { ...closed, kind: 'irsf', lastSeenMs: noonMs + 9000 }), version: 1 },
    { ...booked, seed: seed('c3', noonMs, { ...closed, state: 'merged' }), version: 1 },
  ]
  const [columns, types] = [columnsOf('cases'), columnTypesOf('cases')]
  const lines = states.map((state) => encodeRow(columns, types, caseRow(state)))
  await store.insert('cases', columns, Buffer.from(lines.join('')), 'cases')
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

describe('reports about fraud', () => {
  it('show the calls of a case, and no others', async () => {
    const found = await reports.calls(['2', '6', 'nobody'], fromMs, toMs)
    assert.deepEqual(
      found.map(({ id, answered, talkMs, ingress, startAt }) => [id, answered, talkMs, ingress, startAt]),
      [
        ['2', false, 0, 'a', '2026-03-01T12:00:10.000Z'],
        ['6', true, 110_000, 'b', '2026-03-01T12:01:20.000Z'],
      ],
    )
  })

  it('count a subject’s traffic by step; blinks are those of the windows', async () => {
    const blinks = calls.filter((record) => callEventOf(record).blink).map(({ id }) => id)
    assert.deepEqual(blinks, ['1', '2'])
    const { stepSeconds, points } = await reports.series({ type: 'number', value: '2215550001' }, fromMs, toMs)
    assert.equal(stepSeconds, 60)
    assert.deepEqual(points, [
      { at: '2026-03-01T12:00:00.000Z', attempts: 3, answered: 0, unanswered: 3, short: 0, blink: 2 },
      { at: '2026-03-01T12:01:00.000Z', attempts: 3, answered: 2, unanswered: 1, short: 1, blink: 0 },
    ])
    const attemptsOf = async (type: 'range' | 'route' | 'route_destination' | 'called_number', value: string) =>
      (await reports.series({ type, value }, fromMs, toMs)).points.reduce((sum, point) => sum + point.attempts, 0)
    assert.equal(await attemptsOf('range', '2215550'), 6)
    assert.equal(await attemptsOf('route', 'b'), 1)
    assert.equal(await attemptsOf('route_destination', 'a>49151'), 5)
    assert.equal(await attemptsOf('called_number', '2215550001'), 1)
  })

  it('count a call once however often its score was written, by what was judged last', async () => {
    const { calls: count, actions } = await reports.scores('c1', fromMs, toMs)
    assert.deepEqual([count, actions['block'], actions['allow']], [2, 2, 0])
  })

  it('tell cases and calls over a span: a call under two cases by the stronger action', async () => {
    const { points, kinds } = await reports.report({ fromMs, toMs, stepSeconds: 3600 })
    assert.deepEqual(points, [
      {
        at: '2026-03-01T12:00:00.000Z',
        opened: 2,
        calls: 2,
        actions: { allow: 0, label: 0, challenge: 0, divert: 0, block: 2 },
      },
    ])
    const facts = kinds.map(({ kind, opened, live, dismissed }) => [kind, opened, live, dismissed])
    assert.deepEqual(facts, [
      ['irsf', 1, 0, 0],
      ['wangiri', 1, 0, 1],
    ])
  })

  it('show both sides of a number', async () => {
    const { asCaller, asCalled, recent } = await reports.number('2215550001', noonMs + 3_600_000)
    assert.deepEqual([asCaller.attempts, asCaller.others, asCaller.talkMs], [6, 6, 112_000])
    assert.deepEqual([asCalled.attempts, asCalled.answered], [1, 1])
    assert.deepEqual([recent.length, recent[0]?.id], [7, '7'])
  })

  it('find cases that have left memory by state, verdict and subject, page by page, as they stood last', async () => {
    const past = new PastCases(store)
    const ids = async (over: object = {}) =>
      (await past.list({ states: ['closed'], limit: 10, ...over })).map(({ id }) => id)
    assert.deepEqual(await ids(), ['c2', 'c1'])
    assert.deepEqual(await ids({ verdict: 'dismissed' }), ['c1'])
    assert.deepEqual(await ids({ verdict: 'none', kind: 'irsf' }), ['c2'])
    assert.deepEqual(await ids({ subject: 'nobody' }), [])
    assert.deepEqual(await ids({ after: { lastSeenMs: noonMs + 9000, id: 'c2' } }), ['c1'])
    const it = await past.get('c1')
    assert.deepEqual(
      [it?.state, it?.verdict, it?.decidedBy, it?.evidence],
      ['closed', 'dismissed', 'desk', ['pbx:1:a:call']],
    )
    assert.equal(await past.get('unknown'), undefined)
  })
})
