import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeApi } from '../fakes/api.ts'
import { ask, askJson, headersOf, request } from '../fakes/people.ts'

describe('routes', () => {
  it('give data to viewers and above only, and say so as a problem document', async () => {
    const api = fakeApi()
    for (const path of ['/v1/calls', '/v1/calls/CA1', '/v1/events', '/v1/status']) {
      const nobody = await askJson(api.routes, request(path))
      assert.deepEqual([nobody.status, nobody.headers['content-type']], [401, 'application/problem+json'], path)
      assert.equal(nobody.headers['www-authenticate'], 'Bearer realm="voicefw"')
      assert.deepEqual(
        [nobody.body['code'], nobody.body['retryable'], nobody.body['status']],
        ['unauthenticated', false, 401],
      )
      const header = { authorization: `Bearer ${api.keys.create('ingest', 'switch').key}` }
      assert.equal((await askJson(api.routes, request(path, { header }))).status, 403, path)
      const operator = { authorization: `Bearer ${api.keys.create('operator', 'desk').key}` }
      assert.notEqual((await ask(api.routes, request(path, { header: operator }))).status, 403, path)
    }
  })

  it('let a bug pass to the server, which logs it; a bug is not an answer', async () => {
    const api = fakeApi()
    api.past.failure = new TypeError('undefined is not a function')
    await assert.rejects(askJson(api.routes, request('/v1/calls', { header: api.header })), TypeError)
  })

  it('are never cached and never sniffed', async () => {
    const api = fakeApi()
    for (const asked of [request('/v1/calls', { header: api.header }), request('/v1/calls'), request('/readyz')]) {
      const headers = headersOf(await ask(api.routes, asked))
      assert.deepEqual([headers['cache-control'], headers['x-content-type-options']], ['no-store', 'nosniff'])
    }
  })
})
