import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BandPlanSpec, bandEdgesHz, planBands } from '../../src/audio/band-plan.ts'

const shipped: BandPlanSpec = {
  scale: 'linear',
  sampleRateHz: 8000,
  windowSamples: 256,
  hopSamples: 80,
  fftSize: 256,
  bands: 60,
  lowHz: 80,
  highHz: 3880,
  floor: 1e-6,
}

describe('band plan', () => {
  it('spaces linear edges evenly and mel edges by 2595 log10(1 + f / 700)', () => {
    assert.deepEqual([...bandEdgesHz('linear', 80, 3880, 62)].slice(0, 2), [80, 80 + 3800 / 61])
    const mel = bandEdgesHz('mel', 0, 8000, 3)
    // 8000 Hz is 2840.02 mel; half of it is 1767.8 Hz.
    assert(Math.abs((mel[1] ?? 0) - 1767.8) < 0.1)
  })

  it('has the periodic Hann window: zero at the start, one in the middle, halves that add to one', () => {
    const { window } = planBands(shipped)
    assert.equal(window[0], 0)
    assert.equal(window[128], 1)
    for (let n = 0; n < 128; n += 1) assert(Math.abs((window[n] ?? 0) + (window[n + 128] ?? 0) - 1) < 1e-6)
  })

  it('lets neighbouring triangles add to one between their peaks', () => {
    const { bandBins, weights } = planBands(shipped)
    const sums = new Float64Array(129)
    let at = 0
    for (let band = 0; band < 60; band += 1) {
      const first = bandBins[2 * band] ?? 0
      for (let i = 0; i < (bandBins[2 * band + 1] ?? 0); i += 1, at += 1) sums[first + i]! += weights[at] ?? 0
    }
    assert.equal(at, weights.length)
    // From the first peak (142.3 Hz) to the last (3817.7 Hz), bins of 31.25 Hz.
    for (let bin = 5; bin <= 122; bin += 1) assert(Math.abs((sums[bin] ?? 0) - 1) < 1e-6, `bin ${bin}`)
  })

  it('refuses definitions the kernels cannot hold', () => {
    assert.throws(() => planBands({ ...shipped, fftSize: 1024 }), /fftSize/)
    assert.throws(() => planBands({ ...shipped, windowSamples: 300 }), /windowSamples/)
    assert.throws(() => planBands({ ...shipped, hopSamples: 256 }), /hopSamples/)
    assert.throws(() => planBands({ ...shipped, highHz: 4100 }), /half the sample rate/)
  })
})
