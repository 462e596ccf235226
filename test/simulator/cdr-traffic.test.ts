import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cdrLine, labelLine } from '../../src/simulator/cdr-call.ts'
import { campaignKinds, readPrevalence } from '../../src/simulator/cdr-prevalence.ts'
import { CdrTraffic } from '../../src/simulator/cdr-traffic.ts'
import { labelled, mean, near, ofCampaign, playTraffic, shareOf } from '../fakes/cdr-run.ts'

const nothing = readPrevalence('all=0')
assert.ok(typeof nothing !== 'string')

test('the same seed gives the same traffic byte by byte, another seed another', () => {
  const written = (seed: number) =>
    playTraffic({ seed, attempts: 6000 })
      .map(({ record, truth }) => `${cdrLine(record)}\n${labelLine(record.id, truth)}`)
      .join('\n')
  assert.equal(written(7), written(7))
  assert.notEqual(written(7), written(8))
})

test('each kind has the share of attempts that was ordered, at 0.1 %, 1 % and 10 %', () => {
  for (const share of [0.001, 0.01, 0.1]) {
    const run = playTraffic({ attempts: 60_000, prevalence: { ...nothing, flash_call: share, wangiri: 0.005 } })
    assert.equal(labelled(run, 'flash_call').length, 60_000 * share)
    assert.equal(labelled(run, 'wangiri').length, 300)
    assert.equal(labelled(run, 'irsf').length, 0)
    assert.ok(near(run.length, 60_000, 600), `${run.length} records where 60000 were ordered`)
  }
})

test('every kind of campaign is there by default, and none when all are switched off', () => {
  const run = playTraffic({ attempts: 60_000 })
  for (const kind of campaignKinds) assert.ok(labelled(run, kind).length > 0, `no ${kind}`)
  const pure = playTraffic({ attempts: 10_000, prevalence: nothing })
  assert.ok(pure.every(({ truth }) => truth.label === 'normal' && truth.subject === ''))
})

test('small runs have several campaigns of a kind too', () => {
  const flash = labelled(playTraffic({ attempts: 100_000, prevalence: { flash_call: 0.1 } }), 'flash_call')
  assert.ok(new Set(flash.map(({ truth }) => truth.campaign)).size >= 3)
})

test('records come in the order in which calls end, with ids that never repeat', () => {
  const run = playTraffic({ attempts: 20_000 })
  assert.ok(run.every(({ emitUs }, index) => index === 0 || emitUs >= run[index - 1]!.emitUs))
  assert.ok(run.every(({ emitUs, record }) => emitUs === record.endUs))
  assert.equal(new Set(run.map(({ record }) => record.id)).size, run.length)
})

test('times of a record are in order and within what a call can be', () => {
  for (const { record } of playTraffic({ attempts: 20_000 })) {
    const { startUs, ringUs = startUs, answerUs, endUs = 0 } = record
    assert.ok(startUs <= ringUs && ringUs <= (answerUs ?? ringUs) && (answerUs ?? ringUs) <= endUs, record.id)
    assert.ok(endUs - startUs < 4.1 * 3600e6)
  }
})

test('normal traffic has the figures of the scenario: ASR, ACD, ring time, short calls, causes', () => {
  const run = playTraffic({ attempts: 90_000, seconds: 7200, prevalence: nothing, seed: 3 })
  const classes = { retail: [0.7, 480], wholesale: [0.55, 300], call_centre: [0.2, 90] } as const
  for (const [name, [asr, acdS]] of Object.entries(classes)) {
    const records = ofCampaign(run, name).map(({ record }) => record)
    const answered = records.filter(({ answerUs }) => answerUs !== null)
    assert.ok(near(answered.length / records.length, asr, 0.02), `${name}: ASR ${answered.length / records.length}`)
    const acd = mean(answered.map(({ talkMs = 0 }) => talkMs / 1000))
    assert.ok(near(acd / acdS, 1, 0.2), `${name}: ACD ${acd} s`)
    const ring = mean(answered.map(({ ringMs = 0 }) => ringMs / 1000))
    assert.ok(near(ring, 8.67, 0.4), `${name}: ${ring} s of ringing before an answer`)
  }
  const wholesale = ofCampaign(run, 'wholesale').map(({ record }) => record)
  const answered = wholesale.filter(({ answerUs }) => answerUs !== null)
  // 4 % are short on purpose; of a log-normal of 3.9 and 1.9 another 4.6 % lie under 2 s.
  assert.ok(
    near(
      shareOf(answered, ({ talkMs = 0 }) => talkMs <= 2000),
      0.084,
      0.02,
    ),
  )
  const failed = wholesale.filter(({ answerUs }) => answerUs === null)
  const expected = { 487: 0.35, 480: 0.25, 486: 0.2, 404: 0.1, 603: 0.05, 503: 0.05 }
  for (const [sip, share] of Object.entries(expected)) {
    const seen = shareOf(failed, ({ causeSip }) => causeSip === Number(sip))
    assert.ok(near(seen, share, 0.02), `${sip}: ${seen} of the failures`)
  }
})

test('a day of households follows the hours: the evening is busier than the night', () => {
  const dayS = 86_400
  const startUs = Date.UTC(2026, 0, 6) * 1000
  const run = playTraffic({ attempts: 24_000, seconds: dayS, startUs, prevalence: nothing, seed: 2 })
  const hours = ofCampaign(run, 'retail').map(({ record }) => new Date((record.endUs ?? 0) / 1000).getUTCHours())
  const evening = shareOf(hours, (hour) => hour >= 17 && hour < 21)
  const night = shareOf(hours, (hour) => hour < 5)
  assert.ok(evening > 0.3 && night < 0.02, `${evening} between 17 and 21 h, ${night} before 5 h`)
})

test('the normal mass has quick cancels of its own, so that a short ring alone proves nothing', () => {
  const retail = ofCampaign(playTraffic({ attempts: 60_000, prevalence: nothing }), 'retail')
  const cancels = retail.filter(({ record }) => record.causeSip === 487)
  const quick = shareOf(cancels, ({ record }) => (record.ringMs ?? 0) <= 4500)
  assert.ok(quick > 0.1 && quick < 0.25, `${quick}`)
})

test('people call back and try again', () => {
  const retail = ofCampaign(playTraffic({ attempts: 60_000, prevalence: nothing }), 'retail')
  const called = new Set<string>()
  let again = 0
  let back = 0
  for (const { record } of retail) {
    if (called.has(`${record.from}>${record.to}`)) again++
    if (called.has(`${record.to}>${record.from}`)) back++
    if (record.answerUs === null) called.add(`${record.from}>${record.to}`)
  }
  assert.ok(again > 600, `${again} second tries`)
  assert.ok(back > 150, `${back} calls back`)
})

test('calls in progress are bounded: one more than the limit leaves before its time, and is counted', () => {
  const traffic = new CdrTraffic({ plan: 'train', seed: 1, attempts: 5000, seconds: 600, pendingMax: 20 })
  let records = 0
  while (traffic.next() !== undefined) records++
  assert.ok(traffic.hurried > 100, `${traffic.hurried}`)
  assert.ok(near(records, 5000, 150), 'none is lost')
})

test('a traffic of one call is a traffic, and nothing is hurried', () => {
  const traffic = new CdrTraffic({ plan: 'train', seed: 1, attempts: 1, seconds: 60, prevalence: nothing })
  let records = 0
  while (traffic.next() !== undefined) records++
  assert.ok(records <= 4)
  assert.equal(traffic.hurried, 0)
})
