/**
 * G.711 code words to linear samples, as WAV files carry them (formats 6 and 7). Tables of 256 entries made once from the
 * recommendation's arithmetic; samples are in [-1, 1). Any thread.
 *
 * A code word is sign, exponent and mantissa. mu-law sends every bit inverted, A-law the even ones:
 *
 *   bit   7      6 5 4      3 2 1 0
 *         sign   exponent   mantissa
 */

/** Linear sample of each mu-law code word; 0xFF is +0. */
export const mulawSamples: Float32Array = Float32Array.from({ length: 256 }, (_, code) => mulawSample(code) / 32768)

/** Linear sample of each A-law code word; 0xD5 is the smallest positive one. */
export const alawSamples: Float32Array = Float32Array.from({ length: 256 }, (_, code) => alawSample(code) / 32768)

/** The mu-law code word of digital silence. */
export const mulawSilence = 0xff

function mulawSample(code: number): number {
  const bits = ~code & 0xff
  const exponent = (bits >> 4) & 7
  const magnitude = ((((bits & 15) << 3) + 0x84) << exponent) - 0x84
  return (bits & 0x80) === 0 ? magnitude : -magnitude
}

function alawSample(code: number): number {
  const bits = code ^ 0x55
  const exponent = (bits >> 4) & 7
  const mantissa = (bits & 15) << 4
  const magnitude = exponent === 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1)
  return (bits & 0x80) === 0 ? -magnitude : magnitude
}

const bias = 0x84
const loudest = 32767 - bias

/** The mu-law code word of a sample in [-1, 1); louder samples clip. */
export function mulawCode(sample: number): number {
  const linear = Math.round(sample * 32768)
  const magnitude = Math.min(Math.abs(linear), loudest) + bias
  const exponent = 24 - Math.clz32(magnitude)
  const mantissa = (magnitude >> (exponent + 3)) & 15
  return ~((linear < 0 ? 0x80 : 0) | (exponent << 4) | mantissa) & 0xff
}

/** One code word per sample. */
export function encodeMulaw(samples: Float32Array): Uint8Array {
  return Uint8Array.from(samples, mulawCode)
}
