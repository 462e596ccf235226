/**
 * A call from Twilio's socket to a verdict in the API and rows in ClickHouse, through the real server process. The
 * caller signs with the `twilio` package and speaks with `ws`.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'

interface Verdict {
  track: string
  label: string
  score: number | null
  netSpeechMs: number
  audioMs: number
  lostMs: number
  duplicates: number
  windows: { startMs: number; endMs: number; score: number | null; flags: string[] }[]
  reasons: { code: string; text: string }[]
  model: string
}

interface Call {
  callSid: string
  state: string
  endReason: string | null
  tracks: Verdict[]
}

const human = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-woman.wav')))
const synthetic = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/synthetic-espeak-de.wav')))

let server: ServerProcess
let caller: TwilioCaller

async function endedCall(callSid: string): Promise<Call> {
  return eventually(`${callSid} to end`, async () => {
    const call = (await server.get(`/v1/calls/${callSid}`)) as Call
    return call.state === 'live' ? undefined : call
  })
}

describe('a live call', () => {
  before(async () => {
    server = await startServer()
    caller = new TwilioCaller({
      url: server.url,
      publicUrl: testPublicUrl,
      accountSid: testAccount.sid,
      authToken: testAccount.token,
    })
  })

  after(async () => {
    assert.equal(await server.end('SIGTERM'), 0, 'SIGTERM ends the server in good order')
  })

  it('is answered with TwiML that forks its audio to a wss URL under the public name', async () => {
    const twiml = await (await caller.ring(randomSid('CA'))).text()
    assert.match(twiml, /<Start><Stream [^>]*url="wss:\/\/voice\.example\.com\/twilio\/media\/[A-Za-z0-9_-]{22,}"/)
    assert.match(twiml, /<\/Start><Pause length="3600"\/><\/Response>$/)
  })

  it('gets a verdict per track, with windows, reasons and the model, and ends once on stop', async () => {
    const callSid = randomSid('CA')
    const stream = await caller.stream(callSid, ['inbound', 'outbound'])
    stream.recording(human, 'inbound')
    stream.timestampMs = 0
    stream.recording(synthetic, 'outbound')
    stream.stop()
    const call = await endedCall(callSid)
    assert.equal(call.endReason, 'stop')
    assert.deepEqual(call.tracks.map((track) => track.track).sort(), ['inbound', 'outbound'])
    for (const track of call.tracks) {
      const bytes = track.track === 'inbound' ? human.length : synthetic.length
      assert.equal(track.audioMs, Math.floor(bytes / 4000) * 500, 'every whole hop was heard')
      assert.equal(track.lostMs, 0)
      assert.ok(track.netSpeechMs > 3000)
      assert.ok(track.score !== null && track.score >= 0 && track.score <= 1)
      assert.equal(track.windows.length, Math.floor(bytes / 4000))
      assert.ok(track.reasons.length > 0)
      assert.match(track.model, /^voice\/\w+/)
    }
  })

  it('is refused with 403 before any state: bad signature, replayed token, made-up token', async () => {
    const url = await caller.streamUrl(randomSid('CA'))
    await assert.rejects(caller.connect(url, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='), /status 403/)
    const socket = await caller.connect(url)
    await assert.rejects(caller.connect(url), /status 403/)
    socket.close()
    await assert.rejects(caller.connect(url.replace(/[^/]+$/, 'A'.repeat(43))), /status 403/)
    const bad = await caller.post('/twilio/voice', { AccountSid: testAccount.sid, CallSid: 'CA1' }, 'bad')
    assert.equal(bad.status, 403)
    assert.equal(((await bad.json()) as { code: string }).code, 'signature_invalid')
  })

  it('is not taken for another: a start message of a foreign CallSid closes the socket and opens nothing', async () => {
    const callSid = randomSid('CA')
    const foreign = randomSid('CA')
    const socket = await caller.connect(await caller.streamUrl(callSid))
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    socket.send(
      JSON.stringify({
        event: 'start',
        sequenceNumber: '1',
        streamSid: 'MZ1',
        start: { accountSid: testAccount.sid, callSid: foreign, streamSid: 'MZ1', tracks: ['inbound'] },
      }),
    )
    assert.equal(await closed, 1008)
    for (const sid of [callSid, foreign]) {
      const response = await fetch(`${server.url}/v1/calls/${sid}`, {
        headers: { authorization: `Bearer ${server.key()}` },
      })
      assert.equal(response.status, 404)
    }
  })

  it('keeps its verdict while a neighbour sends hostile frames', async () => {
    const callSid = randomSid('CA')
    const good = await caller.stream(callSid)
    const bad = await caller.stream(randomSid('CA'))
    const truncated = '{"event":"media","media":{"track":"inbound","timest'
    const hostile = [
      truncated,
      '',
      '{}',
      '[]',
      'null',
      '\u0000\u0001',
      '{"event":"media","sequenceNumber":"2","media":{"track":"inbound","timestamp":"-5","payload":"AAAA"}}',
      '{"event":"media","sequenceNumber":"3","media":{"track":"inbound","timestamp":"1e308","payload":"AA"}}',
      '{"event":"media","sequenceNumber":"4","media":{"track":"inbound","timestamp":"9999999999999","payload":"/v8="}}',
      '{"event":"media","sequenceNumber":"5","media":{"track":"inbound","timestamp":"20","payload":"*** not base64"}}',
      '{"event":"m\\u0065dia","sequenceNumber":"6","media":{"track":"inbound","timestamp":"40","payload":"\\/v8="}}',
      '{"event":"surprise"}',
      '{"event":"start","start":{"callSid":"CA9"}}',
    ]
    for (let at = 0; at < human.length; at += 160) {
      good.media(human.subarray(at, at + 160))
      bad.socket.send(hostile[(at / 160) % hostile.length] ?? '')
      if (at % 1600 === 0) bad.socket.send(Buffer.from([0xff, 0x00, 0x81]))
    }
    for (let frame = 0; frame < 10_000; frame += 1) bad.media(Uint8Array.of(0xff))
    bad.socket.send('x'.repeat(200_000))
    good.stop()
    const call = await endedCall(callSid)
    assert.equal(call.tracks[0]?.audioMs, Math.floor(human.length / 4000) * 500)
    assert.equal(call.tracks[0]?.lostMs, 0)
    bad.socket.terminate()
  })

  it('goes on over a reconnect within the grace as one detection', async () => {
    const callSid = randomSid('CA')
    const first = await caller.stream(callSid)
    first.recording(human.subarray(0, 48_000))
    first.socket.close()
    const second = await caller.stream(callSid)
    second.recording(human.subarray(48_000, 96_000))
    second.stop()
    const call = await endedCall(callSid)
    assert.equal(call.tracks.length, 1)
    assert.ok((call.tracks[0]?.audioMs ?? 0) >= 11_000, JSON.stringify(call.tracks[0]?.audioMs))
  })

  it('ends on call status when no stop comes', async () => {
    const callSid = randomSid('CA')
    const stream = await caller.stream(callSid)
    stream.recording(human.subarray(0, 16_000))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const status = { AccountSid: testAccount.sid, CallSid: callSid, CallStatus: 'completed' }
    assert.equal((await caller.post('/twilio/call-status', status)).status, 204)
    assert.equal((await endedCall(callSid)).endReason, 'call_status')
    stream.socket.terminate()
  })

  it('shows in the event stream as it goes', async () => {
    const response = await fetch(`${server.url}/v1/events?types=verdict`, {
      headers: { authorization: `Bearer ${server.key()}` },
    })
    assert.equal(response.status, 200)
    const callSid = randomSid('CA')
    const stream = await caller.stream(callSid)
    stream.recording(synthetic)
    stream.stop()
    let text = ''
    const decoder = new TextDecoder()
    assert.ok(response.body)
    for await (const chunk of response.body) {
      text += decoder.decode(chunk as Uint8Array)
      if (text.includes(callSid) && text.includes('"state":"ended"')) break
    }
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    )
  })
})
