import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import FFT from 'fft.js'
import { muLawToLinear } from '../../src/audio/g711.ts'
import { type HopSpec, hopFlag } from '../../src/features/hop.ts'
import { VoiceFrontEnd } from '../../src/features/voice-front-end.ts'
import { fixtureBytes, hear, recorder, shippedSpec } from '../fakes/line-audio.ts'

const call = fixtureBytes('human-en-operator.wav').subarray(0, 8000 * 6)
const wideSpec: HopSpec = {
  ...shippedSpec,
  features: {
    ...shippedSpec.features,
    scale: 'mel',
    sampleRateHz: 16000,
    windowSamples: 400,
    hopSamples: 160,
    fftSize: 512,
  },
}

/** LFCC and MFCC of the same bands. */
const lfccSpec: HopSpec = { ...shippedSpec, features: { ...shippedSpec.features, kind: 'cepstra', coefficients: 20 } }
const mfccSpec: HopSpec = { ...wideSpec, features: { ...wideSpec.features, kind: 'cepstra', coefficients: 13 } }

function message(bytes: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(bytes).toString('base64'), 'latin1')
}

/** The definition of PLAN and README, term by term, with fft.js: frame t of a track ends at sample (t + 1) x 80. */
function bandsOfFrame(bytes: Uint8Array, frame: number): number[] {
  const samples = Array.from({ length: 256 }, (_, n) => {
    const byte = bytes[(frame + 1) * 80 - 256 + n]
    const value = byte === undefined ? 0 : (muLawToLinear[byte] ?? 0) / 32768
    return value * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / 256))
  })
  const fft = new FFT(256)
  const out = fft.createComplexArray()
  fft.realTransform(out, samples)
  const edge = (i: number): number => 80 + ((3880 - 80) * i) / 61
  return Array.from({ length: 60 }, (_, band) => {
    let power = 1e-6
    for (let k = 0; k <= 128; k += 1) {
      const hz = k * 31.25
      const rise = (hz - edge(band)) / (edge(band + 1) - edge(band))
      const fall = (edge(band + 2) - hz) / (edge(band + 2) - edge(band + 1))
      power += Math.max(0, Math.min(rise, fall)) * ((out[2 * k] ?? 0) ** 2 + (out[2 * k + 1] ?? 0) ** 2)
    }
    return Math.log(power)
  })
}

function pushAll(
  frontEnd: VoiceFrontEnd,
  slot: number,
  bytes: Uint8Array,
  sink: Parameters<VoiceFrontEnd['push']>[3],
): void {
  for (let at = 0; at < bytes.length; at += 160) {
    const text = message(bytes.subarray(at, at + 160))
    frontEnd.push(slot, 0, frontEnd.decode(text, 0, text.length), sink)
  }
}

describe('voice front end', () => {
  it('makes the features of the definition, context first', () => {
    const frontEnd = VoiceFrontEnd.create(shippedSpec, 1)
    const { sink, heard } = recorder()
    pushAll(frontEnd, frontEnd.open(), call, sink)
    assert.equal(heard.features.length, 12)
    for (const [hop, features] of heard.features.entries()) {
      for (let row = 0; row < 70; row += 7) {
        const frame = hop * 50 + row - 20
        const expected = frame < 0 ? new Array(60).fill(Math.log(1e-6)) : bandsOfFrame(call, frame)
        for (let band = 0; band < 60; band += 1) {
          const got = features[row * 60 + band] ?? Number.NaN
          assert(Math.abs(got - expected[band]) < 1e-3, `hop ${hop} row ${row} band ${band}: ${got}, ${expected[band]}`)
        }
      }
    }
  })

  it('makes cepstra of those bands when asked for, silence as context', () => {
    const frontEnd = VoiceFrontEnd.create(lfccSpec, 1)
    const { sink, heard } = recorder()
    pushAll(frontEnd, frontEnd.open(), call, sink)
    for (const [hop, features] of heard.features.entries()) {
      assert.equal(features.length, 70 * 20)
      for (let row = 0; row < 70; row += 7) {
        const frame = hop * 50 + row - 20
        const bands = frame < 0 ? new Array<number>(60).fill(Math.log(1e-6)) : bandsOfFrame(call, frame)
        for (let k = 0; k < 20; k += 1) {
          const sum = bands.reduce((total, value, n) => total + value * Math.cos((Math.PI / 60) * (n + 0.5) * k), 0)
          const got = features[row * 20 + k] ?? Number.NaN
          assert(Math.abs(got - sum * Math.sqrt((k === 0 ? 1 : 2) / 60)) < 1e-3, `hop ${hop} row ${row} c${k}: ${got}`)
        }
      }
    }
    const { speech, flags } = hear(call)
    assert.deepEqual({ speech: heard.speech, flags: heard.flags }, { speech, flags })
  })

  for (const spec of [shippedSpec, wideSpec, lfccSpec, mfccSpec]) {
    const { kind, sampleRateHz } = spec.features
    it(`gives the same hops however the audio is cut into messages, ${kind} at ${sampleRateHz} Hz`, () => {
      const frontEnd = VoiceFrontEnd.create(spec, 1)
      const hops = (sizes: readonly number[]) => {
        const { sink, heard } = recorder()
        const slot = frontEnd.open()
        let at = 0
        for (let i = 0; at < call.length; i += 1) {
          const text = message(call.subarray(at, at + (sizes[i % sizes.length] ?? 160)))
          const count = frontEnd.decode(text, 0, text.length)
          const half = Math.floor(count / 2)
          frontEnd.push(slot, 0, half, sink)
          frontEnd.push(slot, half, count - half, sink)
          at += count
        }
        frontEnd.close(slot)
        return heard
      }
      const expected = hops([160])
      const sizes = fc.array(fc.integer({ min: 1, max: 8000 }), { minLength: 1, maxLength: 8 })
      fc.assert(
        fc.property(sizes, (cut) => assert.deepEqual(hops(cut), expected)),
        { numRuns: 40 },
      )
    })
  }

  it('keeps tracks apart', () => {
    const frontEnd = VoiceFrontEnd.create(shippedSpec, 2)
    const alone = recorder()
    const first = frontEnd.open()
    pushAll(frontEnd, first, call, alone.sink)
    frontEnd.reset(first)
    const [a, b, other] = [recorder(), recorder(), frontEnd.open()]
    for (let at = 0; at < call.length; at += 320) {
      pushAll(frontEnd, first, call.subarray(at, at + 320), a.sink)
      pushAll(frontEnd, other, call.subarray(call.length - at - 320, call.length - at), b.sink)
    }
    assert.deepEqual(a.heard, alone.heard)
    assert.notDeepEqual(b.heard.features, alone.heard.features)
  })

  it('begins anew after reset and on a reused slot', () => {
    const frontEnd = VoiceFrontEnd.create(shippedSpec, 1)
    const [first, second, third] = [recorder(), recorder(), recorder()]
    const slot = frontEnd.open()
    pushAll(frontEnd, slot, call, first.sink)
    pushAll(frontEnd, slot, call.subarray(0, 1234), second.sink)
    frontEnd.reset(slot)
    pushAll(frontEnd, slot, call, second.sink)
    assert.deepEqual(second.heard, first.heard)
    frontEnd.close(slot)
    pushAll(frontEnd, frontEnd.open(), call, third.sink)
    assert.deepEqual(third.heard, first.heard)
  })

  it('has no slot to give when all tracks are open', () => {
    const frontEnd = VoiceFrontEnd.create(shippedSpec, 2)
    const slots = [frontEnd.open(), frontEnd.open()]
    assert.equal(new Set(slots).size, 2)
    assert.equal(frontEnd.open(), -1)
    frontEnd.close(slots[0] ?? -1)
    assert.equal(frontEnd.open(), slots[0])
  })

  it('fills gaps with silence and says so', () => {
    const frontEnd = VoiceFrontEnd.create(shippedSpec, 1)
    const { sink, heard } = recorder()
    const slot = frontEnd.open()
    pushAll(frontEnd, slot, call.subarray(0, 3600), sink)
    frontEnd.fill(slot, 800, sink)
    pushAll(frontEnd, slot, call.subarray(0, 3600), sink)
    assert.deepEqual(heard.filled, [400, 400])
    for (const flags of heard.flags) assert(flags & hopFlag.gap)
    // Frame 4 of the second hop ends where the gap does: all of its last 256 samples are filled.
    for (let band = 0; band < 60; band += 1) {
      assert.equal(heard.features[1]?.[(20 + 4) * 60 + band], Math.fround(Math.log(1e-6)))
    }
  })

  it('decodes from any place of any buffer, up to 8000 bytes', () => {
    const frontEnd = VoiceFrontEnd.create(shippedSpec, 1)
    const ring = new Uint8Array(new SharedArrayBuffer(10_701), 5)
    for (const [count, start] of [
      [1, 0],
      [160, 1],
      [161, 2],
      [8000, 3],
      [8000, 10_696 - 10_668],
    ] as const) {
      const text = message(call.subarray(0, count))
      ring.set(text, start)
      assert.equal(frontEnd.decode(ring, start, start + text.length), count)
    }
    assert.equal(frontEnd.decode(ring, 0, 0), 0)
    const long = message(call.subarray(0, 8001))
    assert.equal(frontEnd.decode(long, 0, long.length), -1)
    assert.equal(frontEnd.decode(Buffer.from('not base64!'), 0, 11), -1)
  })

  it('costs a track less than it promises', () => {
    assert(VoiceFrontEnd.create(shippedSpec, 1).bytesPerTrack <= 10 * 1024)
    assert.throws(() => VoiceFrontEnd.create({ ...shippedSpec, contextFrames: 250 }, 1), /at most/)
  })

  it('gives 16 kHz definitions the band above 4 kHz almost empty', () => {
    const frontEnd = VoiceFrontEnd.create(
      { ...wideSpec, features: { ...wideSpec.features, scale: 'linear', highHz: 7880 } },
      1,
    )
    const { sink, heard } = recorder()
    pushAll(frontEnd, frontEnd.open(), call, sink)
    const power = new Float64Array(60)
    for (const features of heard.features)
      for (const [i, value] of features.entries()) power[i % 60]! += Math.exp(value)
    // Bands are 128 Hz apart: 0..26 end under 3.6 kHz, 34 starts at 4.4 kHz.
    const low = power.subarray(0, 27).reduce((a, b) => a + b)
    const high = power.subarray(34).reduce((a, b) => a + b)
    assert(10 * Math.log10(low / high) > 50)
  })
})
