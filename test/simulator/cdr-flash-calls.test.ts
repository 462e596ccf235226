import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LabelledCdr } from '../../src/simulator/cdr-call.ts'
import { entropyBits, labelled, mean, near, playTraffic, shareOf } from '../fakes/cdr-run.ts'

type Style = 'pool' | 'scattered' | 'pin' | 'own_range'

/** Four thousand flash calls of one style. */
function flash(style: Style | 'answered', seed = 1): LabelledCdr[] {
  const styles = { pool: 0, scattered: 0, pin: 0, own_range: 0, [style === 'answered' ? 'pool' : style]: 1 }
  const flash_call = { share: 0.2, styles, answeredCampaignShare: style === 'answered' ? 1 : 0 }
  return labelled(playTraffic({ seed, attempts: 20_000, scenario: { campaigns: { flash_call } } }), 'flash_call')
}

const from = ({ record }: LabelledCdr) => record.from ?? ''

test('most flash calls ring for 0.5 to 4 s and are cancelled by the caller, some are rejected, few answered', () => {
  for (const style of ['pool', 'own_range', 'pin', 'scattered'] as const) {
    const run = flash(style)
    const cancelled = run.filter(({ record }) => record.causeSip === 487)
    assert.ok(cancelled.every(({ record }) => record.releasedBy === 'caller' && record.answerUs === null))
    assert.ok(cancelled.every(({ record: { ringMs = 0 } }) => ringMs >= 500 && ringMs <= 4000))
    assert.ok(shareOf(run, ({ record }) => record.causeSip === 487) > 0.84)
    const rejected = shareOf(run, ({ record }) => record.causeSip === 603 && record.releasedBy === 'callee')
    assert.ok(rejected > 0.035 && rejected < 0.12, `${rejected} rejected by the handset`)
    const answered = run.filter(({ record }) => record.answerUs !== null)
    assert.ok(near(answered.length / run.length, 0.02, 0.018), `${answered.length} of ${run.length} answered`)
    assert.ok(answered.every(({ record: { talkMs = 0 } }) => talkMs < 2000))
  }
})

test('a machine rings evenly: within one campaign the ring time hardly varies', () => {
  const run = flash('pool')
  const first = run.filter(({ truth, record }) => truth.campaign === 'flash_call-1' && record.causeSip === 487)
  const rings = first.map(({ record }) => (record.ringMs ?? 0) / 1000)
  const centre = mean(rings)
  assert.ok(Math.sqrt(mean(rings.map((ring) => (ring - centre) ** 2))) < 0.45)
})

test('the code makes the last digits of A uniform', () => {
  for (const style of ['pool', 'own_range', 'pin'] as const) {
    const run = flash(style)
    for (const place of [-1, -2, -3]) {
      const bits = entropyBits(run.map((cdr) => from(cdr).at(place) ?? ''))
      assert.ok(bits > 3.2, `${style}: ${bits} bits of ${Math.log2(10)} in digit ${place}`)
    }
  }
})

test('each way to carry the code looks as it should', () => {
  const ranges = (run: LabelledCdr[]) => new Set(run.map((cdr) => from(cdr).slice(0, -5))).size
  const pin = flash('pin')
  assert.ok(pin.every((cdr) => /^\d{4,6}$/.test(from(cdr)) && !cdr.record.fromValid))
  const own = flash('own_range')
  assert.ok(own.every(({ record }) => record.fromValid))
  const campaigns = new Set(own.map(({ truth }) => truth.campaign)).size
  assert.equal(ranges(own), campaigns, 'one range a campaign')
  const pool = flash('pool')
  assert.ok(ranges(pool) <= 20 * campaigns)
  const scattered = flash('scattered')
  assert.ok(ranges(scattered) > 50, `${ranges(scattered)} ranges: rotation over made-up prefixes`)
  assert.ok(
    near(
      shareOf(scattered, ({ record }) => record.fromValid),
      0.5,
      0.05,
    ),
  )
})

test('a subscriber gets one to three calls, the next one 30 to 60 s after the last', () => {
  const byCalled = new Map<string, LabelledCdr[]>()
  for (const cdr of flash('pool')) {
    const key = `${cdr.truth.campaign} ${cdr.record.to}`
    byCalled.set(key, [...(byCalled.get(key) ?? []), cdr])
  }
  const series = [...byCalled.values()].map((calls) => calls.map(({ record }) => record.startUs).sort((a, b) => a - b))
  // Two sign-ups of the same subscriber are possible and rare.
  assert.ok(shareOf(series, (starts) => starts.length <= 3) > 0.999)
  const resent = series.filter((starts) => starts.length > 1)
  assert.ok(resent.length > 100, 'resends are there')
  const gaps = resent.map(([first = 0, second = 0]) => (second - first) / 1e6)
  assert.ok(shareOf(gaps, (gap) => gap >= 29.9 && gap <= 60.1) > 0.97)
})

test('campaigns that speak the code are answered, for a constant time', () => {
  const run = flash('answered')
  const answered = run.filter(({ record }) => record.answerUs !== null)
  assert.ok(near(answered.length / run.length, 0.7, 0.05))
  assert.ok(answered.every(({ record: { talkMs = 0 } }) => talkMs >= 2000 && talkMs < 30_000))
})

test('cases stand on ranges where there is one, else on the route', () => {
  assert.ok(flash('own_range').every((cdr) => from(cdr).startsWith(cdr.truth.subject.replace('range:', ''))))
  assert.ok(flash('pin').every(({ truth }) => /^route:wholesale-\d\d$/.test(truth.subject)))
})
