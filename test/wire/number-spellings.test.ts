/** How a number is found in text, and that its neighbours are not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NumberSpellings } from '../../src/wire/number-spellings.ts'

const spellings = new NumberSpellings('12025550123', ['1202555~k3j9abcd'])

describe('spellings of a number', () => {
  for (const text of [
    '12025550123',
    '+12025550123',
    '0012025550123',
    '01112025550123',
    '+1 202 555 0123',
    '+1 (202) 555-0123',
    '1-202-555-0123',
    '1.202.555.0123',
    '%2B12025550123',
    'sip:+12025550123@10.0.0.1:5060',
    'a 12025550123, b',
    '1202555~k3j9abcd',
  ]) {
    it(`finds ${text}`, () => {
      assert.equal(spellings.holds(text), true)
      assert.doesNotMatch(spellings.scrub(text), /0123|k3j9/)
      // What ClickHouse is given says the same.
      assert.match(text, new RegExp(spellings.withinPattern))
    })
  }

  for (const text of ['120255501234', '912025550123', '12025550124', '1202555', '2025550123', '1767225600000000', '']) {
    it(`leaves ${text === '' ? 'nothing' : text} alone`, () => {
      assert.equal(spellings.holds(text), false)
      assert.equal(spellings.scrub(text), text)
      assert.doesNotMatch(text, new RegExp(spellings.withinPattern))
    })
  }

  it('counts the national spelling in a record of the number only', () => {
    assert.equal(spellings.scrub('(202) 555-0123'), '(202) 555-0123')
    assert.equal(spellings.scrub('tel (202) 555-0123', true), 'tel erased')
    assert.equal(new NumberSpellings('447700900123').scrub('07700 900123', true), 'erased')
  })

  it('scrubs texts within JSON, keys and whole numbers too, and nothing else', () => {
    const value = { from: '+12025550123', n: 12025550123, at: 1767225600000, list: ['x', { '12025550123': [true] }] }
    assert.deepEqual(spellings.scrubValue(value), {
      from: 'erased',
      n: 'erased',
      at: 1767225600000,
      list: ['x', { erased: [true] }],
    })
    const other = { from: '+12025550124', deep: [{ a: null }] }
    assert.equal(spellings.scrubValue(other), other)
  })
})
