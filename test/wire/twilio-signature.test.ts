/** Our signature check against the `twilio` package, and where the package is known to fail. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import fc from 'fast-check'
import twilio from 'twilio'
import {
  checkBodySignature,
  checkFormSignature,
  checkUpgradeSignature,
  twilioSignature,
} from '../../src/wire/twilio-signature.ts'

const { getExpectedTwilioSignature, validateRequest, validateRequestWithBody } = twilio
const asMap = (params: Record<string, string | string[]>): Map<string, string[]> =>
  new Map(Object.entries(params).map(([name, value]) => [name, Array.isArray(value) ? value : [value]]))

it("Twilio's published example is valid", () => {
  // https://www.twilio.com/docs/usage/security#validating-requests
  const params = {
    CallSid: 'CA1234567890ABCDE',
    Caller: '+14158675309',
    Digits: '1234',
    From: '+14158675309',
    To: '+18005551212',
  }
  const url = 'https://mycompany.com/myapp.php?foo=1&bar=2'
  assert.deepEqual(checkFormSignature(['12345'], 'RSOYDt4T1cUTdK1PDd93/VVr8B8=', url, asMap(params)), {
    valid: true,
    unsigned: [],
  })
  assert.deepEqual(checkFormSignature(['12346'], 'RSOYDt4T1cUTdK1PDd93/VVr8B8=', url, asMap(params)), { valid: false })
})

it('for any fields, our signature is the one the twilio package makes', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => text !== '__proto__')
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.string(), { minLength: 1, maxLength: 4 }))
  fc.assert(
    fc.property(fc.dictionary(name, value), fc.string({ minLength: 1 }), (params, token) => {
      const url = 'https://voice.example.com/twilio/voice?a=1'
      const expected = getExpectedTwilioSignature(token, url, params)
      assert.equal(twilioSignature(token, url, asMap(params)), expected)
      assert.equal(validateRequest(token, expected, url, params), true)
      assert.equal(checkFormSignature([token], expected, url, asMap(params)).valid, true)
    }),
  )
})

it('one changed character of fields, URL, token or signature makes it invalid', () => {
  const params = { From: '+15551230001', To: '+15551230002', Array: ['b', 'a', 'b'] }
  const url = 'https://voice.example.com/twilio/voice'
  const signature = getExpectedTwilioSignature('secret', url, params)
  assert.equal(checkFormSignature(['secret'], signature, url, asMap(params)).valid, true)
  assert.equal(checkFormSignature(['secret'], signature, url, asMap({ ...params, To: '+15551230003' })).valid, false)
  assert.equal(checkFormSignature(['secret'], signature, url, asMap({ ...params, To: '+15551230002 ' })).valid, false)
  assert.equal(checkFormSignature(['secret'], signature, `${url}/`, asMap(params)).valid, false)
  assert.equal(checkFormSignature(['secret'], signature, `${url}?x=1`, asMap(params)).valid, false)
  assert.equal(checkFormSignature(['Secret'], signature, url, asMap(params)).valid, false)
  for (const bad of ['', `${signature} `, signature.slice(0, -1), signature.toLowerCase(), 'ü', 'A'.repeat(10_000)]) {
    assert.equal(checkFormSignature(['secret'], bad, url, asMap(params)).valid, false, bad)
  }
})

it('Twilio may sign the URL with or without the standard port', () => {
  for (const [signed, configured] of [
    ['https://voice.example.com:443/a', 'https://voice.example.com/a'],
    ['https://voice.example.com/a', 'https://voice.example.com:443/a'],
    ['https://voice.example.com/a', 'https://voice.example.com:8443/a'],
    ['https://[2001:db8::1]:443/a', 'https://[2001:db8::1]/a'],
    ['wss://voice.example.com:443/a', 'wss://voice.example.com/a'],
    ['wss://voice.example.com/', 'wss://voice.example.com'],
    ['wss://voice.example.com', 'wss://voice.example.com/'],
  ] as const) {
    assert.ok(checkUpgradeSignature(['t'], getExpectedTwilioSignature('t', signed, {}), configured), signed)
  }
  const other = getExpectedTwilioSignature('t', 'https://voice.example.com:8443/a', {})
  assert.equal(checkUpgradeSignature(['t'], other, 'https://voice.example.com/a'), false)
})

it('either of two tokens in rotation is accepted, and none without tokens', () => {
  const url = 'wss://voice.example.com/twilio/media/abc'
  const signature = getExpectedTwilioSignature('new', url, {})
  assert.equal(checkUpgradeSignature(['old', 'new'], signature, url), true)
  assert.equal(checkUpgradeSignature(['old'], signature, url), false)
  assert.equal(checkUpgradeSignature([], signature, url), false)
})

it('fields added after signing do not spoil the signature, but are reported as unsigned', () => {
  const url = 'https://voice.example.com/twilio/voice'
  const signed = { From: '+15551230001' }
  const sent = asMap({ ...signed, StirVerstat: 'TN-Validation-Passed-A', CallToken: 'x' })
  const verdict = checkFormSignature(['t'], getExpectedTwilioSignature('t', url, signed), url, sent)
  assert.deepEqual(verdict, { valid: true, unsigned: ['CallToken', 'StirVerstat'] })
  const whole = { ...signed, StirVerstat: 'TN-Validation-Passed-A' }
  const covered = checkFormSignature(['t'], getExpectedTwilioSignature('t', url, whole), url, asMap(whole))
  assert.deepEqual(covered, { valid: true, unsigned: [] })
  const forged = asMap({ ...signed, Injected: 'x' })
  assert.equal(checkFormSignature(['t'], getExpectedTwilioSignature('t', url, signed), url, forged).valid, false)
})

it('a JSON body is signed through bodySHA256 in the URL', () => {
  const body = '{"AccountSid":"AC1","ü":1}'
  // sha256sum of the body
  const hash = '672858e5f21d5e3f68f07ee3e9d421a570d469c735d3b1deb51135d5d04624f5'
  const url = `https://voice.example.com/twilio/voice?bodySHA256=${hash}`
  const signature = getExpectedTwilioSignature('t', url, {})
  assert.equal(validateRequestWithBody('t', signature, url, body), true)
  assert.equal(checkBodySignature(['t'], signature, url, Buffer.from(body)).valid, true)
  assert.equal(checkBodySignature(['t'], signature, url, Buffer.from(`${body} `)).valid, false)
  assert.equal(checkBodySignature(['u'], signature, url, Buffer.from(body)).valid, false)
  const bare = 'https://voice.example.com/twilio/voice'
  const overBare = getExpectedTwilioSignature('t', bare, {})
  assert.equal(checkBodySignature(['t'], overBare, bare, Buffer.from(body)).valid, false)
})
