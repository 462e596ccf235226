import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeApi } from '../fakes/api.ts'
import { askJson, request } from '../fakes/people.ts'

const json = 'application/json'

function admin() {
  const api = fakeApi()
  const header = { authorization: `Bearer ${api.keys.create('admin', 'ann').key}` }
  const make = (body: object) =>
    askJson(api.routes, {
      ...request('/v1/keys', { method: 'POST', header: { ...header, 'content-type': json } }),
      body: Buffer.from(JSON.stringify(body)),
    })
  const ask = (target: string, method = 'GET') =>
    askJson(api.routes, request(target, { method: method as 'GET', header }))
  return { api, header, make, ask }
}

describe('/v1/keys', () => {
  it('shows a key once, works at once, and is on record without the key', async () => {
    const { api, make, ask } = admin()
    const made = await make({ name: 'grafana', role: 'viewer', scopes: ['sql'], expiresAt: '2027-01-01T00:00:00.000Z' })
    assert.equal(made.status, 201)
    const { id, key } = made.body as { id: string; key: string }
    const header = { authorization: `Bearer ${key}` }
    assert.equal((await askJson(api.routes, request('/v1/status', { header }))).status, 200)
    const list = await ask('/v1/keys')
    assert.ok(!JSON.stringify(list.body).includes(key.slice(-43)))
    const row = api.rows.find(({ action }) => action === 'key.create')
    assert.deepEqual(
      [row?.subject, row?.result, row?.detail],
      [`key:${id}`, 'ok', 'role viewer, scope sql, expires 2027-01-01T00:00:00.000Z'],
    )
    assert.ok(!JSON.stringify(api.rows).includes('vf_'))
  })

  it('finds a key by its name, its id, or the beginning that stands in a configuration', async () => {
    const { make, ask } = admin()
    const { id, key } = (await make({ name: 'grafana', role: 'viewer' })).body as { id: string; key: string }
    for (const search of ['graf', id, `vf_${id.slice(0, 5)}`, key]) {
      const { keys } = (await ask(`/v1/keys?search=${search}`)).body as { keys: { id: string }[] }
      assert.deepEqual(
        keys.map((one) => one.id),
        [id],
        search,
      )
    }
  })

  it('revokes at once, also the sessions that were opened with the key', async () => {
    const { api, make, ask } = admin()
    const { id, key } = (await make({ name: 'gone', role: 'viewer' })).body as { id: string; key: string }
    const signed = await askJson(api.routes, {
      ...request('/v1/session', { method: 'POST', header: { 'content-type': json } }),
      body: Buffer.from(JSON.stringify({ key })),
    })
    const cookie = String(signed.headers['set-cookie']).split(';')[0] ?? ''
    const asked = { cookie: request('/v1/status', { header: { cookie } }) }
    assert.equal((await askJson(api.routes, asked.cookie)).status, 200)
    assert.equal((await ask(`/v1/keys/${id}`, 'DELETE')).status, 200)
    assert.equal((await askJson(api.routes, asked.cookie)).status, 401)
    const header = { authorization: `Bearer ${key}` }
    assert.equal((await askJson(api.routes, request('/v1/status', { header }))).status, 401)
    assert.equal((await ask('/v1/keys/000000000000', 'DELETE')).status, 404)
  })

  it('refuses what is no key: unknown fields, roles and scopes, a time gone by', async () => {
    const { make } = admin()
    const good = { name: 'x', role: 'viewer' }
    const bad = [
      {},
      { ...good, admin: true },
      { ...good, role: 'root' },
      { ...good, scopes: ['everything'] },
      { ...good, expiresAt: '2025-01-01T00:00:00.000Z' },
      { ...good, expiresAt: 'tomorrow' },
      { ...good, name: ' ' },
    ]
    for (const body of bad) assert.equal((await make(body)).status, 400, JSON.stringify(body))
  })

  it('is for admins', async () => {
    const { api } = admin()
    const header = { authorization: `Bearer ${api.keys.create('operator', 'desk').key}` }
    for (const target of ['/v1/keys', '/v1/audit']) {
      assert.equal((await askJson(api.routes, request(target, { header }))).status, 403)
    }
  })
})
