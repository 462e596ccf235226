/** WebSockets of the server: refusals, throwing listeners, limits. */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { afterEach, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { SocketRoute } from '../../src/http/exchange.ts'
import { closeServers, startServer } from '../fakes/http-server.ts'

afterEach(closeServers)

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

it('a socket is refused with its problem before it is opened', async () => {
  const { port } = await startServer([], [echoSocket])
  const client = new WebSocket(`ws://127.0.0.1:${port}/ws/ann`)
  client.on('error', () => {})
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }]
  assert.equal(response.statusCode, 403)
  client.terminate()
})

it('a socket handler that throws is counted, and the socket goes on', async () => {
  const { port, counters, server } = await startServer([], [echoSocket])
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

it('a message over the limit closes its socket', async () => {
  const { port } = await startServer([], [echoSocket])
  const { client } = await open(port)
  client.send('x'.repeat(1001))
  await once(client, 'close')
})
