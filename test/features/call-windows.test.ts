import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type CallEvent, callEventOf } from '../../src/features/call-event.ts'
import { CallWindows, keyKinds, kindOf, WindowView } from '../../src/features/call-windows.ts'
import { SubjectKeys } from '../../src/features/subject-keys.ts'
import { levelTicks, type PaneField, panesPerKeyMax } from '../../src/features/window-panes.ts'
import { call } from '../fakes/call-events.ts'

const limits = {
  numbersMax: 5000,
  rangesMax: 5000,
  calledNumbersMax: 5000,
  routesMax: 100,
  routeDestinationsMax: 1000,
  destinationDigits: 5,
  recentCallsMax: 1000,
}

function keyText(kind: number, event: CallEvent): string {
  if (kind === kindOf.number) return event.from
  if (kind === kindOf.called_number) return event.to
  if (kind === kindOf.route) return event.route
  if (kind === kindOf.route_destination) return `${event.route} ${event.to.slice(0, 5)}`
  return event.from.slice(0, -(kind - kindOf.range3 + 3))
}

/** Every call in an array, windows by filtering it: slow, and plainly what window-panes.ts draws. */
class Oracle {
  readonly events: CallEvent[] = []

  within(kind: number, of: CallEvent, nowMs: number, level: number): CallEvent[] {
    const paneMs = levelTicks[level]! * 15_000
    return this.events.filter(
      (each) =>
        keyText(kind, each) === keyText(kind, of) && Math.floor(each.timeMs / paneMs) > Math.floor(nowMs / paneMs) - 4,
    )
  }
}

/** Seconds between calls from a burst to more than a day, few numbers, so that every window has a story. */
const traffic = fc.array(
  fc.record({
    gapS: fc.oneof(fc.nat(20), fc.nat(400), fc.nat(8000), fc.nat(60_000)),
    from: fc.nat(4),
    to: fc.nat(6),
    ringS: fc.nat(20),
    talkS: fc.option(fc.nat(1200), { nil: undefined }),
    route: fc.constantFrom('trunk-a', 'trunk-b'),
    releasedBy: fc.constantFrom('caller' as const, 'callee' as const, 'unknown' as const),
  }),
  { minLength: 1, maxLength: 120 },
)

describe('the sliding windows', () => {
  it('hold what an array of all calls holds: counts exactly, sums to single precision', () => {
    fc.assert(
      fc.property(traffic, (rows) => {
        const windows = new CallWindows(limits)
        const oracle = new Oracle()
        const view = new WindowView()
        let atS = 0
        let lastMs = 0
        for (const row of rows) {
          atS += row.gapS
          const { from, to, gapS: _, ...how } = row
          const sketch = { ...how, atS, from: `4477009001${from}0`, to: `4915112345${to}` }
          const { talkS, ...quiet } = sketch
          const event = callEventOf(call(talkS === undefined ? quiet : { ...quiet, talkS }))
          if (event.timeMs < lastMs) continue
          lastMs = event.timeMs
          windows.observe(event)
          oracle.events.push(event)
          for (let kind = 0; kind < keyKinds.length; kind++) {
            windows.read(kind, windows.slots[kind]!, event.timeMs, view)
            for (let level = 0; level < 4; level++) same(view, level, oracle.within(kind, event, event.timeMs, level))
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('need no more than 17 panes for a key that calls all day', () => {
    const windows = new CallWindows(limits)
    for (let atS = 0; atS < 3 * 86_400; atS += 13) {
      windows.observe(callEventOf(call({ from: '447700900123', to: '491511234567', atS })))
      const { pool } = windows.tables[kindOf.number]!
      assert.ok(pool.inUse <= panesPerKeyMax, `${pool.inUse} panes`)
    }
  })

  it('cost under 0.7 KiB a key on mixed traffic, and at most 3.6 KiB for the busiest number', () => {
    const windows = new CallWindows({ ...limits, numbersMax: 50_000, calledNumbersMax: 50_000, rangesMax: 50_000 })
    // One call in five comes from one of ten busy numbers, the others from numbers that call once or twice a day.
    for (let n = 0; n < 30_000; n++) {
      const busy = n % 5 === 0
      const from = busy ? `44770090000${n % 10}` : `44${7_000_000_000 + ((n * 7919) % 20_000) * 1371}`
      windows.observe(callEventOf(call({ from, to: `4915${10_000_000 + ((n * 104_729) % 9_000_000)}`, atS: n * 2.5 })))
    }
    assert.ok(windows.liveBytes / windows.keys < 0.7 * 1024, `${windows.liveBytes / windows.keys} bytes a key`)
    const busiest = SubjectKeys.slotBytes + panesPerKeyMax * windows.tables[0]!.pool.paneBytes
    assert.ok(busiest <= 3.6 * 1024, `${busiest}`)
  })

  it('know who calls back', () => {
    const windows = new CallWindows(limits)
    const view = new WindowView()
    const lure = '447700900123'
    for (let n = 0; n < 10; n++)
      windows.observe(callEventOf(call({ from: lure, to: `49151123450${n}`, atS: n, ringS: 2 })))
    for (let n = 0; n < 3; n++) {
      windows.observe(callEventOf(call({ from: `49151123450${n}`, to: lure, atS: 60 + n, talkS: 90 })))
    }
    windows.observe(callEventOf(call({ from: '491511239999', to: lure, atS: 200, talkS: 90 })))
    const event = callEventOf(call({ from: lure, to: '491511230000', atS: 300, ringS: 2 }))
    windows.observe(event)
    windows.read(kindOf.number, windows.slots[kindOf.number]!, event.timeMs, view)
    assert.equal(view.sum(1, 'callbacks'), 3)
    assert.equal(view.sum(1, 'callbackTalk'), 270)
  })

  it('tell sequential called numbers, and the even tail of a rotating range', () => {
    const windows = new CallWindows(limits)
    const view = new WindowView()
    for (let n = 0; n < 100; n++) {
      windows.observe(callEventOf(call({ from: `447700900${100 + n}`, to: `49151123${1000 + n}`, atS: n })))
    }
    const nowMs = callEventOf(call({ from: '1', to: '1', atS: 100 })).timeMs
    windows.read(kindOf.range3, windows.slots[kindOf.range3]!, nowMs, view)
    assert.equal(view.sum(2, 'sequentialB'), 99)
    // All ten last digits alike: the entropy of a fair ten-sided die, as a share of itself.
    assert.ok(Math.abs(view.tailEntropy - 1) < 1e-9)
    assert.equal(view.sum(2, 'freshA'), 100)
  })

  it('keep no call beyond 24 h', () => {
    const windows = new CallWindows(limits)
    const view = new WindowView()
    const early = callEventOf(call({ from: '447700900123', to: '491511234567', atS: 0 }))
    windows.observe(early)
    windows.read(kindOf.number, windows.slots[kindOf.number]!, early.timeMs + 24 * 3_600_000, view)
    assert.equal(view.sum(3, 'attempts'), 0)
    assert.equal(windows.tables[kindOf.number]!.pool.inUse, 0)
  })
})

function same(view: WindowView, level: number, events: readonly CallEvent[]): void {
  const count = (test: (event: CallEvent) => boolean) => events.filter(test).length
  const exact: Partial<Record<PaneField, number>> = {
    attempts: events.length,
    answered: count((each) => each.answered),
    shortTalk: count((each) => each.answered && each.talkS <= 3),
    longCalls: count((each) => each.answered && each.talkS >= 600),
    blink: count((each) => each.blink),
    callerCancel: count((each) => !each.answered && each.releasedByCaller),
    calleeReject: count((each) => !each.answered && each.releasedByCallee),
    ringCount: count((each) => each.ringS >= 0),
    foreign: events.length,
  }
  for (const [name, value] of Object.entries(exact)) assert.equal(view.sum(level, name as PaneField), value, name)
  const talk = events.reduce((sum, each) => sum + each.talkS, 0)
  assert.ok(Math.abs(view.sum(level, 'talkSum') - talk) <= 1e-4 * talk + 1e-3)
}
