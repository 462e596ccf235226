import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { WindowHistory } from '../../src/decisions/window-history.ts'
import { hopFlag } from '../../src/features/hop.ts'

describe('the window history', () => {
  it('keeps the newest windows in order, equal to the tail of an array', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 40 }),
        (capacity, pushed) => {
          const history = new WindowHistory(capacity)
          for (const value of pushed) history.push(value, value + 500, 0.5, 0)
          assert.deepEqual(
            history.newest().map((window) => window.startMs),
            pushed.slice(-capacity),
          )
        },
      ),
    )
  })

  it('shows an unjudged window with score null and its flags by name', () => {
    const history = new WindowHistory(4)
    history.push(0, 500, Number.NaN, hopFlag.music | hopFlag.gap)
    assert.deepEqual(history.newest(), [{ startMs: 0, endMs: 500, score: null, flags: ['music', 'gap'] }])
  })
})
