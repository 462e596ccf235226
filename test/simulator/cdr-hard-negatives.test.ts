import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LabelledCdr } from '../../src/simulator/cdr-call.ts'
import { type HardNegativeKind, hardNegativeKinds } from '../../src/simulator/cdr-scenario.ts'
import { groupBy, mean, near, ofCampaign, playTraffic, shareOf } from '../fakes/cdr-run.ts'

const nobody = Object.fromEntries(hardNegativeKinds.map((kind) => [kind, { share: 0 }]))

/** Traffic with a good deal of one kind and no other; its episodes. */
function episodes(kind: HardNegativeKind): LabelledCdr[][] {
  const scenario = { hardNegatives: { ...nobody, [kind]: { share: 0.1 } } }
  const run = ofCampaign(playTraffic({ attempts: 30_000, seconds: 36_000, scenario }), kind)
  return [...groupBy(run, ({ truth }) => truth.campaign).values()]
}

const callers = (calls: readonly LabelledCdr[]) => new Set(calls.map(({ record }) => record.from)).size
const called = (calls: readonly LabelledCdr[]) => new Set(calls.map(({ record }) => record.to)).size
const asr = (calls: readonly LabelledCdr[]) => shareOf(calls, ({ record }) => record.answerUs !== null)

test('every kind is in the default traffic, in its share, and is labelled normal', () => {
  const run = playTraffic({ attempts: 100_000 })
  const shares = {
    dialler: 0.02,
    school_notification: 0.006,
    taxi_missed_call: 0.004,
    delivery_driver: 0.006,
    retry_storm: 0.008,
    conference: 0.002,
    test_calls: 0.003,
  }
  for (const [kind, share] of Object.entries(shares)) {
    const records = ofCampaign(run, kind)
    // Passengers who call back come on top.
    assert.ok(near(records.length / 100_000, share, share * 0.15), `${kind}: ${records.length}`)
    assert.ok(records.every(({ truth }) => truth.label === 'normal' && truth.subject === ''))
  }
})

test('a dialler calls very many people from a few numbers and is seldom answered', () => {
  for (const calls of episodes('dialler')) {
    assert.ok(callers(calls) <= 5 && called(calls) / calls.length > 0.95)
    assert.ok(asr(calls) < 0.42)
  }
})

test('a school tells a neighbourhood the same message from one number', () => {
  for (const calls of episodes('school_notification')) {
    assert.equal(callers(calls), 1)
    const talk = calls.filter(({ record }) => record.answerUs !== null).map(({ record }) => record.talkMs ?? 0)
    const longest = Math.max(...talk)
    assert.ok(shareOf(talk, (ms) => longest - ms < 2500) > 0.5, 'most hear it to the end')
  }
})

test('a taxi rings twice and hangs up: cancelled by the caller, like a flash call', () => {
  for (const calls of episodes('taxi_missed_call')) {
    const cancelled = calls.filter(({ record }) => record.causeSip === 487)
    assert.ok(cancelled.length / calls.length > 0.55)
    assert.ok(mean(cancelled.map(({ record }) => record.ringMs ?? 0)) < 9000)
  }
})

test('a delivery driver makes short calls to many from one handset', () => {
  for (const calls of episodes('delivery_driver')) {
    assert.ok(callers(calls) === 1 && called(calls) / calls.length > 0.9)
    const talk = calls.filter(({ record }) => record.answerUs !== null).map(({ record }) => record.talkMs ?? 0)
    assert.ok(mean(talk) < 40_000)
  }
})

test('a retry storm fails the same way to the same few numbers, fast', () => {
  for (const calls of episodes('retry_storm')) {
    assert.ok(callers(calls) === 1 && called(calls) <= 5)
    assert.equal(new Set(calls.map(({ record }) => record.causeSip)).size, 1)
    const starts = calls.map(({ record }) => record.startUs)
    assert.ok((Math.max(...starts) - Math.min(...starts)) / 1e6 < 1800)
  }
})

test('a conference calls all within a minute and a half and holds them for long', () => {
  for (const calls of episodes('conference')) {
    const starts = calls.map(({ record }) => record.startUs)
    assert.ok((Math.max(...starts) - Math.min(...starts)) / 1e6 < 90)
    const talk = calls.filter(({ record }) => record.answerUs !== null).map(({ record }) => record.talkMs ?? 0)
    assert.ok(talk.length === 0 || mean(talk) > 500_000)
  }
})

test('test equipment has few numbers on both sides, and they repeat', () => {
  for (const calls of episodes('test_calls')) assert.ok(callers(calls) <= 6 && called(calls) <= 12)
})
