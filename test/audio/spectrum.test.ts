import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import FFT from 'fft.js'
import { planBands } from '../../src/audio/band-plan.ts'
import { frameStat, statsPerFrame } from '../../src/audio/frame-stats.ts'
import { analyse, powerSpectrum } from '../../src/audio/spectrum.ts'

const plan = planBands({
  scale: 'linear',
  sampleRateHz: 8000,
  windowSamples: 256,
  hopSamples: 80,
  fftSize: 256,
  bands: 60,
  lowHz: 80,
  highHz: 3880,
  floor: 1e-6,
})

function sine(hz: number, amplitude: number, count = 800): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / 8000))
}

function analyseOne(samples: Float32Array): { features: Float32Array; stats: Float32Array } {
  const features = new Float32Array(60)
  const stats = new Float32Array(statsPerFrame)
  analyse(plan, samples, 100, 1, features, stats)
  return { features, stats }
}

describe('spectrum (the twin; the kernels are held to it in kernels.test.ts)', () => {
  for (const size of [256, 512]) {
    it(`agrees with fft.js at ${size}`, () => {
      const samples = Float64Array.from({ length: size }, (_, i) => Math.sin(i * i * 0.01) + Math.cos(i * 0.7))
      const fft = new FFT(size)
      const out = fft.createComplexArray()
      fft.realTransform(out, samples)
      const power = powerSpectrum(samples)
      for (let k = 0; k <= size / 2; k += 1) {
        const expected = (out[2 * k] ?? 0) ** 2 + (out[2 * k + 1] ?? 0) ** 2
        assert(Math.abs((power[k] ?? 0) - expected) < 1e-9 * size * size, `bin ${k}`)
      }
    })
  }

  it('puts a sine into the bands around it with the power of its amplitude', () => {
    // A Hann-windowed sine of amplitude a on a bin has |X| = a n / 4 there and half of that beside it.
    // Bin 32 is 1000 Hz.
    const { features } = analyseOne(sine(1000, 0.5))
    let total = 0
    for (const value of features) total += Math.exp(value) - 1e-6
    const expected = (0.5 * 64) ** 2 * (1 + 2 / 4)
    assert(Math.abs(total / expected - 1) < 1e-3)
    assert.equal(features.indexOf(Math.max(...features)), Math.round((1000 - 80) / (3800 / 61)) - 1)
  })

  it('gives the floor for silence', () => {
    for (const value of analyseOne(new Float32Array(800)).features) assert.equal(value, Math.fround(Math.log(1e-6)))
  })

  it('locates the peaks of two tones to a few hertz and knows they are all there is', () => {
    const a = sine(350, 0.2)
    const b = sine(620, 0.2)
    const { stats } = analyseOne(a.map((value, i) => value + (b[i] ?? 0)))
    const hz = [stats[frameStat.peakBin], stats[frameStat.secondBin]]
      .map((bin) => (bin ?? 0) * 31.25)
      .sort((x, y) => x - y)
    assert(Math.abs((hz[0] ?? 0) - 350) < 8 && Math.abs((hz[1] ?? 0) - 620) < 8, `${hz}`)
    assert((stats[frameStat.peakShare] ?? 0) + (stats[frameStat.secondShare] ?? 0) > 0.98)
  })
})
