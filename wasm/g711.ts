/**
 * ITU-T G.711 to float in [-1, 1): exact values / 32768. Mu-law is computed, four samples a step, because its
 * expansion is itself a small float: after complementing the byte, sign s, exponent e and mantissa m give
 *
 *   magnitude = ((m << 3) + 132) << e  -  132  =  2^(7+e) x (1 + (2m + 1) / 32)  -  132
 *
 *   byte  s e e e m m m m    float  s | 127 + 7 + e | 2m + 1, then 18 zero bits
 *
 * so the bits are put in place, 132 is subtracted and the sign is set. A-law goes through a table of 256.
 */
import { A_LAW } from './memory-map'

/** `target` needs room for `count` rounded up to 4 floats; `source` is read up to 3 bytes past its end. */
export function muLawToFloat(source: i32, target: i32, count: i32): void {
  const scale = f32x4.splat(1.0 / 32768.0)
  const bias = f32x4.splat(132.0)
  const end = source + count
  while (source < end) {
    const bytes = v128.xor(v128.load32_zero(source), i32x4.splat(-1))
    const wide = v128.extend_low<u16>(v128.extend_low<u8>(bytes))
    const exponent = v128.and(v128.shl<i32>(wide, 19), i32x4.splat(7 << 23))
    const mantissa = v128.and(v128.shl<i32>(wide, 19), i32x4.splat(15 << 19))
    const bits = v128.add<i32>(v128.or(exponent, mantissa), i32x4.splat((134 << 23) | (1 << 18)))
    const magnitude = v128.mul<f32>(v128.sub<f32>(bits, bias), scale)
    const sign = v128.and(v128.shl<i32>(wide, 24), i32x4.splat(0x80000000))
    v128.store(target, v128.or(magnitude, sign))
    source += 4
    target += 16
  }
}

/** The host fills the table at A_LAW once. */
export function aLawToFloat(source: i32, target: i32, count: i32): void {
  const end = source + count
  while (source < end) {
    store<f32>(target, load<f32>(A_LAW + ((<i32>load<u8>(source)) << 2)))
    source += 1
    target += 4
  }
}

/**
 * How many of `count` mu-law bytes are full scale (0x00 or 0x80) right after another that is. The byte before `source`
 * is read; up to 15 after the last are read and not counted.
 */
export function fullScalePairs(source: i32, count: i32): i32 {
  const magnitude = i8x16.splat(127)
  const zero = i8x16.splat(0)
  let pairs = 0
  let left = count
  while (left > 0) {
    const both = v128.and(v128.or(v128.load(source), v128.load(source - 1)), magnitude)
    const mask = v128.bitmask<i8>(v128.eq<i8>(both, zero))
    pairs += popcnt(left >= 16 ? mask : mask & ((1 << left) - 1))
    source += 16
    left -= 16
  }
  return pairs
}
