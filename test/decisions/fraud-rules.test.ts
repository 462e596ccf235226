/** What sets a kind of fraud apart from its look-alikes: pairs of scenarios that differ in one thing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { subjectKey } from '../../src/decisions/case-subjects.ts'
import type { FraudCase } from '../../src/decisions/cases.ts'
import type { FlashCallScorer } from '../../src/decisions/flash-call-rule.ts'
import { movedBy } from '../../src/decisions/flash-influence.ts'
import { FraudDetector } from '../../src/decisions/fraud-detector.ts'
import { feature, featureCount } from '../../src/features/call-features.ts'
import { kindOf } from '../../src/features/call-windows.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { call } from '../fakes/call-events.ts'
import { cdrConfig } from '../fakes/fraud.ts'

async function casesOf(records: readonly CdrRecord[], scorer?: FlashCallScorer): Promise<FraudCase[]> {
  const found: FraudCase[] = []
  const detector = new FraudDetector({
    config: cdrConfig,
    reorder: { latenessMs: Number.POSITIVE_INFINITY, heldMax: 100_000 },
    newCaseId: () => `case-${found.length + 1}`,
    onCase: (change, it) => {
      if (change === 'opened') found.push(it)
    },
    ...(scorer === undefined ? {} : { scorer }),
  })
  for (const record of records) detector.record(record)
  await detector.flush()
  return found.filter(({ state }) => state !== 'merged')
}

async function told(records: readonly CdrRecord[]): Promise<string[]> {
  return (await casesOf(records)).map((each) => `${each.kind} ${subjectKey(each.subject)}`)
}

function spread(n: number, digits: number): string {
  return String((n * 7919 + 104_729) % 10 ** digits).padStart(digits, '0')
}

function many(count: number, of: (n: number) => CdrRecord): CdrRecord[] {
  return Array.from({ length: count }, (_, n) => of(n))
}

/** 120 calls an hour from `front` to everywhere in one country. */
function usualTraffic(hours: number, front: (n: number) => string): CdrRecord[] {
  return many(hours * 120, (n) => {
    const numbers = { from: `${front(n)}${spread(n, 9)}`, to: `4915${spread(n * 3 + 1, 8)}`, atS: n * 30 }
    if (n % 2 === 0) return call({ ...numbers, ringS: 9, talkS: [40, 95, 200, 12, 600, 33][n % 6]! })
    return call({ ...numbers, ringS: 20 + (n % 9), releasedBy: 'network' })
  })
}

const fromAbroad = () => '33'

describe('toll fraud', () => {
  it('that is over opens no second case when the line belongs to its owner again', async () => {
    const pump = many(30, (n) =>
      call({ from: '4930123456', to: `25290012${spread(n, 3)}`, atS: n * 40, ringS: 5, talkS: 1500 }),
    )
    const owner = many(16, (n) =>
      call({
        from: '4930123456',
        to: `4989${spread(n, 7)}`,
        atS: 20_000 + n * 1200,
        ringS: 9,
        talkS: n < 8 ? 900 : 60,
      }),
    )
    const once = await told(pump)
    assert.ok(once.length > 0)
    assert.deepEqual(await told([...pump, ...owner]), once)
  })
})

describe('calling numbers that lie', () => {
  const bank = '493022222222'

  it('one well-known number at home that calls ever new people over a route from abroad', async () => {
    const spoofed = many(90, (n) =>
      call({ from: bank, to: `4917${spread(n * 11, 8)}`, atS: 18_000 + n * 40, ringS: 12, talkS: 70 }),
    )
    const found = await told([...usualTraffic(6, fromAbroad), ...spoofed])
    assert.deepEqual([...new Set(found.map((each) => each.split(' ')[0]))], ['cli_spoof'])
  })

  it('not so a test line at home that calls the same five over that route', async () => {
    const tests = many(90, (n) =>
      call({ from: bank, to: `49176000000${n % 5}`, atS: 18_000 + n * 40, ringS: 12, talkS: 70 }),
    )
    assert.deepEqual(await told([...usualTraffic(6, fromAbroad), ...tests]), [])
  })

  it('not so home numbers on a route that always brings some', async () => {
    const mixed = (n: number) => (n % 3 === 0 ? '493' : '33')
    const more = many(120, (n) =>
      call({ from: `4930${spread(n, 7)}`, to: `4917${spread(n * 11, 8)}`, atS: 18_000 + n * 30, ringS: 12, talkS: 70 }),
    )
    assert.deepEqual(await told([...usualTraffic(6, mixed), ...more]), [])
  })
})

describe('automated talk from numbers that change after a dozen calls', () => {
  /** To ever new people in ever new places, so that only the route sees them together. */
  const bulk = (givesUpAfterS: (n: number) => number) =>
    many(900, (n) => {
      const from = `1${200 + (Math.floor(n / 12) % 700)}${spread(Math.floor(n / 12), 7)}`
      const numbers = { from, to: `4${spread(n * 6_700_417, 10)}`, atS: n * 6 }
      return n % 5 === 0 ? call({ ...numbers, talkS: 9 }) : call({ ...numbers, ringS: givesUpAfterS(n) })
    })

  it('is told by giving up after the same time always', async () => {
    assert.deepEqual(await told(bulk(() => 22)), ['robocall route:trunk-a'])
  })

  it('not so people, whose patience differs', async () => {
    assert.deepEqual(await told(bulk((n) => 10 + ((n * 37) % 100) / 4)), [])
  })
})

describe('a case that a trained model opened', () => {
  /** Likely by the share of blinks alone. */
  const scorer: FlashCallScorer = {
    trained: { scoreMin: 0.9, reference: new Map([[kindOf.range3, new Array<number>(featureCount).fill(0)]]) },
    scores: async (rows, count) =>
      Float32Array.from({ length: count }, (_, row) => {
        return 1 / (1 + Math.exp(4 - 9 * rows[row * featureCount + feature.blinkShare]!))
      }),
  }

  it('names the feature that moved the probability, with what it would be without it, and no other', async () => {
    const seen = new Array<number>(featureCount).fill(0.5)
    seen[feature.blinkShare] = 0.8
    seen[feature.keyKind] = kindOf.range3
    // Logistic of 9 x 0.8 - 4 and of -4.
    const text = 'blinkShare is 0.8; with 0, as of clean windows, the model would say 1.8 % instead of 96.1 %'
    assert.deepEqual(await movedBy(scorer, seen), [{ code: 'moved', text }])
    seen[feature.keyKind] = kindOf.route
    assert.deepEqual(await movedBy(scorer, seen), [], 'nothing is known of clean routes')
  })

  it('keeps the window it opened on and says what moved it', async () => {
    const codes = many(200, (n) => {
      return call({
        from: `4477009${String((n * 37) % 1000).padStart(5, '0')}`,
        to: `491511${spread(n, 7)}`,
        atS: n * 5,
        ringS: 2,
      })
    })
    const watched: number[] = []
    const [found] = await casesOf(codes, {
      ...scorer,
      scores: async (rows, count) => {
        for (let row = 0; row < count; row++) watched.push(rows[row * featureCount + feature.blinkShare]!)
        return scorer.scores(rows, count)
      },
      unwatched: () => scorer,
    })
    assert.ok(
      watched.every((share) => share > 0),
      'windows that were made up to ask why are no traffic',
    )
    assert.equal(found?.kind, 'flash_call')
    assert.equal(found?.features?.length, featureCount)
    assert.ok(found!.features![feature.blinkShare]! > 0.9)
    const moved = found!.reasons.filter(({ code }) => code === 'moved')
    assert.equal(moved.length, 1)
    assert.match(moved[0]!.text, /^blinkShare is /)
  })
})
