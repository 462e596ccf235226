import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type WebSocket from 'ws'
import { fakeApi } from '../fakes/api.ts'
import { knock } from '../fakes/callers.ts'
import { call } from '../fakes/calls.ts'
import { closeServers, startServer } from '../fakes/http-server.ts'
import { askJson, request } from '../fakes/people.ts'
import { until } from '../fakes/until.ts'

afterEach(closeServers)

async function knockEvents(api: ReturnType<typeof fakeApi>, header: Record<string, string>): Promise<number> {
  const { port } = await startServer([], api.sockets as never)
  return (await knock(`ws://127.0.0.1:${port}/v1/events?numbers=clear`, { header })).status
}

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
    const odd = '/v1/numbers/%2B12025550100abc/CA0123456789abcdef0123456789abcdef'
    const grouped = ['/v1/numbers/+1-202-555-0100', '/v1/numbers/%2B1%20(202)%20555%2D0100']
    for (const path of [odd, ...grouped]) {
      api.audit.note({ method: 'GET', path, remoteAddress: 'a' }, null, { action: 'x', result: 'ok' })
    }
    assert.deepEqual(
      api.rows.map(({ subject }) => subject),
      [
        'GET /v1/numbers/***',
        'GET /v1/numbers/%2B***abc/CA0123456789abcdef0123456789abcdef',
        'GET /v1/numbers/+***',
        'GET /v1/numbers/%2B***',
      ],
    )
  })

  it('shows numbers behind tokens to whom has the scope, and has each such read on record', async () => {
    const token = '1202555~fk3j7x2mbq7tz5ah'
    const api = fakeApi({ reveal: (text) => text.replaceAll(token, '12025550100') })
    api.live.put(call(1, { from: token }))
    const fromOf = async (target: string, header: Record<string, string>): Promise<unknown> => {
      const { status, body } = await askJson(api.routes, request(target, { header }))
      return status === 200 ? (body as { calls: { from: string }[] }).calls[0]?.from : status
    }
    const scoped = bearer(api.keys.create('viewer', 'soc', { scopes: ['numbers:clear'] }).key)
    const admin = bearer(api.keys.create('admin', 'root').key)
    assert.equal(await fromOf('/v1/calls', scoped), token)
    assert.equal(await fromOf('/v1/calls?numbers=clear', api.header), 403)
    assert.equal(await fromOf('/v1/calls?numbers=all', scoped), 400)
    for (let n = 0; n < 3; n++) assert.equal(await fromOf('/v1/calls?numbers=clear', scoped), '12025550100')
    assert.equal(await fromOf('/v1/calls?numbers=clear', admin), '12025550100')
    const reads = api.rows.filter(({ action }) => action === 'numbers.clear')
    assert.deepEqual(
      reads.map(({ role, subject }) => [role, subject]),
      [...Array.from({ length: 3 }, () => ['viewer', 'GET /v1/calls']), ['admin', 'GET /v1/calls']],
    )
    const stranger = await knockEvents(api, api.header)
    assert.deepEqual([stranger, await knockEvents(api, scoped)], [403, 101])
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
