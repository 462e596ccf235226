import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LabelledCdr } from '../../src/simulator/cdr-call.ts'
import { loadScenario } from '../../src/simulator/cdr-scenario.ts'
import { groupBy, labelled, ofCampaign, playTraffic, shareOf } from '../fakes/cdr-run.ts'

const { premium } = loadScenario({ plan: 'train' }).plans.train

/** Two days with a few raids of a kind. */
function raids(kind: 'irsf' | 'pbx_hack'): { all: LabelledCdr[]; campaigns: Map<string, LabelledCdr[]> } {
  const all = playTraffic({ attempts: 60_000, seconds: 172_800, prevalence: { [kind]: 0.02 }, seed: 4 })
  return { all, campaigns: groupBy(labelled(all, kind), ({ truth }) => truth.campaign) }
}

for (const kind of ['irsf', 'pbx_hack'] as const) {
  test(`${kind}: long calls to one to five dear ranges`, () => {
    for (const calls of raids(kind).campaigns.values()) {
      assert.ok(calls.every(({ record }) => premium.some(({ prefix }) => record.to?.startsWith(prefix))))
      assert.ok(new Set(calls.map(({ record }) => record.to?.slice(0, -3))).size <= 5)
      const answered = calls.filter(({ record }) => record.answerUs !== null)
      const long = shareOf(answered, ({ record }) => (record.talkMs ?? 0) >= 1_200_000)
      assert.ok(long > 0.8, `${long} of the answered last twenty minutes or longer`)
    }
  })

  test(`${kind}: short test calls to the same ranges come first`, () => {
    for (const calls of raids(kind).campaigns.values()) {
      const inOrder = calls.map(({ record }) => record).sort((a, b) => a.startUs - b.startUs)
      const long = inOrder.filter(({ talkMs = 0 }) => talkMs >= 1_200_000)
      const before = inOrder.filter(({ startUs, talkMs = 0 }) => startUs < long[0]!.startUs && talkMs < 31_000)
      assert.ok(before.length >= 2, `${before.length} test calls`)
      const ranges = new Set(long.map(({ to }) => to?.slice(0, -3)))
      assert.ok(before.some(({ to }) => ranges.has(to?.slice(0, -3))))
    }
  })

  test(`${kind}: many calls at a time`, () => {
    for (const calls of raids(kind).campaigns.values()) {
      if (calls.length >= 60) assert.ok(mostAtATime(calls) >= 5, `${mostAtATime(calls)} at a time`)
    }
  })
}

test('raids come at night more often than by day', () => {
  const records = [...raids('irsf').campaigns.values(), ...raids('pbx_hack').campaigns.values()].flat()
  const night = shareOf(records, ({ record }) => {
    const hour = new Date(record.startUs / 1000).getUTCHours()
    return hour >= 19 || hour < 6
  })
  assert.ok(night > 0.7, `${night} between 19 and 6 h`)
})

test('a hacked PBX is one company, which telephones normally by day', () => {
  const { all, campaigns } = raids('pbx_hack')
  const office = new Set(ofCampaign(all, 'call_centre').flatMap(({ record }) => [record.from, record.to]))
  for (const calls of campaigns.values()) {
    const numbers = new Set(calls.map(({ record }) => record.from))
    assert.equal(numbers.size, 1)
    assert.equal(new Set(calls.map(({ record }) => record.ingress)).size, 1)
    assert.ok(office.has([...numbers][0]), 'the company has ordinary calls too')
  }
})

test('IRSF runs over one to ten stolen lines', () => {
  for (const calls of raids('irsf').campaigns.values()) {
    assert.ok(new Set(calls.map(({ record }) => record.from)).size <= 10)
  }
})

function mostAtATime(calls: readonly LabelledCdr[]): number {
  const moves = calls.flatMap(({ record: { startUs, endUs = startUs } }) => [
    { at: startUs, by: 1 },
    { at: endUs, by: -1 },
  ])
  let now = 0
  let most = 0
  for (const { by } of moves.sort((a, b) => a.at - b.at || a.by - b.by)) {
    now += by
    most = Math.max(most, now)
  }
  return most
}
