/** The played Twilio against the real `twilio` package and the documented shapes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { playedAccount, playedTwilio } from '../fakes/played-twilio.ts'
import { eventually } from '../fakes/scratch.ts'
import { fakeServer } from '../fakes/twilio-server.ts'

const { accountSid, authToken } = playedAccount
const basic = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`
const numbers = { from: '+12025550100', to: '+12025550199' }

async function post(url: string, form: Record<string, string>, authorization = basic) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams(form),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

describe('the played REST API', () => {
  it('refuses other credentials 401 20003, unknown calls 404 20404, ended calls 21220', async (t) => {
    const twilio = await playedTwilio(t)
    const call = twilio.place(numbers)
    const base = `${twilio.url}/2010-04-01/Accounts/${accountSid}/Calls`
    const wrong = await post(`${base}/${call.identity.callSid}.json`, {}, 'Basic eDp5')
    assert.deepEqual([wrong.status, wrong.body['code']], [401, 20003])
    const unknown = await post(`${base}/CA00.json`, { Status: 'completed' })
    assert.deepEqual([unknown.status, unknown.body['code'], unknown.body['status']], [404, 20404, 404])
    call.end()
    const over = await post(`${base}/${call.identity.callSid}.json`, { Status: 'completed' })
    assert.deepEqual([over.status, over.body['code']], [400, 21220])
  })

  it('allows a call four tracks at a time', async (t) => {
    const server = await fakeServer()
    t.after(() => server.close())
    const twilio = await playedTwilio(t, server.target.origin)
    const call = twilio.place(numbers)
    const streams = `${twilio.url}/2010-04-01/Accounts/${accountSid}/Calls/${call.identity.callSid}/Streams`
    const order = { Url: 'wss://voice.example.com/x', Track: 'both_tracks' }
    assert.equal((await post(`${streams}.json`, { ...order, Name: 'a' })).status, 201)
    assert.equal((await post(`${streams}.json`, { ...order, Name: 'b' })).status, 201)
    await eventually(() => server.sockets.length === 2)
    const fifth = await post(`${streams}.json`, { ...order, Track: 'inbound_track', Name: 'c' })
    assert.equal(fifth.status, 400)
    assert.match(String(fifth.body['message']), /limit of 4 stream tracks/)
    assert.equal((await post(`${streams}/a.json`, { Status: 'stopped' })).body['status'], 'stopped')
    assert.equal((await post(`${streams}.json`, { ...order, Name: 'c' })).status, 201)
    assert.equal((await post(`${streams}/none.json`, { Status: 'stopped' })).body['code'], 20404)
    assert.equal((await post(`${streams}.json`, { Url: 'https://x' })).status, 400)
  })

  it('opens the socket of a stream, signed, with its parameters, and carries audio until it is stopped', async (t) => {
    const server = await fakeServer()
    t.after(() => server.close())
    const twilio = await playedTwilio(t, server.target.origin)
    const call = twilio.place(numbers)
    const streams = `${twilio.url}/2010-04-01/Accounts/${accountSid}/Calls/${call.identity.callSid}/Streams`
    const order = {
      Url: 'wss://voice.example.com/twilio/media/abc',
      Track: 'outbound_track',
      Name: 'voicefw-1',
      'Parameter1.Name': 'k',
      'Parameter1.Value': 'v',
    }
    const { status, body } = await post(`${streams}.json`, order)
    assert.deepEqual([status, body['name'], body['status']], [201, 'voicefw-1', 'in-progress'])
    await eventually(() => (server.sockets[0]?.texts.length ?? 0) > 10)
    const [connected, start, media] = (server.sockets[0]?.texts ?? []).map((text) => JSON.parse(text))
    assert.equal(connected.event, 'connected')
    assert.deepEqual(
      [start.streamSid, start.start.callSid, start.start.tracks, start.start.customParameters],
      [body['sid'], call.identity.callSid, ['outbound'], { k: 'v' }],
    )
    assert.equal(media.media.track, 'outbound')
    assert.equal(server.sockets[0]?.path, '/twilio/media/abc')
    await post(`${streams}/voicefw-1.json`, { Status: 'stopped' })
    await eventually(() => server.sockets[0]?.closeCode === 1000)
    assert.equal(JSON.parse(server.sockets[0]?.texts.at(-1) ?? '').event, 'stop')
  })
})
