import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { FraudDetector } from '../../src/decisions/fraud-detector.ts'
import type { LabelledCdr } from '../../src/simulator/cdr-call.ts'
import { demoFeed } from '../../src/simulator/cdr-demo-feed.ts'

/** A Sunday night, when real traffic sleeps: 2026-01-11 03:07 UTC. */
const nowUs = 1_768_100_820_000_000
const minuteUs = 60_000_000

function played(untilUs: number, seed = 7): LabelledCdr[] {
  const feed = demoFeed(seed, nowUs)
  const all: LabelledCdr[] = []
  for (let cdr = feed.next(); cdr !== undefined && cdr.emitUs < untilUs; cdr = feed.next()) all.push(cdr)
  return all
}

test('records come in the order in which they are due, none older than twelve minutes, each id once', () => {
  const all = played(nowUs + 10 * minuteUs)
  for (const [index, cdr] of all.entries()) assert.ok(cdr.emitUs >= (all[index - 1]?.emitUs ?? nowUs - 12 * minuteUs))
  assert.equal(new Set(all.map(({ record }) => record.id)).size, all.length)
})

test('five lively minutes of 15 to 50 records a second, then 2 to 5 a second at any hour and without end', () => {
  const all = played(nowUs + 130 * minuteUs)
  const perSecond = (fromMinute: number, toMinute: number) =>
    all.filter(({ emitUs }) => emitUs >= nowUs + fromMinute * minuteUs && emitUs < nowUs + toMinute * minuteUs).length /
    ((toMinute - fromMinute) * 60)
  const lively = perSecond(0, 4)
  assert.ok(lively > 15 && lively < 50, `${lively}`)
  for (const minute of [10, 60, 64, 66, 120]) {
    const rate = perSecond(minute, minute + 5)
    assert.ok(rate > 2 && rate < 5, `${rate} in minute ${minute}`)
  }
})

test('within a minute the fraud rules see a flash-call, a wangiri and an IRSF campaign, and no other', async () => {
  const opened: string[] = []
  let ids = 0
  const detector = new FraudDetector({
    config: loadConfig({ env: {} }).cdr,
    newCaseId: () => String(++ids),
    onCase: (change, it) => {
      if (change === 'opened') opened.push(it.kind)
    },
  })
  for (const { record } of played(nowUs + minuteUs)) detector.record(record)
  await detector.flush()
  assert.deepEqual([...new Set(opened)].sort(), ['flash_call', 'irsf', 'wangiri'])
})

test('the same seed plays the same calls, moved to the moment of the start', () => {
  const parties = (all: readonly LabelledCdr[]) => all.map(({ record }) => `${record.from}>${record.to}`)
  const first = parties(played(nowUs + minuteUs))
  assert.deepEqual(parties(played(nowUs + minuteUs)), first)
  assert.notDeepEqual(parties(played(nowUs + minuteUs, 8)), first)
})
