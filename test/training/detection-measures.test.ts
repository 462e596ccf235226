import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as measures from '../../src/training/detection-measures.ts'

function near(got: number | null | undefined, wanted: number, within = 1e-9): void {
  assert.ok(typeof got === 'number' && Math.abs(got - wanted) <= within, `${got}, wanted ${wanted}`)
}

function trial(isSpoof: boolean, llr: number, changes: Partial<measures.Trial> = {}): measures.Trial {
  return { isSpoof, llr, speaker: 's', system: isSpoof ? 'x' : '', alarmLlr: llr, hours: 0.1, ...changes }
}

function ones(count: number): Int32Array {
  return new Int32Array(count).fill(1)
}

/** Sixty trials of a 32-bit congruential generator; the same were given to scikit-learn 1.2.1. */
function sixty(): measures.Trial[] {
  let state = 7
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return Array.from({ length: 60 }, (_, i) => {
    const isSpoof = i % 3 === 0
    const value = (draw() + draw() + draw() - 1.5) * 4 + (isSpoof ? 1.2 : -0.8)
    return trial(isSpoof, Math.round(value * 10) / 10)
  })
}

describe('measures of detection', () => {
  it('are those of scikit-learn on the same trials', () => {
    const trials = sixty()
    assert.deepEqual(
      trials.slice(0, 6).map(({ llr }) => llr),
      [2.3, 0.5, -4.9, 5.2, -0.4, 1.1],
    )
    const all = measures.ranked(trials)
    // roc_auc_score; brentq over interp1d(roc_curve) for the equal error rate; numpy for Cllr.
    near(measures.areaUnderCurve(all, ones(60)), 0.848125)
    near(measures.equalErrorRate(all, ones(60)), 0.25)
    near(measures.costOfLlr(all, ones(60)), 0.7526345315336467)
    // The example of scikit-learn's manual.
    const manual = measures.ranked([trial(false, 0.1), trial(false, 0.4), trial(true, 0.35), trial(true, 0.8)])
    near(measures.areaUnderCurve(manual, ones(4)), 0.75)
    near(measures.equalErrorRate(manual, ones(4)), 0.5)
  })

  it('are the same by counting pairs, with ties as halves', () => {
    const trials = sixty()
    let wins = 0
    for (const human of trials.filter(({ isSpoof }) => !isSpoof)) {
      for (const spoof of trials.filter(({ isSpoof }) => isSpoof)) {
        wins += spoof.llr > human.llr ? 1 : spoof.llr === human.llr ? 0.5 : 0
      }
    }
    near(measures.areaUnderCurve(measures.ranked(trials), ones(60)), wins / 800)
  })

  it('know the ends: all apart, all alike, the wrong way round, one class alone', () => {
    const of = (human: number, spoof: number): measures.Ranked =>
      measures.ranked([trial(false, human), trial(true, spoof)])
    const both = (it: measures.Ranked) => [measures.equalErrorRate(it, ones(2)), measures.areaUnderCurve(it, ones(2))]
    assert.deepEqual(both(of(-1, 1)), [0, 1])
    assert.deepEqual(both(of(1, 1)), [0.5, 0.5])
    assert.deepEqual(both(of(1, -1)), [1, 0])
    // At no evidence at all the cost is one bit.
    near(measures.costOfLlr(of(0, 0), ones(2)), 1)
    near(measures.costOfLlr(of(-800, 800), ones(2)), 0)
    assert.ok(Number.isNaN(measures.equalErrorRate(measures.ranked([trial(true, 1)]), ones(1))))
  })

  it('find what is detected at a rate of false alarms, over hours of human speech', () => {
    const humans = [5, 4, 3, 2, 1].map((alarmLlr) => trial(false, 0, { alarmLlr, hours: 0.5 }))
    const spoofs = [6, 4.5, 3.5, 2.5, -Infinity].map((alarmLlr) => trial(true, 0, { alarmLlr, hours: 9 }))
    const all = measures.ranked([...humans, ...spoofs])
    // 2.5 hours: at one an hour two alarms are allowed, the third human call is the bound.
    assert.equal(measures.alarmBound(all, ones(10), 1), 3)
    near(measures.detectionAt(all, ones(10), 1), 3 / 5)
    // None allowed: only what is above every human.
    near(measures.detectionAt(all, ones(10), 0.1), 1 / 5)
    // As many as there are: everything that ever alarms.
    near(measures.detectionAt(all, ones(10), 2), 4 / 5)
  })

  it('tell probabilities against what came, the classes weighted alike', () => {
    const llr = Math.log(0.72 / 0.28)
    // Of the synthetic calls three quarters, of the human ones a quarter were told 0.72: 3 of 4 weighted alike.
    const trials = [
      ...[1, 1, 1, 0].map((high) => trial(true, high ? llr : -9)),
      ...[1, 0, 0, 0, 1, 0, 0, 0].map((high) => trial(false, high ? llr : -9)),
    ]
    const [low, high, ...rest] = measures.reliabilityOf(trials)
    assert.equal(rest.length, 0)
    near(high?.told, 0.72)
    near(high?.came, 0.75)
    assert.deepEqual([low?.calls, high?.calls], [7, 5])
    near(low?.came, 0.25)
  })
})

describe('intervals', () => {
  const draws = { rounds: 400, random: measures.repeatable(1) }

  it('draw speakers, not calls: many calls of few speakers tell little', () => {
    const random = measures.repeatable(9)
    const calls = (speakers: number, each: number): measures.Trial[] =>
      Array.from({ length: speakers }, (_, s) => s).flatMap((s) => {
        const own = (random() - 0.5) * 6
        return Array.from({ length: each }, (_, c) =>
          trial(c % 2 === 0, own + (c % 2 === 0 ? 1 : -1) + (random() - 0.5), { speaker: `${s}`, system: `${s}` }),
        )
      })
    const width = (trials: readonly measures.Trial[]): number => {
      const { intervals, over } = measures.bootstrap(trials, [measures.areaUnderCurve], draws)
      assert.deepEqual(over, { human: 'speakers', spoof: 'systems' })
      const [auc] = intervals
      assert.ok(auc && auc.low !== null && auc.high !== null && auc.low <= auc.value && auc.value <= auc.high)
      return auc.high - auc.low
    }
    const few = width(calls(5, 80))
    const many = width(calls(100, 4))
    assert.ok(few > 2 * many, `${few} of five speakers, ${many} of a hundred`)
  })

  it('of a mean agree with the normal distribution', () => {
    // 200 speakers with one call each, half of them wrong: the share of right ones has a deviation of 0.5 / sqrt(200).
    const trials = Array.from({ length: 200 }, (_, i) => trial(false, i % 2, { speaker: `${i}` }))
    const share: measures.Measure = ({ trials: all }, weights) =>
      all.reduce((sum, { llr }, i) => sum + weights[i]! * llr, 0) / weights.reduce((sum, each) => sum + each, 0)
    const { intervals } = measures.bootstrap(trials, [share], { rounds: 2000, random: measures.repeatable(3) })
    const half = (1.96 * 0.5) / Math.sqrt(200)
    near(intervals[0]?.low, 0.5 - half, 0.006)
    near(intervals[0]?.high, 0.5 + half, 0.006)
  })

  it('fall back to what there is to draw: one system to its speakers, one speaker to its calls', () => {
    const overOf = (trials: readonly measures.Trial[]) =>
      measures.bootstrap(trials, [measures.equalErrorRate], draws).over
    const two = [trial(true, 1, { speaker: 'a' }), trial(true, 1, { speaker: 'b' }), trial(false, 0), trial(false, 0)]
    assert.deepEqual(overOf(two), { human: 'calls', spoof: 'speakers' })
    assert.deepEqual(overOf([trial(true, 1), trial(true, 2), trial(false, 0)]), { human: 'calls', spoof: 'calls' })
  })

  it('have no ends where a class is one call', () => {
    const { intervals } = measures.bootstrap(
      [trial(true, 1), trial(false, 0), trial(false, 2)],
      [measures.equalErrorRate],
      draws,
    )
    assert.deepEqual(intervals, [{ value: 0.5, low: null, high: null }])
  })

  it('are missing where a class is', () => {
    const { intervals } = measures.bootstrap([trial(true, 1)], [measures.equalErrorRate], draws)
    assert.deepEqual(intervals, [null])
  })
})
