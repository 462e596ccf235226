/** Twilio's webhooks over a real server, signed by the `twilio` package. */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { afterEach, it } from 'node:test'
import twilio from 'twilio'
import { accountSid, authToken, closeIngest, type Ingest, publicUrl, startIngest } from '../fakes/ingest-server.ts'
import { randomSid } from '../fakes/twilio-caller.ts'

afterEach(closeIngest)

const callSid = `CA${'b'.repeat(32)}`
const form = {
  AccountSid: accountSid,
  CallSid: callSid,
  From: '+15005550006',
  To: '+15005550001',
  Direction: 'inbound',
}

async function codeOf(answer: Response): Promise<[number, string]> {
  return [answer.status, ((await answer.json()) as { code: string }).code]
}

/** A POST whose headers are all said. */
function post(ingest: Ingest, path: string, body: string, headers: Record<string, string>): Promise<Response> {
  return fetch(ingest.url + path, { method: 'POST', body, headers })
}

const formType = { 'content-type': 'application/x-www-form-urlencoded' }

it('a signed call is answered with a stream to a token of that call, and the configured continuation', async () => {
  const { caller, tokens } = await startIngest()
  const answer = await caller.post('/twilio/voice', { ...form, StirVerstat: 'TN-Validation-Passed-A' })
  assert.equal(answer.status, 200)
  assert.match(answer.headers.get('content-type') ?? '', /^text\/xml/)
  const twiml = await answer.text()
  const token = /media\/([\w-]{32})"/.exec(twiml)?.[1] ?? ''
  const name = /name="(voicefw-[0-9a-f]{12})"/.exec(twiml)?.[1] ?? ''
  assert.equal(
    twiml,
    '<?xml version="1.0" encoding="UTF-8"?><Response><Start>' +
      `<Stream url="wss://voice.example.com/twilio/media/${token}" track="inbound_track" name="${name}"` +
      ' statusCallback="https://voice.example.com/twilio/stream-status"/>' +
      '</Start><Pause length="60"/></Response>',
  )
  assert.deepEqual(tokens.peek(token), {
    callSid,
    accountSid,
    from: '+15005550006',
    to: '+15005550001',
    direction: 'inbound',
    stirVerstat: 'TN-Validation-Passed-A',
  })
})

it('no signature is 400, a wrong one 403, an unknown account 403, and no token comes of it', async () => {
  const ingest = await startIngest()
  const body = new URLSearchParams(form).toString()
  assert.deepEqual(await codeOf(await post(ingest, '/twilio/voice', body, formType)), [400, 'signature_missing'])
  assert.deepEqual(await codeOf(await ingest.caller.post('/twilio/voice', form, 'A'.repeat(28))), [
    403,
    'signature_invalid',
  ])
  const foreign = { ...form, AccountSid: randomSid('AC') }
  assert.deepEqual(await codeOf(await ingest.caller.post('/twilio/voice', foreign)), [403, 'account_unknown'])
  const noCall = { ...form, CallSid: 'x' }
  assert.deepEqual(await codeOf(await ingest.caller.post('/twilio/voice', noCall)), [400, 'bad_request'])
  assert.equal(ingest.tokens.size, 0)
  assert.equal(ingest.counters.webhookRefused, 3)
})

it('without accounts every request of Twilio is refused', async () => {
  const { caller } = await startIngest({ accounts: [] })
  for (const path of ['/twilio/voice', '/twilio/stream-status', '/twilio/call-status']) {
    assert.deepEqual(await codeOf(await caller.post(path, form)), [403, 'account_unknown'])
  }
})

it('the signature is over the public URL, whatever Host or X-Forwarded-Host say', async () => {
  const ingest = await startIngest()
  const body = new URLSearchParams(form).toString()
  const overHost = twilio.getExpectedTwilioSignature(authToken, `${ingest.url}/twilio/voice`, form)
  const forwarded = { 'x-forwarded-host': new URL(ingest.url).host, 'x-forwarded-proto': 'http' }
  const answer = await post(ingest, '/twilio/voice', body, {
    ...formType,
    ...forwarded,
    'x-twilio-signature': overHost,
  })
  assert.equal(answer.status, 403)
  const query = '?b=2&a=1'
  const signed = twilio.getExpectedTwilioSignature(authToken, `${publicUrl}/twilio/voice${query}`, form)
  const good = await post(ingest, `/twilio/voice${query}`, body, { ...formType, 'x-twilio-signature': signed })
  assert.equal(good.status, 200)
})

it('each account signs with its own tokens, and two tokens hold while they are rotated', async () => {
  const other = randomSid('AC')
  const ingest = await startIngest({
    accounts: [
      { sid: accountSid, authTokens: ['old', 'new'], apiBaseUrl: 'https://x.example' },
      { sid: other, authTokens: ['theirs'], apiBaseUrl: 'https://x.example' },
    ],
  })
  const statusOf = async (sid: string, token: string): Promise<number> => {
    const params = { ...form, AccountSid: sid }
    const signature = twilio.getExpectedTwilioSignature(token, `${publicUrl}/twilio/voice`, params)
    return (await ingest.caller.post('/twilio/voice', params, signature)).status
  }
  assert.deepEqual(await Promise.all([statusOf(accountSid, 'old'), statusOf(accountSid, 'new')]), [200, 200])
  assert.deepEqual(await Promise.all([statusOf(other, 'theirs'), statusOf(other, 'new')]), [200, 403])
})

it('a StirVerstat that the signature does not cover is not believed', async () => {
  const { caller, tokens } = await startIngest()
  const signature = twilio.getExpectedTwilioSignature(authToken, `${publicUrl}/twilio/voice`, form)
  const answer = await caller.post('/twilio/voice', { ...form, StirVerstat: 'TN-Validation-Passed-A' }, signature)
  const token = /media\/([\w-]{32})/.exec(await answer.text())?.[1]
  assert.equal(tokens.peek(token ?? '')?.stirVerstat, '')
})

it('a JSON body is believed through bodySHA256', async () => {
  const ingest = await startIngest()
  const body = JSON.stringify(form)
  const path = `/twilio/voice?bodySHA256=${createHash('sha256').update(body).digest('hex')}`
  const signature = twilio.getExpectedTwilioSignature(authToken, publicUrl + path, {})
  const headers = { 'content-type': 'application/json; charset=utf-8', 'x-twilio-signature': signature }
  assert.equal((await post(ingest, path, body, headers)).status, 200)
  assert.equal((await post(ingest, path, `${body} `, headers)).status, 403)
  assert.equal((await post(ingest, path, '{', headers)).status, 400)
})

it('a path prefix of the public URL is kept, and http, for tests, gives ws', async () => {
  const { caller } = await startIngest({ publicUrl: 'http://127.0.0.1:9/voice/' })
  const signature = twilio.getExpectedTwilioSignature(authToken, 'http://127.0.0.1:9/voice/twilio/voice', form)
  const twiml = await (await caller.post('/twilio/voice', form, signature)).text()
  assert.match(twiml, / url="ws:\/\/127\.0\.0\.1:9\/voice\/twilio\/media\/[\w-]{32}"/)
  assert.match(twiml, / statusCallback="http:\/\/127\.0\.0\.1:9\/voice\/twilio\/stream-status"/)
})

it('stream errors that Twilio reports are counted', async () => {
  const { caller, counters } = await startIngest()
  const event = { ...form, StreamSid: 'MZ1', StreamEvent: 'stream-error', StreamError: '31920: handshake' }
  assert.equal((await caller.post('/twilio/stream-status', event)).status, 204)
  assert.equal((await caller.post('/twilio/stream-status', { ...event, StreamEvent: 'stream-started' })).status, 204)
  assert.equal(counters.streamErrors, 1)
})

it('the final call statuses end the call, others do not', async () => {
  const { caller, table, tracks } = await startIngest()
  const call = { callSid, accountSid, from: '', to: '', direction: '', stirVerstat: '' }
  for (const [index, status] of ['completed', 'busy', 'failed', 'no-answer', 'canceled'].entries()) {
    table.start(call, 'MZ1', ['inbound'])
    await caller.post('/twilio/call-status', { ...form, CallStatus: 'in-progress' })
    assert.equal(table.size, 1)
    assert.equal((await caller.post('/twilio/call-status', { ...form, CallStatus: status })).status, 204)
    assert.equal(tracks.ended.get(index + 1), 'call_status')
  }
})

it('with enforceSignature off, for experiments, anything is answered', async () => {
  const ingest = await startIngest({ enforceSignature: false, accounts: [] })
  const answer = await post(ingest, '/twilio/voice', new URLSearchParams(form).toString(), formType)
  assert.equal(answer.status, 200)
})

it('a call status is handed on as a record, with its signed fields, and answered when that is durable', async () => {
  const records: Readonly<Record<string, string>>[] = []
  let isDurable = false
  const callStatus = async (fields: Readonly<Record<string, string>>): Promise<void> => {
    records.push(fields)
    await new Promise((resolve) => setTimeout(resolve, 30))
    isDurable = true
  }
  const { caller } = await startIngest({ callStatus })
  const answer = await caller.post('/twilio/call-status', { ...form, CallStatus: 'completed', CallDuration: '7' })
  assert.deepEqual([answer.status, isDurable], [204, true])
  assert.deepEqual(records, [{ ...form, CallStatus: 'completed', CallDuration: '7' }])
})

it('a call that shall not be listened to goes on as configured, without a stream and without a token', async () => {
  const asked: string[] = []
  const listensTo = (call: { to: string }): boolean => {
    asked.push(call.to)
    return false
  }
  const { caller, tokens } = await startIngest({ webhook: { listensTo } })
  const answer = await caller.post('/twilio/voice', form)
  const twiml = '<?xml version="1.0" encoding="UTF-8"?><Response><Pause length="60"/></Response>'
  assert.equal(await answer.text(), twiml)
  assert.deepEqual([asked, tokens.size], [['+15005550001'], 0])
})

it('what was offered and what Twilio says of streams is told, by call, account and name', async () => {
  const told: unknown[] = []
  const { caller } = await startIngest({
    webhook: {
      streamOffered: (call, name) => void told.push([call.callSid, name]),
      streamStatus: (status) => void told.push(status),
    },
  })
  const twiml = await (await caller.post('/twilio/voice', form)).text()
  const name = /name="([^"]*)"/.exec(twiml)?.[1]
  const stream = { StreamSid: 'MZ1', StreamName: name ?? '', StreamEvent: 'stream-error', StreamError: '31920' }
  await caller.post('/twilio/stream-status', { AccountSid: accountSid, CallSid: callSid, ...stream })
  await caller.post('/twilio/stream-status', { AccountSid: accountSid, CallSid: callSid, ...stream }, 'unsigned')
  const status = { accountSid, callSid, name, event: 'stream-error', error: '31920' }
  assert.deepEqual(told, [[callSid, name], status])
})
