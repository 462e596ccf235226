import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadSource } from '../../src/ingest/cdr-sources.ts'
import { cdrLine, type LabelledCdr } from '../../src/simulator/cdr-call.ts'
import { type Defect, DirtyTraffic } from '../../src/simulator/cdr-dirt.ts'
import { type Dirt, loadScenario } from '../../src/simulator/cdr-scenario.ts'
import { CdrTraffic } from '../../src/simulator/cdr-traffic.ts'
import { createRecordDecoder } from '../../src/wire/cdr-decode.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { CdrSource } from '../../src/wire/cdr-source.ts'
import { near } from '../fakes/cdr-run.ts'

const shipped = loadScenario({ plan: 'train' }).dirt
const clean: Dirt = {
  ...shipped,
  duplicate: 0,
  late: 0,
  disordered: 0,
  fork: 0,
  answered_zero: 0,
  unknown_release: 0,
  caller_empty: 0,
  caller_restricted: 0,
  bad_utf8: 0,
  bad_field: 0,
}

function play(dirt: Partial<Dirt>, attempts = 20_000): { run: LabelledCdr[]; counts: Record<Defect, number> } {
  const traffic = new CdrTraffic({ plan: 'train', seed: 1, attempts, seconds: 3600 })
  const dirty = new DirtyTraffic(traffic, { ...clean, ...dirt }, 1)
  const run: LabelledCdr[] = []
  for (let cdr = dirty.next(); cdr !== undefined; cdr = dirty.next()) run.push(cdr)
  return { run, counts: dirty.counts }
}

/** What the `canonical` source makes of it. */
function received(run: readonly LabelledCdr[]): { records: CdrRecord[]; rejected: number } {
  const records: CdrRecord[] = []
  let rejected = 0
  const { mapping } = loadSource('canonical')
  const source = new CdrSource('canonical', mapping, {
    cdr: (record) => void records.push(record),
    rejected: () => void rejected++,
    skipped: () => assert.fail('nothing is skipped'),
  })
  const decoder = createRecordDecoder('ndjson', source.decodeOptions)
  decoder.push(Buffer.from(run.map((cdr) => `${cdr.line ?? cdrLine(cdr.record)}\n`).join(''), 'latin1'), source)
  decoder.end(source)
  source.end()
  return { records, rejected }
}

const inOrder = (run: readonly LabelledCdr[]) =>
  run.every(({ emitUs }, index) => index === 0 || emitUs >= run[index - 1]!.emitUs)

test('without dirt nothing changes', () => {
  const traffic = new CdrTraffic({ plan: 'train', seed: 1, attempts: 3000, seconds: 3600 })
  const lines: string[] = []
  for (let cdr = traffic.next(); cdr !== undefined; cdr = traffic.next()) lines.push(cdrLine(cdr.record))
  const { run } = play({}, 3000)
  assert.deepEqual(
    run.map(({ record }) => cdrLine(record)),
    lines,
  )
})

test('each defect comes in its declared share, and as often as it is counted', () => {
  const { run, counts } = play(shipped, 60_000)
  for (const [defect, made] of Object.entries(counts)) {
    const share = shipped[defect as Defect]
    assert.ok(near(made / 60_000, share, 0.0004 + share * 0.2), `${defect}: ${made}`)
    const marked = run.filter((cdr) => cdr.defect === defect && cdr.repeated !== true && cdr.record.leg === 'a')
    assert.equal(marked.length, made)
  }
  assert.ok(inOrder(run))
})

test('the canonical source takes every clean record, flags bad bytes, and rejects exactly what is bad', () => {
  const { run, counts } = play({ ...shipped, bad_field: 0.02, bad_utf8: 0.01 })
  const { records, rejected } = received(run)
  assert.equal(rejected, counts.bad_field)
  assert.equal(records.length, run.length - rejected)
  assert.equal(records.filter(({ flags }) => flags?.includes('bad_utf8')).length, counts.bad_utf8)
  assert.equal(records.filter(({ flags }) => flags?.includes('answered_zero')).length, counts.answered_zero)
  assert.equal(records.filter(({ isAttempt }) => !isAttempt).length, counts.fork)
  const repeats = records.length - new Set(records.map(({ id }) => id)).size
  assert.equal(repeats, counts.duplicate)
})

test('a duplicate is the same record again, within ten minutes', () => {
  const { run, counts } = play({ duplicate: 0.05 })
  const repeats = run.filter(({ repeated }) => repeated === true)
  assert.equal(repeats.length, counts.duplicate)
  const firsts = new Map(run.filter(({ repeated }) => repeated !== true).map((cdr) => [cdr.record.id, cdr]))
  for (const repeat of repeats) {
    const first = firsts.get(repeat.record.id)!
    assert.equal(cdrLine(repeat.record), cdrLine(first.record))
    assert.ok(repeat.emitUs - first.emitUs >= 0.1e6 && repeat.emitUs - first.emitUs <= 600e6)
  }
})

test('late records come 1 to 30 minutes after their call ended, disordered ones within 10 s', () => {
  const after = ({ emitUs, record }: LabelledCdr) => (emitUs - (record.endUs ?? 0)) / 1e6
  const late = play({ late: 0.05 }).run.filter(({ defect }) => defect === 'late')
  assert.ok(late.length > 800 && late.every((cdr) => after(cdr) >= 60 && after(cdr) <= 1800))
  const { run } = play({ disordered: 0.05 })
  const disordered = run.filter(({ defect }) => defect === 'disordered')
  assert.ok(disordered.every((cdr) => after(cdr) >= 0.3 && after(cdr) <= 10))
  const ends = run.map(({ record }) => record.endUs ?? 0)
  assert.ok(
    ends.some((end, index) => index > 0 && end < ends[index - 1]!),
    'the order of ends is broken',
  )
})

test('records held back are bounded: beyond the limit they go out at once and clean', () => {
  const traffic = new CdrTraffic({ plan: 'train', seed: 1, attempts: 5000, seconds: 3600 })
  const dirty = new DirtyTraffic(traffic, { ...clean, late: 0.5 }, 1, 10)
  let records = 0
  while (dirty.next() !== undefined) records++
  assert.ok(near(records, 5000, 150), 'none is lost')
  // Ten at a time, a quarter of an hour each: four turns in an hour.
  assert.ok(dirty.counts.late > 10 && dirty.counts.late < 100, `${dirty.counts.late}`)
})

test('a fork is a row of the same call and no attempt', () => {
  const { run, counts } = play({ fork: 0.05 })
  const forks = run.filter(({ record }) => record.leg === 'b')
  assert.equal(forks.length, counts.fork)
  const calls = new Set(run.filter(({ record }) => record.leg === 'a').map(({ record }) => record.callId))
  assert.ok(forks.every(({ record }) => calls.has(record.callId) && !record.isAttempt && record.answerUs === null))
})

test('callers are empty or Restricted, and release parties unknown, where it was declared', () => {
  const empty = play({ caller_empty: 0.1 }).run.filter(({ defect }) => defect === 'caller_empty')
  assert.ok(empty.length > 0 && empty.every(({ record }) => record.from === undefined && record.fromRaw === ''))
  const restricted = play({ caller_restricted: 0.1 }).run.filter(({ defect }) => defect === 'caller_restricted')
  assert.ok(restricted.length > 0 && restricted.every(({ record }) => record.fromRaw === 'Restricted'))
  const unknown = play({ unknown_release: 0.1 }).run.filter(({ defect }) => defect === 'unknown_release')
  assert.ok(unknown.length > 0 && unknown.every(({ record }) => record.releasedBy === 'unknown'))
})
