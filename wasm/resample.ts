/**
 * 8 kHz to 16 kHz: each sample in gives two out, by a windowed-sinc interpolator in two phases of 40 taps whose
 * coefficients the host writes at TAPS. Both phases are real filters (not one passed through), so the pair is a linear
 * phase FIR of 80 taps at 16 kHz with a delay of 19.75 samples at 8 kHz. The only state is the 39 samples
 * before `source`, which the caller keeps in front of it:
 *
 *   source - 39 x 4 ... source - 4 | source ...      out[2n + p] = sum over j of taps[p][j] x in[n - 39 + j]
 */
import { TAPS, TAPS_PER_PHASE } from './memory-map'

export function upsample2(source: i32, count: i32, target: i32): void {
  const end = source + (count << 2)
  while (source < end) {
    let even = f32x4.splat(0)
    let odd = f32x4.splat(0)
    let tap = TAPS
    let sample = source - (TAPS_PER_PHASE - 1) * 4
    while (tap < TAPS + TAPS_PER_PHASE * 4) {
      const block = v128.load(sample)
      even = v128.add<f32>(even, v128.mul<f32>(block, v128.load(tap)))
      odd = v128.add<f32>(odd, v128.mul<f32>(block, v128.load(tap, TAPS_PER_PHASE * 4)))
      tap += 16
      sample += 16
    }
    const low = v128.shuffle<f32>(even, odd, 0, 4, 1, 5)
    const high = v128.shuffle<f32>(even, odd, 2, 6, 3, 7)
    const pairs = v128.add<f32>(low, high)
    const sums = v128.add<f32>(pairs, v128.shuffle<f32>(pairs, pairs, 2, 3, 0, 1))
    v128.store64_lane(target, sums, 0)
    source += 4
    target += 8
  }
}
