import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AccessRefused } from '../../src/access/authenticate.ts'
import { house, request } from '../fakes/people.ts'

async function refusal(attempt: () => Promise<unknown>): Promise<AccessRefused> {
  try {
    await attempt()
  } catch (thrown) {
    assert.ok(thrown instanceof AccessRefused)
    return thrown
  }
  throw new assert.AssertionError({ message: 'was let in' })
}

describe('authentication', () => {
  it('takes a Bearer key, a Basic password of any user, or a session cookie', async () => {
    const { authenticator, keys, sessions } = house()
    const { id, key } = keys.create('operator', 'desk')
    const cookie = `voicefw_session=${sessions.open({ actor: 'desk', role: 'operator', keyId: id }).id}`
    const basic = Buffer.from(`fs:${key}`).toString('base64')
    const ways = [
      { authorization: `Bearer ${key}` },
      { authorization: `bearer  ${key}` },
      { authorization: `Basic ${basic}` },
      { cookie },
    ]
    const got = await Promise.all(ways.map((header) => authenticator.identify(request('/v1/calls', { header }))))
    assert.deepEqual(
      got.map(({ role, via, keyId }) => [role, via, keyId === id]),
      [
        ['operator', 'bearer', true],
        ['operator', 'bearer', true],
        ['operator', 'basic', true],
        ['operator', 'session', true],
      ],
    )
  })

  it('answers 401 with WWW-Authenticate to nobody, and to unknown, wrong and revoked keys alike', async () => {
    const { authenticator, keys, counters } = house()
    const { id, key } = keys.create('admin', 'gone')
    keys.revoke(id)
    const headers = [
      { authorization: `Bearer ${key}` },
      { authorization: `Bearer vf_${'0'.repeat(12)}_${'A'.repeat(43)}` },
      { authorization: 'Digest username="x"' },
      { authorization: '' },
    ]
    const refused = await Promise.all(
      headers.map((header) => refusal(() => authenticator.identify(request('/', { header })))),
    )
    assert.deepEqual(
      [...new Set(refused.map((error) => `${error.status} ${error.message}`))],
      ['401 the credential is not valid'],
    )
    const nobody = await refusal(() => authenticator.identify(request('/')))
    assert.deepEqual([nobody.status, nobody.wrong], [401, false])
    assert.deepEqual(nobody.headers(), { 'WWW-Authenticate': 'Bearer realm="voicefw"' })
    assert.equal(counters.authDenied, 5)
  })

  it('answers 403 when the role does not reach', async () => {
    const { authenticator, keys } = house()
    const header = { authorization: `Bearer ${keys.create('ingest', 'switch').key}` }
    const identity = await authenticator.identify(request('/v1/calls', { header }))
    const error = await refusal(async () => authenticator.require(identity, 'viewer'))
    assert.deepEqual([error.status, error.code], [403, 'forbidden'])
  })

  it('throttles wrong credentials per address with Retry-After, and never a right one', async () => {
    const { authenticator, keys, counters, clock } = house()
    const { key } = keys.create('viewer', 'neighbour')
    const attempt = (value: string, remoteAddress = '192.0.2.7') =>
      authenticator.identify(request('/', { header: { authorization: `Bearer ${value}` }, remoteAddress }))
    for (let n = 0; n < 10; n++) assert.equal((await refusal(() => attempt('vf_wrong'))).status, 401)
    const error = await refusal(() => attempt('vf_wrong'))
    assert.deepEqual([error.status, error.headers(), counters.authThrottled], [429, { 'Retry-After': '6' }, 1])
    assert.equal((await attempt(key)).role, 'viewer')
    assert.equal((await refusal(() => attempt('vf_wrong', '192.0.2.8'))).status, 401)
    clock.advance(6000)
    assert.equal((await refusal(() => attempt('vf_wrong'))).status, 401)
  })

  it('does not count a request without any credential as an attempt', async () => {
    const { authenticator } = house()
    for (let n = 0; n < 50; n++) assert.equal((await refusal(() => authenticator.identify(request('/')))).status, 401)
  })

  it('lets the cookie change things from our own page only', async () => {
    const { authenticator, keys, sessions } = house()
    const { id: keyId } = keys.create('admin', 'eve')
    const cookie = `voicefw_session=${sessions.open({ actor: 'eve', role: 'admin', keyId }).id}`
    const post = (site: string) =>
      authenticator.identify(request('/v1/x', { method: 'POST', header: { cookie, 'sec-fetch-site': site } }))
    assert.equal((await post('same-origin')).role, 'admin')
    assert.equal((await refusal(() => post('cross-site'))).status, 403)
    assert.equal((await refusal(() => post('same-site'))).status, 403)
  })
})
