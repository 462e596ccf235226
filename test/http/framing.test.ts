/** Where a request ends: hostile framing over raw sockets. */
import { strict as assert } from 'node:assert'
import { afterEach, it } from 'node:test'
import type { HttpAnswer, Route } from '../../src/http/exchange.ts'
import { closeServers, raw, startServer } from '../fakes/http-server.ts'

afterEach(closeServers)

const echo: Route = { method: 'POST', pattern: '/echo', answer: (request) => ({ status: 200, body: request.body }) }
const post = (headers: string, body: string): string => `POST /echo HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`

it('two Content-Length headers are refused and the connection closes', async () => {
  const { port, counters } = await startServer([echo])
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

it('a request smuggled behind an ambiguous one reaches no route', async () => {
  let seen = 0
  const secret: Route = {
    method: 'GET',
    pattern: '/secret',
    answer: () => {
      seen += 1
      return { status: 200, body: 'secret' }
    },
  }
  const { port } = await startServer([echo, secret])
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

it('any Transfer-Encoding on a request is refused', async () => {
  const { port } = await startServer([echo])
  for (const coding of ['chunked', 'gzip, chunked', 'identity', 'xchunked']) {
    const { text, closed } = await raw(port, [post(`Transfer-Encoding: ${coding}\r\n`, '3\r\nabc\r\n0\r\n\r\n')])
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.ok(closed)
  }
  const both = await raw(port, [post('Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', '0\r\n\r\n')])
  assert.match(both.text, /^HTTP\/1\.1 400 /)
  assert.ok(both.closed)
})

const chunked: Route = { ...echo, acceptsChunked: true, bodyBytesMax: 4096 }
const inChunks = 'Transfer-Encoding: chunked\r\n'

it('a route may take a body in chunks, within the bounds of any body', async () => {
  const { port, counters } = await startServer([chunked])
  const pieces = [post(inChunks, '3\r\nabc\r\n'), '2\r\nd', 'e\r\n', '0\r\n\r\n']
  const whole = await raw(port, [...pieces, 'GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'])
  assert.match(whole.text, /^HTTP\/1\.1 200 .*\r\n\r\nabcdeHTTP\/1\.1 404 /s)
  const large = await raw(port, [post(inChunks, `1001\r\n${'x'.repeat(4097)}\r\n0\r\n\r\n`)])
  assert.match(large.text, /^HTTP\/1\.1 413 /)
  assert.ok(large.closed)
  assert.equal(counters.httpBodyRefused, 1)
})

it('chunks that are no chunks, or stand beside a length or another coding, are refused', async () => {
  let seen = 0
  const answer = (): HttpAnswer => {
    seen += 1
    return { status: 200 }
  }
  const counted: Route = { ...chunked, answer }
  const { port } = await startServer([counted])
  const secret = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'
  for (const text of [
    post(`${inChunks}Content-Length: 3\r\n`, `0\r\n\r\n${secret}`),
    post(`Content-Length: 3\r\n${inChunks}`, `0\r\n\r\n${secret}`),
    post(`${inChunks}${inChunks}`, `0\r\n\r\n${secret}`),
    post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${secret}`),
    post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${secret}`),
    post('Transfer-Encoding:\r\n', `0\r\n\r\n${secret}`),
    post(inChunks, `zz\r\nabc\r\n0\r\n\r\n${secret}`),
    post(inChunks, `-1\r\nabc\r\n0\r\n\r\n${secret}`),
    post(inChunks, `ffffffffffffffff1\r\nabc\r\n0\r\n\r\n${secret}`),
  ]) {
    const { text: said, closed } = await raw(port, [text])
    assert.doesNotMatch(said, /^HTTP\/1\.1 200 /, text)
    assert.ok(closed, text)
    assert.equal(seen, 0, text)
  }
})

it('a body in chunks that does not end is given up', async () => {
  const { port } = await startServer([chunked], [], { bodyTimeoutMs: 200 })
  const { text, closed } = await raw(port, [post(inChunks, '3\r\nabc\r\n')])
  assert.match(text, /^HTTP\/1\.1 408 /)
  assert.ok(closed)
})
