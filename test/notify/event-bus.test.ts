import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { zeroCounters } from '../../src/core/metrics.ts'
import { type BusEvent, EventBus } from '../../src/notify/event-bus.ts'

function bus(keepMax: number, firstId = 100) {
  return new EventBus({ keepMax, firstId, counters: zeroCounters() })
}

function heard(from: EventBus, afterId: number | null): string[] {
  const list: string[] = []
  from.subscribe(afterId, (event: BusEvent) => {
    const { code } = event.data as { code?: string }
    list.push(code === undefined ? String(event.id) : `${event.id} ${code}`)
  })
  return list
}

describe('event bus', () => {
  it('tells new subscribers only what comes', () => {
    const b = bus(4)
    b.publish('verdict', {})
    const list = heard(b, null)
    assert.equal(b.publish('health', {}), 101)
    assert.deepEqual(list, ['101'])
  })

  it('resumes after an id without a gap', () => {
    const b = bus(4)
    for (let n = 0; n < 3; n++) b.publish('verdict', {})
    assert.deepEqual(heard(b, 100), ['101', '102'])
    assert.deepEqual(heard(b, 102), [])
    assert.deepEqual(heard(b, 99), ['100', '101', '102'])
  })

  it('says so when events have left the ring, and goes on with what is kept', () => {
    const b = bus(4)
    for (let n = 0; n < 6; n++) b.publish('verdict', {})
    assert.deepEqual(heard(b, 100), ['101 events_missed', '102', '103', '104', '105'])
    assert.deepEqual(heard(b, 101), ['102', '103', '104', '105'])
  })

  it('says so after a restart, whose ids begin higher, and for ids it never gave', () => {
    const b = bus(4, 5_000_000)
    assert.deepEqual(heard(b, 105), ['4999999 events_missed'])
    const list = heard(b, 9_000_000)
    b.publish('verdict', {})
    assert.deepEqual(list, ['4999999 events_missed', '5000000'])
  })

  it('can be left from inside the listener, twice', () => {
    const b = bus(4)
    let count = 0
    const leave: () => void = b.subscribe(null, () => {
      count += 1
      leave()
    })
    b.publish('verdict', {})
    b.publish('verdict', {})
    leave()
    assert.equal(count, 1)
  })

  it('after any history: each event once and in order, or the gap is told (against a plain list)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.nat(40),
        fc.nat(60),
        fc.nat(5),
        (keepMax, before, after, later) => {
          const b = bus(keepMax, 1)
          const ids = Array.from({ length: before }, () => b.publish('verdict', {}))
          const list = heard(b, after)
          for (let n = 0; n < later; n++) ids.push(b.publish('verdict', {}))
          const kept = ids.filter((id) => id > before - keepMax)
          const resumed = kept.filter((id) => (after > before ? id > before : id > after))
          const missed = after > before || ids.some((id) => id > after && id <= before - keepMax)
          assert.deepEqual(
            list.filter((text) => !text.includes('missed')),
            resumed.map(String),
          )
          assert.equal(list.filter((text) => text.includes('missed')).length, missed ? 1 : 0)
        },
      ),
    )
  })
})
