/** Models over the API: who may, what is asked, what is audited. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Role } from '../../src/access/roles.ts'
import { modelShape } from '../../src/api/model-routes.ts'
import type { ModelsShown } from '../../src/api/models.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { fakeApi } from '../fakes/api.ts'
import { storyModels } from '../fakes/model-story.ts'
import { askJson, request } from '../fakes/people.ts'

const [voice] = storyModels()

function api(over: Partial<ModelsShown> = {}) {
  const asks: string[] = []
  const answer = async (what: string) => {
    asks.push(what)
    assert.ok(voice)
    return voice
  }
  const models: ModelsShown = {
    views: storyModels,
    activate: (name, version) => answer(`activate ${name} ${version}`),
    rollback: (name) => answer(`rollback ${name}`),
    setCandidate: (name, version) => answer(`candidate ${name} ${version}`),
    ...over,
  }
  const { routes, keys, rows } = fakeApi({ models })
  const ask = (role: Role, path: string, body?: object) => {
    const { key } = keys.create(role, role)
    const header = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const sent = body === undefined ? {} : { method: 'POST' as const, body: Buffer.from(JSON.stringify(body)) }
    return askJson(routes, request(path, { header, ...sent }))
  }
  const audited = () => rows.filter(({ action }) => action.startsWith('model.'))
  return { asks, ask, audited }
}

describe('/v1/models', () => {
  it('tells a viewer how each model stands', async () => {
    const { status, body } = await api().ask('viewer', '/v1/models')
    assert.deepEqual([status, body], [200, { models: storyModels() }])
    for (const model of storyModels()) modelShape.parse(model)
  })

  it('lets admins change them, and nobody below; each change is audited', async () => {
    const { asks, ask, audited } = api()
    for (const role of ['viewer', 'operator'] as const) {
      assert.equal((await ask(role, '/v1/models/voice/rollback', {})).status, 403)
    }
    assert.equal((await ask('admin', '/v1/models/voice/activate', { version: '2' })).status, 200)
    assert.equal((await ask('admin', '/v1/models/voice/rollback', {})).status, 200)
    assert.equal((await ask('admin', '/v1/models/voice/candidate', { version: null })).status, 200)
    assert.equal((await ask('admin', '/v1/models/voice/activate', {})).status, 400)
    assert.deepEqual(asks, ['activate voice 2', 'rollback voice', 'candidate voice null'])
    assert.deepEqual(
      audited().map(({ action, subject, result }) => [action, subject, result]),
      [
        ['model.activate', 'model:voice', 'ok'],
        ['model.rollback', 'model:voice', 'ok'],
        ['model.candidate', 'model:voice', 'ok'],
      ],
    )
  })

  it('answers 409 with the reason for a version that is refused, and audits that too', async () => {
    const refuse = async (): Promise<never> => {
      throw new OperatingError('model_refused', 'voice/2 was refused: it does not load')
    }
    const { ask, audited } = api({ activate: refuse })
    const { status, body } = await ask('admin', '/v1/models/voice/activate', { version: '2' })
    assert.deepEqual([status, (body as { code: string }).code], [409, 'model_refused'])
    const [row] = audited()
    assert.equal(row?.result, 'refused')
    assert.match(row?.detail ?? '', /it does not load/)
  })
})
