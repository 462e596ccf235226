import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'

const least = { id: 'x', startUs: 1_772_359_200_000_000, to: '442079460123' }

describe('parseCdr', () => {
  it('fills in what may be left out', () => {
    const record = parseCdr(least, 'pbx')
    assert.ok(!isProblem(record))
    const { id, source, callId, leg, kind, answerUs, talkMs, releasedBy, isAttempt, fromValid, toValid } = record
    assert.deepEqual(
      { id, source, callId, leg, kind, answerUs, talkMs, releasedBy, isAttempt, fromValid, toValid },
      {
        id: 'x',
        source: 'pbx',
        callId: 'x',
        leg: 'a',
        kind: 'call',
        answerUs: null,
        talkMs: 0,
        releasedBy: 'unknown',
        isAttempt: true,
        fromValid: false,
        toValid: true,
      },
    )
  })

  it('ring and talk time come from the times, to the nearest millisecond', () => {
    const startUs = least.startUs
    const times = { ringUs: startUs + 1_000_000, answerUs: startUs + 7_500_500, endUs: startUs + 49_600_000 }
    const record = parseCdr({ ...least, ...times }, 'pbx')
    assert.ok(!isProblem(record))
    assert.deepEqual([record.ringMs, record.talkMs], [6501, 42_100])
  })

  const refusals: [change: object, code: string, field: string][] = [
    [{ startUs: undefined }, 'field_missing', 'startUs'],
    [{ startUs: 1_772_359_200 }, 'field_invalid', 'startUs'],
    [{ startUs: 1.5e15 + 0.5 }, 'field_invalid', 'startUs'],
    [{ to: undefined }, 'field_missing', 'to'],
    [{ id: '' }, 'field_missing', 'id'],
    [{ to: '+442079460123' }, 'field_invalid', 'to'],
    [{ from: 12025550123 }, 'field_invalid', 'from'],
    [{ causeQ850: 487 }, 'field_invalid', 'causeQ850'],
    [{ releasedBy: 'me' }, 'field_invalid', 'releasedBy'],
    [{ isAttempt: 'yes' }, 'field_invalid', 'isAttempt'],
    [{ attributes: { a: 1 } }, 'field_invalid', 'attributes'],
    [{ flags: ['odd'] }, 'field_invalid', 'flags'],
    [{ egress: 'x'.repeat(600) }, 'value_too_long', 'egress'],
    [{ colour: 'red' }, 'field_unknown', 'colour'],
  ]
  for (const [change, code, field] of refusals) {
    it(`${JSON.stringify(change).slice(0, 60)} is ${code} and names ${field}`, () => {
      const outcome = parseCdr({ ...least, ...change }, 'pbx')
      assert.ok(isProblem(outcome))
      assert.deepEqual([outcome.code, outcome.detail.split(':')[0]], [code, field])
    })
  }

  it('a record that was accepted is accepted again, unchanged', () => {
    const us = fc.integer({ min: 315_532_800_000_000, max: 4_102_444_800_000_000 })
    const arbitrary = fc.record(
      {
        id: fc.string({ minLength: 1, maxLength: 40 }),
        startUs: us,
        answerUs: fc.option(us),
        endUs: us,
        from: fc.stringMatching(/^[0-9]{1,15}$/),
        to: fc.stringMatching(/^[0-9]{1,15}$/),
        causeSip: fc.integer({ min: 100, max: 699 }),
        attributes: fc.dictionary(fc.string({ maxLength: 10 }), fc.string({ maxLength: 10 }), { maxKeys: 5 }),
      },
      { requiredKeys: ['id', 'startUs', 'to'] },
    )
    fc.assert(
      fc.property(arbitrary, (value) => {
        const once = parseCdr(value, 'pbx')
        assert.ok(!isProblem(once))
        assert.deepEqual(parseCdr(JSON.parse(JSON.stringify(once)), 'pbx'), once)
      }),
    )
  })

  it('nothing that JSON can hold makes it throw', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void parseCdr(value, 'pbx')))
  })
})
