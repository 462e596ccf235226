import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeApi } from '../fakes/api.ts'
import { seed } from '../fakes/fraud.ts'
import { askJson, request } from '../fakes/people.ts'

function rig() {
  const api = fakeApi()
  const ingest = { authorization: `Bearer ${api.keys.create('ingest', 'switch').key}` }
  const post = (path: string, body: string, header: Record<string, string>, type = 'application/json') =>
    askJson(
      api.routes,
      request(path, { method: 'POST', header: { ...header, 'content-type': type }, body: Buffer.from(body) }),
    )
  api.fraud.book.apply([{ change: 'opened', seed: seed('a', api.clock.wallMs()) }])
  const get = (path: string) => askJson(api.routes, request(path, { header: api.header }))
  return { ...api, ingest, post, get }
}

describe('questions about numbers and calls', () => {
  it('switches ask what to do with a call, with the role ingest and no other', async () => {
    const { post, ingest, header } = rig()
    const call = JSON.stringify({ from: '+2215550001', to: '+4915112345678' })
    const { status, body } = await post('/v1/decisions', call, ingest)
    assert.deepEqual([status, body['action'], body['intended'], body['caseId']], [200, 'allow', 'block', 'a'])
    assert.equal((await post('/v1/decisions', call, header)).status, 403)
    for (const bad of ['', '{}', '[]', 'x', '{"to":5}', '{"to":"1","origin":"x"}']) {
      assert.equal((await post('/v1/decisions', bad, ingest)).status, 400, bad)
    }
    assert.equal((await post('/v1/decisions', call, ingest, 'text/plain')).status, 415)
  })

  it('a number’s profile has its cases and those of its range', async () => {
    const { get, fraud, clock } = rig()
    const range = { id: 'r', subject: { type: 'range', value: '2215550' } } as const
    fraud.book.apply([{ change: 'opened', seed: seed('r', clock.wallMs(), range) }])
    for (const path of ['/v1/numbers/+2215550001', '/v1/numbers/2215550001']) {
      const { body } = await get(path)
      assert.equal(body['number'], '2215550001')
      assert.deepEqual(
        (body['cases'] as { id: string }[]).map(({ id }) => id),
        ['a', 'r'],
      )
      assert.deepEqual([body['windows'], body['recent']], [null, []])
    }
    assert.deepEqual(((await get('/v1/numbers/12025550123')).body['cases'] as object[]).length, 0)
    assert.equal((await get('/v1/numbers/none')).status, 400)
  })

  it('records to be scored are JSON or NDJSON', async () => {
    const { post, header } = rig()
    assert.equal((await post('/v1/score/cdr', '[]', header)).status, 200)
    assert.equal((await post('/v1/score/cdr', '', header, 'application/x-ndjson')).status, 200)
    assert.equal((await post('/v1/score/cdr', 'a,b', header, 'text/csv')).status, 415)
  })
})
