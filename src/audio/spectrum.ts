/**
 * The twin of wasm/bands.ts, fft.ts and logarithm.ts in plain TypeScript: log band powers and frame figures of a run of
 * frames, computed in double precision with a radix-2 FFT. Oracle of the tests, baseline of the benchmarks.
 */
import type { BandPlan } from './band-plan.ts'
import { frameStat, statsPerFrame } from './frame-stats.ts'

const tiny = 1e-10

/** |X|^2 of bins 0 .. n/2 of a real signal whose length is a power of two. */
export function powerSpectrum(samples: Float64Array): Float64Array {
  const n = samples.length
  const re = new Float64Array(n)
  const im = new Float64Array(n)
  const bits = Math.log2(n)
  for (let i = 0; i < n; i += 1) {
    let reversed = 0
    for (let bit = 0; bit < bits; bit += 1) reversed |= ((i >> bit) & 1) << (bits - 1 - bit)
    re[reversed] = samples[i]!
  }
  for (let half = 1; half < n; half *= 2) {
    for (let k = 0; k < half; k += 1) {
      const cos = Math.cos((Math.PI * k) / half)
      const sin = -Math.sin((Math.PI * k) / half)
      for (let a = k; a < n; a += 2 * half) {
        const b = a + half
        const tRe = re[b]! * cos - im[b]! * sin
        const tIm = re[b]! * sin + im[b]! * cos
        re[b] = re[a]! - tRe
        im[b] = im[a]! - tIm
        re[a] = re[a]! + tRe
        im[a] = im[a]! + tIm
      }
    }
  }
  return Float64Array.from({ length: n / 2 + 1 }, (_, k) => re[k]! ** 2 + im[k]! ** 2)
}

/**
 * Frames whose windows start at `start`, `start + hop`, ... of `samples`. Writes `frames` rows into `features` and
 * `stats`.
 */
export function analyse(
  plan: BandPlan,
  samples: Float32Array,
  start: number,
  frames: number,
  features: Float32Array,
  stats: Float32Array,
): void {
  const { spec } = plan
  const windowed = new Float64Array(spec.fftSize)
  for (let frame = 0; frame < frames; frame += 1) {
    const at = start + frame * spec.hopSamples
    for (let n = 0; n < spec.windowSamples; n += 1) windowed[n] = samples[at + n]! * plan.window[n]!
    const power = powerSpectrum(windowed)
    const row = stats.subarray(frame * statsPerFrame, (frame + 1) * statsPerFrame)
    logBands(plan, power, features.subarray(frame * spec.bands, (frame + 1) * spec.bands))
    spectralStats(plan, power, row)
  }
}

function logBands(plan: BandPlan, power: Float64Array, out: Float32Array): void {
  let weight = 0
  const { bands, floor } = plan.spec
  for (let band = 0; band < bands; band += 1) {
    const first = plan.bandBins[2 * band]!
    const count = plan.bandBins[2 * band + 1]!
    let value = floor
    for (let i = 0; i < count; i += 1, weight += 1) value += power[first + i]! * plan.weights[weight]!
    out[band] = Math.log(value)
  }
}

function spectralStats(plan: BandPlan, power: Float64Array, row: Float32Array): void {
  const edges = plan.subBandEdges
  let total = tiny
  for (let band = 0; band < 6; band += 1) {
    let sum = tiny
    for (let bin = edges[band]!; bin < edges[band + 1]!; bin += 1) sum += power[bin]!
    total += sum
    row[frameStat.subBand + band] = Math.log(sum)
  }
  row[frameStat.power] = Math.log(total)
  const first = largestBin(power, edges, Number.NEGATIVE_INFINITY)
  storePeak(power, edges, first, total, row.subarray(frameStat.peakBin))
  storePeak(power, edges, largestBin(power, edges, first), total, row.subarray(frameStat.secondBin))
}

/** The largest bin between the edges that is at least three away from `awayFrom`. */
function largestBin(power: Float64Array, edges: Int32Array, awayFrom: number): number {
  let best = 0
  let bestBin = edges[0]!
  for (let bin = edges[0]!; bin < edges[6]!; bin += 1) {
    if (Math.abs(bin - awayFrom) > 2 && power[bin]! > best) {
      best = power[bin]!
      bestBin = bin
    }
  }
  return bestBin
}

/** Share and centre of gravity of the five bins around `bin`, as far as they lie between the edges. */
function storePeak(power: Float64Array, edges: Int32Array, bin: number, total: number, out: Float32Array): void {
  let sum = tiny
  let moment = 0
  for (let at = Math.max(edges[0]!, bin - 2); at <= Math.min(edges[6]! - 1, bin + 2); at += 1) {
    sum += power[at]!
    moment += power[at]! * (at - bin)
  }
  out[0] = bin + moment / sum
  out[1] = sum / total
}
