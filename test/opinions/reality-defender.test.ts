/** Reality Defender's file API: documented messages and faults, over a real server. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createOutward } from '../../src/http/outward.ts'
import type { OpinionFailure } from '../../src/opinions/opinion.ts'
import { realityDefender } from '../../src/opinions/reality-defender.ts'
import { frames, httpVendor, type VendorAnswer } from '../fakes/vendors.ts'

interface Script {
  readonly place?: VendorAnswer
  readonly put?: VendorAnswer
  readonly results?: readonly VendorAnswer[]
  readonly allowPrivate?: boolean
}

function result(status: string, finalScore?: unknown): VendorAnswer {
  return { status: 200, body: { requestId: 'r-1', resultsSummary: { status, metadata: { finalScore } } } }
}

async function ask(t: TestContext, script: Script) {
  const results = [...(script.results ?? [])]
  const at = await httpVendor(t, ({ method, path }) => {
    const place = { response: { signedUrl: `${at.url}/bucket/put?sig=1` }, mediaId: 'm-1', requestId: 'r-1' }
    if (method === 'POST') return script.place ?? { status: 200, body: place }
    if (method === 'PUT') return script.put ?? { status: 200 }
    assert.equal(path, '/api/media/users/r-1')
    return results.shift() ?? 'silence'
  })
  const options = { name: 'rd', apiKey: 'a-key', allowPrivate: true, timeoutMs: 300, pollMs: 10 }
  const session = realityDefender({ ...options, url: at.url, outward: createOutward() }).start()
  for (const frame of frames(2000)) session.pushAudio(frame)
  return { at, session }
}

async function outcome(t: TestContext, script: Script): Promise<unknown> {
  const { session } = await ask(t, script)
  return await session.score().then(
    ({ score, abstained }) => abstained ?? score,
    (thrown: OpinionFailure) => thrown.reason,
  )
}

describe('Reality Defender', () => {
  it('gives a place, takes the file there without the key, and is looked after; 0 to 100 becomes 0 to 1', async (t) => {
    const { at, session } = await ask(t, {
      results: [{ status: 404 }, result('ANALYZING'), result('FAKE', 97.5)],
    })
    assert.deepEqual(await session.score(), { score: 0.975, abstained: null })
    const [place, put] = at.requests
    assert.equal(place?.path, '/api/files/aws-presigned')
    assert.equal(place?.headers['x-api-key'], 'a-key')
    assert.match(JSON.parse(String(place?.body)).fileName, /^[0-9a-f-]{36}\.wav$/)
    assert.deepEqual([put?.method, put?.path, put?.headers['x-api-key']], ['PUT', '/bucket/put?sig=1', undefined])
    assert.equal(put?.body.length, 44 + 16_000)
  })

  it('abstains on what it calls not applicable or unable to evaluate', async (t) => {
    assert.equal(await outcome(t, { results: [result('NOT_APPLICABLE')] }), 'not_suited')
    assert.equal(await outcome(t, { results: [result('UNABLE_TO_EVALUATE')] }), 'not_suited')
    assert.equal(await outcome(t, { results: [result('AUTHENTIC', 4)] }), 0.04)
    assert.equal(await outcome(t, { results: [result('SUSPICIOUS', 61)] }), 0.61)
  })

  it('tells its failures apart, at every step', async (t) => {
    const failures = [
      await outcome(t, { place: { status: 402 } }),
      await outcome(t, { place: { status: 429 } }),
      await outcome(t, { place: 'garbage' }),
      await outcome(t, { place: { status: 200, body: { requestId: 'r-1', response: { signedUrl: 'file:///etc' } } } }),
      await outcome(t, { put: { status: 403 } }),
      await outcome(t, { put: 'disconnect' }),
      await outcome(t, { results: [] }),
      await outcome(t, { results: [{ status: 500 }] }),
      await outcome(t, { results: [result('FAKE', 101)] }),
      await outcome(t, { results: [result('WEATHER')] }),
    ]
    assert.deepEqual(failures, [
      'payment',
      'rate',
      'garbled',
      'garbled',
      'auth',
      'unavailable',
      'timeout',
      'unavailable',
      'garbled',
      'garbled',
    ])
  })
})
