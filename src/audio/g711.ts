/**
 * ITU-T G.711 both ways, in plain TypeScript: the twin of wasm/g711.ts for decoding and the only encoder (recordings
 * are brought to mu-law before they are judged, as a telephone would). Linear values are 16 bit, floats are linear /
 * 32768.
 *
 *   mu-law byte, complemented: s eee mmmm    linear = +-(((m << 3) + 132) << e) -+ 132      largest 32124
 *   A-law byte, xor 0x55:      s eee mmmm    linear = +-(16 m + 8), +-((16 m + 264) << (e - 1))   largest 32256
 */
import { strict as assert } from 'node:assert'

/** Mu-law's positive zero: what silence is filled with. */
export const muLawZero = 0xff

const muLawBias = 132
const muLawClip = 32635

function muLawLinear(byte: number): number {
  const code = ~byte & 0xff
  const magnitude = (((code & 15) << 3) + muLawBias) << ((code >> 4) & 7)
  return code & 0x80 ? muLawBias - magnitude : magnitude - muLawBias
}

function aLawLinear(byte: number): number {
  const code = byte ^ 0x55
  const exponent = (code >> 4) & 7
  const mantissa = (code & 15) << 4
  const magnitude = exponent === 0 ? mantissa + 8 : (mantissa + 264) << (exponent - 1)
  return code & 0x80 ? magnitude : -magnitude
}

/** Byte -> linear 16 bit. */
export const muLawToLinear = Int16Array.from({ length: 256 }, (_, byte) => muLawLinear(byte))
export const aLawToLinear = Int16Array.from({ length: 256 }, (_, byte) => aLawLinear(byte))

/** Linear 16 bit -> mu-law byte. */
export function muLawFromLinear(linear: number): number {
  const sign = linear < 0 ? 0x80 : 0
  const magnitude = Math.min(Math.abs(linear), muLawClip) + muLawBias
  const exponent = 24 - Math.clz32(magnitude)
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 0xff
}

/** Linear 16 bit -> A-law byte. */
export function aLawFromLinear(linear: number): number {
  const sign = linear >= 0 ? 0x80 : 0
  const magnitude = Math.min(linear >= 0 ? linear : -linear - 1, 32767)
  const exponent = magnitude < 256 ? 0 : 24 - Math.clz32(magnitude)
  const mantissa = exponent === 0 ? magnitude >> 4 : magnitude >> (exponent + 3)
  return (sign | (exponent << 4) | (mantissa & 15)) ^ 0x55
}

/** The twin of the `muLawToFloat` kernel. */
export function muLawToFloat(bytes: Uint8Array, samples: Float32Array): void {
  assert(samples.length >= bytes.length)
  for (let i = 0; i < bytes.length; i += 1) samples[i] = muLawToLinear[bytes[i]!]! / 32768
}

/** The twin of the `aLawToFloat` kernel. */
export function aLawToFloat(bytes: Uint8Array, samples: Float32Array): void {
  assert(samples.length >= bytes.length)
  for (let i = 0; i < bytes.length; i += 1) samples[i] = aLawToLinear[bytes[i]!]! / 32768
}

/** Floats to mu-law bytes; what lies outside [-1, 1) is clipped. */
export function muLawFromFloat(samples: Float32Array): Uint8Array {
  const bytes = new Uint8Array(samples.length)
  for (let i = 0; i < samples.length; i += 1) {
    bytes[i] = muLawFromLinear(Math.max(-32768, Math.min(32767, Math.round(samples[i]! * 32768))))
  }
  return bytes
}

/** The twin of the `fullScalePairs` kernel: mu-law bytes at full scale right after another, from the second on. */
export function fullScalePairs(bytes: Uint8Array): number {
  let pairs = 0
  for (let i = 1; i < bytes.length; i += 1) if (((bytes[i]! | bytes[i - 1]!) & 0x7f) === 0) pairs += 1
  return pairs
}
