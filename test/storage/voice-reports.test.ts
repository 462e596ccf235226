/** Overview, verdicts and latency over the real engine, counted by hand. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { migrate } from '../../src/storage/migrations.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import type { Store } from '../../src/storage/store.ts'
import { columnsOf, columnTypesOf, type TableName } from '../../src/storage/tables.ts'
import { VoiceReports } from '../../src/storage/voice-reports.ts'
import { callRow, windowRow } from '../fakes/rows.ts'
import { scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
let store: Store
let reports: VoiceReports
let inserts = 0
const noon = Date.UTC(2026, 5, 1, 12)
const hour = { fromMs: noon, toMs: noon + 3_600_000, stepSeconds: 600 }

async function put(table: TableName, ...rows: (readonly unknown[])[]): Promise<void> {
  const lines = rows.map((row) => encodeRow(columnsOf(table), columnTypesOf(table), row)).join('')
  await store.insert(table, columnsOf(table), Buffer.from(lines), `test-${inserts++}`)
}

/** The score of window `end_ms` of call CA1 or CA2 came `delayMs` after its audio. */
function judged(
  call_sid: string,
  end_ms: number,
  label: string,
  delayMs: number,
  over: object = {},
): readonly unknown[] {
  const started_at = call_sid === 'CA1' ? noon + 1000 : noon + 700_000
  return windowRow({ call_sid, started_at, end_ms, label, scored_at: started_at + end_ms + delayMs, ...over })
}

before(async () => {
  store = (await scratchStore({ after: (ending: () => Promise<void> | void) => void endings.push(ending) })).store
  await migrate(store, 0)
  reports = new VoiceReports(store)
  const ended = { state: 'ended', has_score: true, net_speech_ms: 3000, audio_ms: 10_000, confidence: 0.5, gap_ms: 40 }
  await put(
    'calls',
    callRow({ call_sid: 'CA1', started_at: noon + 1000, version: 1 }),
    callRow({
      call_sid: 'CA1',
      started_at: noon + 1000,
      version: 2,
      ...ended,
      label: 'likely_synthetic',
      score: 0.95,
      model: 'voice/2',
    }),
    callRow({
      call_sid: 'CA1',
      started_at: noon + 1000,
      track: 'outbound',
      ...ended,
      label: 'likely_human',
      score: 0.05,
      model: 'voice/2',
    }),
    callRow({
      call_sid: 'CA2',
      started_at: noon + 700_000,
      ...ended,
      label: 'likely_human',
      score: 1,
      model: 'voice/3',
    }),
    callRow({
      call_sid: 'CA3',
      started_at: noon + 3_600_000,
      ...ended,
      label: 'likely_human',
      score: 0.1,
      model: 'voice/3',
    }),
  )
  const flapping = [
    judged('CA1', 500, 'insufficient_speech', 10),
    judged('CA1', 1000, 'inconclusive', 20),
    judged('CA1', 1500, 'likely_synthetic', 30),
    judged('CA1', 2000, 'inconclusive', 40),
    judged('CA1', 2500, 'likely_synthetic', 50),
  ]
  const unscored = judged('CA1', 3000, 'likely_synthetic', 9999, {
    has_score: false,
    score: Number.NaN,
    llr: Number.NaN,
  })
  await put('voice_windows', ...flapping, unscored, judged('CA2', 500, 'likely_human', 100))
  // A retry that had been stored already: the same windows, told once more and later.
  await put('voice_windows', judged('CA1', 500, 'insufficient_speech', 5000))
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

describe('voice reports', () => {
  it('overview counts each track once, in its newest state, by step and label', async () => {
    const report = await reports.overview(hour)
    assert.deepEqual(
      [report.tracks, report.calls, report.audioMs, report.netSpeechMs, report.gapMs],
      [3, 2, 30_000, 9000, 120],
    )
    assert.deepEqual(report.states, { ended: 3 })
    assert.deepEqual(report.labels, { likely_human: 2, likely_synthetic: 1 })
    assert.deepEqual(report.points, [
      { at: '2026-06-01T12:00:00.000Z', tracks: 2, labels: { likely_human: 1, likely_synthetic: 1 } },
      { at: '2026-06-01T12:10:00.000Z', tracks: 1, labels: { likely_human: 1 } },
    ])
    assert.deepEqual(
      [report.callRecords, report.cases],
      [
        { attempts: 0, answered: 0 },
        { opened: 0, live: 0 },
      ],
    )
  })

  it('verdicts tell models apart, with their scores in tenths, 1 in the last', async () => {
    const { models } = await reports.verdicts(hour)
    assert.deepEqual(
      models.map(({ model, tracks, scored, labels }) => [model, tracks, scored, labels]),
      [
        ['voice/2', 2, 2, { likely_human: 1, likely_synthetic: 1 }],
        ['voice/3', 1, 1, { likely_human: 1 }],
      ],
    )
    assert.deepEqual(models[0]?.scoreHistogram, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    assert.deepEqual(models[1]?.scoreHistogram, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    assert.deepEqual([models[0]?.confidenceMean, models[0]?.netSpeechMsMean], [0.5, 3000])
  })

  it('verdicts tell when a label of its own came first, and how often labels changed', async () => {
    const { firstLabelMs, labelChangesMean } = await reports.verdicts(hour)
    // CA1: at 1500 ms, four changes; CA2: at 500 ms, none.
    assert.deepEqual([firstLabelMs?.p50, firstLabelMs?.max, labelChangesMean], [1500, 1500, 2])
  })

  it('latency is from the end of a window to its score, a window told twice once', async () => {
    const report = await reports.latency(hour)
    assert.equal(report.windows, 6)
    assert.deepEqual([report.delayMs?.p99, report.delayMs?.max], [100, 100])
    assert.deepEqual(
      report.points.map(({ at, windows, max }) => [at, windows, max]),
      [
        ['2026-06-01T12:00:00.000Z', 5, 50],
        ['2026-06-01T12:10:00.000Z', 1, 100],
      ],
    )
  })

  it('a span without calls says so, and invents nothing', async () => {
    const before = { fromMs: 0, toMs: 1000, stepSeconds: 60 }
    assert.deepEqual(await reports.verdicts(before), { models: [], firstLabelMs: null, labelChangesMean: null })
    assert.deepEqual(await reports.latency(before), { windows: 0, delayMs: null, points: [] })
    const { tracks, labels, points } = await reports.overview(before)
    assert.deepEqual([tracks, labels, points], [0, {}, []])
  })
})
