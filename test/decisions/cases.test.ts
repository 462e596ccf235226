import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { subjectKey } from '../../src/decisions/case-subjects.ts'
import { type CaseLimits, Cases } from '../../src/decisions/cases.ts'
import type { CaseKind } from '../../src/decisions/fraud-signal.ts'
import { type CallEvent, callEventOf } from '../../src/features/call-event.ts'
import { keyKinds, kindOf } from '../../src/features/call-windows.ts'
import { call } from '../fakes/call-events.ts'

const limits: CaseLimits = { casesMax: 100, coolMs: 1_800_000, closeMs: 7_200_000, evidenceMax: 6 }
const slots = new Int32Array(keyKinds.length).fill(1)

function stage(over: Partial<CaseLimits> = {}) {
  const changes: string[] = []
  let ids = 0
  const cases = new Cases(
    { ...limits, ...over },
    5,
    () => `case-${++ids}`,
    (change, it) => changes.push(`${change} ${it.kind} ${subjectKey(it.subject)}`),
  )
  return { cases, changes }
}

function event(from: string, atS = 0, to = '491511234567'): CallEvent {
  return callEventOf(call({ from, to, atS }))
}

function sighting(keyKind: number, of: CallEvent, calls: number, kind: CaseKind = 'flash_call', score = 0.9) {
  const signal = { kind, score, calls, level: 1, marks: 0, reasons: [{ code: 'blink', text: `${calls} blinks` }] }
  return { keyKind, event: of, slots, signal, firstSeenMs: of.timeMs - 1000, evidence: [of.id] }
}

describe('a case', () => {
  it('opens once per subject and kind, and is strengthened after that', () => {
    const { cases, changes } = stage()
    const one = cases.sight(sighting(kindOf.range3, event('447700900123'), 30))
    const again = cases.sight(sighting(kindOf.range3, event('447700900456', 60), 50, 'flash_call', 0.97))
    assert.equal(one, again)
    assert.equal(one?.score, 0.97)
    assert.deepEqual(changes, ['opened flash_call range:447700900', 'strengthened flash_call range:447700900'])
  })

  it('of a number is that of its range when the range has one', () => {
    const { cases } = stage()
    const range = cases.sight(sighting(kindOf.range3, event('447700900123'), 30))
    assert.equal(cases.sight(sighting(kindOf.number, event('447700900456', 5), 30)), range)
    assert.equal(cases.size, 1)
  })

  it('on a broader subject does not open while the narrow one explains its calls', () => {
    const { cases } = stage()
    cases.sight(sighting(kindOf.range3, event('447700900123'), 30))
    assert.equal(cases.sight(sighting(kindOf.route, event('447700900456', 5), 50)), null)
    assert.equal(cases.size, 1)
  })

  it('on a broader subject takes in narrow ones that explain less than half of it', () => {
    const { cases, changes } = stage()
    const narrow = cases.sight(sighting(kindOf.range3, event('447700900123'), 30))
    const broad = cases.sight(sighting(kindOf.route, event('447700900456', 5), 200))
    assert.equal(broad?.absorbed, 1)
    assert.equal(narrow?.state, 'merged')
    assert.equal(narrow?.mergedInto, broad?.id)
    assert.equal(cases.size, 1)
    assert.ok(changes.includes('merged flash_call range:447700900'))
  })

  it('on a broader subject takes in three narrow ones: that is one campaign', () => {
    const { cases } = stage()
    for (const from of ['447700900123', '447700911123', '447700922123']) {
      cases.sight(sighting(kindOf.range3, event(from), 30))
    }
    const broad = cases.sight(sighting(kindOf.range5, event('447700900123'), 90))
    assert.equal(broad?.absorbed, 3)
    assert.equal(cases.size, 1)
  })

  it('of toll fraud is one, whether seen by who calls or by where to', () => {
    const { cases } = stage()
    const hacked = cases.sight(sighting(kindOf.number, event('4930123456'), 10, 'pbx_hack'))
    assert.equal(cases.sight(sighting(kindOf.route_destination, event('4930123456', 5), 12, 'irsf')), hacked)
  })

  it('cools without news, comes back with news, and closes after a long silence', () => {
    const { cases, changes } = stage()
    const it = cases.sight(sighting(kindOf.range3, event('447700900123'), 30))
    const startMs = it?.lastSeenMs ?? 0
    cases.tick(startMs + limits.coolMs)
    assert.equal(it?.state, 'cooled')
    cases.sight(sighting(kindOf.range3, event('447700900123', 2000), 30))
    assert.equal(it?.state, 'open')
    cases.tick((it?.lastSeenMs ?? 0) + limits.closeMs)
    assert.equal(it?.state, 'closed')
    assert.equal(cases.size, 0)
    assert.equal(changes.at(-1), 'closed flash_call range:447700900')
  })

  it('beyond casesMax is counted and not opened', () => {
    const { cases } = stage({ casesMax: 2 })
    for (let n = 1; n <= 5; n++) cases.sight(sighting(kindOf.range3, event(`44770090${n}123`), 30))
    assert.deepEqual([cases.size, cases.refused], [2, 3])
  })

  it('keeps bounded evidence: the first half from its beginning, the rest the newest', () => {
    const { cases } = stage()
    let it = null
    const ids: string[] = []
    for (let n = 0; n < 20; n++) {
      const of = event('447700900123', n)
      ids.push(of.id)
      it = cases.sight(sighting(kindOf.range3, of, 30))
    }
    assert.deepEqual(it?.evidence, [...ids.slice(0, 3), ...ids.slice(-3)])
  })

  it('is never one of two live cases with the same kind and subject, nor within one of its kind', () => {
    const step = fc.record({
      from: fc.constantFrom('447700900123', '447700900456', '447700911123', '336123456789'),
      keyKind: fc.nat(keyKinds.length - 1),
      calls: fc.integer({ min: 1, max: 500 }),
      gapS: fc.nat(4000),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { cases } = stage()
        let atS = 0
        for (const { from, keyKind, calls, gapS } of steps) {
          atS += gapS
          const of = event(from, atS)
          cases.tick(of.timeMs)
          cases.sight(sighting(keyKind, of, calls))
          const live = cases.live()
          assert.equal(new Set(live.map((each) => subjectKey(each.subject))).size, live.length)
          assert.ok(live.every((each) => each.state === 'open' || each.state === 'cooled'))
          assert.ok(live.every((each) => each.evidence.length <= limits.evidenceMax))
          assert.ok(live.every((each) => each.firstSeenMs <= each.lastSeenMs))
        }
      }),
    )
  })
})
