import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock, systemClock } from '../../src/core/clock.ts'

describe('the clock', () => {
  it('of a test moves only when told to', () => {
    const clock = new ManualClock(1_000)
    clock.advance(250)
    assert.deepEqual([clock.wallMs(), clock.steadyMs()], [1_250, 250])
  })

  it('of the system never runs backwards in its steady reading', () => {
    let last = systemClock.steadyMs()
    for (let reading = 0; reading < 1000; reading += 1) {
      const now = systemClock.steadyMs()
      assert.ok(now >= last)
      last = now
    }
  })
})
