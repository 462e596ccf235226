/** The server over real sockets: what a peer gets, also a hostile one. */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { systemClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import type { Route, SocketRoute, StreamWriter } from '../../src/http/exchange.ts'
import { createHttpServer, type HttpLimits, type HttpServer } from '../../src/http/server.ts'

let running: HttpServer[] = []
afterEach(() => {
  for (const server of running) server.close()
  running = []
})

interface Started {
  readonly server: HttpServer
  readonly counters: Counters
  readonly port: number
  readonly url: string
}

async function start(
  routes: Route[],
  sockets: SocketRoute<string>[] = [],
  limits: Partial<HttpLimits> = {},
): Promise<Started> {
  const counters = zeroCounters()
  const allLimits = { bodyBytesMax: 4096, bodyTimeoutMs: 5000, ...limits }
  const server = createHttpServer({ log: silentLog, counters, clock: systemClock, limits: allLimits, tls: null })
  running.push(server)
  for (const route of routes) server.route(route)
  for (const socket of sockets) server.socket(socket)
  const port = await server.listen('127.0.0.1', 0)
  return { server, counters, port, url: `http://127.0.0.1:${port}` }
}

/** Writes each part as a packet of its own; resolves with all that came until the peer closed, or `waitMs` went by. */
async function raw(port: number, parts: string[], waitMs = 3000): Promise<{ text: string; closed: boolean }> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  let closed = false
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  const over = once(socket, 'close').then(() => {
    closed = true
  })
  for (const part of parts) {
    socket.write(part)
    await sleep(20)
  }
  await Promise.race([over, sleep(waitMs)])
  socket.destroy()
  return { text, closed }
}

const echo: Route = { method: 'POST', pattern: '/echo', answer: (request) => ({ status: 200, body: request.body }) }
const post = (headers: string, body: string): string => `POST /echo HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`

test('a route sees method, decoded parameters, query, headers, address and the whole body', async () => {
  const { url, counters } = await start([
    {
      method: 'POST',
      pattern: '/v1/calls/:callSid/:what',
      answer: async ({ method, path, query, params, headers, remoteAddress, body }) => ({
        status: 201,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ method, path, query, params, x: headers.get('x-a'), remoteAddress, body: `${body}` }),
      }),
    },
  ])
  const body = 'é'.repeat(1000)
  const answer = await fetch(`${url}/v1/calls/CA%201/a%2Fb?x=%201&y`, { method: 'POST', body, headers: { 'X-A': 'b' } })
  assert.equal(answer.status, 201)
  assert.deepEqual(await answer.json(), {
    method: 'POST',
    path: '/v1/calls/CA%201/a%2Fb',
    query: 'x=%201&y',
    params: { callSid: 'CA 1', what: 'a/b' },
    x: 'b',
    remoteAddress: '127.0.0.1',
    body,
  })
  assert.equal(counters.httpRequests, 1)
})

test('every answer says nosniff, no-store and that it must not be framed', async () => {
  const { url } = await start([{ method: 'GET', pattern: '/', answer: () => ({ status: 200, body: 'x' }) }])
  for (const path of ['/', '/nowhere']) {
    const { headers } = await fetch(url + path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
  }
})

test('an error is a problem document; a retryable one says when', async () => {
  const { url } = await start([
    {
      method: 'GET',
      pattern: '/full',
      answer: () => {
        throw new OperatingError('capacity_full', 'no room')
      },
    },
  ])
  const missing = await fetch(`${url}/nowhere`)
  assert.equal(missing.status, 404)
  assert.equal(missing.headers.get('content-type'), 'application/problem+json')
  assert.deepEqual(await missing.json(), {
    type: 'urn:voicefw:problem:not_found',
    title: 'Not found',
    status: 404,
    detail: 'no such path',
    code: 'not_found',
    retryable: false,
  })
  const full = await fetch(`${url}/full`)
  assert.equal(full.status, 503)
  assert.equal(full.headers.get('retry-after'), '2')
  const wrong = await fetch(`${url}/full`, { method: 'DELETE' })
  assert.equal(wrong.status, 405)
  assert.equal(wrong.headers.get('allow'), 'GET')
})

test('HEAD is GET without a body, and 204 has none', async () => {
  const { url } = await start([
    { method: 'GET', pattern: '/', answer: () => ({ status: 200, body: 'x' }) },
    { method: 'POST', pattern: '/none', answer: () => ({ status: 204 }) },
  ])
  const head = await fetch(`${url}/`, { method: 'HEAD' })
  assert.equal(head.status, 200)
  const none = await fetch(`${url}/none`, { method: 'POST', body: 'x' })
  assert.equal(none.status, 204)
  assert.equal((await fetch(`${url}/`)).status, 200)
})

test('a route that throws, at once or later, answers 500 and the server lives', async () => {
  const boom = (): never => {
    throw new Error('boom')
  }
  const { url, counters } = await start([
    { method: 'GET', pattern: '/now', answer: boom },
    { method: 'GET', pattern: '/later', answer: async () => sleep(5).then(boom) },
    { method: 'GET', pattern: '/header', answer: () => ({ status: 200, headers: { X: 'a\r\nSet-Cookie: b' } }) },
    { method: 'GET', pattern: '/stream', answer: () => ({ status: 200, headers: {}, open: boom }) },
    { method: 'GET', pattern: '/fine', answer: () => ({ status: 200, body: 'fine' }) },
  ])
  for (const path of ['/now', '/later']) {
    const answer = await fetch(url + path)
    assert.equal(answer.status, 500)
    const problem = (await answer.json()) as { code: string; detail: string }
    assert.equal(problem.code, 'internal')
    assert.doesNotMatch(problem.detail, /boom/)
  }
  await fetch(`${url}/header`, { signal: AbortSignal.timeout(300) }).then(
    (answer) => assert.equal(answer.headers.get('set-cookie'), null),
    () => {},
  )
  await fetch(`${url}/stream`, { signal: AbortSignal.timeout(300) }).catch(() => {})
  assert.equal(await (await fetch(`${url}/fine`)).text(), 'fine')
  assert.equal(counters.httpBugs, 4)
})

test('two Content-Length headers are refused and the connection closes', async () => {
  const { port, counters } = await start([echo])
  for (const [first, second] of [
    ['3', '5'],
    ['5', '3'],
    ['3', '3'],
  ]) {
    const { text, closed } = await raw(port, [
      post(`Content-Length: ${first}\r\nContent-Length: ${second}\r\n`, 'abcde'),
    ])
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.match(text, /"code":"framing_ambiguous"/)
    assert.ok(closed)
  }
  assert.equal(counters.httpFramingRefused, 3)
})

test('a request smuggled behind an ambiguous one reaches no route', async () => {
  let seen = 0
  const secret: Route = {
    method: 'GET',
    pattern: '/secret',
    answer: () => {
      seen += 1
      return { status: 200, body: 'secret' }
    },
  }
  const { port } = await start([echo, secret])
  const smuggled = 'GET /secret HTTP/1.1\r\nHost: a\r\n\r\n'
  const twoLengths = `Content-Length: 3\r\nContent-Length: ${3 + smuggled.length}\r\n`
  const chunked = 'Transfer-Encoding: chunked\r\n'
  for (const parts of [
    [post(twoLengths, `abc${smuggled}`)],
    [post(twoLengths, 'abc'), smuggled],
    [post(chunked, `0\r\n\r\n${smuggled}`)],
    [post(chunked, '0\r\n\r\n'), smuggled],
  ]) {
    const { text, closed } = await raw(port, parts)
    assert.doesNotMatch(text, /secret/)
    assert.ok(closed)
  }
  assert.equal(seen, 0)
})

test('any Transfer-Encoding on a request is refused', async () => {
  const { port } = await start([echo])
  for (const coding of ['chunked', 'gzip, chunked', 'identity', 'xchunked']) {
    const { text, closed } = await raw(port, [post(`Transfer-Encoding: ${coding}\r\n`, '3\r\nabc\r\n0\r\n\r\n')])
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.ok(closed)
  }
  const both = await raw(port, [post('Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', '0\r\n\r\n')])
  assert.match(both.text, /^HTTP\/1\.1 400 /)
  assert.ok(both.closed)
})

test('a body over the limit is answered 413, announced or not', async () => {
  const small: Route = { ...echo, pattern: '/small', bodyBytesMax: 10 }
  const { url, counters } = await start([echo, small])
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(4096) })).status, 200)
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(4097) })).status, 413)
  assert.equal((await fetch(`${url}/small`, { method: 'POST', body: 'x'.repeat(11) })).status, 413)
  assert.equal(counters.httpBodyRefused, 2)
})

test('a body that comes too slowly is answered 408', async () => {
  const { port, counters } = await start([echo], [], { bodyTimeoutMs: 150 })
  const { text, closed } = await raw(port, [post('Content-Length: 10\r\n', 'abc'), 'd'])
  assert.match(text, /^HTTP\/1\.1 408 /)
  assert.match(text, /Retry-After: 2/)
  assert.ok(closed)
  assert.equal(counters.httpBodyRefused, 1)
})

test('all bodies together are bounded, and the bound is given back', async () => {
  const { port, url } = await start([echo], [], { bodiesBytesMax: 5000 })
  const slow = connect(port, '127.0.0.1')
  slow.write(post('Content-Length: 4000\r\n', 'x'.repeat(3999)))
  await sleep(50)
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(2000) })).status, 503)
  slow.destroy()
  await sleep(50)
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(2000) })).status, 200)
})

test('a peer that goes away while its answer is made harms nobody', async () => {
  const { port, url, counters } = await start([
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

test('a taken port is an error', async () => {
  const { port } = await start([])
  const second = createHttpServer({
    log: silentLog,
    counters: zeroCounters(),
    clock: systemClock,
    limits: { bodyBytesMax: 1, bodyTimeoutMs: 1 },
    tls: null,
  })
  await assert.rejects(second.listen('127.0.0.1', port), /cannot listen on 127\.0\.0\.1:/)
})

test('a stream is written until its reader leaves, and its owner is told', async () => {
  let left = 0
  let writer: StreamWriter | null = null
  const { url } = await start([
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

test("a stream's reader that does not read is found out", async () => {
  let writer: StreamWriter | null = null
  const { port } = await start(
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

const echoSocket: SocketRoute<string> = {
  pattern: '/ws/:name',
  messageBytesMax: 1000,
  idleTimeoutSeconds: 8,
  upgrade: ({ params, headers }) =>
    headers.get('x-key') === 'good'
      ? { accept: `state of ${params['name']}` }
      : { refuse: 'signature_invalid', detail: 'no key' },
  open: (socket, state) => void socket.send(`hello ${state}`),
  message: (socket, _state, bytes, isBinary) => {
    const text = Buffer.from(bytes).toString()
    if (text === 'throw') throw new Error('boom')
    socket.send(isBinary ? bytes : text)
  },
  close: (socket) => {
    socket.close(1000, 'twice')
    assert.equal(socket.send('x'), 2)
  },
}

async function open(port: number, key = 'good'): Promise<{ client: WebSocket; received: string[] }> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/ws/ann`, { headers: { 'X-Key': key } })
  const received: string[] = []
  client.on('message', (data) => received.push(String(data)))
  await once(client, 'open')
  return { client, received }
}

test('a socket is refused with its problem before it is opened', async () => {
  const { port } = await start([], [echoSocket])
  const client = new WebSocket(`ws://127.0.0.1:${port}/ws/ann`)
  client.on('error', () => {})
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }]
  assert.equal(response.statusCode, 403)
  client.terminate()
})

test('a socket handler that throws is counted, and the socket goes on', async () => {
  const { port, counters, server } = await start([], [echoSocket])
  const { client, received } = await open(port)
  client.send('throw')
  client.send('still here')
  while (received.length < 2) await sleep(5)
  assert.deepEqual(received, ['hello state of ann', 'still here'])
  assert.equal(counters.httpBugs, 1)
  assert.equal(server.openSockets(), 1)
  client.close()
  await once(client, 'close')
  while (server.openSockets() > 0) await sleep(5)
  assert.equal(counters.httpBugs, 1)
})

test('a message over the limit closes its socket', async () => {
  const { port } = await start([], [echoSocket])
  const { client } = await open(port)
  client.send('x'.repeat(1001))
  await once(client, 'close')
})

test('a drain ends streams, refuses newcomers, lets sockets live, and close sends them 1001', async () => {
  let left = 0
  const events: Route = {
    method: 'GET',
    pattern: '/events',
    answer: () => ({
      status: 200,
      headers: {},
      open: () => () => {
        left += 1
      },
    }),
  }
  const { port, server, url } = await start([events, echo], [echoSocket])
  const { client, received } = await open(port)
  const stream = await fetch(`${url}/events`)
  const kept = connect(port, '127.0.0.1')
  kept.write(post('Content-Length: 1\r\n', 'a'))
  await once(kept, 'data')

  server.drain()
  assert.equal(server.isDraining(), true)
  await stream.text()
  assert.equal(left, 1)
  await assert.rejects(fetch(`${url}/echo`, { method: 'POST', body: 'x' }))
  kept.write(post('Content-Length: 1\r\n', 'b'))
  const [last] = (await once(kept, 'data')) as [Buffer]
  assert.match(last.toString(), /Connection: close/)
  await once(kept, 'close')
  client.send('after the drain')
  while (received.length < 2) await sleep(5)

  const closed = once(client, 'close') as Promise<[number]>
  server.close()
  assert.equal((await closed)[0], 1001)
})
