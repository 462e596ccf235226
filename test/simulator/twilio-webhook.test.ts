import assert from 'node:assert/strict'
import { test } from 'node:test'
import twilio from 'twilio'
import { postIncomingCall, readStreamTwiml, twilioSignature } from '../../src/simulator/twilio-webhook.ts'
import { fakeServer } from '../fakes/twilio-server.ts'

test('signatures are those the twilio package makes', () => {
  const fields = { To: '+18005551212', CallSid: 'CA1', From: '+14158675310', Digits: '1234', Ünicode: 'é ' }
  const url = 'https://mycompany.com/myapp.php?foo=1&bar=2'
  assert.equal(twilioSignature('12345', url, fields), twilio.getExpectedTwilioSignature('12345', url, fields))
})

test('the webhook is a form POST with a signature over the public URL that the twilio package accepts', async () => {
  const server = await fakeServer()
  try {
    const call = { callSid: 'CA1', from: '+12015550100', to: '+12025550199' }
    const twiml = await postIncomingCall(server.target, call)
    assert.deepEqual(twiml, {
      url: 'wss://voice.example.com/twilio/media/token-1',
      tracks: ['inbound'],
      parameters: {},
    })
    assert.equal(server.webhooks[0]?.signatureValid, true)
    assert.equal(server.webhooks[0]?.fields.get('CallSid'), 'CA1')
    assert.equal(server.webhooks[0]?.fields.get('From'), '+12015550100')
  } finally {
    await server.close()
  }
})

test('a refusal of the webhook is told with its status', async () => {
  const server = await fakeServer({ status: 403 })
  try {
    const call = { callSid: 'CA1', from: '+1', to: '+2' }
    await assert.rejects(postIncomingCall(server.target, call), /answered 403/)
  } finally {
    await server.close()
  }
})

test('a server that is not there is told as such', async () => {
  const server = await fakeServer()
  await server.close()
  await assert.rejects(postIncomingCall(server.target, { callSid: 'CA1', from: '+1', to: '+2' }), /ECONNREFUSED/)
})

test('the stream is found in TwiML of any layout: attribute order, entities, parameters', () => {
  const twiml = `<Response><Start>
    <Stream name='s1' track="both_tracks" url = "wss://h/a?b&amp;c&#x41;&#66;">
      <Parameter name="who" value="&lt;me&gt;"/><Parameter value="2" name="n"></Parameter>
    </Stream></Start></Response>`
  assert.deepEqual(readStreamTwiml(twiml), {
    url: 'wss://h/a?b&cAB',
    tracks: ['inbound', 'outbound'],
    parameters: { who: '<me>', n: '2' },
  })
})

test('TwiML without a stream is refused', () => {
  assert.throws(() => readStreamTwiml('<Response><Hangup/></Response>'), /no <Stream url>/)
})
