import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventParser, readEvents, type ServerEvent } from '../../src/simulator/verdict-events.ts'

const stream =
  ': hello\r\n\r\nid: 1\nevent: verdict\ndata: {"label":"é"}\n\nevent: health\ndata: [1,\ndata: 2]\n\n' +
  'data: not json\n\nretry: 5\n\n' +
  'event: verdict\rdata:{"n":2}\r\rdata: {"cut":'

const events = [
  { type: 'verdict', data: { label: 'é' } },
  { type: 'health', data: [1, 2] },
  { type: 'verdict', data: { n: 2 } },
]

test('events are read by type and data; comments, other fields and what is cut off are left out', () => {
  assert.deepEqual(new EventParser().push(stream), events)
})

test('however the text is cut into pieces, the events are the same', () => {
  const property = fc.property(fc.array(fc.nat({ max: stream.length })), (cuts) => {
    const parser = new EventParser()
    const places = [0, ...cuts.sort((a, b) => a - b), stream.length]
    const seen: ServerEvent[] = []
    for (const [at, end] of places.slice(1).entries()) seen.push(...parser.push(stream.slice(places[at], end)))
    assert.deepEqual(seen, events)
  })
  fc.assert(property)
})

test('events are read from a server with the key as bearer; a refusal is an error', async () => {
  const server = createServer((request, response) => {
    if (request.headers.authorization !== 'Bearer vf_good') {
      response.writeHead(401).end()
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end('event: verdict\ndata: {"n":1}\n\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events`
  try {
    const seen: ServerEvent[] = []
    for await (const event of readEvents(url, 'vf_good')) seen.push(event)
    assert.deepEqual(seen, [{ type: 'verdict', data: { n: 1 } }])
    await assert.rejects(readEvents(url, 'vf_bad').next(), /answered 401/)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
