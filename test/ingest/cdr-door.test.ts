/** Call records over real sockets into a real log: what is answered, what is taken, what is never half taken. */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { encode } from '@msgpack/msgpack'
import WebSocket from 'ws'
import { projectRoot } from '../../src/core/project.ts'
import { call, openClient, startCdrDoors } from '../fakes/cdr-doors.ts'
import { until } from '../fakes/until.ts'

const fixture = (name: string): Buffer => readFileSync(`${projectRoot}fixtures/cdr/${name}`)
const key = { authorization: 'Bearer key' }
const ndjson = 'application/x-ndjson'

function lines(...ids: string[]): string {
  return ids.map((id) => JSON.stringify(call(id))).join('\n')
}

describe('POST /v1/cdr', () => {
  it('takes every content type, plain and gzip, and answers exactly 200 with what became of the records', async (t) => {
    const server = await startCdrDoors(t)
    const freeswitch = JSON.stringify(JSON.parse(fixture('freeswitch.ndjson').toString().split('\n')[0] ?? ''))
    const csv = fixture('generic-csv.csv')
    const csvRows = csv.toString().trim().split('\n').length - 1
    const bodies: [string, string, string | Buffer | Uint8Array, number][] = [
      ['canonical', 'application/json', JSON.stringify(call('1')), 1],
      ['canonical', 'application/json; charset=utf-8', JSON.stringify([call('2'), call('3')]), 2],
      ['canonical', ndjson, `${lines('4', '5')}\n`, 2],
      ['canonical', 'application/msgpack', encode([call('6'), call('7')]), 2],
      ['canonical', 'application/msgpack', Buffer.concat([encode(call('8')), encode(call('9'))]), 2],
      ['generic-csv', 'text/csv', csv, csvRows],
      ['freeswitch', 'application/x-www-form-urlencoded', `cdr=${encodeURIComponent(freeswitch)}`, 1],
    ]
    for (const [source, type, body, count] of bodies) {
      const plain = await server.post(source, type, body)
      assert.equal(plain.status, 200, type)
      assert.equal(Number(plain.body['accepted']) + (plain.body['rejected'] as unknown[]).length, count, type)
      assert.deepEqual(Object.keys(plain.body), ['accepted', 'duplicates', 'rejected'], type)
      const again = await server.post(source, type, gzipSync(body), { 'content-encoding': 'gzip' })
      assert.deepEqual(again.body, { ...plain.body, accepted: 0, duplicates: plain.body['accepted'] }, type)
    }
    const base64 = `cdr=${Buffer.from(freeswitch).toString('base64')}`
    const same = await server.post('freeswitch', 'application/x-www-form-base64-encoded', base64)
    assert.deepEqual(same.body, { accepted: 0, duplicates: 1, rejected: [] }, 'one call in two encodings is one')
    const ids = server.accepted.map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length)
  })

  it('rejects a bad record by index and code and takes its neighbours', async (t) => {
    const server = await startCdrDoors(t)
    const body = [JSON.stringify(call('a')), '{"startUs":', JSON.stringify({ ...call('b'), startUs: 5 }), lines('c')]
    const { status, body: answer } = await server.post('canonical', ndjson, body.join('\n'))
    assert.equal(status, 200)
    assert.equal(answer['accepted'], 2)
    const rejected = answer['rejected'] as { index: number; code: string; detail: string }[]
    assert.deepEqual(
      rejected.map(({ index, code }) => [index, code]),
      [
        [1, 'json_malformed'],
        [2, 'field_invalid'],
      ],
    )
    assert.match(rejected[1]?.detail ?? '', /^startUs/)
  })

  it('is not broken by bytes that are no UTF-8: they are flagged', async (t) => {
    const server = await startCdrDoors(t)
    const text = Buffer.from(`${JSON.stringify(call('x', { egress: 'caf_' }))}\n${lines('y')}`)
    text[text.indexOf('caf_') + 3] = 0xe9
    const { body } = await server.post('canonical', ndjson, text)
    assert.deepEqual(body, { accepted: 2, duplicates: 0, rejected: [] })
    assert.deepEqual(
      server.accepted.map(({ egress, flags }) => [egress, flags]),
      [
        ['caf\uFFFD', ['bad_utf8']],
        ['carrier-b', undefined],
      ],
    )
  })

  it('counts A, B, A as two: within a body, across bodies, across sockets, whatever the order', async (t) => {
    const server = await startCdrDoors(t)
    assert.deepEqual((await server.post('canonical', ndjson, lines('A', 'B', 'A'))).body, {
      accepted: 2,
      duplicates: 1,
      rejected: [],
    })
    const client = await server.socket('canonical')
    client.send(1, [call('B'), call('C'), call('A')])
    await client.acked(1)
    assert.deepEqual(client.acks, [{ ack: 1, accepted: 1, duplicates: 2, rejected: [] }])
    const both = await Promise.all([1, 2].map(() => server.post('canonical', ndjson, lines('D', 'E'))))
    assert.equal(
      both.reduce((sum, { body }) => sum + Number(body['accepted']), 0),
      2,
    )
    assert.deepEqual(server.accepted.map(({ callId }) => callId).sort(), ['A', 'B', 'C', 'D', 'E'])
  })

  it('refuses what it cannot take, whole: unknown source, media type, encoding, size, broken gzip', async (t) => {
    const server = await startCdrDoors(t, { cdr: { bodyBytesMax: 20_000, inflatedBytesMax: 100_000 } })
    const refusal = async (...args: Parameters<typeof server.post>) => {
      const { status, body } = await server.post(...args)
      return [status, body['code']]
    }
    const unknown = await server.post('nobody', ndjson, lines('1'))
    assert.deepEqual([unknown.status, unknown.body['code']], [400, 'source_unknown'])
    assert.match(String(unknown.body['detail']), /asterisk-csv.*canonical.*twilio/)
    assert.deepEqual(await refusal('', ndjson, lines('1')), [400, 'source_unknown'])
    assert.deepEqual(await refusal('../x', ndjson, lines('1')), [400, 'source_unknown'])
    assert.deepEqual(await refusal('canonical', 'text/plain', lines('1')), [415, 'media_type_unsupported'])
    const brotli = { 'content-encoding': 'br' }
    assert.deepEqual(await refusal('canonical', ndjson, lines('1'), brotli), [415, 'media_type_unsupported'])
    assert.deepEqual(await refusal('canonical', ndjson, 'x'.repeat(20_001)), [413, 'body_too_large'])
    const bomb = gzipSync(`${lines('1')}\n${' '.repeat(10_000_000)}`)
    assert.ok(bomb.length < 20_000)
    assert.deepEqual(await refusal('canonical', ndjson, bomb), [413, 'body_too_large'])
    const broken = gzipSync(lines('1')).subarray(0, -9)
    assert.deepEqual(await refusal('canonical', ndjson, broken), [400, 'bad_request'])
    const noRecords = 'x\n'.repeat(10_000)
    const rejectsMax = await startCdrDoors(t)
    assert.equal((await rejectsMax.post('canonical', ndjson, `${lines('1')}\n${noRecords}x`)).status, 413)
    assert.deepEqual([...server.accepted, ...rejectsMax.accepted], [])
  })

  it('answers 503 with Retry-After while log or disk are full, and takes the same batch later', async (t) => {
    const server = await startCdrDoors(t, { cdr: { logBytesMax: 20_000 } })
    const batches = Array.from({ length: 60 }, (_, index) => lines(`${index}-a`, `${index}-b`))
    const answers = []
    for (const batch of batches) answers.push(await server.post('canonical', ndjson, batch))
    const taken = answers.filter(({ status }) => status === 200).length
    const refused = answers.filter(({ status }) => status === 503)
    assert.ok(taken > 5 && refused.length > 5, `${taken} taken, ${refused.length} refused`)
    assert.ok(refused.every(({ body, retryAfter }) => body['code'] === 'spool_full' && Number(retryAfter) > 0))
    assert.equal(server.accepted.length, taken * 2)
    assert.equal(server.intake.check().state, 'failed')

    const other = await startCdrDoors(t)
    other.disk.refuses = true
    const first = await other.post('canonical', ndjson, lines('a', 'b'))
    assert.deepEqual([first.status, first.body['code'], Number(first.retryAfter) > 0], [503, 'spool_full', true])
    other.disk.refuses = false
    assert.deepEqual((await other.post('canonical', ndjson, lines('a', 'b'))).body['accepted'], 2)
    assert.equal(other.accepted.length, 2)
  })

  it('answers 503 when more waits for a slow disk than memory may hold, and takes only what it says', async (t) => {
    const server = await startCdrDoors(t, { cdr: { pendingBytesMax: 4096 } })
    server.disk.delayMs = 150
    const posts = Array.from({ length: 12 }, (_, index) =>
      server.post('canonical', ndjson, lines(`${index}-a`, `${index}-b`)),
    )
    const answers = await Promise.all(posts)
    const taken = answers.filter(({ status }) => status === 200).length
    assert.ok(taken > 0 && taken < 12)
    assert.ok(answers.every(({ status, retryAfter }) => status === 200 || (status === 503 && Number(retryAfter) > 0)))
    assert.equal(server.accepted.length, taken * 2)
  })

  it('maps a body of many MiB without holding the thread for long', async (t) => {
    const server = await startCdrDoors(t)
    await server.post('canonical', ndjson, lines('warm'))
    const body = Array.from({ length: 30_000 }, (_, index) => JSON.stringify(call(`big-${index}`))).join('\n')
    const halts: number[] = []
    let lastMs = performance.now()
    const timer = setInterval(() => {
      halts.push(performance.now() - lastMs)
      lastMs = performance.now()
    }, 1)
    const { body: answer } = await server.post('canonical', ndjson, gzipSync(body))
    clearInterval(timer)
    assert.equal(answer['accepted'], 30_000)
    halts.sort((a, b) => a - b)
    const p95 = halts[Math.floor(halts.length * 0.95)] ?? 0
    // Generous: other processes share the cores. Mapping it at once would hold the thread for over 300 ms.
    assert.ok(p95 < 50, `95 % of the halts are below ${p95} ms`)
  })
})

describe('WS /v1/cdr', () => {
  it('answers in the encoding and the order of the messages, each when it is durable', async (t) => {
    const server = await startCdrDoors(t)
    const client = await server.socket('canonical')
    for (let seq = 1; seq <= 20; seq += 1) client.send(seq, [call(`s${seq}`)], seq % 2 === 0 ? 'json' : 'msgpack')
    await client.acked(20)
    assert.deepEqual(
      client.acks.map(({ ack, accepted }) => [ack, accepted]),
      Array.from({ length: 20 }, (_, index) => [index + 1, 1]),
    )
    assert.deepEqual(client.binary.slice(0, 2), [true, false])
  })

  it('answers a question about a call at once, whatever waits for the disk before it', async (t) => {
    const server = await startCdrDoors(t)
    server.disk.delayMs = 400
    const { socket, acked, acks } = await server.socket('canonical')
    const answers: unknown[] = []
    const orders: string[] = []
    socket.on('message', (data: Buffer) => {
      const told = JSON.parse(data.toString()) as Record<string, unknown>
      orders.push('ack' in told ? 'ack' : 'answer')
      if ('answer' in told) answers.push(told)
    })
    socket.send(JSON.stringify({ seq: 1, events: [call('asked')] }))
    socket.send(JSON.stringify({ ask: 9, from: '12025550123', to: '442079460123' }))
    await acked(2)
    assert.deepEqual(orders, ['answer', 'ack'])
    assert.deepEqual(answers, [{ answer: 9, action: 'allow' }])
    assert.equal(acks.at(-1)?.ack, 1)
  })

  it('takes a message resent on a new socket as duplicates, with nothing counted twice', async (t) => {
    const server = await startCdrDoors(t)
    const events = Array.from({ length: 50 }, (_, index) => call(`r${index}`))
    server.disk.delayMs = 50
    const first = await server.socket('canonical')
    first.send(7, events)
    await sleep(20)
    first.socket.terminate()
    const second = await server.socket('canonical')
    second.send(7, events)
    second.send(8, [call('next')])
    await second.acked(2)
    const [seven, eight] = second.acks
    assert.equal(Number(seven?.accepted) + Number(seven?.duplicates), 50)
    assert.equal(eight?.ack, 8)
    assert.equal(new Set(server.accepted.map(({ id }) => id)).size, 51)
    assert.equal(server.accepted.length, 51)
  })

  it('takes nothing of a message whose sender went away in the middle of its frame', async (t) => {
    const server = await startCdrDoors(t)
    const client = await server.socket('canonical')
    const socket = connect(server.port, '127.0.0.1')
    const handshake = [
      'GET /v1/cdr?source=canonical HTTP/1.1',
      'Host: x',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Authorization: Bearer key',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ]
    socket.write(`${handshake.join('\r\n')}\r\n\r\n`)
    await new Promise((resolve) => socket.once('data', resolve))
    const payload = Buffer.from(JSON.stringify({ seq: 1, events: [call('half')] }))
    const head = Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255, 0, 0, 0, 0])
    socket.write(Buffer.concat([head, payload.subarray(0, payload.length - 5)]))
    await sleep(50)
    socket.destroy()
    client.send(1, [call('whole')])
    await client.acked(1)
    assert.deepEqual(
      server.accepted.map(({ callId }) => callId),
      ['whole'],
    )
  })

  it('rejects a broken event by index inside a good message, also one that is no UTF-8', async (t) => {
    const server = await startCdrDoors(t)
    const client = await server.socket('canonical')
    const bytes = Buffer.from(encode({ seq: 3, events: [call('ok', { egress: 'caf_' }), 5, call('fine')] }))
    bytes[bytes.indexOf('caf_') + 3] = 0xe9
    client.socket.send(bytes)
    await client.acked(1)
    const [ack] = client.acks
    assert.deepEqual([ack?.ack, ack?.accepted], [3, 2])
    const [rejection] = (ack?.rejected ?? []) as { index: number }[]
    assert.equal(rejection?.index, 1)
    assert.deepEqual(
      server.accepted.map(({ egress, flags }) => [egress, flags]),
      [
        ['caf\uFFFD', ['bad_utf8']],
        ['carrier-b', undefined],
      ],
    )
  })

  it('closes 1007 on what is no envelope, 1008 over the credit window, 1013 when the log is full', async (t) => {
    const server = await startCdrDoors(t, { cdr: { unackedMessagesMax: 5, logBytesMax: 20_000 } })
    for (const message of ['nonsense', '[]', '{"events":[]}', '{"seq":-1,"events":[]}', Buffer.from([0x93, 1, 2, 3])]) {
      const client = await server.socket('canonical')
      client.socket.send(message)
      assert.equal((await client.closed()).code, 1007, String(message))
    }
    server.disk.delayMs = 200
    const greedy = await server.socket('canonical')
    for (let seq = 0; seq < 6; seq += 1) greedy.send(seq, [call(`g${seq}`)])
    assert.equal((await greedy.closed()).code, 1008)
    server.disk.delayMs = 0
    const filler = await server.socket('canonical')
    for (let seq = 0; filler.socket.readyState === WebSocket.OPEN && seq < 200; seq += 1) {
      filler.send(seq, [call(`f${seq}`), call(`h${seq}`)])
      await until(() => filler.acks.length > seq || filler.socket.readyState !== WebSocket.OPEN)
    }
    assert.equal((await filler.closed()).code, 1013)
    const ids = server.accepted.map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length)
    const told = filler.acks.reduce((sum, ack) => sum + ack.accepted, 0)
    assert.equal(ids.filter((id) => /^[fh]\d/.test(id)).length, told)
  })

  it('refuses the upgrade without a key (401), of an unknown source (400), over socketsMax (503)', async (t) => {
    const server = await startCdrDoors(t, { cdr: { socketsMax: 1 } })
    const status = (source: string, headers: Record<string, string>): Promise<number> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/cdr?source=${source}`, { headers })
        socket.on('error', () => undefined)
        socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
        socket.on('open', () => resolve(101))
      })
    assert.equal(await status('canonical', {}), 401)
    assert.equal(await status('nobody', key), 400)
    const open = await openClient(`ws://127.0.0.1:${server.port}/v1/cdr?source=canonical`, key)
    assert.equal(await status('canonical', key), 503)
    open.socket.close()
    await until(() => open.socket.readyState === WebSocket.CLOSED)
    assert.equal(await status('canonical', key), 101)
  })
})
