/** What a trained flash-call model is asked, and what its answer does. The model here answers as the test says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import type { FraudCase } from '../../src/decisions/cases.ts'
import type { FlashCallScorer } from '../../src/decisions/flash-call-rule.ts'
import { FraudDetector } from '../../src/decisions/fraud-detector.ts'
import { feature, featureCount } from '../../src/features/call-features.ts'
import { kindOf } from '../../src/features/call-windows.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { call } from '../fakes/call-events.ts'

const config = loadConfig({ file: undefined, env: {} }).cdr

/** Fifteen cancelled calls of a range: too few for the rule. */
const fewBlinks = Array.from({ length: 15 }, (_, n) =>
  call({ from: `447700900${String(100 + n * 37)}`, to: `491511${2_000_000 + n * 7919}`, atS: n * 10, ringS: 2 }),
)

/** A code that is spoken in 12 s, from many numbers of a range. */
const spoken = Array.from({ length: 40 }, (_, n) =>
  call({ from: `447700900${String(100 + n * 17)}`, to: `491511${2_000_000 + n * 7919}`, atS: n * 10, talkS: 12 }),
)

/** Answers `probability` to every window; keeps what it was asked. */
function oracle(probability: number, scoreMin: number): FlashCallScorer & { asked: number[][] } {
  const asked: number[][] = []
  return {
    asked,
    trained: { scoreMin },
    async scores(features, count) {
      for (let row = 0; row < count; row++) {
        asked.push([...features.subarray(row * featureCount, (row + 1) * featureCount)])
      }
      return new Float32Array(count).fill(probability)
    },
  }
}

async function casesWith(scorer: FlashCallScorer, records: readonly CdrRecord[]): Promise<FraudCase[]> {
  const found: FraudCase[] = []
  const detector = new FraudDetector({
    config,
    scorer,
    newCaseId: () => `case-${found.length}`,
    onCase: (change, it) => {
      if (change === 'opened') found.push(it)
    },
  })
  for (const record of records) detector.record(record)
  await detector.flush()
  return found.filter((it) => it.kind === 'flash_call' && it.state !== 'merged')
}

describe('a trained flash-call scorer', () => {
  it('is asked about fewer calls than the rule needs, with all features filled in', async () => {
    const scorer = oracle(0.99, 0.98)
    const [it] = await casesWith(scorer, fewBlinks)
    assert.ok(it !== undefined && Math.abs(it.score - 0.99) < 1e-6)
    assert.match(it.reasons.map(({ text }) => text).join(), /\d+ of \d+ attempts within 10 min ended before anybody/)
    for (const row of scorer.asked) {
      assert.ok(row[feature.keyKind]! >= kindOf.range3 && row[feature.windowLevel]! >= 1)
      assert.ok(row[feature.distinctAShare]! > 0 && row[feature.distinctBShare]! > 0)
      assert.ok(row.every(Number.isFinite))
    }
  })

  it('decides by its own threshold, and no rule speaks when it says no', async () => {
    const many = Array.from({ length: 300 }, (_, n) =>
      call({
        from: `4477009${String((n * 37) % 1000).padStart(5, '0')}`,
        to: `491511${2_000_000 + n * 7919}`,
        atS: n,
        ringS: 2,
      }),
    )
    assert.equal((await casesWith(oracle(0.97, 0.98), many)).length, 0)
    assert.equal((await casesWith(oracle(0.97, 0.6), many)).length, 1)
  })

  it('is asked about codes that are spoken, and the case shows the talks', async () => {
    const [it] = await casesWith(oracle(1, 0.9), spoken)
    assert.ok(it !== undefined)
    assert.match(it.reasons[0]?.text ?? '', /calls within 10 min talk 12 s, give or take 0 s/)
    assert.ok(it.evidence.length >= 10)
  })

  it('is not asked about one number, however much it calls', async () => {
    const scorer = oracle(1, 0.9)
    const one = Array.from({ length: 100 }, (_, n) =>
      call({ from: '12025550101', to: `1202555${String(1000 + n)}`, atS: n * 5, ringS: 2 }),
    )
    await casesWith(scorer, one)
    assert.ok(scorer.asked.every((row) => row[feature.keyKind] !== kindOf.number))
  })
})
