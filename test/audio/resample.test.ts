import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import waveResampler from 'wave-resampler'
import { interpolatorTaps, resampleTo, tapsPerPhase, upsample2 } from '../../src/audio/resample.ts'

function sine(hz: number, rateHz: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rateHz))
}

/** Amplitude of `hz` in `samples`, by correlation over whole periods as near as may be (a Hann window). */
function amplitude(samples: ArrayLike<number>, hz: number, rateHz: number, from: number, to: number): number {
  let re = 0
  let im = 0
  let sum = 0
  for (let i = from; i < to; i += 1) {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * (i - from)) / (to - from))
    re += window * (samples[i] ?? 0) * Math.cos((2 * Math.PI * hz * i) / rateHz)
    im += window * (samples[i] ?? 0) * Math.sin((2 * Math.PI * hz * i) / rateHz)
    sum += window
  }
  return (2 * Math.hypot(re, im)) / sum
}

const dB = (ratio: number): number => 20 * Math.log10(ratio)

/** Error of `samples` against a sine of `hz`, in dB under it, away from both ends. */
function errorDb(samples: ArrayLike<number>, hz: number, rateHz: number, delaySamples = 0): number {
  let error = 0
  let power = 0
  for (let i = 400; i < samples.length - 400; i += 1) {
    const expected = Math.sin((2 * Math.PI * hz * (i - delaySamples)) / rateHz)
    error += ((samples[i] ?? 0) - expected) ** 2
    power += expected ** 2
  }
  return 10 * Math.log10(error / power)
}

describe('8 to 16 kHz', () => {
  const taps = interpolatorTaps()
  const convert = (hz: number): Float32Array => upsample2(sine(hz, 8000, 4000), taps)
  // The first output belongs to input 39, and the filter delays by 39.5 outputs.
  const delay = 39.5 - 2 * (tapsPerPhase - 1)

  for (const hz of [200, 1000, 2500, 3400, 3600]) {
    it(`passes ${hz} Hz within 0.02 dB and keeps its image 60 dB down`, () => {
      const out = convert(hz)
      assert(Math.abs(dB(amplitude(out, hz, 16000, 100, 7900))) < 0.02)
      assert(dB(amplitude(out, 8000 - hz, 16000, 100, 7900)) < -60)
    })
  }

  it('is the same sine at twice the rate, 39.5 samples late, 55 dB clean', () => {
    for (const hz of [300, 1000, 3000]) assert(errorDb(convert(hz), hz, 16000, delay) < -55, `${hz} Hz`)
  })

  it('keeps what wave-resampler, default and sinc, loses', () => {
    const input = sine(3000, 8000, 4000)
    for (const details of [{}, { method: 'sinc' }]) {
      const theirs = dB(amplitude(waveResampler.resample(input, 8000, 16000, details), 3000, 16000, 100, 7900))
      assert(theirs < -1.5, `${theirs} dB`)
    }
    assert(dB(amplitude(convert(3000), 3000, 16000, 100, 7900)) > -0.02)
  })
})

describe('recordings at any rate', () => {
  for (const [fromHz, toHz, hz] of [
    [16000, 8000, 1000],
    [44100, 8000, 3300],
    [48000, 8000, 440],
    [22050, 8000, 3000],
    [11025, 8000, 2000],
    [8000, 16000, 3000],
    [6000, 8000, 2000],
  ] as const) {
    it(`keeps ${hz} Hz from ${fromHz} to ${toHz} Hz, 80 dB clean`, () => {
      const out = resampleTo(sine(hz, fromHz, fromHz), fromHz, toHz)
      assert.equal(out.length, toHz)
      assert(errorDb(out, hz, toHz) < -80)
    })
  }

  it('removes what would fold down', () => {
    for (const hz of [4200, 5000, 9000, 15000]) {
      const out = resampleTo(sine(hz, 44100, 44100), 44100, 8000)
      const largest = out.subarray(400, -400).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      assert(dB(largest) < -70, `${hz} Hz: ${dB(largest)} dB`)
    }
  })

  it('copies when there is nothing to do', () => {
    const samples = sine(100, 8000, 80)
    assert.deepEqual(resampleTo(samples, 8000, 8000), samples)
  })
})
