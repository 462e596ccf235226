/** Distributions, how far two differ, and how far models agree. Figures worked out by hand or published. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Agreement } from '../../src/inference/agreement.ts'
import { DriftWatch } from '../../src/inference/drift-watch.ts'
import { binsPerQuantity, Histograms, samplesMin, stabilityIndex } from '../../src/inference/histograms.ts'

const quantities = [{ name: 'score', about: '', low: 0, high: 1 }]
const dayMs = 86_400_000
const firstMs = Date.UTC(2026, 0, 1)

/** Counts in the first bins. */
const bins = (...counts: number[]): number[] => [
  ...counts,
  ...new Array<number>(binsPerQuantity - counts.length).fill(0),
]

function watch(over: object = {}): DriftWatch {
  return new DriftWatch({ model: 'voice/1', quantities, referenceDays: 2, daysKept: 4, ...over })
}

/** A thousand samples of a day, evenly from `from` to `from + 0.2`. */
function fill(drift: DriftWatch, day: number, from: number, samples = 1000): void {
  const seen = drift.today(firstMs + day * dayMs)
  for (let i = 0; i < samples; i++) seen.add(0, from + (0.2 * i) / samples)
}

describe('the population stability index', () => {
  it('is what its formula says: 60 : 40 become 40 : 60', () => {
    // (0.4 - 0.6) ln(0.4 / 0.6) + (0.6 - 0.4) ln(0.6 / 0.4) = 0.4 ln 1.5
    const psi = stabilityIndex(bins(6000, 4000), bins(4000, 6000))
    assert.ok(psi !== null && Math.abs(psi - 0.4 * Math.log(1.5)) < 0.001, String(psi))
  })

  it('is nothing for the same distribution, and stays a number where a bin is empty', () => {
    assert.equal(stabilityIndex(bins(500, 500, 500), bins(1000, 1000, 1000)), 0)
    // Half a count a bin: (0.99975 - 0.5) ln(1.9995) + (0.00025 - 0.5) ln(0.0005) = 4.145
    assert.ok(Math.abs((stabilityIndex(bins(1000, 1000), bins(2000, 0)) ?? 0) - 4.145) < 0.002)
  })

  it('says nothing of few samples', () => {
    assert.equal(stabilityIndex(bins(samplesMin - 1), bins(5000)), null)
    assert.equal(stabilityIndex(bins(5000), bins(samplesMin - 1)), null)
  })

  it('takes what lies beyond the ends into the outermost bins, and leaves out what is no number', () => {
    const seen = new Histograms(quantities)
    for (const value of [-5, 0.999, 17, Number.NaN]) seen.add(0, value)
    assert.deepEqual([seen.of(0)[0], seen.of(0)[binsPerQuantity - 1], seen.samples(0)], [1, 2, 3])
  })
})

describe('the drift watch', () => {
  it('gathers its reference from the first days with traffic, then tells what moves away from it', () => {
    const drift = watch()
    fill(drift, 0, 0.4)
    fill(drift, 1, 0.4, 10)
    fill(drift, 2, 0.4)
    assert.equal(drift.view().reference.state, 'gathering', 'a quiet day is none, the third is not over')
    fill(drift, 3, 0.4)
    fill(drift, 4, 0.7)
    const { reference, days } = drift.view()
    assert.deepEqual(reference, { from: 'first_days', state: 'complete', days: 2, samples: 2000 })
    assert.deepEqual(
      days.map(({ day }) => day),
      ['2026-01-05', '2026-01-04', '2026-01-03', '2026-01-02'],
    )
    assert.deepEqual(
      days.map(({ state }) => state),
      ['shifted', 'steady', 'steady', 'unknown'],
    )
  })

  it('holds a manifest with a reference against that, from the first day on', () => {
    const reference = new Histograms(quantities)
    for (let i = 0; i < 1000; i++) reference.add(0, 0.4 + (0.2 * i) / 1000)
    const drift = watch({ reference: { score: [...reference.counts] } })
    fill(drift, 0, 0.42)
    const [today] = drift.view().days
    assert.equal(drift.view().reference.from, 'manifest')
    assert.ok((today?.psi['score'] ?? 0) > 0.1, 'a tenth of it lies elsewhere')
  })

  it('goes on after a restart where it was, and begins anew for another version', () => {
    const drift = watch()
    for (const day of [0, 1, 2]) fill(drift, day, 0.4)
    const memory = JSON.parse(JSON.stringify(drift.memory()))
    const again = watch()
    assert.equal(again.restore(memory), true)
    assert.deepEqual(again.view(), drift.view())
    assert.equal(watch({ model: 'voice/2' }).restore(memory), false)
    assert.equal(again.restore({ days: 'torn' }), false)
  })

  it('keeps to its days', () => {
    const drift = watch()
    for (let day = 0; day < 20; day++) fill(drift, day, 0.4, 10)
    assert.equal(drift.view().days.length, 4)
  })
})

describe('agreement', () => {
  it('counts labels by the thresholds of each, and differences of the probabilities', () => {
    const agreement = new Agreement({ upper: 0.8, lower: 0.2 }, { upper: 0.6, lower: 0.1 })
    for (const [active, candidate] of [
      [0.9, 0.7],
      [0.7, 0.7],
      [0.15, 0.15],
      [0.5, 0.5],
    ] as const) {
      agreement.add(active, candidate)
    }
    const { labels, ...figures } = agreement.view()
    assert.deepEqual(figures, {
      compared: 4,
      labelAgreement: 0.5,
      meanDifference: -0.05,
      meanAbsoluteDifference: 0.05,
    })
    assert.deepEqual([labels.between.synthetic, labels.human.between], [1, 1])
    assert.equal(new Agreement({ upper: 1 }, { upper: 1 }).view().labelAgreement, null)
  })
})
