import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeApi } from '../fakes/api.ts'
import { askJson, request } from '../fakes/people.ts'

function signIn(key: string, type = 'application/json') {
  const body = Buffer.from(JSON.stringify({ key }))
  return request('/v1/session', { method: 'POST', header: { 'content-type': type }, body })
}

describe('sign-in', () => {
  it('exchanges a key for a cookie that opens the API, until signed out', async () => {
    const { routes, key } = fakeApi()
    const opened = await askJson(routes, signIn(key))
    assert.equal(opened.status, 200)
    assert.equal(opened.body['role'], 'viewer')
    const cookie = String(opened.headers['set-cookie']).split(';')[0] ?? ''
    const header = { cookie }
    assert.equal((await askJson(routes, request('/v1/calls', { header }))).status, 200)
    assert.equal((await askJson(routes, request('/v1/session', { header }))).body['via'], 'session')
    const closed = await askJson(routes, request('/v1/session', { method: 'DELETE', header }))
    assert.match(String(closed.headers['set-cookie']), /Max-Age=0/)
    assert.equal((await askJson(routes, request('/v1/calls', { header }))).status, 401)
  })

  it('can be asked about without an error by who is not signed in', async () => {
    const { routes } = fakeApi()
    assert.deepEqual((await askJson(routes, request('/v1/session'))).body, { actor: null, role: null, via: null })
    const stale = { cookie: 'voicefw_session=gone' }
    assert.equal((await askJson(routes, request('/v1/session', { header: stale }))).body['actor'], null)
    const wrong = { authorization: 'Bearer vf_wrong' }
    assert.equal((await askJson(routes, request('/v1/session', { header: wrong }))).status, 401)
  })

  it('refuses wrong keys, keys of role ingest, other bodies and other media types', async () => {
    const api = fakeApi()
    const ingest = api.keys.create('ingest', 'switch').key
    const form = signIn(api.key, 'application/x-www-form-urlencoded')
    const bad = { ...signIn('x'), body: Buffer.from('{"key":1}') }
    const broken = { ...signIn('x'), body: Buffer.from('{') }
    const statuses = []
    for (const asked of [signIn('vf_no'), signIn(ingest), form, bad, broken]) {
      statuses.push((await askJson(api.routes, asked)).status)
    }
    assert.deepEqual(statuses, [401, 403, 415, 400, 400])
  })

  it('and every refusal leaves an audit row without the key', async () => {
    const api = fakeApi()
    await askJson(api.routes, signIn(api.key))
    await askJson(api.routes, signIn('vf_wrong'))
    await askJson(
      api.routes,
      request('/v1/calls', { header: { authorization: `Bearer ${api.keys.create('ingest', 's').key}` } }),
    )
    await askJson(api.routes, request('/v1/calls'))
    assert.deepEqual(
      api.rows.map(({ action, result, subject, role, remote }) => [action, result, subject, role, remote]),
      [
        ['session.open', 'ok', 'POST /v1/session', 'viewer', '192.0.2.7'],
        ['access.denied', 'unauthenticated', 'POST /v1/session', '', '192.0.2.7'],
        ['access.denied', 'forbidden', 'GET /v1/calls', 'ingest', '192.0.2.7'],
        ['access.denied', 'unauthenticated', 'GET /v1/calls', '', '192.0.2.7'],
      ],
    )
    assert.ok(!JSON.stringify(api.rows).includes('vf_'))
  })

  it('tells an address that keeps failing once a minute, and how often it did', async () => {
    const api = fakeApi()
    for (let n = 0; n < 40; n++) await askJson(api.routes, signIn('vf_wrong'))
    assert.deepEqual(
      api.rows.map(({ result }) => result),
      ['unauthenticated', 'too_many_requests'],
    )
    api.audit.sweep(true)
    assert.deepEqual(
      api.rows.slice(2).map(({ detail }) => detail.split(' since')[0]),
      ['9 more', '29 more'],
    )
  })
})
