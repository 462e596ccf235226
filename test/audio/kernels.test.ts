import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { planBands } from '../../src/audio/band-plan.ts'
import { base64Decode } from '../../src/audio/base64.ts'
import { statsPerFrame } from '../../src/audio/frame-stats.ts'
import { aLawToFloat, fullScalePairs, muLawToFloat } from '../../src/audio/g711.ts'
import { goertzel, goertzelCoefficients } from '../../src/audio/goertzel.ts'
import { Kernels, kernelFunctionNames, kernelPlaceNames } from '../../src/audio/kernels.ts'
import { interpolatorTaps, tapsPerPhase, upsample2 } from '../../src/audio/resample.ts'
import { analyse } from '../../src/audio/spectrum.ts'
import { projectRoot } from '../../src/core/project.ts'
import { noise } from '../fakes/line-audio.ts'

const kernels = Kernels.load(0)
const { at, run, bytes, floats } = kernels
const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)

/** What a line can carry: a chirp, loud and soft, low and high, and noise 30 dB under it. Deterministic. */
function signal(count: number): Float32Array {
  const hiss = noise(0.008, Math.ceil(count / 8))
  return Float32Array.from({ length: count }, (_, i) => {
    return 0.3 * Math.sin(i * 0.2 + 18 * Math.sin(i * 0.0011)) * (1 + Math.sin(i * 0.004)) + (hiss[i] ?? 0)
  })
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length)
  let largest = 0
  for (let i = 0; i < a.length; i += 1) largest = Math.max(largest, Math.abs((a[i] ?? 0) - (b[i] ?? 0)))
  return largest
}

function kernelBase64(text: Uint8Array, skew: number): number[] | null {
  bytes.set(text, at.TEXT + skew)
  const count = run.base64Decode(at.TEXT + skew, text.length, at.BYTES)
  return count < 0 ? null : [...bytes.subarray(at.BYTES, at.BYTES + count)]
}

/** The web platform's decoder refuses what we refuse, except that it skips ASCII white space. */
function webBase64(text: string): number[] | null {
  if (/[\t\n\f\r ]/.test(text)) return null
  try {
    return [...atob(text)].map((character) => character.charCodeAt(0))
  } catch {
    return null
  }
}

describe('the kernels binary', () => {
  it('exports exactly what the host names', () => {
    const runtime = globalThis as unknown as { WebAssembly: { Module: WebAssemblyModule } }
    const { Module } = runtime.WebAssembly
    const names = Module.exports(new Module(readFileSync(`${projectRoot}dist/wasm/kernels.wasm`))).map((e) => e.name)
    assert.deepEqual(names.sort(), [...kernelFunctionNames, ...kernelPlaceNames, 'memory'].sort())
  })

  it('keeps its regions apart and inside the scratch', () => {
    assert(at.TEXT + at.TEXT_CHARS_MAX + 64 <= at.BYTES)
    assert(at.BYTES + at.BYTES_MAX + 16 <= at.A_LAW)
    assert(at.TAPS + 2 * at.TAPS_PER_PHASE * 4 <= at.GOERTZEL)
    assert(at.BANDS + at.BANDS_MAX * 8 <= at.WEIGHTS)
    assert(at.POWER + (at.FFT_MAX / 2 + 1) * 16 <= at.STATS)
    assert(at.NARROW + at.NARROW_SAMPLES_MAX * 4 <= at.WIDE)
    assert(at.WIDE + at.WIDE_SAMPLES_MAX * 4 <= at.FEATURES)
    assert(at.FEATURES + at.FEATURE_ROWS_MAX * at.BANDS_MAX * 4 <= at.DCT)
    assert(at.DCT + at.BANDS_MAX * at.BANDS_MAX * 4 <= at.SLOTS)
    for (const name of kernelPlaceNames) if (!/_MAX|_PER_/.test(name)) assert.equal(at[name] % 16, 0, name)
  })

  it('decodes base64 as the web platform does, at any alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 3 }), (data, skew) => {
        const text = Buffer.from(data).toString('base64')
        assert.deepEqual(kernelBase64(Buffer.from(text), skew), [...data])
        assert.deepEqual(kernelBase64(Buffer.from(text.replaceAll('=', '')), skew), [...data])
      }),
    )
  })

  it('refuses text that is not base64, wherever the fault stands', () => {
    const alphabet = fc.constantFrom(...'AZaz09+/=-_ \n\u0000\u0080\u00ff')
    const text = fc.array(alphabet, { maxLength: 60 }).map((characters) => characters.join(''))
    fc.assert(
      fc.property(text, (spoilt) => {
        const latin = Buffer.from(spoilt, 'latin1')
        assert.deepEqual(kernelBase64(latin, 0), webBase64(spoilt))
        const out = new Uint8Array(64)
        const count = base64Decode(latin, 0, latin.length, out)
        assert.deepEqual(count < 0 ? null : [...out.subarray(0, count)], webBase64(spoilt))
      }),
      { numRuns: 2000 },
    )
    for (let byte = 0; byte < 256; byte += 1) {
      const line = Buffer.alloc(32, 'A')
      line[21] = byte
      assert.equal(kernelBase64(line, 0) !== null, /[A-Za-z0-9+/]/.test(String.fromCharCode(byte)), `byte ${byte}`)
    }
  })

  it('holds the longest media message', () => {
    const data = Buffer.from(Uint8Array.from({ length: 8000 }, (_, i) => (i * 7) & 255))
    assert.deepEqual(kernelBase64(Buffer.from(data.toString('base64')), 3), [...data])
  })

  it('expands mu-law and A-law exactly as the twins', () => {
    const expected = new Float32Array(256)
    bytes.set(allBytes, at.BYTES)
    run.muLawToFloat(at.BYTES, at.NARROW, 256)
    muLawToFloat(allBytes, expected)
    assert.equal(largestDifference(kernels.floatsAt(at.NARROW, 256), expected), 0)
    run.aLawToFloat(at.BYTES, at.NARROW, 256)
    aLawToFloat(allBytes, expected)
    assert.equal(largestDifference(kernels.floatsAt(at.NARROW, 256), expected), 0)
  })

  it('counts neighbours at full scale like its twin', () => {
    const codes = fc.array(fc.constantFrom(0x00, 0x80, 0x01, 0xff, 0x7f), { minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(codes, (line) => {
        bytes.fill(0, at.BYTES, at.BYTES + 200)
        bytes.set(line, at.BYTES + 1)
        bytes[at.BYTES] = 0xff
        const expected = fullScalePairs(Uint8Array.from(line))
        assert.equal(run.fullScalePairs(at.BYTES + 1, line.length), expected)
      }),
    )
  })

  it('interpolates like its twin, in one piece or in many', () => {
    const input = signal(1000)
    const history = tapsPerPhase - 1
    const expected = upsample2(Float32Array.of(...new Float32Array(history), ...input), interpolatorTaps())
    floats.fill(0, at.NARROW / 4, at.NARROW / 4 + history)
    floats.set(input, at.NARROW / 4 + history)
    const start = at.NARROW + history * 4
    run.upsample2(start, 1000, at.WIDE)
    assert(largestDifference(kernels.floatsAt(at.WIDE, 2000), expected) < 1e-6)
    const whole = kernels.floatsAt(at.WIDE, 2000).slice()
    for (let n = 0; n < 1000; n += 125) run.upsample2(start + n * 4, 125, at.WIDE + n * 8)
    assert.equal(largestDifference(kernels.floatsAt(at.WIDE, 2000), whole), 0)
  })

  it('finds the DTMF powers its twin finds', () => {
    const input = signal(160)
    floats.set(input, at.NARROW / 4)
    run.goertzel(at.NARROW, 160)
    const expected = goertzel(input, goertzelCoefficients(8000))
    assert(largestDifference(kernels.floatsAt(at.GOERTZEL + 32, 8), expected) < 1e-2 * Math.max(...expected))
  })

  const definitions = [
    { scale: 'linear', sampleRateHz: 8000, windowSamples: 256, hopSamples: 80, fftSize: 256, bands: 60, highHz: 3880 },
    { scale: 'linear', sampleRateHz: 8000, windowSamples: 200, hopSamples: 80, fftSize: 256, bands: 24, highHz: 4000 },
    { scale: 'mel', sampleRateHz: 16000, windowSamples: 400, hopSamples: 160, fftSize: 512, bands: 80, highHz: 7600 },
    {
      scale: 'linear',
      sampleRateHz: 16000,
      windowSamples: 512,
      hopSamples: 160,
      fftSize: 512,
      bands: 120,
      highHz: 8000,
    },
  ] as const
  for (const definition of definitions) {
    it(`makes the features of its twin: ${definition.scale} ${definition.fftSize}/${definition.windowSamples}`, () => {
      const plan = planBands({ ...definition, lowHz: 80, floor: 1e-6 })
      const frames = 13
      const input = signal(16 * definition.hopSamples + definition.windowSamples)
      const features = new Float32Array(frames * definition.bands)
      const stats = new Float32Array(frames * statsPerFrame)
      analyse(plan, input, 4, frames, features, stats)
      kernels.install(plan)
      floats.set(input, at.NARROW / 4)
      const { windowSamples, hopSamples, fftSize, bands } = definition
      run.analyse(at.NARROW + 16, windowSamples, hopSamples, fftSize, frames, bands, 1e-6, at.FEATURES)
      assert(largestDifference(kernels.floatsAt(at.FEATURES, frames * bands), features) < 1e-4)
      assert(largestDifference(kernels.floatsAt(at.STATS, frames * statsPerFrame), stats) < 1e-4)
    })
  }

  it('takes logarithms to five digits over the whole range of powers', () => {
    // A constant input through one flat "band" that passes bin 0 gives any power that is wanted.
    const plan = planBands({ ...definitions[0], lowHz: 80, floor: 1e-6 })
    kernels.install(plan)
    for (let exponent = -20; exponent <= 10; exponent += 0.37) {
      floats.fill(0, at.NARROW / 4, at.NARROW / 4 + 800)
      const floor = Math.fround(Math.exp(exponent))
      run.analyse(at.NARROW, 256, 80, 256, 4, 60, floor, at.FEATURES)
      const error = Math.abs(kernels.floatsAt(at.FEATURES, 1).at(0)! - Math.log(floor))
      assert(error <= 1e-6 * Math.max(1, Math.abs(Math.log(floor))), `ln ${floor}: ${error}`)
    }
  })
})

interface WebAssemblyModule {
  new (bytes: Uint8Array): object
  exports(module: object): { name: string }[]
}
