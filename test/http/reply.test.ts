/** What leaves the server: headers, bodiless answers, streams and readers that do not read. */
import { strict as assert } from 'node:assert'
import { connect } from 'node:net'
import { afterEach, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Route, StreamWriter } from '../../src/http/exchange.ts'
import { closeServers, startServer } from '../fakes/http-server.ts'

afterEach(closeServers)

const echo: Route = { method: 'POST', pattern: '/echo', answer: (request) => ({ status: 200, body: request.body }) }

it('every answer says nosniff, no-store and that it must not be framed', async () => {
  const { url } = await startServer([{ method: 'GET', pattern: '/', answer: () => ({ status: 200, body: 'x' }) }])
  for (const path of ['/', '/nowhere']) {
    const { headers } = await fetch(url + path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
  }
})

it('HEAD is GET without a body, and 204 has none', async () => {
  const { url } = await startServer([
    { method: 'GET', pattern: '/', answer: () => ({ status: 200, body: 'x' }) },
    { method: 'POST', pattern: '/none', answer: () => ({ status: 204 }) },
  ])
  const head = await fetch(`${url}/`, { method: 'HEAD' })
  assert.equal(head.status, 200)
  const none = await fetch(`${url}/none`, { method: 'POST', body: 'x' })
  assert.equal(none.status, 204)
  assert.equal((await fetch(`${url}/`)).status, 200)
})

it('a peer that goes away while its answer is made harms nobody', async () => {
  const { port, url, counters } = await startServer([
    { method: 'GET', pattern: '/slow', answer: async () => sleep(60).then(() => ({ status: 200, body: 'late' })) },
    echo,
  ])
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  await sleep(20)
  socket.destroy()
  await sleep(100)
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x' })).status, 200)
  assert.equal(counters.httpBugs, 0)
})

it('a stream is written until its reader leaves, and its owner is told', async () => {
  let left = 0
  let writer: StreamWriter | null = null
  const { url } = await startServer([
    {
      method: 'GET',
      pattern: '/events',
      answer: () => ({
        status: 200,
        headers: { 'Content-Type': 'text/event-stream' },
        open: (opened) => {
          writer = opened
          opened.write('data: 1\n\n')
          return () => {
            left += 1
          }
        },
      }),
    },
  ])
  const abort = new AbortController()
  const answer = await fetch(`${url}/events`, { signal: abort.signal })
  const reader = answer.body?.getReader()
  let text = ''
  while (!text.includes('data: 1')) text += Buffer.from((await reader?.read())?.value ?? []).toString()
  abort.abort()
  for (let tries = 0; left === 0 && tries < 100; tries += 1) await sleep(10)
  assert.equal(left, 1)
  assert.equal((writer as StreamWriter | null)?.write('data: 2\n\n'), false)
})

it("a stream's reader that does not read is found out", async () => {
  let writer: StreamWriter | null = null
  const { port } = await startServer(
    [
      {
        method: 'GET',
        pattern: '/events',
        answer: () => ({
          status: 200,
          headers: {},
          open: (opened) => {
            writer = opened
            return () => {}
          },
        }),
      },
    ],
    [],
    { streamBytesMax: 100_000 },
  )
  const socket = connect(port, '127.0.0.1')
  socket.pause()
  socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
  await sleep(50)
  const opened = writer as StreamWriter | null
  let writes = 0
  while (opened?.write('x'.repeat(65_536)) && writes < 1000) writes += 1
  assert.ok(writes > 1 && writes < 1000, `${writes} writes of 64 KiB were taken`)
  opened?.end()
  socket.destroy()
})
