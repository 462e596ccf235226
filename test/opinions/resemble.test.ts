/** Resemble Detect's documented messages and faults, over a real server. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createOutward } from '../../src/http/outward.ts'
import type { OpinionFailure } from '../../src/opinions/opinion.ts'
import { resemble } from '../../src/opinions/resemble.ts'
import { frames, httpVendor, type VendorAnswer, type VendorRequest } from '../fakes/vendors.ts'

async function ask(t: TestContext, answer: (request: VendorRequest) => VendorAnswer) {
  const at = await httpVendor(t, answer)
  const options = { name: 'resemble', apiKey: 'a-key', allowPrivate: true, timeoutMs: 300, pollMs: 10 }
  const session = resemble({ ...options, url: `${at.url}/api/v2`, outward: createOutward() }).start()
  for (const frame of frames(2000)) session.pushAudio(frame)
  return { at, session }
}

async function failureOf(t: TestContext, answer: VendorAnswer): Promise<string> {
  const { session } = await ask(t, () => answer)
  return await session.score().then(
    (said) => `score ${said.score}`,
    (thrown: OpinionFailure) => thrown.reason,
  )
}

function item(over: object): VendorAnswer {
  return { status: 200, body: { success: true, item: { uuid: 'u-1', status: 'completed', ...over } } }
}

describe('Resemble', () => {
  it('is sent a WAV file to wait for, kept nowhere, and its aggregated score, as text, is ours', async (t) => {
    const metrics = { label: 'fake', score: ['0.9', '0.8'], consistency: '0.85', aggregated_score: '0.93' }
    const { at, session } = await ask(t, () => item({ metrics }))
    assert.deepEqual(await session.score(), { score: 0.93, abstained: null })
    const [request] = at.requests
    assert.deepEqual([request?.method, request?.path], ['POST', '/api/v2/detect'])
    assert.equal(request?.headers.authorization, 'Bearer a-key')
    assert.equal(request?.headers['prefer'], 'wait')
    const form = await new Response(request?.body as unknown as string, {
      headers: { 'content-type': request?.headers['content-type'] ?? '' },
    }).formData()
    assert.equal(form.get('zero_retention_mode'), 'true')
    const file = form.get('file') as File
    const bytes = Buffer.from(await file.arrayBuffer())
    assert.equal(bytes.length, 44 + 16_000)
    assert.equal(bytes.toString('latin1', 0, 4), 'RIFF')
  })

  it('is looked after until it is ready', async (t) => {
    let looks = 0
    const { at, session } = await ask(t, ({ method }) => {
      if (method === 'POST' || ++looks < 3) return item({ status: 'processing' })
      return item({ metrics: { aggregated_score: '0.07' } })
    })
    assert.deepEqual(await session.score(), { score: 0.07, abstained: null })
    assert.equal(at.requests.at(-1)?.path, '/api/v2/detect/u-1')
  })

  it('tells its failures apart', async (t) => {
    const failures = [
      await failureOf(t, { status: 402, body: { success: false, message: 'no entitlement' } }),
      await failureOf(t, { status: 401 }),
      await failureOf(t, { status: 429, headers: { 'retry-after': '30' } }),
      await failureOf(t, { status: 503 }),
      await failureOf(t, { status: 422 }),
      await failureOf(t, 'garbage'),
      await failureOf(t, 'disconnect'),
      await failureOf(t, 'silence'),
      await failureOf(t, item({ status: 'failed', error_message: 'cannot' })),
      await failureOf(t, item({ metrics: { aggregated_score: 'NaN' } })),
      await failureOf(t, item({ metrics: { aggregated_score: '7' } })),
      await failureOf(t, item({ metrics: null })),
    ]
    assert.deepEqual(failures, [
      'payment',
      'auth',
      'rate',
      'unavailable',
      'refused',
      'garbled',
      'unavailable',
      'timeout',
      'refused',
      'garbled',
      'garbled',
      'garbled',
    ])
  })

  it('is left at once when it is not needed any more', async (t) => {
    const { session } = await ask(t, () => item({ status: 'processing' }))
    const said = session.score()
    setTimeout(() => session.close(), 30)
    await assert.rejects(said)
  })
})
