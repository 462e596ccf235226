import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KnownCase } from '../../src/decisions/call-risk.ts'
import { conditionsOf, NumberList, type PolicyLook, plainNumber } from '../../src/decisions/policy-conditions.ts'

const call = {
  callSid: 'CA1',
  accountSid: 'AC1',
  from: '+12025550123',
  to: '+442079460123',
  direction: 'inbound',
  stirVerstat: 'TN-Validation-Failed-B',
}
const look: PolicyLook = {
  call,
  track: 'inbound',
  label: 'likely_synthetic',
  score: 0.93,
  confidence: 0.71,
  netSpeechMs: 5000,
  repeatedPhrases: 2,
  mediaMs: 9000,
  // Sunday 2026-11-22, 03:30 in Berlin.
  nowMs: Date.UTC(2026, 10, 22, 2, 30),
  risk: () => ({ score: 0.97, logOdds: 3.4, parts: [] }),
  cases: () => [],
}

function holds(when: Parameters<typeof conditionsOf>[0], over: Partial<PolicyLook> = {}): boolean {
  return conditionsOf(when).every((condition) => condition.holds({ ...look, ...over }))
}

describe('a condition', () => {
  it('holds at its limit and not below it', () => {
    assert.ok(holds({ confidenceMin: 0.71 }))
    assert.ok(!holds({ confidenceMin: 0.72 }))
    assert.ok(holds({ scoreMin: 0.93, netSpeechMsMin: 5000, riskMin: 0.97 }))
    assert.ok(!holds({ netSpeechMsMin: 5001 }))
    assert.ok(holds({ repeatedPhrasesMin: 2 }))
    assert.ok(!holds({ repeatedPhrasesMin: 3 }))
    assert.ok(!holds({ riskMin: 0.98 }))
    assert.ok(!holds({ scoreMin: 0 }, { score: null }), 'nothing was judged: no score is at least anything')
  })

  it('takes one label or several', () => {
    assert.ok(holds({ label: 'likely_synthetic' }))
    assert.ok(holds({ label: ['inconclusive', 'likely_synthetic'] }))
    assert.ok(!holds({ label: ['likely_human'] }))
  })

  it('tells tracks, and directions of calls as Twilio names them', () => {
    assert.ok(!holds({ track: 'outbound' }))
    assert.ok(holds({ direction: 'inbound' }))
    assert.ok(holds({ direction: 'outbound' }, { call: { ...call, direction: 'outbound-api' } }))
    assert.ok(!holds({ direction: 'inbound' }, { call: { ...call, direction: 'outbound-dial' } }))
  })

  it('finds numbers, prefixes and withheld callers; notFrom spares them', () => {
    assert.ok(holds({ from: ['12025550123'] }))
    assert.ok(holds({ from: ['1202*'], to: ['442079460123'] }))
    assert.ok(!holds({ from: ['1202555012'] }), 'a number is no prefix')
    assert.ok(!holds({ notFrom: ['12025*'] }))
    assert.ok(holds({ notTo: ['49*'] }))
    for (const from of ['', 'anonymous', 'Restricted', '+266696687']) {
      assert.ok(holds({ from: ['anonymous'] }, { call: { ...call, from } }), from)
    }
  })

  it('keeps hours of a zone; those past midnight belong to the day they begin on', () => {
    const night = { between: '22:00-06:00', zone: 'Europe/Berlin' }
    assert.ok(holds({ time: night }))
    assert.ok(holds({ time: { ...night, days: ['sat'] } }), 'Sunday 03:30 is of the night of Saturday')
    assert.ok(!holds({ time: { ...night, days: ['sun'] } }))
    assert.ok(!holds({ time: { between: '09:00-17:00', zone: 'Europe/Berlin' } }))
    assert.ok(holds({ time: { between: '02:30-02:31', zone: 'UTC' } }))
    assert.ok(!holds({ time: { between: '02:29-02:30', zone: 'UTC' } }), 'the end is not in it')
    assert.ok(holds({ time: { days: ['sun'], zone: 'Europe/Berlin' } }))
    const newYork = { between: '21:30-21:31', days: ['sat' as const], zone: 'America/New_York' }
    assert.ok(holds({ time: newYork }), '02:30 UTC on Sunday is 21:30 on Saturday in New York')
  })

  it('follows daylight saving: 08:30 UTC is 9:30 in Berlin in winter, 10:30 in summer', () => {
    const time = { between: '09:00-10:00', zone: 'Europe/Berlin' }
    assert.ok(holds({ time }, { nowMs: Date.UTC(2026, 0, 5, 8, 30) }))
    assert.ok(!holds({ time }, { nowMs: Date.UTC(2026, 6, 6, 8, 30) }))
  })

  it('reads StirVerstat, with * for a prefix and none for its absence', () => {
    assert.ok(holds({ stirVerstat: ['TN-Validation-Failed*'] }))
    assert.ok(!holds({ stirVerstat: ['TN-Validation-Failed'] }))
    assert.ok(holds({ stirVerstat: ['none'] }, { call: { ...call, stirVerstat: '' } }))
  })

  it('asks for open cases of its kinds', () => {
    const subject = { type: 'range', value: '12025550' } as const
    const found: KnownCase = { id: 'c', kind: 'robocall', subject, state: 'open', score: 0.9, verdict: null }
    assert.ok(holds({ caseKinds: ['robocall', 'irsf'] }, { cases: () => [found] }))
    assert.ok(!holds({ caseKinds: ['irsf'] }, { cases: () => [found] }))
    assert.ok(!holds({ caseKinds: ['robocall'] }, { cases: () => [{ ...found, state: 'cooled' }] }))
    assert.ok(!holds({ caseKinds: ['robocall'] }))
  })

  it('says what it asked and what was there, never a number', () => {
    const when = { label: 'likely_synthetic', confidenceMin: 0.7, from: ['1202*'], riskMin: 0.9697 } as const
    const words = conditionsOf({ ...when, from: [...when.from] }).map((condition) => condition.words(look))
    assert.deepEqual(words, [
      'label likely_synthetic',
      'confidence 0.71, at least 0.7',
      'caller is on the list',
      'risk 0.9700, at least 0.9697',
    ])
  })
})

describe('a list of numbers', () => {
  it('finds one among 100,000 numbers and prefixes as fast as among ten', () => {
    const many = Array.from({ length: 100_000 }, (_, n) => (n % 2 === 0 ? `1202${n + 1_000_000}` : `49${n + 100_000}*`))
    const list = new NumberList(many)
    assert.ok(list.has('+12021000000'))
    assert.ok(list.has('+491000011234567'))
    const sinceMs = performance.now()
    for (let n = 0; n < 100_000; n += 1) list.has('+33140205050')
    assert.ok(performance.now() - sinceMs < 1000, 'a list that is walked through would take minutes')
  })

  it('leaves what is no number as it is', () => {
    assert.equal(plainNumber('+12025550123'), '12025550123')
    assert.equal(plainNumber('client:alice'), 'client:alice')
    assert.equal(plainNumber('sip:bob@example.com'), 'sip:bob@example.com')
  })
})
