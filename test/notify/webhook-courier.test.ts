/** A courier over the real log and a real receiver, with a clock that the test moves. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { createOutward } from '../../src/http/outward.ts'
import type { Notice } from '../../src/notify/notice.ts'
import { Outbox } from '../../src/notify/outbox.ts'
import { sendWebhook } from '../../src/notify/webhook.ts'
import { WebhookCourier } from '../../src/notify/webhook-courier.ts'
import { noticeOf, put, type Receiver, receiver, scratchLogs } from '../fakes/notices.ts'
import { until } from '../fakes/until.ts'

const secrets = ['a secret of twenty-four characters']

async function courierTo(t: TestContext, at: Receiver, logs = scratchLogs(t)) {
  const clock = new ManualClock()
  const counters = zeroCounters()
  const buried: { notice: Notice; why: string; tries: number }[] = []
  const log = logs.log('notices')
  const outbox = new Outbox({ log, name: 'soc', wants: () => true, pendingMax: 1000 })
  const target = { url: at.url, secrets, numbers: 'full', allowPrivate: true } as const
  const rooms = { outward: createOutward(), clock, timeoutMs: 500 }
  const courier = new WebhookCourier({
    name: 'soc',
    outbox,
    deliver: (notice, signal) => sendWebhook(target, rooms, notice, signal),
    retry: { firstMs: 1000, mostMs: 60_000, giveUpMs: 86_400_000 },
    bury: async (_receiver, notice, why, tries) => {
      buried.push({ notice, why, tries })
      return true
    },
    clock,
    random: () => 1,
    counters,
  })
  t.after(() => courier.close())
  /** Lets time go by until the condition holds. */
  const pass = async (condition: () => boolean, stepMs = 250): Promise<void> => {
    await until(() => {
      clock.advance(stepMs)
      courier.wake()
      return condition()
    })
  }
  return { clock, counters, buried, log, outbox, courier, pass, logs }
}

describe('webhook courier', () => {
  it('keeps the order of a call or case through failures, and sends others meanwhile', async (t) => {
    const at = await receiver(t)
    const { log, courier, pass, counters } = await courierTo(t, at)
    let failures = 3
    at.answer = ({ id }) => (id === 'evt_1' && failures-- > 0 ? 400 : 204)
    await put(log, noticeOf(1, 'case/a'), noticeOf(2, 'case/a'), noticeOf(3, 'case/b'), noticeOf(4, 'case/a'))
    courier.wake()
    await until(() => at.taken.length === 1)
    assert.deepEqual(at.taken, ['evt_3'])
    await pass(() => counters.noticesDelivered === 4)
    assert.deepEqual(at.taken, ['evt_3', 'evt_1', 'evt_2', 'evt_4'])
    assert.deepEqual(
      at.arrivals.filter(({ id }) => id === 'evt_1').map(({ headers }) => headers['webhook-id']),
      ['evt_1', 'evt_1', 'evt_1', 'evt_1'],
      'every attempt has the same id',
    )
    assert.deepEqual([counters.noticesDelivered, counters.noticesFailed], [4, 3])
  })

  it('loses nothing while the receiver is down for an hour, and probes it one request at a time', async (t) => {
    const at = await receiver(t)
    const { log, courier, pass, clock, outbox, buried, counters } = await courierTo(t, at)
    await at.close()
    const notices = Array.from({ length: 60 }, (_, n) => noticeOf(n + 1, `case/${n % 7}`))
    await put(log, ...notices)
    courier.wake()
    await pass(() => courier.view().state === 'down')
    const sinceMs = clock.steadyMs()
    await pass(() => clock.steadyMs() - sinceMs > 3_600_000, 10_000)
    assert.equal(courier.view().waiting, 60)
    assert.match(courier.view().lastError ?? '', /ECONNREFUSED/)
    const back = await receiver(t, at.port)
    // The courier knows a moment later than the receiver.
    await pass(() => counters.noticesDelivered === 60)
    await outbox.settled()
    for (let about = 0; about < 7; about++) {
      const order = notices.filter(({ about: of }) => of === `case/${about}`).map(({ id }) => id)
      assert.deepEqual(
        back.taken.filter((id) => order.includes(id)),
        order,
      )
    }
    assert.deepEqual([buried.length, outbox.waiting, log.bytes(), courier.view().state], [0, 0, 0, 'idle'])
  })

  it('buries the one that the receiver does not take, and goes on with the next about the same', async (t) => {
    const at = await receiver(t)
    const { log, pass, buried, counters, outbox } = await courierTo(t, at)
    at.answer = ({ id }) => (id === 'evt_1' ? 422 : 204)
    await put(log, noticeOf(1, 'case/a'), noticeOf(2, 'case/a'))
    await pass(() => counters.noticesDelivered === 1)
    assert.deepEqual(
      buried.map(({ notice, why, tries }) => [notice.id, why, tries]),
      [['evt_1', 'answered 422', 5]],
    )
    assert.equal(counters.noticesDead, 1)
    await outbox.settled()
    assert.equal(outbox.waiting, 0)
  })

  it('does not let one notice that breaks the receiver hold up the rest for ever', async (t) => {
    const at = await receiver(t)
    const { log, pass, buried } = await courierTo(t, at)
    at.answer = ({ id }) => (id === 'evt_1' ? 500 : 204)
    await put(log, noticeOf(1), ...Array.from({ length: 5 }, (_, n) => noticeOf(n + 2)))
    await pass(() => at.taken.length === 5)
    for (let n = 10; n < 60 && buried.length === 0; n++) {
      await put(log, noticeOf(n))
      await pass(() => at.taken.includes(`evt_${n}`), 5000)
    }
    assert.deepEqual(
      buried.map(({ notice, why }) => [notice.id, why]),
      [['evt_1', 'answered 500']],
    )
  })

  it('tries a receiver that is down again after the pause, not before', async (t) => {
    const at = await receiver(t)
    const { log, courier, clock } = await courierTo(t, at)
    at.answer = () => 503
    await put(log, noticeOf(1))
    courier.wake()
    await until(() => at.arrivals.length === 1 && courier.view().state === 'down')
    clock.advance(900)
    courier.wake()
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(at.arrivals.length, 1, 'firstMs has not passed')
    clock.advance(200)
    courier.wake()
    await until(() => at.arrivals.length === 2)
  })

  it('gives up on a silent receiver in its time, and has four requests under way at most', async (t) => {
    const at = await receiver(t)
    const { log, courier, counters } = await courierTo(t, at)
    at.answer = () => 0
    await put(log, ...Array.from({ length: 20 }, (_, n) => noticeOf(n)))
    courier.wake()
    await until(() => counters.noticesFailed === 4)
    assert.deepEqual([at.arrivals.length, courier.view().state], [4, 'down'])
  })

  it('is stopped at once, and a new one begins with what was not taken', async (t) => {
    const at = await receiver(t)
    const first = await courierTo(t, at)
    at.answer = ({ id }) => (id === 'evt_1' ? 204 : 0)
    await put(first.log, noticeOf(1), noticeOf(2))
    first.courier.wake()
    await until(() => at.taken.length === 1 && at.arrivals.length === 2)
    await first.courier.close()
    await first.logs.close()
    at.answer = () => 204
    const second = await courierTo(t, at, scratchLogs(t, first.logs.directory))
    await second.pass(() => at.taken.length === 2)
    assert.deepEqual(at.taken, ['evt_1', 'evt_2'])
  })
})
