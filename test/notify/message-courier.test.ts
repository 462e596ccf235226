/** Messages to people over the real log, with a clock that the test moves. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { Outcome } from '../../src/notify/courier.ts'
import { type Message, MessageCourier } from '../../src/notify/message-courier.ts'
import type { Notice } from '../../src/notify/notice.ts'
import { encodeEntry, Outbox } from '../../src/notify/outbox.ts'
import { QuietHours } from '../../src/notify/quiet-hours.ts'
import { noticeOf, put, scratchLogs } from '../fakes/notices.ts'
import { until } from '../fakes/until.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const night = Date.UTC(2026, 0, 1, 23)

function desk(t: TestContext, startMs: number, logs = scratchLogs(t)) {
  const clock = new ManualClock(startMs)
  const counters = zeroCounters()
  const sent: Message[] = []
  const buried: Notice[] = []
  const answers: Outcome[] = []
  const log = logs.log('notices')
  const outbox = new Outbox({ log, name: 'duty', wants: () => true, pendingMax: 5000 })
  const courier = new MessageCourier({
    name: 'duty',
    kind: 'mail',
    outbox,
    deliver: async (message) => {
      const outcome = answers.shift() ?? { state: 'done' }
      if (outcome.state === 'done') sent.push(message)
      return outcome
    },
    quietHours: new QuietHours({ from: '22:00', to: '07:00', zone: 'UTC', unlessSeverity: 'critical' }),
    retry: { firstMs: 1000, mostMs: 60_000, giveUpMs: 86_400_000 },
    bury: async (_receiver, notice) => {
      buried.push(notice)
      return true
    },
    clock,
    random: () => 1,
    counters,
  })
  t.after(() => courier.close())
  const pass = async (condition: () => boolean, stepMs = 250): Promise<void> => {
    await until(() => {
      clock.advance(stepMs)
      courier.wake()
      return condition()
    })
  }
  /** Wakes and lets everything under way finish. */
  const settle = async (): Promise<void> => {
    courier.wake()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const told = () => sent.map(({ notices }) => notices.map(({ id }) => id).join())
  return { clock, counters, sent, buried, answers, log, outbox, courier, pass, settle, told, logs }
}

describe('messages to people', () => {
  it('are one per call or case and stage, however often the stage comes back', async (t) => {
    const { log, pass, told, counters, outbox } = desk(t, noon)
    await put(
      log,
      noticeOf(1, 'call/CA1', { stage: 'inbound/likely_synthetic/firm' }),
      noticeOf(2, 'call/CA1', { stage: 'inbound/inconclusive/firm' }),
      noticeOf(3, 'call/CA1', { stage: 'inbound/likely_synthetic/firm' }),
      noticeOf(4, 'call/CA2', { stage: 'inbound/likely_synthetic/firm' }),
    )
    await pass(() => told().length === 3)
    assert.deepEqual(told(), ['evt_1', 'evt_2', 'evt_4'])
    assert.equal(counters.noticesRepeated, 1)
    await outbox.settled()
    assert.equal(outbox.waiting, 0)
  })

  it('are a second apart, and a digest when five or more wait', async (t) => {
    const { log, settle, told, clock, sent, pass } = desk(t, noon)
    await put(log, noticeOf(1), noticeOf(2))
    await settle()
    assert.deepEqual(told(), ['evt_1'])
    clock.advance(999)
    await settle()
    assert.deepEqual(told(), ['evt_1'])
    await put(log, noticeOf(3), noticeOf(4), noticeOf(5), noticeOf(6))
    await pass(() => told().length === 2)
    assert.deepEqual(told(), ['evt_1', 'evt_2,evt_3,evt_4,evt_5,evt_6'])
    assert.deepEqual([sent[1]?.digest, sent[1]?.quiet], [true, false])
  })

  it('wait for the end of quiet hours and then come as one digest; what is critical comes at once', async (t) => {
    const { log, settle, pass, told, sent, courier, clock, counters } = desk(t, night)
    await put(log, noticeOf(1, 'case/a'), noticeOf(2, 'case/b'), noticeOf(3, 'case/c', { severity: 'critical' }))
    await settle()
    assert.deepEqual(told(), ['evt_3'])
    assert.deepEqual([courier.view().state, courier.view().waiting], ['quiet', 2])
    await pass(() => clock.wallMs() > night + 7 * 3_600_000, 600_000)
    assert.deepEqual(told(), ['evt_3'])
    await pass(() => told().length === 2, 60_000)
    assert.deepEqual(told(), ['evt_3', 'evt_1,evt_2'])
    assert.ok(clock.wallMs() >= night + 8 * 3_600_000)
    assert.deepEqual([sent[1]?.digest, sent[1]?.quiet, sent[1]?.more, counters.noticesDelivered], [true, true, 0, 3])
  })

  it('keep the order of a case: what was held about it goes before what is critical', async (t) => {
    const { log, settle, pass, told } = desk(t, night)
    await put(log, noticeOf(1, 'case/a'), noticeOf(2, 'case/b'), noticeOf(3, 'case/a', { severity: 'critical' }))
    await settle()
    await pass(() => told().length === 2)
    assert.deepEqual(told(), ['evt_1', 'evt_3'])
  })

  it('are counted beyond a thousand held, in the digest', async (t) => {
    const { log, settle, pass, told, sent } = desk(t, night)
    await put(log, ...Array.from({ length: 1100 }, (_, n) => noticeOf(n)))
    await settle()
    await pass(() => told().length === 1, 600_000)
    assert.deepEqual([sent[0]?.notices.length, sent[0]?.more], [1000, 100])
  })

  it('that are held survive a restart in the night', async (t) => {
    const first = desk(t, night)
    await put(first.log, noticeOf(1, 'case/a'), noticeOf(2, 'case/b'))
    await first.settle()
    await first.courier.close()
    await first.logs.close()
    const second = desk(t, night + 3_600_000, scratchLogs(t, first.logs.directory))
    await second.settle()
    await second.pass(() => second.told().length === 1, 600_000)
    assert.deepEqual(second.told(), ['evt_1,evt_2'])
  })

  it('are tried again with what came meanwhile, and buried when refused for good', async (t) => {
    const { log, settle, pass, told, answers, buried, counters, courier } = desk(t, noon)
    answers.push({ state: 'unavailable', why: 'SMTP ETIMEDOUT', afterMs: null })
    await put(log, noticeOf(1))
    await settle()
    assert.deepEqual([courier.view().state, courier.view().lastError], ['down', 'SMTP ETIMEDOUT'])
    await put(log, ...[2, 3, 4, 5].map((n) => noticeOf(n)))
    await pass(() => told().length === 1)
    assert.deepEqual(told(), ['evt_1,evt_2,evt_3,evt_4,evt_5'])
    answers.push(...Array.from({ length: 5 }, () => ({ state: 'refused', why: 'SMTP answered 550' }) as const))
    await put(log, noticeOf(6))
    await pass(() => buried.length === 1, 5000)
    assert.deepEqual([buried[0]?.id, counters.noticesDead, counters.noticesFailed], ['evt_6', 1, 6])
  })

  it('that somebody sends again go out although their stage was told', async (t) => {
    const { log, pass, told } = desk(t, noon)
    await put(log, noticeOf(1))
    await log.append([encodeEntry({ notice: noticeOf(1), only: 'duty' })])
    await pass(() => told().length === 2)
    assert.deepEqual(told(), ['evt_1', 'evt_1'])
  })
})
