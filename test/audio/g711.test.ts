import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  aLawFromLinear,
  aLawToFloat,
  aLawToLinear,
  muLawFromFloat,
  muLawFromLinear,
  muLawToFloat,
  muLawToLinear,
  muLawZero,
} from '../../src/audio/g711.ts'

/**
 * ITU-T G.711, tables 2a/2b: the decoder outputs of mu-law are y = (2 V + 33) 2^S - 33 on a scale of 8031 (14 bits),
 * with S the segment and V the place in it; the character signal has all bits inverted.
 */
function muLawOfTheRecommendation(byte: number): number {
  const word = 255 - byte
  const segment = Math.floor((word % 128) / 16)
  const y = (2 * (word % 16) + 33) * 2 ** segment - 33
  return (word >= 128 ? -y : y) * 4
}

/** Tables 1a/1b: A-law on a scale of 4032 (13 bits); even bits inverted. The first two segments have the same step. */
function aLawOfTheRecommendation(byte: number): number {
  const word = byte ^ 0b01010101
  const segment = Math.floor((word % 128) / 16)
  const place = word % 16
  const y = segment === 0 ? 2 * place + 1 : (2 * place + 33) * 2 ** (segment - 1)
  return (word >= 128 ? y : -y) * 8
}

/** Half of the widest step of the segment a value lies in: no error of a compressor may be larger. */
function halfStep(linear: number, bias: number): number {
  return 2 ** Math.max(Math.floor(Math.log2(Math.abs(linear) + bias)) - 4, 3) / 2
}

describe('G.711', () => {
  it('expands every mu-law character to the value of the recommendation', () => {
    for (let byte = 0; byte < 256; byte += 1) assert.equal(muLawToLinear[byte], muLawOfTheRecommendation(byte) + 0)
  })

  it('expands every A-law character to the value of the recommendation', () => {
    for (let byte = 0; byte < 256; byte += 1) assert.equal(aLawToLinear[byte], aLawOfTheRecommendation(byte))
  })

  it('has the published end points', () => {
    assert.equal(muLawToLinear[0x00], -32124)
    assert.equal(muLawToLinear[0x80], 32124)
    assert.equal(muLawToLinear[0xff], 0)
    assert.equal(muLawToLinear[0x7f], 0)
    assert.equal(aLawToLinear[0xd5], 8)
    assert.equal(aLawToLinear[0x55], -8)
    assert.equal(aLawToLinear[0x2a], -32256)
    assert.equal(aLawToLinear[0xaa], 32256)
  })

  it('gives each character back when its own value is compressed', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      // 0x7F is a second, negative zero.
      if (byte !== 0x7f) assert.equal(muLawFromLinear(muLawToLinear[byte] ?? 0), byte)
      assert.equal(aLawFromLinear(aLawToLinear[byte] ?? 0), byte)
    }
  })

  it('compresses to within half a step of the segment', () => {
    for (let linear = -32124; linear <= 32124; linear += 1) {
      const mu = Math.abs((muLawToLinear[muLawFromLinear(linear)] ?? 0) - linear)
      assert(mu <= halfStep(linear, 132), `mu-law of ${linear}: ${mu}`)
      const a = Math.abs((aLawToLinear[aLawFromLinear(linear)] ?? 0) - linear)
      assert(a <= Math.max(8, halfStep(linear, 0)), `A-law of ${linear}: ${a}`)
    }
  })

  it('reads floats as linear / 32768 and clips what is outside', () => {
    const samples = new Float32Array(3)
    muLawToFloat(Uint8Array.of(0x00, 0x80, muLawZero), samples)
    assert.deepEqual([...samples], [-32124 / 32768, 32124 / 32768, 0])
    aLawToFloat(Uint8Array.of(0xd5, 0x2a, 0xaa), samples)
    assert.deepEqual([...samples], [8 / 32768, -32256 / 32768, 32256 / 32768])
    assert.deepEqual([...muLawFromFloat(Float32Array.of(-7, 7, 0, 0.5))], [0x00, 0x80, 0xff, muLawFromLinear(16384)])
  })
})
