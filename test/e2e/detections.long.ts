/**
 * Control over calls through the real server process and a played Twilio: detections by REST, streams that break,
 * rules, and a server that is killed while calls go on.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { PlayedTwilio } from '../../src/simulator/twilio-rest.ts'
import { playedAccount, playedTwilio } from '../fakes/played-twilio.ts'
import { eventually, type ServerProcess, startServer, testPublicUrl } from '../fakes/server-process.ts'

interface DetectionView {
  id: string
  callSid: string
  state: string
  reason: string | null
  restarts: number
  streamSids: string[]
  verdict: { label: string; score: number | null; netSpeechMs: number; audioMs: number } | null
}

const numbers = { from: '+12025550100', to: '+12025550199' }
const endings: (() => Promise<void> | void)[] = []
let twilio: PlayedTwilio
let server: ServerProcess

function settings(): Record<string, unknown> {
  const { accountSid: sid, authToken } = playedAccount
  const accounts = [{ sid, authTokens: [authToken], apiBaseUrl: twilio.url }]
  return { server: { drainMs: 300 }, twilio: { accounts, track: 'inbound_track' } }
}

async function ask(method: string, path: string, body?: object): Promise<{ status: number; body: never }> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as never }
}

async function ofCall(callSid: string): Promise<DetectionView[]> {
  const { detections } = (await server.get(`/v1/detections?callSid=${callSid}`)) as { detections: DetectionView[] }
  return detections
}

async function until(callSid: string, fits: (detection: DetectionView) => boolean): Promise<DetectionView> {
  let last: DetectionView[] = []
  const found = await eventually(`${callSid} to be as wanted`, async () => {
    last = await ofCall(callSid)
    return last.find(fits)
  }).catch((thrown: unknown) => {
    throw new Error(`${String(thrown)}: ${JSON.stringify(last)}`)
  })
  assert.equal(last.length, 1, 'one detection')
  return found
}

describe('control over calls', () => {
  before(async () => {
    twilio = await playedTwilio({ after: (end) => void endings.push(end) }, 'http://127.0.0.1:9', testPublicUrl)
    server = await startServer({ config: settings() })
    twilio.moveTarget(server.url)
  })

  after(async () => {
    await server.end('SIGTERM')
    for (const end of endings) await end()
  })

  it('asked for twenty times at once is one stream, heard, judged, and stopped', async () => {
    const { callSid } = twilio.place(numbers).identity
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('POST', '/v1/detections', { callSid })))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201])
    const ids = answers.map(({ body }) => (body as DetectionView).id)
    assert.equal(new Set(ids).size, 1)
    assert.equal(twilio.requests.filter(({ path }) => path.endsWith('/Streams.json')).length, 1)
    const live = await until(callSid, ({ state, verdict }) => state === 'live' && (verdict?.netSpeechMs ?? 0) >= 1500)
    assert.ok(live.verdict?.label)
    const stopped = await ask('DELETE', `/v1/detections/${live.id}`)
    assert.equal(stopped.status, 200)
    assert.deepEqual(
      [(stopped.body as DetectionView).state, (stopped.body as DetectionView).reason],
      ['ended', 'operator'],
    )
    assert.deepEqual(
      twilio.call(callSid)?.streams.map(({ status }) => status),
      ['stopped'],
    )
    assert.equal(twilio.call(callSid)?.status, 'in-progress', 'the call itself goes on')
  })

  it('is heard once although the answer to its request was lost and the request was made again', async () => {
    const call = twilio.place(numbers)
    twilio.trouble({ kind: 'lost', match: '/Streams.json', times: 1 })
    const { status } = await ask('POST', '/v1/detections', { callSid: call.identity.callSid })
    assert.equal(status, 201)
    await until(call.identity.callSid, ({ state, verdict }) => state === 'live' && (verdict?.audioMs ?? 0) >= 500)
    assert.equal(call.streams.length, 2)
    assert.equal(call.tracksInUse, 1, 'the token opened one socket')
    call.end()
  })

  it('says what Twilio said: a call that is over 409, wrong credentials 502, busy 503', async () => {
    const unknown = await ask('POST', '/v1/detections', { callSid: `CA${'0'.repeat(32)}` })
    assert.deepEqual([unknown.status, (unknown.body as { code: string }).code], [409, 'call_over'])
    const { callSid } = twilio.place(numbers).identity
    twilio.trouble({ kind: 'answer', status: 401, code: 20003, message: 'Authenticate', times: 1 })
    const denied = await ask('POST', '/v1/detections', { callSid })
    assert.deepEqual([denied.status, (denied.body as { code: string }).code], [502, 'twilio_unauthenticated'])
    twilio.trouble({ kind: 'answer', status: 429, code: 20429, message: 'Too Many Requests', times: 4 })
    const busy = await ask('POST', '/v1/detections', { callSid })
    assert.deepEqual([busy.status, (busy.body as { retryable: boolean }).retryable], [503, true])
    assert.equal((await ask('POST', '/v1/detections', { callSid: 'CA1' })).status, 400)
    assert.equal((await ask('GET', '/v1/detections/det_none')).status, 404)
    assert.deepEqual(await ofCall(callSid), [])
  })

  it('has one detection over a broken stream, a second stream and a transfer', async () => {
    const call = await twilio.ring(numbers)
    const { callSid } = call.identity
    const first = await until(callSid, ({ state, verdict }) => state === 'live' && (verdict?.audioMs ?? 0) >= 500)
    call.breakStreams()
    await until(
      callSid,
      ({ restarts, state, streamSids }) => restarts === 1 && state === 'live' && streamSids.length === 2,
    )
    await twilio.ringAgain(call)
    await until(callSid, ({ streamSids, state }) => streamSids.length === 3 && state === 'live')
    call.redirect('<Response><Dial>+12025550177</Dial></Response>')
    const heard = await until(callSid, ({ verdict }) => (verdict?.audioMs ?? 0) >= 3000)
    assert.equal(heard.id, first.id)
    assert.equal(heard.restarts, 1)
    call.end()
    const ended = await until(callSid, ({ state }) => state === 'ended')
    assert.equal(ended.id, first.id)
    const { tracks } = (await server.get(`/v1/calls/${callSid}`)) as { tracks: unknown[] }
    assert.equal(tracks.length, 1)
  })

  it('leaves calls alone that a rule rules out, until the rule is taken back', async () => {
    const before = (await server.get('/v1/detections/rules')) as { revision: number }
    const rules = [{ name: 'quiet line', listen: false, to: ['447700900'] }]
    const put = await ask('PUT', '/v1/detections/rules', { revision: before.revision, rules })
    assert.equal(put.status, 200)
    assert.equal((await ask('PUT', '/v1/detections/rules', { revision: before.revision, rules: [] })).status, 409)
    const quiet = { from: '+12025550100', to: '+447700900123' }
    const call = await twilio.ring(quiet)
    assert.deepEqual(call.streams, [])
    const refused = await ask('POST', '/v1/detections', { callSid: call.identity.callSid })
    assert.deepEqual([refused.status, (refused.body as { code: string }).code], [409, 'detection_disabled'])
    assert.equal((await ask('PUT', '/v1/detections/rules', { revision: before.revision + 1, rules: [] })).status, 200)
    assert.equal((await twilio.ring(quiet)).streams.length, 1)
    const bad = await ask('PUT', '/v1/detections/rules', {
      revision: 9,
      rules: [{ name: 'x', listen: false, hours: '25:00-26:00' }],
    })
    assert.equal(bad.status, 400)
  })

  it('takes calls up again after kill -9 under the same ids, and ends those that are over', async () => {
    const byWebhook = await twilio.ring(numbers)
    const byApi = twilio.place(numbers)
    const overMeanwhile = await twilio.ring(numbers)
    await ask('POST', '/v1/detections', { callSid: byApi.identity.callSid })
    const all = [byWebhook, byApi, overMeanwhile]
    const isLive = ({ state, verdict }: DetectionView): boolean => state === 'live' && (verdict?.audioMs ?? 0) >= 500
    const ids = await Promise.all(all.map(async (call) => (await until(call.identity.callSid, isLive)).id))
    await server.end('SIGKILL')
    overMeanwhile.end()
    server = await startServer({ dataDir: server.dataDir, config: settings() })
    twilio.moveTarget(server.url)
    for (const [index, call] of [byWebhook, byApi].entries()) {
      const again = await until(call.identity.callSid, isLive)
      assert.deepEqual([again.id, again.restarts], [ids[index], 1])
      assert.equal(call.streams.filter(({ status }) => status === 'in-progress').length, 1)
    }
    const gone = await until(overMeanwhile.identity.callSid, ({ state }) => state === 'ended')
    assert.deepEqual([gone.id, gone.reason], [ids[2], 'interrupted'])
    byWebhook.end()
    await until(byWebhook.identity.callSid, ({ state }) => state === 'ended')
  })

  it('takes calls up again after an orderly stop, too', async () => {
    const call = await twilio.ring(numbers)
    const { id } = await until(call.identity.callSid, ({ state }) => state === 'live')
    assert.equal(await server.end('SIGTERM'), 0)
    server = await startServer({ dataDir: server.dataDir, config: settings() })
    twilio.moveTarget(server.url)
    const again = await until(call.identity.callSid, ({ state }) => state === 'live')
    assert.deepEqual([again.id, again.restarts], [id, 1])
  })
})
