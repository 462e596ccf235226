import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DetectionRules } from '../../src/actions/detection-rules.ts'
import type { DetectionRule } from '../../src/config/schema.ts'

const accountSid = `AC${'a'.repeat(32)}`
const call = { accountSid, from: '+12025550100', to: '+12025550199', direction: 'inbound' }
/** A Sunday. */
const noon = Date.UTC(2026, 10, 22, 12, 0)
const hourMs = 3_600_000

function decide(
  rule: Partial<DetectionRule>,
  over: Partial<typeof call> = {},
  wallMs = noon,
  timeZone = 'UTC',
): boolean {
  const rules = new DetectionRules({ default: true, timeZone, rules: [{ name: 'quiet', listen: false, ...rule }] })
  return rules.decide({ ...call, ...over }, wallMs).listen
}

describe('rules of which calls are listened to', () => {
  it('fit by number or prefix, account and direction, and only when all of it fits', () => {
    assert.equal(decide({ to: ['12025550199'] }), false)
    assert.equal(decide({ to: ['1202'] }), false)
    assert.equal(decide({ to: ['44', '1202555019'] }), false)
    assert.equal(decide({ to: ['2025550199'] }), true)
    assert.equal(decide({ from: ['12025550100'] }), false)
    assert.equal(decide({ from: ['12025550199'] }), true)
    assert.equal(decide({ accounts: [accountSid] }), false)
    assert.equal(decide({ accounts: [`AC${'b'.repeat(32)}`] }), true)
    assert.equal(decide({ direction: 'outbound' }, { direction: 'outbound-api' }), false)
    assert.equal(decide({ direction: 'outbound' }), true)
    assert.equal(decide({ to: ['1202'], direction: 'outbound' }), true)
  })

  it('fit no number that is hidden or none at all', () => {
    assert.equal(decide({ from: ['1'] }, { from: '' }), true)
    assert.equal(decide({ from: ['1'] }, { from: 'client:anna1' }), true)
  })

  it('fit by day and hour in their time zone, over midnight too', () => {
    const friday = Date.UTC(2026, 10, 20)
    const night: Partial<DetectionRule> = { days: ['fri', 'sat'], hours: '22:00-06:00' }
    const at = (hours: number): boolean => decide(night, {}, friday + hours * hourMs)
    // Friday 00:00 belongs to the night of Thursday.
    assert.deepEqual([0, 5, 21.99, 22, 24, 29.99, 30].map(at), [true, true, true, false, false, false, true])
    // Saturday's night ends on Sunday at six.
    assert.deepEqual([46, 53.99, 54, 70].map(at), [false, false, true, true])
    assert.equal(decide({ hours: '12:00-13:00' }), false)
    assert.equal(decide({ hours: '12:00-13:00' }, {}, noon, 'Europe/London'), false)
    assert.equal(decide({ hours: '12:00-13:00' }, {}, noon, 'America/New_York'), true)
    assert.equal(decide({ hours: '07:00-08:00' }, {}, noon, 'America/New_York'), false)
    assert.equal(decide({ hours: '12:00-24:00', days: ['sun'] }), false)
  })

  it('end when their time is over', () => {
    assert.equal(decide({ until: '2026-11-22T12:00:01Z' }), false)
    assert.equal(decide({ until: '2026-11-22T12:00:00Z' }), true)
    assert.equal(decide({ until: '2026-11-22T13:30:00+01:00' }), false)
  })

  it('are asked in order, what an operator laid over first, and the first that fits decides', () => {
    const rules = new DetectionRules({
      default: false,
      timeZone: 'UTC',
      rules: [
        { name: 'line', listen: true, to: ['12025550199'] },
        { name: 'area', listen: false, to: ['1202'] },
      ],
    })
    assert.deepEqual(rules.decide(call, noon), { listen: true, rule: 'line' })
    assert.deepEqual(rules.decide({ ...call, to: '+12025550155' }, noon), { listen: false, rule: 'area' })
    assert.deepEqual(rules.decide({ ...call, to: '+447700900123' }, noon), { listen: false, rule: 'default' })
    rules.override([{ name: 'off today', listen: false, to: ['12025550199'] }])
    assert.deepEqual(rules.decide(call, noon), { listen: false, rule: 'off today' })
    rules.override([])
    assert.deepEqual(rules.decide(call, noon), { listen: true, rule: 'line' })
  })
})
