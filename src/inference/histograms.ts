/**
 * Distributions in little memory: for each of a few named quantities 64 bins of equal width between two ends, what
 * lies beyond counted in the outermost; and the population stability index between two such distributions. Pure; any
 * thread.
 *
 * The index, over bins i with shares e (expected) and a (actual):  PSI = sum (a_i - e_i) ln(a_i / e_i),  the Jeffreys
 * divergence of the two. Bins are the deciles of the expected distribution, as far as 64 bins resolve them; half a
 * count is added to each so that an empty one stays finite. Below 0.1 it is read as steady, from 0.25 on as shifted:
 * Lewis, An Introduction to Credit Scoring, 1994; Siddiqi, Credit Risk Scorecards, 2006. These bounds are custom, and
 * for small samples too strict: with B bins chance alone makes about (B - 1)(1/N + 1/M) of it (Yurdakul and Naranjo,
 * Statistical properties of the population stability index, Journal of Risk Model Validation 14(4), 2020), hence
 * `samplesMin`.
 */
import assert from 'node:assert/strict'

export interface Quantity {
  readonly name: string
  /** For people. */
  readonly about: string
  readonly low: number
  readonly high: number
}

export const binsPerQuantity = 64
/** Fewer samples on either side say nothing: chance alone would make 0.03 of nine degrees of freedom. */
export const samplesMin = 600
const decilesWanted = 10

export class Histograms {
  readonly quantities: readonly Quantity[]
  /** [quantity][bin] */
  readonly counts: Uint32Array

  constructor(quantities: readonly Quantity[], counts?: ArrayLike<number>) {
    this.quantities = quantities
    this.counts = new Uint32Array(quantities.length * binsPerQuantity)
    if (counts !== undefined) this.counts.set(counts)
  }

  /** What is no number is left out. */
  add(quantity: number, value: number): void {
    const it = this.quantities[quantity]
    assert(it !== undefined, 'a quantity that is watched')
    if (!Number.isFinite(value)) return
    const bin = Math.floor(((value - it.low) / (it.high - it.low)) * binsPerQuantity)
    const at = quantity * binsPerQuantity + Math.min(binsPerQuantity - 1, Math.max(0, bin))
    this.counts[at] = (this.counts[at] ?? 0) + 1
  }

  merge(counts: ArrayLike<number>): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i] = (this.counts[i] ?? 0) + (counts[i] ?? 0)
  }

  of(quantity: number): Uint32Array {
    return this.counts.subarray(quantity * binsPerQuantity, (quantity + 1) * binsPerQuantity)
  }

  samples(quantity: number): number {
    return sumOf(this.of(quantity))
  }
}

function sumOf(counts: ArrayLike<number>): number {
  return Array.from(counts).reduce((sum, count) => sum + count, 0)
}

/** Null: too few samples to say anything. */
export function stabilityIndex(expected: ArrayLike<number>, actual: ArrayLike<number>): number | null {
  assert(expected.length === actual.length)
  const [expectedSum, actualSum] = [sumOf(expected), sumOf(actual)]
  if (expectedSum < samplesMin || actualSum < samplesMin) return null
  const bins = deciles(expected, expectedSum)
  let index = 0
  let from = 0
  for (const end of bins) {
    const [e, a] = [shareOf(expected, from, end, bins.length), shareOf(actual, from, end, bins.length)]
    index += (a - e) * Math.log(a / e)
    from = end
  }
  return Math.round(index * 10_000) / 10_000

  function shareOf(counts: ArrayLike<number>, start: number, end: number, binCount: number): number {
    let sum = 0
    for (let i = start; i < end; i++) sum += counts[i] ?? 0
    return (sum + 0.5) / ((counts === expected ? expectedSum : actualSum) + 0.5 * binCount)
  }
}

/** Ends of bins that each hold about a tenth of the counts; the last one ends at the end. */
function deciles(counts: ArrayLike<number>, sum: number): number[] {
  const ends: number[] = []
  let gathered = 0
  for (let i = 0; i < counts.length; i++) {
    gathered += counts[i] ?? 0
    if (gathered * decilesWanted >= sum && i < counts.length - 1) {
      ends.push(i + 1)
      gathered = 0
    }
  }
  // What is left over belongs to the last bin, unless it is a tenth by itself.
  if (gathered * decilesWanted >= sum / 2 || ends.length === 0) ends.push(counts.length)
  else ends[ends.length - 1] = counts.length
  return ends
}
