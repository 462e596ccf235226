import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { causeOfName, q850OfSip, readQ850, readSip, releaseOfCause, sipOfQ850 } from '../../src/wire/causes.ts'

describe('SIP and Q.850 translate as RFC 3398 has it', () => {
  // RFC 3398 section 8.2.6.1.
  for (const [sip, q850] of [
    [404, 1],
    [480, 18],
    [484, 28],
    [486, 17],
    [503, 41],
    [504, 102],
    [600, 17],
    [603, 21],
    [604, 1],
  ] as const) {
    it(`${sip} is cause ${q850}`, () => assert.equal(q850OfSip(sip), q850))
  }
  // RFC 3398 section 7.2.4.1.
  for (const [q850, sip] of [
    [1, 404],
    [17, 486],
    [18, 408],
    [19, 480],
    [22, 410],
    [28, 484],
    [34, 503],
    [102, 504],
  ] as const) {
    it(`cause ${q850} is ${sip}`, () => assert.equal(sipOfQ850(q850), sip))
  }

  it('a success ends with 16, and 16 has no status', () => {
    assert.equal(q850OfSip(200), 16)
    assert.equal(sipOfQ850(16), undefined)
  })
})

it('names of FreeSWITCH, Asterisk and exports are read whatever their spelling', () => {
  assert.deepEqual(causeOfName('NORMAL_CLEARING'), { q850: 16, sip: undefined })
  assert.deepEqual(causeOfName('Normal Clearing'), { q850: 16, sip: undefined })
  assert.deepEqual(causeOfName('ORIGINATOR_CANCEL'), { q850: 16, sip: 487 })
  assert.deepEqual(causeOfName('NO ANSWER'), { q850: 19, sip: undefined })
  assert.deepEqual(causeOfName('no-answer'), { q850: 19, sip: undefined })
  assert.equal(causeOfName('MERCURY_RETROGRADE'), undefined)
})

it('what is no Q.850 value is not taken for one', () => {
  assert.equal(readQ850('16'), 16)
  assert.equal(readQ850('0x10'), 16)
  assert.equal(readQ850('487'), undefined)
  assert.equal(readQ850('0'), undefined)
})

it('a SIP status is found in what switches write', () => {
  for (const text of ['487', 'sip:487', '487 Request Terminated', 'SIP/2.0 487 Request Terminated']) {
    assert.equal(readSip(text), 487)
  }
  assert.equal(readSip('NORMAL_CLEARING'), undefined)
  assert.equal(readSip('14870'), undefined)
})

it('who released an unanswered attempt is told by the cause only where it is certain', () => {
  assert.equal(releaseOfCause(487, 16), 'caller')
  assert.equal(releaseOfCause(486, 17), 'callee')
  assert.equal(releaseOfCause(503, 41), 'network')
  assert.equal(releaseOfCause(480, 18), undefined)
  assert.equal(releaseOfCause(undefined, 16), undefined)
  assert.equal(releaseOfCause(undefined, 1), 'network')
})
