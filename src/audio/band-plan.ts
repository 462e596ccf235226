/**
 * The tables of one feature definition, computed once: Hann window, twiddles, triangular bands, edges of the gate's
 * sub-bands. Both the kernels and their plain twin read these same tables, so they differ by rounding only.
 *
 *   twiddles  [0, M)  exp(-2 pi i k / M), M = fftSize / 2   [M, M + M/2]  exp(-2 pi i k / fftSize)   (cos, -sin)
 *   bands     edges e0 < e1 < ... < e(B+1); band b rises from e(b) to 1 at e(b+1) and falls to e(b+2), unnormalised
 */
import { strict as assert } from 'node:assert'
import { subBandEdgesHz } from './frame-stats.ts'

/** What a feature definition must say; `BandFeatureSpec` of src/features/hop.ts has these fields. */
export interface BandPlanSpec {
  readonly scale: 'linear' | 'mel'
  readonly sampleRateHz: number
  readonly windowSamples: number
  readonly hopSamples: number
  readonly fftSize: number
  readonly bands: number
  readonly lowHz: number
  readonly highHz: number
  readonly floor: number
}

export interface BandPlan {
  readonly spec: BandPlanSpec
  readonly window: Float32Array
  readonly twiddles: Float32Array
  /** (first bin, number of bins) a band. */
  readonly bandBins: Int32Array
  /** Weights of those bins, band after band. */
  readonly weights: Float32Array
  /** Seven bin numbers: sub-band i is [edges[i], edges[i + 1]). */
  readonly subBandEdges: Int32Array
}

const melOf = (hz: number): number => 2595 * Math.log10(1 + hz / 700)
const hzOf = (mel: number): number => 700 * (10 ** (mel / 2595) - 1)

/** `count` edges from low to high, evenly spaced in Hz or in mel (O'Shaughnessy's 2595 log10(1 + f / 700)). */
export function bandEdgesHz(scale: 'linear' | 'mel', lowHz: number, highHz: number, count: number): Float64Array {
  const low = scale === 'mel' ? melOf(lowHz) : lowHz
  const high = scale === 'mel' ? melOf(highHz) : highHz
  return Float64Array.from({ length: count }, (_, i) => {
    const at = low + ((high - low) * i) / (count - 1)
    return scale === 'mel' ? hzOf(at) : at
  })
}

export function planBands(spec: BandPlanSpec): BandPlan {
  assert(spec.fftSize === 256 || spec.fftSize === 512, `fftSize must be 256 or 512, got ${spec.fftSize}`)
  assert(spec.windowSamples <= spec.fftSize && spec.windowSamples % 4 === 0, 'windowSamples: <= fftSize, multiple of 4')
  assert(spec.hopSamples > 0 && spec.hopSamples < spec.windowSamples, 'hopSamples must be less than windowSamples')
  assert(spec.hopSamples % 4 === 0, 'hopSamples must be a multiple of 4')
  assert(spec.highHz <= spec.sampleRateHz / 2 && spec.lowHz < spec.highHz, 'bands must lie below half the sample rate')
  const size = spec.windowSamples
  const window = Float32Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size))
  const binHz = spec.sampleRateHz / spec.fftSize
  const subBandEdges = Int32Array.from(subBandEdgesHz, (hz) => Math.max(2, Math.round(hz / binHz)))
  return { spec, window, twiddles: twiddleTable(spec.fftSize), ...triangles(spec, binHz), subBandEdges }
}

function twiddleTable(fftSize: number): Float32Array {
  const complexSize = fftSize / 2
  const table = new Float32Array(2 * (complexSize + complexSize / 2 + 1))
  const put = (index: number, turn: number): void => {
    table[2 * index] = Math.cos(2 * Math.PI * turn)
    table[2 * index + 1] = -Math.sin(2 * Math.PI * turn)
  }
  for (let k = 0; k < complexSize; k += 1) put(k, k / complexSize)
  for (let k = 0; k <= complexSize / 2; k += 1) put(complexSize + k, k / fftSize)
  return table
}

function triangles(spec: BandPlanSpec, binHz: number): { bandBins: Int32Array; weights: Float32Array } {
  const edges = bandEdgesHz(spec.scale, spec.lowHz, spec.highHz, spec.bands + 2)
  const bandBins = new Int32Array(spec.bands * 2)
  const weights: number[] = []
  for (let band = 0; band < spec.bands; band += 1) {
    const low = edges[band]!
    const middle = edges[band + 1]!
    const high = edges[band + 2]!
    const first = Math.floor(low / binHz) + 1
    let bin = first
    for (; bin * binHz < high && bin <= spec.fftSize / 2; bin += 1) {
      const hz = bin * binHz
      weights.push(Math.min((hz - low) / (middle - low), (high - hz) / (high - middle)))
    }
    bandBins[2 * band] = first
    bandBins[2 * band + 1] = bin - first
  }
  return { bandBins, weights: Float32Array.from(weights) }
}
