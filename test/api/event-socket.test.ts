/** The events' WebSocket over a real server and a real client. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientOptions, WebSocket } from 'ws'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { fakeApi } from '../fakes/api.ts'
import { until } from '../fakes/until.ts'

const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

const first = Date.UTC(2026, 0, 1) * 1000

async function house(options: Parameters<typeof fakeApi>[0] = {}) {
  const api = fakeApi(options)
  const { counters, routes, sockets } = api
  const limits = { bodyBytesMax: 4096, bodyTimeoutMs: 5000 }
  const server = createHttpServer({ log: silentLog, counters, clock: systemClock, limits, tls: null })
  endings.push(() => server.close())
  for (const socket of sockets) server.socket(socket)
  for (const route of routes) server.route(route)
  const port = await server.listen('127.0.0.1', 0)
  return { ...api, port }
}

interface Listener {
  readonly socket: WebSocket
  readonly messages: { id: number; type: string; data: Record<string, unknown> }[]
  closed: { code: number; reason: string } | undefined
}

type House = Awaited<ReturnType<typeof house>>

async function listen(at: House, query = '', options: ClientOptions = {}): Promise<Listener> {
  const socket = new WebSocket(`ws://127.0.0.1:${at.port}/v1/events?${query}`, { headers: at.header, ...options })
  endings.push(() => socket.terminate())
  const listener: Listener = { socket, messages: [], closed: undefined }
  socket.on('message', (data) => listener.messages.push(JSON.parse(String(data))))
  socket.on('close', (code, reason) => {
    listener.closed = { code, reason: String(reason) }
  })
  await once(socket, 'open')
  return listener
}

/** Status of the refused upgrade. */
async function refused(at: House, query: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${at.port}/v1/events?${query}`, { headers })
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
  socket.on('error', () => {})
  socket.terminate()
  return response.statusCode
}

describe('WS /v1/events', () => {
  it('sends the events that SSE sends, resumed from ?lastEventId= and then live', async () => {
    const at = await house()
    for (let n = 0; n < 3; n++) at.bus.publish('verdict', { callSid: 'CA1', n })
    const { messages } = await listen(at, `lastEventId=${first}`)
    at.bus.publish('case', { change: 'opened' })
    await until(() => messages.length === 3)
    assert.deepEqual(messages, [
      { id: first + 1, type: 'verdict', data: { callSid: 'CA1', n: 1 } },
      { id: first + 2, type: 'verdict', data: { callSid: 'CA1', n: 2 } },
      { id: first + 3, type: 'case', data: { change: 'opened' } },
    ])
    const sse = await fetch(`http://127.0.0.1:${at.port}/v1/events`, { headers: at.header })
    assert.equal(sse.headers.get('content-type'), 'text/event-stream; charset=utf-8', 'the same path without upgrade')
    await sse.body?.cancel()
  })

  it('resumes from a first message, and tells what the bus has forgotten', async () => {
    const at = await house({ keepMax: 2 })
    for (let n = 0; n < 4; n++) at.bus.publish('verdict', { n })
    const { socket, messages } = await listen(at, 'types=verdict')
    socket.send(JSON.stringify({ after: first }))
    await until(() => messages.length === 3)
    assert.equal(messages[0]?.type, 'health')
    assert.equal(messages[0]?.data['code'], 'events_missed')
    assert.deepEqual(
      messages.slice(1).map(({ data }) => data['n']),
      [2, 3],
    )
  })

  it('misses nothing between the opening and a first message that never comes', async () => {
    const at = await house()
    const { messages } = await listen(at)
    await until(() => at.subscribers.size === 1)
    at.bus.publish('verdict', { n: 1 })
    await until(() => messages.length === 1)
    at.bus.publish('verdict', { n: 2 })
    await until(() => messages.length === 2)
    assert.deepEqual(
      messages.map(({ data }) => data['n']),
      [1, 2],
    )
  })

  it('closes who says anything but {"after"} first: 1007, 1003 for bytes, 1008 for a second message', async () => {
    const at = await house()
    const codes: (number | undefined)[] = []
    for (const message of ['{"after":"x"}', 'nonsense', Buffer.from('{}')]) {
      const listener = await listen(at)
      listener.socket.send(message)
      await until(() => listener.closed !== undefined)
      codes.push(listener.closed?.code)
    }
    const talker = await listen(at, `lastEventId=${first}`)
    talker.socket.send('{"after":null}')
    await until(() => talker.closed !== undefined)
    assert.deepEqual([...codes, talker.closed?.code], [1007, 1007, 1003, 1008])
    assert.equal(at.subscribers.size, 0)
  })

  it('needs a viewer, and a page of our own when a browser asks', async () => {
    const at = await house()
    const ingest = at.keys.create('ingest', 'switch').key
    assert.equal(await refused(at, '', {}), 401)
    assert.equal(await refused(at, '', { authorization: `Bearer ${ingest}` }), 403)
    assert.equal(await refused(at, '', { ...at.header, origin: 'https://evil.example' }), 403)
    assert.equal(await refused(at, 'types=weather', at.header), 400)
    const page = await listen(at, '', { origin: 'https://voice.example.com' })
    assert.equal(page.socket.readyState, WebSocket.OPEN)
  })

  it('counts sockets and streams together against one cap', async () => {
    const at = await house({ subscribersMax: 1 })
    const listener = await listen(at)
    assert.equal(await refused(at, '', at.header), 503)
    const sse = await fetch(`http://127.0.0.1:${at.port}/v1/events`, { headers: at.header })
    assert.equal(sse.status, 503)
    assert.equal(at.counters.eventSubscribersRefused, 2)
    listener.socket.close()
    await until(() => at.subscribers.size === 0)
    await listen(at)
  })

  it('closes who does not read once it is 256 KiB behind, counted; the others go on', async () => {
    const at = await house()
    const quick = await listen(at, `lastEventId=${first - 1}`)
    const stalled = connect(at.port, '127.0.0.1')
    endings.push(() => stalled.destroy())
    const key = Buffer.alloc(16).toString('base64')
    const head = `Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}`
    stalled.write(
      `GET /v1/events?lastEventId=${first - 1} HTTP/1.1\r\n${head}\r\nSec-WebSocket-Version: 13\r\n` +
        `Authorization: ${at.header.authorization}\r\n\r\n`,
    )
    await once(stalled, 'readable')
    // Nothing more is read: what the kernel does not take builds up in the server.
    const filler = 'x'.repeat(50_000)
    let sent = 0
    while (at.counters.eventSubscribersSlow === 0 && sent < 1000) {
      at.bus.publish('verdict', { n: sent, filler })
      sent += 1
      await sleep(1)
    }
    assert.equal(at.counters.eventSubscribersSlow, 1)
    await until(() => quick.messages.length === sent)
    assert.equal(quick.closed, undefined)
    await until(() => at.subscribers.size === 1)
  })
})
