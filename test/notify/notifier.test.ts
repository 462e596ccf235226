/** From the bus to real receivers, over restarts. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { type Log, silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { createOutward } from '../../src/http/outward.ts'
import { EventBus } from '../../src/notify/event-bus.ts'
import { wants } from '../../src/notify/notice.ts'
import { Notifier } from '../../src/notify/notifier.ts'
import { Outbox } from '../../src/notify/outbox.ts'
import { sendWebhook } from '../../src/notify/webhook.ts'
import { WebhookCourier } from '../../src/notify/webhook-courier.ts'
import { type Receiver, receiver, scratchLogs } from '../fakes/notices.ts'
import { until } from '../fakes/until.ts'

const all = { types: ['case', 'verdict', 'health'], kinds: [], minSeverity: 'info' } as const
const secrets = ['a secret of twenty-four characters']

interface Choices {
  readonly logs?: ReturnType<typeof scratchLogs>
  readonly firstId?: number
  readonly queueBytes?: number
  readonly log?: Log
}

async function notifierFor(t: TestContext, receivers: Record<string, Receiver>, choices: Choices = {}) {
  const logs = choices.logs ?? scratchLogs(t)
  const counters = zeroCounters()
  const bus = new EventBus({ keepMax: 100, firstId: choices.firstId ?? 1, counters })
  const notices = logs.log('notices', choices.queueBytes)
  const names = Object.keys(receivers)
  const options = { bus, notices, dead: logs.log('dead'), deadMax: 10, names, clock: systemClock, counters }
  const rooms = { outward: createOutward(), clock: systemClock, timeoutMs: 500 }
  const notifier = await Notifier.open({ ...options, log: choices.log ?? silentLog }, (bury) =>
    Object.entries(receivers).map(([name, at]) => {
      const target = { url: at.url, secrets, numbers: 'full', allowPrivate: true } as const
      const wanted = (notice: Parameters<typeof wants>[1]): boolean => wants(all, notice)
      return new WebhookCourier({
        name,
        outbox: new Outbox({ log: notices, name, wants: wanted, pendingMax: 100 }),
        deliver: (notice, signal) => sendWebhook(target, rooms, notice, signal),
        retry: { firstMs: 10, mostMs: 40, giveUpMs: 60_000 },
        bury,
        clock: systemClock,
        random: () => 0,
        counters,
      })
    }),
  )
  const stop = async (): Promise<void> => {
    await notifier.close()
    await logs.close()
  }
  t.after(stop)
  return { notifier, bus, counters, notices, logs, stop }
}

function opened(id: string): object {
  return { change: 'opened', case: { id, kind: 'irsf', score: 0.9 }, at: new Date(systemClock.wallMs()).toISOString() }
}

describe('notifier', () => {
  it('tells every receiver; one that is down holds up no other, and has all of it when it is back', async (t) => {
    const soc = await receiver(t)
    const duty = await receiver(t)
    const { bus, notifier, notices } = await notifierFor(t, { soc, duty })
    await duty.close()
    for (const id of ['a', 'b', 'a', 'c']) bus.publish('case', opened(id))
    await until(() => soc.taken.length === 4 && notifier.views().every(({ state }) => state !== 'sending'))
    assert.deepEqual(
      notifier.views().map(({ name, waiting, state }) => [name, waiting, state]),
      [
        ['soc', 0, 'idle'],
        ['duty', 4, 'down'],
      ],
    )
    assert.equal(notifier.waiting, 4)
    const back = await receiver(t, duty.port)
    await until(() => back.taken.length === 4 && notices.bytes() === 0)
    assert.equal(notifier.oldestS, 0)
  })

  it('gives after a restart what was not taken, with the same ids; forgets receivers that are no more', async (t) => {
    const soc = await receiver(t)
    const left = await receiver(t)
    for (const at of [soc, left]) at.answer = () => 503
    const first = await notifierFor(t, { soc, left })
    first.bus.publish('case', opened('a'))
    first.bus.publish('case', opened('b'))
    await until(() => soc.arrivals.length > 0 && first.counters.noticesQueued === 2)
    await first.stop()
    soc.answer = () => 204
    const logs = scratchLogs(t, first.logs.directory)
    const second = await notifierFor(t, { soc }, { logs, firstId: 1000 })
    // A request of the first may still have been answered after its end: that is a duplicate, with the same id.
    await until(() => new Set(soc.taken).size === 2)
    assert.deepEqual([...new Set(soc.taken)].sort(), ['evt_1', 'evt_2'])
    await until(() => second.notices.bytes() === 0)
    assert.deepEqual(second.notices.readers(), ['to-soc'])
  })

  it('tells a new receiver only what happens from now on', async (t) => {
    const soc = await receiver(t)
    soc.answer = () => 503
    const first = await notifierFor(t, { soc })
    first.bus.publish('case', opened('a'))
    await until(() => soc.arrivals.length > 0)
    await first.stop()
    soc.answer = () => 204
    const fresh = await receiver(t)
    const logs = scratchLogs(t, first.logs.directory)
    const second = await notifierFor(t, { soc, fresh }, { logs, firstId: 1000 })
    second.bus.publish('case', opened('b'))
    await until(() => new Set(soc.taken).size === 2 && fresh.taken.length === 1)
    assert.deepEqual(fresh.taken, ['evt_1000'])
  })

  it('keeps what a receiver refuses as a dead letter, over a restart, and sends it again with its id', async (t) => {
    const soc = await receiver(t)
    soc.answer = () => 400
    const first = await notifierFor(t, { soc })
    first.bus.publish('case', opened('a'))
    await until(() => first.notifier.deadCount === 1)
    await first.stop()
    soc.answer = () => 204
    const { notifier } = await notifierFor(t, { soc }, { logs: scratchLogs(t, first.logs.directory), firstId: 1000 })
    const [letter] = notifier.deadLetters()
    assert.deepEqual([letter?.id, letter?.why, letter?.tries], ['soc.evt_1', 'answered 400', 5])
    await notifier.resend('soc.evt_1')
    await until(() => soc.taken.length === 1)
    assert.deepEqual([soc.taken, notifier.deadCount], [['evt_1'], 0])
    await assert.rejects(notifier.resend('soc.evt_1'), { code: 'not_found' })
  })

  it('refuses new notices when the log is full, counted and said once, and goes on when there is room', async (t) => {
    const soc = await receiver(t)
    soc.answer = () => 503
    const lines: string[] = []
    const log = { ...silentLog, error: (message: string) => void lines.push(message) }
    const { bus, counters } = await notifierFor(t, { soc }, { queueBytes: 1000, log })
    for (let n = 0; n < 10; n++) bus.publish('case', opened(`c${n}`))
    await until(() => counters.noticesQueued + counters.noticesRefused === 10)
    assert.ok(counters.noticesQueued >= 1 && counters.noticesRefused >= 1)
    assert.deepEqual(lines, ['notices cannot be kept'])
    soc.answer = () => 204
    await until(() => soc.taken.length === counters.noticesQueued)
    bus.publish('case', opened('later'))
    await until(() => soc.taken.length === counters.noticesQueued && counters.noticesQueued > 1)
  })

  it('keeps nothing when there is nobody to tell', async (t) => {
    const { bus, notices, counters } = await notifierFor(t, {})
    bus.publish('case', opened('a'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual([notices.bytes(), counters.noticesQueued], [0, 0])
  })
})
