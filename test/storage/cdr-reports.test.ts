/** Reports over the real engine: what a dispatcher would count by hand, and no record twice. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CdrReports } from '../../src/storage/cdr-reports.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import type { Store } from '../../src/storage/store.ts'
import { columnsOf, columnTypesOf, rowOf } from '../../src/storage/tables.ts'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'
import { cdrColumns, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
let store: Store
let reports: CdrReports
const noonMs = Date.UTC(2026, 2, 1, 12)
const span = { fromMs: noonMs, toMs: noonMs + 3_600_000, stepSeconds: 60 }

before(async () => {
  store = (await scratchStore({ after: (fn: () => Promise<void> | void) => void endings.push(fn) })).store
  await migrate(store, 0)
  reports = new CdrReports(store)
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

let tokens = 0

async function insert(records: object[], receivedMs: number, backfill: boolean, token = `t${tokens++}`): Promise<void> {
  const lines = records.map((value) => {
    const record = parseCdr(value, 'pbx')
    if (isProblem(record)) throw new Error(record.detail)
    return encodeCdrRow(record, receivedMs, backfill)
  })
  await store.insert('cdrs', cdrColumns, Buffer.from(lines.join('')), token)
}

function call(id: string, second: number, over: object = {}): object {
  const startUs = (noonMs + second * 1000) * 1000
  const numbers = { from: '12025550123', to: '442079460123', ingress: 'a', egress: 'b' }
  return { id, callId: id, startUs, endUs: startUs + 30_000_000, answerUs: null, ...numbers, ...over }
}

const answered = (second: number, talkMs: number): object => ({
  answerUs: (noonMs + second * 1000) * 1000,
  endUs: (noonMs + second * 1000 + talkMs) * 1000,
})

/** Of 7 attempts: 2 answered (one for 2 s), 1 busy by Q.850, 1 by SIP, 2 given up, 1 failed. A forked leg is none. */
const day = [
  call('1', 0, answered(0, 60_000)),
  call('2', 10, { ...answered(10, 2000), egress: 'c' }),
  call('3', 20, { causeQ850: 17, releasedBy: 'callee' }),
  call('4', 30, { causeSip: 486, releasedBy: 'caller' }),
  call('5', 65, { releasedBy: 'caller' }),
  call('6', 70, { causeSip: 487 }),
  call('7', 75, { causeQ850: 38, releasedBy: 'network' }),
  call('8', 80, { isAttempt: false }),
]

const expected = {
  attempts: 7,
  answered: 2,
  unanswered: 5,
  cancelled: 2,
  busy: 2,
  short: 1,
  asr: 0.2857,
  acdMs: 31_000,
}

async function total(): Promise<Record<string, unknown>> {
  const report = await reports.traffic({ ...span, stepSeconds: 3600 }, {})
  assert.ok(report.points.length <= 1)
  const { at, shortShare, ...counts } = report.points[0] ?? { at: '', shortShare: 0.5 }
  return counts
}

describe('traffic', () => {
  it('counts answered, busy, given up and short calls per step and per route', async () => {
    await insert(day, noonMs + 60_000, false)
    assert.deepEqual(await total(), expected)
    const report = await reports.traffic(span, {})
    assert.deepEqual(
      report.points.map(({ at, attempts, answered: ok }) => [at, attempts, ok]),
      [
        ['2026-03-01T12:00:00.000Z', 4, 2],
        ['2026-03-01T12:01:00.000Z', 3, 0],
      ],
    )
    assert.deepEqual(
      report.routes.map(({ ingress, egress, attempts, shortShare }) => [ingress, egress, attempts, shortShare]),
      [
        ['a', 'b', 6, 0],
        ['a', 'c', 1, 1],
      ],
    )
    assert.equal((await reports.traffic(span, { egress: 'c' })).points[0]?.attempts, 1)
    assert.deepEqual((await reports.traffic(span, { source: 'other' })).points, [])
  })

  it('counts no record again that comes after its id was forgotten, nor one that is sent twice so', async () => {
    await insert(day, noonMs + 40 * 3_600_000, true)
    assert.deepEqual(await total(), expected)
    await insert([call('9', 90, { releasedBy: 'caller' })], noonMs + 50 * 3_600_000, true)
    await insert([call('9', 90, { releasedBy: 'caller' })], noonMs + 60 * 3_600_000, true)
    assert.deepEqual(await total(), { ...expected, attempts: 8, unanswered: 6, cancelled: 3, asr: 0.25 })
    await store.command('OPTIMIZE TABLE cdrs FINAL')
    assert.deepEqual(await total(), { ...expected, attempts: 8, unanswered: 6, cancelled: 3, asr: 0.25 })
    const [row] = await store.query("SELECT toUnixTimestamp64Milli(received_at) AS at FROM cdrs WHERE id = '1'", {})
    assert.equal(Number(row?.['at']), noonMs + 60_000, 'the copy that came first stays')
  })

  it('counts a batch once that is sent again under its token', async () => {
    const batch = [call('10', 3000, { releasedBy: 'caller' })]
    const count = async (): Promise<number> =>
      (await reports.traffic({ ...span, fromMs: noonMs + 3_000_000 }, {})).points[0]?.attempts ?? 0
    await insert(batch, noonMs, false, 'same')
    await insert(batch, noonMs, false, 'same')
    assert.equal(await count(), 1)
  })

  it('takes a batch whose broken clocks spread over a hundred years', async () => {
    const years = Array.from({ length: 119 }, (_, index) => Date.UTC(1981 + index, 1, 2) * 1000)
    await insert(
      years.map((startUs, index) => call(`y${index}`, 0, { startUs, endUs: undefined })),
      noonMs,
      true,
    )
    const [row] = await store.query("SELECT count() AS n FROM cdrs WHERE id LIKE 'y%'", {})
    assert.equal(Number(row?.['n']), 119)
  })
})

describe('quality', () => {
  it('tells counts per source with the newest examples, and leaves out other hours', async () => {
    const lines = [
      { hour: noonMs, source: 'pbx', defect: 'records', count: 100 },
      { hour: noonMs, source: 'pbx', defect: 'records', count: 20 },
      { hour: noonMs, source: 'pbx', defect: 'rejected:field_missing', count: 3 },
      { hour: noonMs, source: 'pbx', defect: 'rejected:time_invalid', count: 2 },
      { hour: noonMs, source: 'pbx', defect: 'duplicate', count: 7 },
      { hour: noonMs + 7_200_000, source: 'pbx', defect: 'records', count: 1000 },
    ].map((values) => row('source_quality', values))
    await store.insert('source_quality', columnsOf('source_quality'), Buffer.from(lines.join('')), 'q')
    const examples = Array.from({ length: 8 }, (_, index) =>
      row('source_quality_examples', {
        at: noonMs + index,
        source: 'pbx',
        defect: 'duplicate',
        record: `id-${index}`,
        detail: '',
      }),
    )
    const table = 'source_quality_examples'
    await store.insert(table, columnsOf(table), Buffer.from(examples.join('')), 'e')
    const [pbx, ...others] = await reports.quality(span, undefined)
    assert.deepEqual(others, [])
    assert.ok(pbx)
    assert.deepEqual([pbx.source, pbx.records, pbx.rejected, pbx.duplicates, pbx.skipped], ['pbx', 120, 5, 7, 0])
    const [duplicate] = pbx.defects
    assert.deepEqual([duplicate?.defect, duplicate?.count], ['duplicate', 7])
    assert.deepEqual(
      duplicate?.examples.map(({ record }) => record),
      ['id-7', 'id-6', 'id-5', 'id-4', 'id-3'],
    )
    assert.deepEqual(await reports.quality(span, 'other'), [])
  })
})

function row<T extends 'source_quality' | 'source_quality_examples'>(
  table: T,
  values: Parameters<typeof rowOf<T>>[1],
): string {
  return encodeRow(columnsOf(table), columnTypesOf(table), rowOf(table, values))
}
