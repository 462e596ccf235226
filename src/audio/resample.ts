/**
 * Sample rates. `interpolatorTaps` are the coefficients of the streaming 8 -> 16 kHz kernel (wasm/resample.ts),
 * `upsample2` is its twin, and `resampleTo` brings whole recordings of any rate to another, offline, for the score
 * command.
 *
 * All are windowed sincs with a Kaiser window. The interpolator: 80 taps at 16 kHz, two phases of 40, cut at 4 kHz;
 * tap k of the prototype stands at k - 39.5 output samples, so the delay is 39.5 / 2 = 19.75 input samples and both
 * phases have gain 1.
 */
import { strict as assert } from 'node:assert'

export const tapsPerPhase = 40

/** Kaiser shape for the interpolator: images above 4.4 kHz fall by more than 60 dB while all up to 3.6 kHz stays. */
const interpolatorKaiser = 6.2

/** Kaiser shape and zero crossings each side for recordings: more than 80 dB, and time does not matter. */
const recordingKaiser = 9
const recordingCrossings = 32

/** Modified Bessel function of the first kind, order 0, by its series. */
function bessel0(x: number): number {
  let sum = 1
  let term = 1
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2
    sum += term
  }
  return sum
}

/** Kaiser window at `x` in [-1, 1]. */
function kaiser(x: number, shape: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel0(shape * Math.sqrt(1 - x * x)) / bessel0(shape)
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

/** [2, 40]: phase p, then the weight of input n - 39 + j. Each phase sums to 1. */
export function interpolatorTaps(): Float32Array {
  const length = 2 * tapsPerPhase
  const taps = new Float64Array(length)
  for (let phase = 0; phase < 2; phase += 1) {
    let sum = 0
    for (let j = 0; j < tapsPerPhase; j += 1) {
      // Prototype index of this tap: newest input first, so it counts down as j counts up.
      const k = phase + 2 * (tapsPerPhase - 1 - j)
      const x = k - (length - 1) / 2
      const value = sinc(x / 2) * kaiser((2 * x) / length, interpolatorKaiser)
      taps[phase * tapsPerPhase + j] = value
      sum += value
    }
    for (let j = 0; j < tapsPerPhase; j += 1) taps[phase * tapsPerPhase + j]! /= sum
  }
  return Float32Array.from(taps)
}

/** `input` holds 39 samples of history and then those to convert; two samples out for each. */
export function upsample2(input: Float32Array, taps: Float32Array): Float32Array {
  const count = input.length - (tapsPerPhase - 1)
  const output = new Float32Array(2 * count)
  for (let n = 0; n < count; n += 1) {
    let even = 0
    let odd = 0
    for (let j = 0; j < tapsPerPhase; j += 1) {
      even += taps[j]! * input[n + j]!
      odd += taps[tapsPerPhase + j]! * input[n + j]!
    }
    output[2 * n] = even
    output[2 * n + 1] = odd
  }
  return output
}

/** A whole recording at another rate, without delay; the band above the lower of both half rates is removed. */
export function resampleTo(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  assert(fromHz > 0 && toHz > 0)
  if (fromHz === toHz) return samples.slice()
  const output = new Float32Array(Math.ceil((samples.length * toHz) / fromHz))
  // The cut lies a little under the lower half rate, so that the slope of the filter ends at it.
  const cut = Math.min(1, toHz / fromHz) * 0.95
  const reach = recordingCrossings / cut
  const table = kernelTable(reach, cut)
  const step = fromHz / toHz
  for (let i = 0; i < output.length; i += 1) {
    const at = i * step
    const first = Math.max(0, Math.ceil(at - reach))
    const last = Math.min(samples.length - 1, Math.floor(at + reach))
    let sum = 0
    for (let n = first; n <= last; n += 1) {
      const place = Math.abs(at - n) * tablePerSample
      const index = Math.floor(place)
      const part = place - index
      sum += samples[n]! * (table[index]! + part * (table[index + 1]! - table[index]!))
    }
    output[i] = sum
  }
  return output
}

/** Table resolution: linear interpolation between 512 points a sample keeps the error under -100 dB. */
const tablePerSample = 512

function kernelTable(reach: number, cut: number): Float64Array {
  return Float64Array.from({ length: Math.ceil(reach * tablePerSample) + 2 }, (_, i) => {
    const x = i / tablePerSample
    return cut * sinc(cut * x) * kaiser(x / reach, recordingKaiser)
  })
}
