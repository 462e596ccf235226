import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CampaignKind } from '../../src/simulator/cdr-prevalence.ts'
import { loadScenario } from '../../src/simulator/cdr-scenario.ts'
import { groupBy, labelled, mean, near, playTraffic, shareOf } from '../fakes/cdr-run.ts'

const { home } = loadScenario({ plan: 'train' }).plans.train

/** Traffic with a good deal of one kind. */
function run(kind: CampaignKind, scenario?: Record<string, unknown>) {
  const all = playTraffic({ attempts: 20_000, prevalence: { [kind]: 0.2 }, ...(scenario ? { scenario } : {}) })
  const records = labelled(all, kind)
  const campaigns = groupBy(records, ({ truth }) => truth.campaign)
  return { all, records, campaigns }
}

test('wangiri rings once, upwards through a block of numbers, from a small pool of dear ones', () => {
  const { records, campaigns } = run('wangiri')
  assert.ok(shareOf(records, ({ record }) => record.causeSip === 487 && record.releasedBy === 'caller') > 0.95)
  assert.ok(records.every(({ record: { ringMs = 0 } }) => ringMs >= 2000 && ringMs <= 6000))
  for (const calls of campaigns.values()) {
    const inOrder = [...calls].sort((a, b) => a.record.startUs - b.record.startUs)
    const steps = inOrder.slice(1).map(({ record }, at) => Number(record.to) - Number(inOrder[at]!.record.to))
    assert.ok(shareOf(steps, (step) => step >= 1 && step <= 5) > 0.95, 'the next number, or one a little further')
    assert.ok(new Set(calls.map(({ record }) => record.to)).size >= 200)
    assert.ok(new Set(calls.map(({ record }) => record.from)).size <= 20)
  }
})

test('some victims of wangiri call back and stay for minutes; that is no attack of theirs', () => {
  const { all, records } = run('wangiri')
  const back = all.filter(({ truth }) => truth.label === 'normal' && truth.campaign.startsWith('wangiri-'))
  assert.ok(near(back.length / records.length, 0.03, 0.025), `${back.length} of ${records.length}`)
  const baits = new Set(records.map(({ record }) => record.from))
  assert.ok(back.every(({ record }) => baits.has(record.to)))
  const answered = back.filter(({ record }) => record.answerUs !== null)
  assert.ok(answered.every(({ record: { talkMs = 0 } }) => talkMs >= 60_000 && talkMs <= 300_000))
})

test('robocalls use a number for about 13 calls, 95 % of numbers for fewer than 27', () => {
  const { records } = run('robocall')
  const uses = [...groupBy(records, ({ record }) => record.from).values()].map((calls) => calls.length)
  assert.ok(near(mean(uses), 13, 2), `${mean(uses)} calls a number`)
  assert.ok(shareOf(uses, (calls) => calls < 27) > 0.93)
  const asr = shareOf(records, ({ record }) => record.answerUs !== null)
  assert.ok(asr >= 0.08 && asr <= 0.27, `ASR ${asr}`)
  const talk = mean(records.filter(({ record }) => record.answerUs !== null).map(({ record }) => record.talkMs ?? 0))
  assert.ok(talk > 7000 && talk < 15_000, `${talk} ms`)
})

test('few robocalls come from the area of the called', () => {
  const { records } = run('robocall')
  const same = shareOf(records, ({ record }) => record.from?.slice(0, 4) === record.to?.slice(0, 4))
  assert.ok(same > 0.03 && same < 0.25, `${same}`)
})

test('a machine gives up after the same time always', () => {
  const { campaigns } = run('robocall')
  for (const calls of campaigns.values()) {
    const rings = calls.filter(({ record }) => record.causeSip === 487).map(({ record }) => record.ringMs ?? 0)
    assert.ok(Math.max(...rings) - Math.min(...rings) < 200)
  }
})

test('spoofed callers: own numbers on a foreign trunk, one well-known number, or numbers that cannot exist', () => {
  const only = (style: string) => {
    const styles = { domestic: 0, well_known: 0, impossible: 0, [style]: 1 }
    return run('cli_spoof', { campaigns: { cli_spoof: { styles } } })
  }
  const domestic = only('domestic').records
  assert.ok(domestic.every(({ record }) => home.some(({ prefix }) => record.from?.startsWith(prefix))))
  assert.ok(domestic.every(({ record }) => record.ingress?.startsWith('wholesale') && record.fromValid))
  for (const calls of only('well_known').campaigns.values()) {
    assert.equal(new Set(calls.map(({ record }) => record.from)).size, 1)
  }
  const impossible = only('impossible').records
  assert.ok(impossible.every(({ record }) => !record.fromValid && record.from?.length !== 11))
})

test('a short-answer burst: one route, answered for 1-2 s, a fresh A nearly always, few B, 40-150 a minute', () => {
  const { campaigns } = run('short_answer_burst')
  for (const calls of campaigns.values()) {
    const short = shareOf(calls, ({ record: { talkMs = 0, answerUs } }) => answerUs !== null && talkMs <= 2100)
    assert.ok(short > 0.66, `${short} answered for a moment`)
    assert.ok(new Set(calls.map(({ record }) => record.from)).size / calls.length > 0.85)
    assert.ok(new Set(calls.map(({ record }) => record.to)).size <= 600)
    assert.equal(new Set(calls.map(({ record }) => `${record.ingress} ${record.egress}`)).size, 1)
    assert.ok(
      calls.every(({ record, truth }) => `route_destination:${record.ingress}>${record.to}`.startsWith(truth.subject)),
    )
    const starts = calls.map(({ record }) => record.startUs)
    const minutes = (Math.max(...starts) - Math.min(...starts)) / 60e6
    assert.ok(calls.length / minutes > 35 && calls.length / minutes < 170, `${calls.length / minutes} a minute`)
  }
})
