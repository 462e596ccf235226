import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ActionOrder, CallActions } from '../../src/actions/call-actions.ts'
import { TwilioError } from '../../src/actions/twilio-error.ts'
import type { RequestChoices } from '../../src/actions/twilio-rest.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'

interface Request {
  readonly callSid: string
  readonly change: object
  readonly more: RequestChoices
  answer(thrown?: Error): void
}

function house(over: { queueMax?: number } = {}) {
  const clock = new ManualClock()
  const counters = zeroCounters()
  const requests: Request[] = []
  const rest = {
    updateCall: (_: string, callSid: string, change: object, more: RequestChoices = {}) =>
      new Promise<void>((resolve, reject) => {
        requests.push({ callSid, change, more, answer: (thrown) => (thrown ? reject(thrown) : resolve()) })
      }),
  }
  const limits = { queueMax: over.queueMax ?? 10, timeLimitMs: 5000 }
  const actions = new CallActions({ rest, ...limits, clock, counters, log: silentLog })
  return { clock, counters, requests, actions }
}

function order(id: string, over: Partial<ActionOrder> = {}): ActionOrder {
  const change = { status: 'completed' } as const
  return { id, accountSid: 'AC1', callSid: `CA${id}`, change, verdictAtMs: 0, ...over }
}

describe('an action on a call', () => {
  it('goes out at once, and tells how long after the verdict', async () => {
    const { actions, clock, counters, requests } = house()
    clock.advance(3)
    const outcome = actions.take(order('1'))
    clock.advance(4)
    requests[0]?.more.begun?.()
    clock.advance(200)
    requests[0]?.answer()
    assert.deepEqual(await outcome, { state: 'done', latencyMs: 7, result: null })
    assert.deepEqual(requests[0]?.change, { status: 'completed' })
    assert.equal(counters.actionsDone, 1)
    assert.equal(actions.open, 0)
  })

  it('has what is left of its time limit since the verdict', () => {
    const { actions, clock, requests } = house()
    clock.advance(1200)
    void actions.take(order('1'))
    assert.equal(requests[0]?.more.totalMs, 3800)
  })

  it('that fails is told with the reason and thrown at nobody', async () => {
    const { actions, counters, requests } = house()
    const outcome = actions.take(order('1'))
    requests[0]?.more.begun?.()
    requests[0]?.answer(new TwilioError('call_over', 'Twilio answered 404: gone (20404)'))
    const result = { code: 'call_over', text: 'Twilio answered 404: gone (20404)' }
    assert.deepEqual(await outcome, { state: 'failed', latencyMs: 0, result })
    assert.equal(counters.actionsFailed, 1)
  })

  it('is refused and counted when too many are open; nothing goes out for it', async () => {
    const { actions, counters, requests } = house({ queueMax: 2 })
    void actions.take(order('1'))
    void actions.take(order('2'))
    assert.equal((await actions.take(order('3'))).result?.code, 'queue_full')
    assert.equal(requests.length, 2)
    assert.equal(counters.actionsRefused, 1)
  })

  it('says so once, just before its first request goes out', async () => {
    const { actions, requests } = house()
    const said: string[] = []
    void actions.take(order('1', { beforeSend: () => void said.push('now') }))
    assert.deepEqual(said, [])
    requests[0]?.more.begun?.()
    requests[0]?.more.begun?.()
    assert.deepEqual(said, ['now'])
  })

  it('can be taken back until its request goes out, and not after', async () => {
    const { actions, requests } = house()
    const outcome = actions.take(order('1'))
    assert.equal(actions.cancel('1'), true)
    let refusal: unknown
    try {
      requests[0]?.more.begun?.()
    } catch (thrown) {
      refusal = thrown
    }
    assert.ok(refusal instanceof Error, 'the request is stopped in its turn')
    requests[0]?.answer(refusal)
    assert.equal((await outcome).state, 'cancelled')
    void actions.take(order('2'))
    requests[1]?.more.begun?.()
    assert.equal(actions.cancel('2'), false)
    assert.equal(actions.cancel('nobody'), false)
  })
})
