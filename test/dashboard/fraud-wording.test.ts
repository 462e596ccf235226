import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { age, causeText, defectText, standing, subjectText } from '../../src/dashboard/fraud-wording.ts'

describe('the words of fraud', () => {
  it('hide the numbers of people, not ranges and routes', () => {
    assert.equal(subjectText({ type: 'number', value: '12025550147' }, false), 'number ···· 147')
    assert.equal(subjectText({ type: 'called_number', value: '12025550147' }, true), 'called number 12025550147')
    assert.equal(subjectText({ type: 'range', value: '4477009' }, false), 'range 4477009…')
    assert.equal(
      subjectText({ type: 'route_destination', value: 'trunk-b>88213' }, false),
      'destination 88213… via trunk-b',
    )
  })

  it('tell ages in one unit', () => {
    assert.deepEqual([0, 59_999, 60_000, 7_200_000, 172_800_000].map(age), ['0 s', '59 s', '1 min', '2 h', '2 d'])
  })

  it('put the verdict of a person before the state', () => {
    assert.equal(standing({ state: 'open', verdict: null }), 'Open')
    assert.equal(standing({ state: 'open', verdict: 'confirmed' }), 'Confirmed · open')
    assert.equal(standing({ state: 'closed', verdict: 'dismissed' }), 'Dismissed')
  })

  it('say causes and defects, and fall back to their codes', () => {
    assert.equal(causeText({ causeQ850: 17, causeSip: 486 }), '17 busy')
    assert.equal(causeText({ causeQ850: 99, causeSip: null }), '99')
    assert.equal(causeText({ causeQ850: null, causeSip: 480 }), 'SIP 480')
    assert.equal(causeText({ causeQ850: null, causeSip: null }), '–')
    assert.equal(defectText('rejected:field_missing'), 'rejected: field missing')
    assert.equal(defectText('brand_new'), 'brand new')
  })
})
