import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { createOutward } from '../../src/http/outward.ts'
import { sendWebhook, signature } from '../../src/notify/webhook.ts'
import { noticeOf, receiver } from '../fakes/notices.ts'

const secret = `whsec_${Buffer.from('a key of thirty-two bytes, or so.').toString('base64')}`
const never = new AbortController().signal

function rooms(timeoutMs = 2000) {
  return { outward: createOutward(), clock: new ManualClock(), timeoutMs }
}

describe('webhook', () => {
  it('signs as the Standard Webhooks specification does', () => {
    // The example of its libraries' tests: id, time and body are signed with the secret after whsec_, from base64.
    const known = signature(
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1614265330,
      '{"test": 2432232314}',
    )
    assert.equal(known, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  it('sends id, time of the attempt and a signature over both and the body, one per secret', async (t) => {
    const at = await receiver(t)
    const plain = 'another secret while they are rotated'
    const target = { url: at.url, secrets: [secret, plain], numbers: 'full', allowPrivate: true } as const
    const notice = noticeOf(7, 'case/c1', { type: 'case', stage: 'opened', kind: 'irsf', data: { to: '12025550123' } })
    assert.deepEqual(await sendWebhook(target, rooms(), notice, never), { state: 'done' })
    const [arrival] = at.arrivals
    assert.equal(arrival?.headers['webhook-id'], 'evt_7')
    assert.equal(arrival?.headers['webhook-timestamp'], '1767225600')
    const signed = `evt_7.1767225600.${arrival?.body}`
    const first = createHmac('sha256', 'a key of thirty-two bytes, or so.').update(signed).digest('base64')
    const second = createHmac('sha256', plain).update(signed).digest('base64')
    assert.equal(arrival?.headers['webhook-signature'], `v1,${first} v1,${second}`)
    assert.deepEqual(JSON.parse(arrival?.body ?? ''), {
      type: 'case',
      timestamp: '2026-01-01T00:00:00.000Z',
      severity: 'high',
      about: 'case/c1',
      stage: 'opened',
      kind: 'irsf',
      data: { to: '12025550123' },
    })
  })

  it('masks phone numbers where it is told to', async (t) => {
    const at = await receiver(t)
    const target = { url: at.url, secrets: [secret], numbers: 'masked', allowPrivate: true } as const
    await sendWebhook(target, rooms(), noticeOf(7, 'a', { data: { from: '+12025550123' } }), never)
    assert.deepEqual(JSON.parse(at.arrivals[0]?.body ?? '').data, { from: '***123' })
  })

  it('tells what an answer comes to', async (t) => {
    const at = await receiver(t)
    const target = { url: at.url, secrets: [secret], numbers: 'full', allowPrivate: true } as const
    const states: Record<number, string> = {}
    for (const status of [200, 204, 302, 400, 404, 408, 410, 425, 429, 500, 503]) {
      at.answer = () => status
      states[status] = (await sendWebhook(target, rooms(), noticeOf(1), never)).state
    }
    assert.deepEqual(states, {
      200: 'done',
      204: 'done',
      302: 'refused',
      400: 'refused',
      404: 'refused',
      408: 'unavailable',
      410: 'gone',
      425: 'unavailable',
      429: 'unavailable',
      500: 'unavailable',
      503: 'unavailable',
    })
  })

  it('counts silence, a closed port and a private address as unavailable, without the path in the words', async (t) => {
    const at = await receiver(t)
    at.answer = () => 0
    const target = { url: `${at.url}/secret`, secrets: [secret], numbers: 'full', allowPrivate: true } as const
    const silent = await sendWebhook(target, rooms(100), noticeOf(1), never)
    const guarded = await sendWebhook({ ...target, allowPrivate: false }, rooms(), noticeOf(1), never)
    await at.close()
    const closed = await sendWebhook(target, rooms(), noticeOf(1), never)
    assert.deepEqual(
      [silent, guarded, closed].map((outcome) => outcome.state === 'unavailable' && outcome.why),
      [
        '127.0.0.1: no answer within 100 ms',
        '127.0.0.1: not a public address, and private ones are not allowed',
        '127.0.0.1: ECONNREFUSED',
      ],
    )
  })
})
