import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clockTime, duration, labelWords, maskNumber, shortSid, showNumber } from '../../src/dashboard/wording.ts'
import { labels } from '../../src/decisions/verdict-view.ts'

describe('wording', () => {
  it('shows only the end of a number unless asked', () => {
    assert.equal(maskNumber('+14155550123'), '···· 123')
    assert.equal(maskNumber('sip:alice@example.com'), 'si····')
    assert.equal(showNumber('', false), 'hidden')
    assert.equal(showNumber('+14155550123', true), '+14155550123')
    for (const clear of [true, false]) assert.equal(showNumber('1202555~fk3j7x2mbq7tz5ah', clear), '1202555…5ah')
  })

  it('has words for every label, and never promises identity', () => {
    for (const label of labels) assert.ok(labelWords[label].name.length > 0)
    assert.match(labelWords.likely_human.meaning, /not identity/)
  })

  it('tells times as clocks do', () => {
    assert.deepEqual([0, 7400, 761_000, 3_723_000].map(clockTime), ['0:00', '0:07', '12:41', '1:02:03'])
    assert.deepEqual([340, 6240, 72_000].map(duration), ['340 ms', '6.2 s', '1:12'])
  })

  it('shortens a SID to what tells calls apart', () => {
    assert.equal(shortSid('CA5f0c9e2b71d84a36b0e1f2a3c4d5e6f7'), 'CA5f…d5e6f7')
  })
})
