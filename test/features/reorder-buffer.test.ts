import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { CallEvent } from '../../src/features/call-event.ts'
import { ReorderBuffer } from '../../src/features/reorder-buffer.ts'

function event(timeMs: number, id: string): CallEvent {
  return { timeMs, id } as CallEvent
}

describe('the order of event time', () => {
  it('is the same however calls within the lateness bound were shuffled', () => {
    const stamps = fc.array(fc.tuple(fc.nat(5000), fc.nat(1000)), { maxLength: 80 })
    fc.assert(
      fc.property(stamps, (pairs) => {
        const events = pairs.map(([timeMs], index) => event(timeMs, String(index).padStart(3, '0')))
        // Arrival up to 1000 ms after the event: no two are out of order by more than that.
        const arrived = events
          .map((each, index) => ({ each, at: each.timeMs + (pairs[index]?.[1] ?? 0) }))
          .sort((a, b) => a.at - b.at)
          .map(({ each }) => each)
        const got: CallEvent[] = []
        const buffer = new ReorderBuffer(
          { latenessMs: 1000, heldMax: 1000 },
          (each) => got.push(each),
          () => assert.fail('nothing was late'),
        )
        for (const each of arrived) buffer.push(each)
        buffer.flush()
        const inOrder = [...events].sort((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1))
        assert.deepEqual(got, inOrder)
      }),
    )
  })

  it('hands a call that is later than the bound to late, and not on', () => {
    const got: string[] = []
    const late: string[] = []
    const buffer = new ReorderBuffer(
      { latenessMs: 1000, heldMax: 10 },
      (each) => got.push(each.id),
      (each) => late.push(each.id),
    )
    buffer.push(event(10_000, 'now'))
    buffer.push(event(8999, 'old'))
    buffer.push(event(9000, 'just in time'))
    buffer.flush()
    assert.deepEqual([got, late], [['just in time', 'now'], ['old']])
  })

  it('never holds more than heldMax', () => {
    const buffer = new ReorderBuffer(
      { latenessMs: Number.POSITIVE_INFINITY, heldMax: 5 },
      () => undefined,
      () => undefined,
    )
    for (let n = 0; n < 100; n++) {
      buffer.push(event(n, String(n)))
      assert.ok(buffer.held <= 5)
    }
  })
})
