/**
 * Kept audio of the real server: what a caller said comes back as WAV to who may hear it, and to nobody else; calls
 * that opt out are not kept; what was kept survives kill -9 and is gone when it is erased.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { say } from '../fakes/callers.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'

const human = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-woman.wav')))
const synthetic = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/synthetic-espeak-de.wav')))
const audio = { keep: 'all' }

interface Kept {
  readonly tracks: readonly { id: string; track: string; bytes: number; live: boolean }[]
}

let server: ServerProcess
let caller: TwilioCaller
let listener: Record<string, string>

async function start(config: Record<string, unknown>, dataDir?: string): Promise<void> {
  server = await startServer({ config: { audio: config }, ...(dataDir === undefined ? {} : { dataDir }) })
  const account = { accountSid: testAccount.sid, authToken: testAccount.token }
  caller = new TwilioCaller({ url: server.url, publicUrl: testPublicUrl, ...account })
}

async function keyOf(body: object): Promise<Record<string, string>> {
  const header = { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' }
  const said = await say(`${server.url}/v1/keys`, { method: 'POST', header, body: JSON.stringify(body) })
  return { authorization: `Bearer ${JSON.parse(said.text).key}` }
}

const keptOf = async (callSid: string): Promise<Kept> => (await server.get(`/v1/calls/${callSid}/audio`)) as Kept

async function ended(callSid: string): Promise<void> {
  await eventually(`${callSid} to end`, async () => {
    const call = (await server.get(`/v1/calls/${callSid}`)) as { state: string }
    return call.state === 'live' ? undefined : call
  })
}

async function wavOf(callSid: string, id: string): Promise<{ mulaw: Buffer; complete: string | null }> {
  const said = await fetch(`${server.url}/v1/calls/${callSid}/audio/${id}`, { headers: listener })
  assert.equal(said.status, 200)
  assert.equal(said.headers.get('content-type'), 'audio/wav')
  return { mulaw: wavMulaw(Buffer.from(await said.arrayBuffer())), complete: said.headers.get('x-voicefw-complete') }
}

describe('audio of calls, when all of it is kept', () => {
  const callSid = randomSid('CA')

  before(async () => {
    await start(audio)
    listener = await keyOf({ name: 'ear', role: 'viewer', scopes: ['audio:read'] })
  })
  after(() => server?.end('SIGKILL'))

  it('comes back track by track as it was said', async () => {
    const stream = await caller.stream(callSid, ['inbound', 'outbound'])
    stream.recording(human, 'inbound')
    stream.timestampMs = 0
    stream.recording(synthetic, 'outbound')
    stream.stop()
    await ended(callSid)
    const { tracks } = await eventually('both tracks to be closed', async () => {
      const kept = await keptOf(callSid)
      return kept.tracks.some(({ live }) => live) ? undefined : kept
    })
    assert.deepEqual(tracks.map(({ track }) => track).sort(), ['inbound', 'outbound'])
    for (const { id, track } of tracks) {
      const { mulaw, complete } = await wavOf(callSid, id)
      assert.ok(mulaw.equals(track === 'inbound' ? human : synthetic), track)
      assert.equal(complete, 'true')
    }
  })

  it('is heard with the permission alone, and who heard it is on record', async () => {
    const [one] = (await keptOf(callSid)).tracks
    const plain = await keyOf({ name: 'screen', role: 'operator' })
    for (const path of ['/v1/audio', `/v1/calls/${callSid}/audio`, `/v1/calls/${callSid}/audio/${one?.id}`]) {
      assert.equal((await say(server.url + path, { header: plain })).status, 403, path)
      assert.equal((await say(server.url + path, { header: listener })).status, 200, path)
    }
    const strange = ['inbound-1', '..%2Fkey', 'inbound-1767225600000']
    for (const id of strange) {
      const said = await say(`${server.url}/v1/calls/${callSid}/audio/${id}`, { header: listener })
      assert.equal(said.status, 404, id)
    }
    const { rows } = (await server.get('/v1/audit?action=audio.&limit=100')) as {
      rows: { action: string; actor: string; subject: string }[]
    }
    assert.ok(rows.filter(({ action }) => action === 'audio.heard').length >= 3)
    assert.match(rows[0]?.actor ?? '', / ear$/)
    assert.equal(rows[0]?.subject, `${callSid} ${one?.id}`)
  })

  it('is not kept of a call that opts out by webhook, by parameter or by request', async () => {
    const choices = [{ query: '?audio=none' }, { parameters: { voicefw_audio: 'none' } }, {}]
    for (const choice of choices) {
      const sid = randomSid('CA')
      const stream = await caller.stream(sid, ['inbound'], choice)
      stream.recording(human.subarray(0, 24_000))
      if (Object.keys(choice).length === 0) {
        await eventually('it to be kept', async () => ((await keptOf(sid)).tracks.length > 0 ? true : undefined))
        const header = { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' }
        const body = '{"keep":false}'
        const said = await say(`${server.url}/v1/calls/${sid}/audio`, { method: 'PUT', header, body })
        assert.deepEqual([said.status, JSON.parse(said.text)], [200, { keep: false, erased: 1 }])
        stream.recording(human.subarray(0, 24_000))
      }
      stream.stop()
      await ended(sid)
      assert.deepEqual((await keptOf(sid)).tracks, [])
    }
  })

  it('is readable after kill -9 as far as it was written, and erased with its key', async () => {
    const sid = randomSid('CA')
    const stream = await caller.stream(sid)
    stream.recording(human.subarray(0, 40_000))
    await eventually('four seconds on disk', async () => {
      const [kept] = (await keptOf(sid)).tracks
      return kept !== undefined && kept.bytes > 32_000 ? kept : undefined
    })
    const { dataDir } = server
    await server.end('SIGKILL')
    await start(audio, dataDir)
    const [kept] = (await keptOf(sid)).tracks
    const { mulaw, complete } = await wavOf(sid, kept?.id ?? '')
    assert.equal(complete, 'false')
    assert.ok(mulaw.length >= 32_000 && mulaw.equals(human.subarray(0, mulaw.length)))
    const header = { authorization: `Bearer ${server.key()}` }
    const said = await say(`${server.url}/v1/calls/${sid}/audio`, { method: 'DELETE', header })
    assert.deepEqual([said.status, said.text], [200, '{"erased":1}'])
    assert.equal(existsSync(join(dataDir, 'recordings', sid)), false)
    assert.equal((await say(`${server.url}/v1/calls/${sid}/audio/${kept?.id}`, { header })).status, 404)
  })
})

describe('audio of calls, when only what looks synthetic is kept', () => {
  before(() => start({ keep: 'labels', labels: ['likely_synthetic'] }))
  after(() => server?.end('SIGKILL'))

  it('is that of such tracks from then on, and of calls that are asked for', async () => {
    const [bad, good] = [randomSid('CA'), randomSid('CA')]
    const first = await caller.stream(bad)
    const second = await caller.stream(good)
    second.recording(human)
    first.recording(synthetic)
    await eventually('the label', async () => {
      const call = (await server.get(`/v1/calls/${bad}`)) as { tracks: { label: string }[] }
      return call.tracks.some(({ label }) => label === 'likely_synthetic') ? call : undefined
    })
    first.recording(synthetic)
    await eventually('it to be kept', async () => ((await keptOf(bad)).tracks[0]?.bytes ? true : undefined))
    assert.deepEqual((await keptOf(good)).tracks, [])
    const header = { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' }
    const body = '{"keep":true}'
    const said = await say(`${server.url}/v1/calls/${good}/audio`, { method: 'PUT', header, body })
    assert.equal(said.status, 200)
    second.recording(human.subarray(0, 16_000))
    await eventually('the other too', async () => ((await keptOf(good)).tracks[0]?.bytes ? true : undefined))
    first.stop()
    second.stop()
  })
})
