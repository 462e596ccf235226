import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type WebSocket from 'ws'
import { fakeApi } from '../fakes/api.ts'
import { knock } from '../fakes/callers.ts'
import { closeServers, startServer } from '../fakes/http-server.ts'
import { askJson, request } from '../fakes/people.ts'
import { until } from '../fakes/until.ts'

afterEach(closeServers)

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

describe('the gate', () => {
  it('checks the declared shape after who asks, so that a stranger learns nothing of it', async () => {
    const api = fakeApi()
    const target = '/v1/calls?surprise=1'
    assert.equal((await askJson(api.routes, request(target))).status, 401)
    assert.equal((await askJson(api.routes, request(target, { header: api.header }))).status, 400)
  })

  it('has a read of numbers on record once a minute for each reader', async () => {
    const api = fakeApi()
    for (let n = 0; n < 5; n++) await askJson(api.routes, request('/v1/calls', { header: api.header }))
    const other = bearer(api.keys.create('operator', 'desk').key)
    await askJson(api.routes, request('/v1/calls', { header: other }))
    const reads = api.rows.filter(({ action }) => action === 'numbers.read')
    assert.deepEqual(
      reads.map(({ subject, role }) => [subject, role]),
      [
        ['GET /v1/calls', 'viewer'],
        ['GET /v1/calls', 'operator'],
      ],
    )
    api.clock.advance(60_000)
    api.audit.sweep()
    assert.match(api.rows.at(-1)?.detail ?? '', /^4 more since 2026-01-01T00:00:00.000Z/)
  })

  it('puts no phone number into the audit, also when it is the path', async () => {
    const api = fakeApi()
    api.audit.note({ method: 'GET', path: '/v1/numbers/%2B12025550100', remoteAddress: 'a' }, null, {
      ...{ action: 'x', result: 'ok' },
    })
    assert.equal(api.rows[0]?.subject, 'GET /v1/numbers/***')
  })

  it('lets a key have so many sockets, and an address; one that closes makes room', async () => {
    const api = fakeApi()
    const { port } = await startServer([], api.sockets as never)
    const url = `ws://127.0.0.1:${port}/v1/cdr`
    const open: WebSocket[] = []
    const keep = (socket: WebSocket): void => void open.push(socket)
    const header = bearer(api.keys.create('ingest', 'switch').key)
    for (let n = 0; n < 3; n++) assert.equal((await knock(url, { header, keep })).status, 101)
    const refused = await knock(url, { header })
    assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '10'])
    const other = bearer(api.keys.create('ingest', 'another').key)
    for (let n = 0; n < 2; n++) assert.equal((await knock(url, { header: other, keep })).status, 101)
    assert.equal((await knock(url, { header: other })).status, 429)
    assert.equal((await knock(url, { header: other, from: '127.0.0.9', keep })).status, 101)
    const closing = open[0] as WebSocket
    const closed = new Promise((done) => closing.once('close', done))
    closing.close()
    await closed
    await until(() => api.counters.socketsRefusedLimit === 2)
    assert.equal((await knock(url, { header, keep })).status, 101)
    for (const socket of open) socket.terminate()
  })

  it('counts streams of events like sockets, refuses many who come at once, and has refusals on record', async () => {
    const api = fakeApi()
    const { port } = await startServer([...api.routes], api.sockets as never)
    const url = `http://127.0.0.1:${port}/v1/events`
    const open: WebSocket[] = []
    const keep = (socket: WebSocket): void => void open.push(socket)
    const stream = await fetch(url, { headers: api.header })
    assert.equal(stream.status, 200)
    const asked = await Promise.all(Array.from({ length: 6 }, () => knock(url, { header: api.header, keep })))
    assert.deepEqual(asked.map(({ status }) => status).sort(), [101, 101, 429, 429, 429, 429])
    assert.equal((await fetch(url, { headers: api.header })).status, 429)
    const refused = api.rows.filter(({ result }) => result === 'too_many_requests')
    assert.deepEqual(
      refused.map(({ subject, role }) => [subject, role]),
      [
        ['WS /v1/events', 'viewer'],
        ['GET /v1/events', 'viewer'],
      ],
    )
    await stream.body?.cancel()
    await until(() => api.subscribers.size === 2)
    const again = await fetch(url, { headers: api.header })
    assert.equal(again.status, 200)
    await again.body?.cancel()
    for (const socket of open) socket.terminate()
  })

  it('ends what a revoked key has open', async () => {
    const api = fakeApi()
    const { port } = await startServer([...api.routes], api.sockets as never)
    const url = `http://127.0.0.1:${port}/v1/events`
    const { id, key } = api.keys.create('viewer', 'leaver')
    const codes: number[] = []
    const keep = (socket: WebSocket): void => void socket.on('close', (code) => codes.push(code))
    assert.equal((await knock(url, { header: bearer(key), keep })).status, 101)
    const stream = await fetch(url, { headers: bearer(key) })
    const staying = await fetch(url, { headers: api.header })
    api.keys.revoke(id)
    await stream.text()
    await until(() => codes.length === 1)
    assert.deepEqual(codes, [1008])
    assert.equal(api.counters.socketsClosedRevoked, 2)
    assert.equal(api.subscribers.size, 1)
    await staying.body?.cancel()
  })

  it('gives a socket to the role it is for, and to no page of another site', async () => {
    const api = fakeApi()
    const { port } = await startServer([], api.sockets as never)
    const url = `ws://127.0.0.1:${port}/v1/cdr`
    const header = bearer(api.keys.create('ingest', 'switch').key)
    assert.equal((await knock(url)).status, 401)
    assert.equal((await knock(url, { header: api.header })).status, 403)
    assert.equal((await knock(url, { header: { ...header, origin: 'https://evil.example.com' } })).status, 403)
    assert.equal((await knock(url, { header: { ...header, origin: `http://127.0.0.1:${port}` } })).status, 101)
    assert.deepEqual(
      api.rows.map(({ action, result, subject }) => [action, result, subject]),
      [
        ['access.denied', 'unauthenticated', 'WS /v1/cdr'],
        ['access.denied', 'forbidden', 'WS /v1/cdr'],
        ['access.denied', 'forbidden', 'WS /v1/cdr'],
      ],
    )
  })
})
