/** Bodies are bounded in size, time and sum. */
import { strict as assert } from 'node:assert'
import { connect } from 'node:net'
import { afterEach, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Route } from '../../src/http/exchange.ts'
import { closeServers, raw, startServer } from '../fakes/http-server.ts'

afterEach(closeServers)

const echo: Route = { method: 'POST', pattern: '/echo', answer: (request) => ({ status: 200, body: request.body }) }
const post = (headers: string, body: string): string => `POST /echo HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`

it('a body over the limit is answered 413, announced or not', async () => {
  const small: Route = { ...echo, pattern: '/small', bodyBytesMax: 10 }
  const { url, counters } = await startServer([echo, small])
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(4096) })).status, 200)
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(4097) })).status, 413)
  assert.equal((await fetch(`${url}/small`, { method: 'POST', body: 'x'.repeat(11) })).status, 413)
  assert.equal(counters.httpBodyRefused, 2)
})

it('a body that comes too slowly is answered 408', async () => {
  const { port, counters } = await startServer([echo], [], { bodyTimeoutMs: 150 })
  const { text, closed } = await raw(port, [post('Content-Length: 10\r\n', 'abc'), 'd'])
  assert.match(text, /^HTTP\/1\.1 408 /)
  assert.match(text, /Retry-After: 2/)
  assert.ok(closed)
  assert.equal(counters.httpBodyRefused, 1)
})

it('all bodies together are bounded, and the bound is given back', async () => {
  const { port, url } = await startServer([echo], [], { bodiesBytesMax: 5000 })
  const slow = connect(port, '127.0.0.1')
  slow.write(post('Content-Length: 4000\r\n', 'x'.repeat(3999)))
  await sleep(50)
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(2000) })).status, 503)
  slow.destroy()
  await sleep(50)
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(2000) })).status, 200)
})
