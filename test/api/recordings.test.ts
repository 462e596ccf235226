import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RecordingsResourceOptions } from '../../src/api/recordings.ts'
import { fakeApi } from '../fakes/api.ts'
import { ask, askJson, request } from '../fakes/people.ts'
import { wavMulaw } from '../fakes/recordings.ts'

const callSid = `CA${'a1'.repeat(16)}`
const path = `/v1/calls/${callSid}/audio`
const kept = { callSid, id: 'inbound-1767225600000', track: 'inbound', startedAtMs: 1_767_225_600_000 }

function house(over: Partial<RecordingsResourceOptions['recordings']> = {}) {
  const said: string[] = []
  const recordings: RecordingsResourceOptions['recordings'] = {
    isOn: true,
    list: async () => [{ ...kept, bytes: 8020, isLive: false }],
    read: async () => ({ mulaw: Buffer.from([1, 2, 3, 4]), isComplete: false }),
    erase: async () => 2,
    optIn: () => void said.push('in'),
    optOut: async () => said.push('out'),
    ...over,
  }
  const api = fakeApi({ recordings })
  const bearer = (role: 'viewer' | 'operator' | 'admin', scopes: 'audio:read'[]): Record<string, string> => {
    const { key } = api.keys.create(role, role, { scopes })
    return { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  }
  return { api, said, bearer }
}

describe('kept audio', () => {
  it('is listed, and comes as WAV that says whether it is whole', async () => {
    const { api, bearer } = house()
    const header = bearer('viewer', ['audio:read'])
    const track = { callSid, id: kept.id, track: 'inbound', startedAt: '2026-01-01T00:00:00.000Z' }
    const list = { tracks: [{ ...track, bytes: 8020, live: false }], total: 1 }
    assert.deepEqual((await askJson(api.routes, request('/v1/audio', { header }))).body, list)
    assert.deepEqual((await askJson(api.routes, request(path, { header }))).body, list)
    const answer = await ask(api.routes, request(`${path}/${kept.id}`, { header }))
    assert.ok('body' in answer && answer.headers?.['X-Voicefw-Complete'] === 'false')
    assert.deepEqual([...wavMulaw(Buffer.from(answer.body as Uint8Array))], [1, 2, 3, 4])
    const heard = api.rows.find(({ action }) => action === 'audio.heard')
    assert.equal(heard?.subject, `${callSid} ${kept.id}`)
  })

  it('is opened for two at a time', async () => {
    let release = (): void => {}
    const held = new Promise<{ mulaw: Buffer; isComplete: boolean }>((resolve) => {
      release = () => resolve({ mulaw: Buffer.alloc(1), isComplete: true })
    })
    const { api, bearer } = house({ read: () => held })
    const header = bearer('viewer', ['audio:read'])
    const asked = [1, 2, 3].map(() => ask(api.routes, request(`${path}/${kept.id}`, { header })))
    assert.equal((await (asked[2] as Promise<{ status: number }>)).status, 503)
    release()
    assert.deepEqual(
      (await Promise.all(asked)).map(({ status }) => status),
      [200, 200, 503],
    )
  })

  it('is chosen by operators and erased by admins, call by call, on record', async () => {
    const { api, said, bearer } = house()
    const put = (header: Record<string, string>, keep: boolean) =>
      askJson(api.routes, request(path, { method: 'PUT', header, body: Buffer.from(JSON.stringify({ keep })) }))
    assert.equal((await put(bearer('viewer', ['audio:read']), false)).status, 403)
    assert.deepEqual((await put(bearer('operator', []), false)).body, { keep: false, erased: 1 })
    assert.equal((await put(bearer('operator', []), true)).status, 200)
    assert.deepEqual(said, ['out', 'in'])
    const erase = (header: Record<string, string>) => askJson(api.routes, request(path, { method: 'DELETE', header }))
    assert.equal((await erase(bearer('operator', ['audio:read']))).status, 403)
    assert.deepEqual((await erase(bearer('admin', []))).body, { erased: 2 })
    const acts = api.rows.filter(({ action }) => action.startsWith('audio.')).map(({ action }) => action)
    assert.deepEqual(acts, ['audio.opted_out', 'audio.kept', 'audio.erased'])
    const off = house({ isOn: false })
    const refused = await askJson(
      off.api.routes,
      request(path, { method: 'PUT', header: off.bearer('operator', []), body: Buffer.from('{"keep":true}') }),
    )
    assert.equal(refused.status, 409)
  })
})
