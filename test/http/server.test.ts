/** The server over real sockets: routes, errors, ports and the drain. */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { systemClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { Route, SocketRoute } from '../../src/http/exchange.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { closeServers, startServer } from '../fakes/http-server.ts'
import { until } from '../fakes/until.ts'

afterEach(closeServers)

const echo: Route = { method: 'POST', pattern: '/echo', answer: (request) => ({ status: 200, body: request.body }) }
const post = (headers: string, body: string): string => `POST /echo HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`

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

it('a route sees method, decoded parameters, query, headers, address and the whole body', async () => {
  const { url, counters } = await startServer([
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

it('an error is a problem document; a retryable one says when', async () => {
  const { url } = await startServer([
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

it('a route that throws, at once or later, answers 500 and the server lives', async () => {
  const boom = (): never => {
    throw new Error('boom')
  }
  const { url, counters } = await startServer([
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

it('a taken port is an error', async () => {
  const { port } = await startServer([])
  const second = createHttpServer({
    log: silentLog,
    counters: zeroCounters(),
    clock: systemClock,
    limits: { bodyBytesMax: 1, bodyTimeoutMs: 1 },
    tls: null,
  })
  await assert.rejects(second.listen('127.0.0.1', port), /cannot listen on 127\.0\.0\.1:/)
})

it('a drain ends streams, refuses newcomers, lets sockets live, and close sends them 1001', async () => {
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
  const { port, server, url } = await startServer([events, echo], [echoSocket])
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

it('a certificate that cannot be read is a problem of the configuration', () => {
  const tls = { certFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' }
  const limits = { bodyBytesMax: 1, bodyTimeoutMs: 1 }
  assert.throws(
    () => createHttpServer({ log: silentLog, counters: zeroCounters(), clock: systemClock, limits, tls }),
    /server\.tls: .*\/nowhere\/cert\.pem/,
  )
})

it('connections over the limit are closed at once, sockets count, and each that goes makes room', async () => {
  const { port, server, counters } = await startServer([echo], [echoSocket], { connectionsMax: 3 })
  const { client } = await open(port)
  const others = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  await Promise.all(others.map((socket) => once(socket, 'connect')))
  await until(() => server.connections() === 3)
  const refused = connect(port, '127.0.0.1')
  refused.on('error', () => {})
  await once(refused, 'close')
  assert.equal(counters.connectionsRefused, 1)
  client.close()
  await once(client, 'close')
  for (const socket of others) socket.destroy()
  await until(() => server.connections() === 0)
  const again = await open(port)
  assert.deepEqual(again.received.length > 0 || (await once(again.client, 'message')).length > 0, true)
  again.client.terminate()
})

it('a socket whose upgrade is decided later opens, is refused, or is gone by then', async () => {
  const later: SocketRoute<string> = {
    ...echoSocket,
    upgrade: async (asked) => {
      await sleep(20)
      return echoSocket.upgrade(asked)
    },
  }
  const { port, server, counters } = await startServer([], [later])
  const { client, received } = await open(port)
  await until(() => received.length > 0)
  assert.deepEqual(received, ['hello state of ann'])
  client.terminate()
  await assert.rejects(open(port, 'bad'), /403/)
  const gone = connect(port, '127.0.0.1', () => {
    const head = ['GET /ws/ann HTTP/1.1', 'Host: a', 'X-Key: good', 'Upgrade: websocket', 'Connection: Upgrade']
    gone.write(
      `${[...head, 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${'A'.repeat(22)}==`].join('\r\n')}\r\n\r\n`,
    )
    setTimeout(() => gone.destroy(), 5)
  })
  await sleep(80)
  assert.deepEqual([server.openSockets(), counters.httpBugs], [0, 0])
})

it('a route is told of a body that was refused before it', async () => {
  const told: string[] = []
  const small: Route = {
    ...echo,
    bodyBytesMax: 10,
    refused: ({ method, path }, code) => void told.push(`${method} ${path} ${code}`),
  }
  const { url } = await startServer([small])
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(11) })).status, 413)
  assert.deepEqual(told, ['POST /echo body_too_large'])
})
