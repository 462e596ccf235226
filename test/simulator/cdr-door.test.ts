import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import { OperatingError } from '../../src/core/errors.ts'
import { cdrDoor } from '../../src/simulator/cdr-door.ts'
import { type CdrEncoding, triesMax } from '../../src/simulator/cdr-receipt.ts'
import type { CreditWindow } from '../../src/simulator/cdr-socket-door.ts'
import { cdrServer } from '../fakes/cdr-server.ts'

const line = (id: string) => `{"id":"${id}","startUs":1767600000000000,"to":"444155501234"}`

interface Choices {
  readonly encoding?: CdrEncoding
  readonly window?: CreditWindow
}

async function opened(context: TestContext, scheme: 'http' | 'ws', choices: Choices = {}) {
  const server = await cdrServer()
  const door = cdrDoor({ url: `${scheme}://127.0.0.1:${server.port}`, key: 'vf_ingest', retryMs: 10, ...choices })
  context.after(() => {
    door.close()
    server.close()
  })
  return { server, door }
}

for (const scheme of ['http', 'ws'] as const) {
  test(`${scheme}: a batch is answered with what became of its records`, async (context) => {
    const { server, door } = await opened(context, scheme)
    const receipt = await door.send([line('a'), line('b'), line('a'), '{"id":"c"}', '{"id":"d","sta'])
    assert.deepEqual(receipt, { accepted: 2, duplicates: 1, rejected: 2 })
    assert.deepEqual([...server.ids], ['a', 'b'])
  })

  test(`${scheme}: the path, the source and the key are those of the contract`, async (context) => {
    const { server, door } = await opened(context, scheme)
    await door.send([line('a')])
    assert.deepEqual(server.requests, [{ path: '/v1/cdr?source=canonical', authorization: 'Bearer vf_ingest' }])
  })

  test(`${scheme}: what was not answered before the connection broke is sent again`, async (context) => {
    const { server, door } = await opened(context, scheme)
    server.breaks = 1
    assert.deepEqual(await door.send([line('a'), line('b')]), { accepted: 0, duplicates: 2, rejected: 0 })
    assert.equal(door.resent, 1)
  })
}

test('a server that is full for the moment is asked again with the same batch', async (context) => {
  const { server, door } = await opened(context, 'http')
  server.refusals.push(429, 503)
  assert.deepEqual(await door.send([line('a')]), { accepted: 1, duplicates: 0, rejected: 0 })
  assert.equal(door.resent, 2)
})

test('a refusal that will not pass ends the run', async (context) => {
  const { server, door } = await opened(context, 'http')
  server.refusals.push(401)
  await assert.rejects(door.send([line('a')]), (thrown: unknown) => {
    return thrown instanceof OperatingError && thrown.message.includes('answered 401')
  })
})

for (const scheme of ['http', 'ws'] as const) {
  test(`${scheme}: a server that is not there is given up after ${triesMax} tries`, async () => {
    const server = await cdrServer()
    const { port } = server
    server.close()
    const door = cdrDoor({ url: `${scheme}://127.0.0.1:${port}`, retryMs: 1 })
    await assert.rejects(door.send([line('a')]), new RegExp(`ECONNREFUSED.*, ${triesMax} times`))
    door.close()
  })
}

test('a socket that is refused for good is not asked again', async () => {
  const http = createServer().on('upgrade', (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'))
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done))
  const address = http.address()
  assert.ok(typeof address === 'object' && address !== null)
  const door = cdrDoor({ url: `ws://127.0.0.1:${address.port}`, retryMs: 1 })
  await assert.rejects(door.send([line('a')]), /401.*, 1 times/)
  http.close()
})

test('batches on a socket are answered each by its own number', async (context) => {
  const { door } = await opened(context, 'ws')
  const receipts = await Promise.all([door.send([line('a')]), door.send([line('b'), line('c')]), door.send(['[]'])])
  assert.deepEqual(
    receipts.map(({ accepted, rejected }) => [accepted, rejected]),
    [
      [1, 0],
      [2, 0],
      [0, 1],
    ],
  )
})

for (const encoding of ['msgpack', 'json'] as const) {
  test(`messages over a socket are ${encoding} when that is asked for, and so are the answers`, async (context) => {
    const { server, door } = await opened(context, 'ws', { encoding })
    const receipt = await door.send([line('a'), '{"id":"d","sta', '{"id":"e"}'])
    assert.deepEqual(receipt, { accepted: 1, duplicates: 0, rejected: 2 })
    assert.equal(await door.ask({ from: '12025550123', to: '444155501234', route: 'access-1' }), 'allow')
    assert.deepEqual(server.binary, encoding === 'msgpack' ? [true, true] : [false, false])
  })
}

test('a socket speaks msgpack unless told otherwise', async (context) => {
  const { server, door } = await opened(context, 'ws')
  await door.send([line('a')])
  assert.deepEqual(server.binary, [true])
})

test('no more messages are unanswered than the server gives credit for', async (context) => {
  const { server, door } = await opened(context, 'ws', { window: { messagesMax: 3, bytesMax: 1_000_000 } })
  server.answerMs = 20
  await Promise.all(Array.from({ length: 12 }, (_, index) => door.send([line(`m${index}`)])))
  assert.equal(server.unanswered.messages, 3)
  assert.equal(server.ids.size, 12)
})

test('no more bytes are unanswered than the server gives credit for', async (context) => {
  // {"seq":1,"events":[{"id":"m0","startUs":1767600000000000,"to":"444155501234"}]}: 79 bytes of JSON, 10 of them once.
  const { server, door } = await opened(context, 'ws', {
    encoding: 'json',
    window: { messagesMax: 256, bytesMax: 200 },
  })
  server.answerMs = 20
  await Promise.all(Array.from({ length: 9 }, (_, index) => door.send([line(`m${index}`)])))
  assert.ok(server.unanswered.bytes > 100 && server.unanswered.bytes <= 200, `${server.unanswered.bytes} bytes`)
  assert.equal(server.ids.size, 9)
})

test('a message larger than the credit goes out when nothing else is unanswered', async (context) => {
  const { server, door } = await opened(context, 'ws', { window: { messagesMax: 4, bytesMax: 60 } })
  server.answerMs = 5
  await Promise.all([door.send([line('a'), line('b')]), door.send([line('c'), line('d')])])
  assert.equal(server.unanswered.messages, 1)
  assert.equal(server.ids.size, 4)
})

test('what waited for credit when the connection broke is sent once, what was unanswered twice', async (context) => {
  const { server, door } = await opened(context, 'ws', { window: { messagesMax: 2, bytesMax: 1_000_000 } })
  server.breaks = 1
  const receipts = await Promise.all(['a', 'b', 'c', 'd'].map((id) => door.send([line(id)])))
  const sum = (name: 'accepted' | 'duplicates') => receipts.reduce((total, receipt) => total + receipt[name], 0)
  assert.equal(sum('accepted') + sum('duplicates'), 4)
  assert.ok(sum('duplicates') >= 1)
  assert.equal(door.resent, 2)
  assert.equal(door.reconnects, 1)
  assert.equal(server.ids.size, 4)
})
