import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { giveUp, noAttempts, outcomeOf, pauseMs } from '../../src/notify/courier.ts'

const down = { state: 'unavailable', why: 'answered 503', afterMs: null } as const
const refused = { state: 'refused', why: 'answered 400' } as const
const young = { ageMs: 1000, giveUpMs: 86_400_000, othersGotThrough: false }

describe('couriers', () => {
  it('heed Retry-After, in seconds or as a date', () => {
    const nowMs = Date.UTC(2026, 0, 1)
    const after = (text: string) => {
      const outcome = outcomeOf({ status: 429, headers: { 'retry-after': text } }, nowMs)
      return outcome.state === 'unavailable' && outcome.afterMs
    }
    assert.equal(after('7'), 7000)
    assert.equal(after('Thu, 01 Jan 2026 00:01:00 GMT'), 60_000)
    assert.equal(after('soon'), null)
  })

  it('wait twice as long after each failure, between half and all of it, up to the most', () => {
    const limits = { firstMs: 1000, mostMs: 60_000, giveUpMs: 1 }
    const shortest = [1, 2, 3, 4, 20, 2000].map((failures) => pauseMs(limits, failures, () => 0))
    const longest = [1, 2, 3, 4, 20, 2000].map((failures) => pauseMs(limits, failures, () => 1))
    assert.deepEqual(shortest, [500, 1000, 2000, 4000, 30_000, 30_000])
    assert.deepEqual(longest, [1000, 2000, 4000, 8000, 60_000, 60_000])
  })

  it('give a notice up that was refused five times, or failed eight times while others got through', () => {
    const attempts = noAttempts()
    const why = Array.from({ length: 5 }, () => giveUp(attempts, refused, young))
    assert.deepEqual(why, [null, null, null, null, 'answered 400'])
    const poison = noAttempts()
    const failures = Array.from({ length: 8 }, () => giveUp(poison, down, { ...young, othersGotThrough: true }))
    assert.deepEqual(failures.indexOf('answered 503'), 7)
  })

  it('wait for a receiver that is down until the notice is too old, and end at once when it is gone', () => {
    const attempts = noAttempts()
    for (let n = 0; n < 500; n++) assert.equal(giveUp(attempts, down, young), null)
    assert.equal(giveUp(attempts, down, { ...young, ageMs: 86_400_001 }), 'answered 503')
    assert.equal(giveUp(noAttempts(), { state: 'gone', why: 'answered 410' }, young), 'answered 410')
  })
})
