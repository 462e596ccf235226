/** Twilio's refusals against the documentation of its REST API and error dictionary. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { refusalOf, silenceOf } from '../../src/actions/twilio-error.ts'

const nowMs = Date.UTC(2026, 10, 22, 12, 0, 0)

function codeOf(status: number, code: number | null, message = 'said so'): string {
  const body = code === null ? '<html></html>' : { code, message, more_info: 'https://www.twilio.com/docs', status }
  return refusalOf({ status, body, nowMs }).code
}

describe('an error of Twilio', () => {
  it('is told apart by code, status and words', () => {
    const table: [number, number | null, string, string][] = [
      [404, 20404, 'The requested resource was not found', 'call_over'],
      [400, 21220, 'Unable to update record. Invalid call state', 'call_over'],
      [400, 20001, 'Too many concurrent streams on this call', 'streams_full'],
      [409, 20409, 'The maximum number of forked tracks is 4', 'streams_full'],
      [401, 20003, 'Authenticate', 'twilio_unauthenticated'],
      [403, 20003, 'Permission Denied', 'twilio_unauthenticated'],
      [401, null, '', 'twilio_unauthenticated'],
      [429, 20429, 'Too Many Requests', 'twilio_busy'],
      [429, null, '', 'twilio_busy'],
      [500, 20500, 'Internal Server Error', 'twilio_unavailable'],
      [503, 20503, 'Service Unavailable', 'twilio_unavailable'],
      [502, null, '', 'twilio_unavailable'],
      [408, null, '', 'twilio_unavailable'],
      [400, 21609, 'Invalid Url', 'twilio_rejected'],
      [400, 15004, 'the action URL of inline TwiML must be absolute', 'twilio_rejected'],
      [301, null, '', 'twilio_rejected'],
    ]
    for (const [status, code, message, expected] of table) {
      assert.equal(codeOf(status, code, message), expected, `${status} ${code} ${message}`)
    }
  })

  it('of a 404 that is not Twilio’s does not say that the call is over', () => {
    assert.equal(codeOf(404, null), 'twilio_rejected')
  })

  it('is worth another try when Twilio is busy or away, and only then', () => {
    const retryable = [429, 500, 503].map((status) => refusalOf({ status, body: {}, nowMs }).retryable)
    assert.deepEqual(retryable, [true, true, true])
    const final = [400, 401, 403].map((status) => refusalOf({ status, body: {}, nowMs }).retryable)
    assert.deepEqual(final, [false, false, false])
    assert.equal(refusalOf({ status: 404, body: { code: 20404 }, nowMs }).retryable, false)
  })

  it('says how long to wait: seconds, an HTTP date, at most ten minutes', () => {
    const wait = (retryAfter: string): number | null =>
      refusalOf({ status: 429, body: {}, retryAfter, nowMs }).retryAfterMs
    assert.equal(wait('3'), 3000)
    assert.equal(wait('Sun, 22 Nov 2026 12:00:05 GMT'), 5000)
    assert.equal(wait('Sun, 22 Nov 2026 11:00:00 GMT'), 0)
    assert.equal(wait('86400'), 600_000)
    assert.equal(wait('soon'), null)
  })

  it('holds no phone number and keeps Twilio’s code', () => {
    const body = { code: 20404, message: 'no call from +12025550100' }
    const error = refusalOf({ status: 404, body, nowMs })
    assert.equal(error.message, 'Twilio answered 404: no call from +*** (20404)')
    assert.equal(error.twilioCode, 20404)
  })

  it('of the network is told by what the network said', () => {
    const refused = silenceOf(
      Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:443'), { code: 'ECONNREFUSED' }),
      5000,
    )
    assert.equal(refused.code, 'twilio_unavailable')
    assert.match(refused.message, /cannot be reached: ECONNREFUSED$/)
    const late = silenceOf(Object.assign(new Error('canceled'), { code: 'ERR_CANCELED' }), 5000)
    assert.match(late.message, /no answer within 5000 ms$/)
  })
})
