/** Requests to others over real sockets. */
import assert from 'node:assert/strict'
import type { LookupAddress, lookup as systemLookup } from 'node:dns'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createOutward, guardedLookup, type OutwardFailure } from '../../src/http/outward.ts'

async function peer(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

/** Names resolve to what the test says, whoever asks. */
function names(...addresses: string[]): typeof systemLookup {
  const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  return ((_name: string, _options: object, done: (error: null, found: LookupAddress[]) => void) =>
    done(null, found)) as unknown as typeof systemLookup
}

const plain = { method: 'POST', timeoutMs: 2000, answerBytesMax: 1000, allowPrivate: true } as const

function failsWith(reason: string): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.equal((thrown as OutwardFailure).reason, reason, String(thrown))
    return true
  }
}

describe('outward requests', () => {
  it('hand over method, headers and body, and give back status, headers and body', async (t) => {
    const port = await peer(t, async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      response.writeHead(429, { 'retry-after': '7' }).end(`${request.method} ${request.headers['x-of']} ${body}`)
    })
    const url = `http://127.0.0.1:${port}/a`
    const answer = await createOutward()({ ...plain, url, headers: { 'x-of': 'us' }, body: 'näh' })
    assert.deepEqual([answer.status, answer.headers['retry-after'], String(answer.body)], [429, '7', 'POST us näh'])
  })

  it('refuse private addresses, literal or by name, before a connection is made', async (t) => {
    let asked = 0
    const port = await peer(t, (_request, response) => {
      asked += 1
      response.end()
    })
    const guarded = { ...plain, allowPrivate: false, timeoutMs: 300 }
    const outward = createOutward(names('127.0.0.1'))
    await assert.rejects(outward({ ...guarded, url: `http://127.0.0.1:${port}/` }), failsWith('address_refused'))
    await assert.rejects(outward({ ...guarded, url: `http://[::1]:${port}/` }), failsWith('address_refused'))
    await assert.rejects(outward({ ...guarded, url: `http://2130706433:${port}/` }), failsWith('address_refused'))
    await assert.rejects(outward({ ...guarded, url: `http://inside.example:${port}/` }), failsWith('address_refused'))
    assert.equal(asked, 0)
    assert.equal((await outward({ ...plain, url: `http://inside.example:${port}/` })).status, 200)
    assert.equal(asked, 1)
  })

  it('go to the public addresses of a name that has private ones too', () => {
    const found: unknown[] = []
    const lookup = guardedLookup(false, names('10.0.0.1', '8.8.8.8', '::1'))
    lookup('both.example', { all: true }, (_error, addresses) => found.push(addresses))
    lookup('both.example', {}, (_error, address, family) => found.push([address, family]))
    assert.deepEqual(found, [[{ address: '8.8.8.8', family: 4 }], ['8.8.8.8', 4]])
  })

  it('do not follow a redirect', async (t) => {
    const port = await peer(t, (_request, response) => response.writeHead(302, { location: 'http://[::1]/' }).end())
    assert.equal((await createOutward()({ ...plain, url: `http://127.0.0.1:${port}/` })).status, 302)
  })

  it('end in their time, with headers or without, and when told to stop', async (t) => {
    const port = await peer(t, (request, response) => {
      if (request.url === '/body') response.writeHead(200).write('a')
    })
    const outward = createOutward()
    const url = `http://127.0.0.1:${port}`
    await assert.rejects(outward({ ...plain, url: `${url}/`, timeoutMs: 100 }), failsWith('timeout'))
    await assert.rejects(outward({ ...plain, url: `${url}/body`, timeoutMs: 100 }), failsWith('timeout'))
    const stop = new AbortController()
    const stopped = outward({ ...plain, url: `${url}/`, signal: stop.signal })
    stop.abort()
    await assert.rejects(stopped, failsWith('stopped'))
  })

  it('read no more of an answer than asked for, and none where the status is enough', async (t) => {
    const port = await peer(t, (_request, response) => response.end('x'.repeat(5000)))
    const url = `http://127.0.0.1:${port}/`
    await assert.rejects(createOutward()({ ...plain, url }), failsWith('answer_too_large'))
    assert.equal((await createOutward()({ ...plain, url, answerBytesMax: 0 })).status, 200)
  })

  it('tell of a failure without the URL, which may hold a secret', async () => {
    const failed = createOutward()({ ...plain, url: 'http://127.0.0.1:1/services/T000/B000/secret?key=secret' })
    await assert.rejects(failed, (thrown: Error) => {
      assert.match(thrown.message, /^127\.0\.0\.1: ECONNREFUSED$/)
      return true
    })
  })

  it('fail as unreachable when the answer breaks off', async (t) => {
    const port = await peer(t, (_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half')
      setTimeout(() => response.destroy(), 20)
    })
    await assert.rejects(createOutward()({ ...plain, url: `http://127.0.0.1:${port}/` }), failsWith('unreachable'))
  })
})
