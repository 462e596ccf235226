/**
 * Cepstral coefficients: rows of log band powers times the cosines at DCT (src/audio/cepstra.ts writes them), four
 * frames at a time, one a lane. In place: a row shrinks from `bands` to `coefficients` floats, so what is written never
 * overtakes what is still to be read.
 *
 *   before  | bands of frame 0        | bands of frame 1        | ...
 *   after   | cepstra 0    | cepstra 1    | ...
 *
 * Cosines are even about the middle of a row for even coefficients and odd for odd ones, so a row is folded first (sums
 * of mirrored bands at WORK_A, differences at WORK_B): half the products, and half the rounding of a long sum.
 */
import { DCT, WORK_A, WORK_B } from './memory-map'

/** `frames` is rounded up to 4: rows past the last one are read and written, as `analyse` left them. */
export function cepstra(rows: i32, frames: i32, bands: i32, coefficients: i32): void {
  let to = rows
  for (let frame = 0; frame < frames; frame += 4) {
    fold(rows + ((frame * bands) << 2), bands << 2)
    transform(to, bands, coefficients)
    to += coefficients << 4
  }
}

/** Four rows, turned so that a band of all four is one vector, and folded about their middle. */
function fold(low: i32, rowBytes: i32): void {
  let high = low + rowBytes - 4
  let offset = 0
  while (low < high) {
    const a = gather(low, rowBytes)
    const b = gather(high, rowBytes)
    v128.store(WORK_A + offset, v128.add<f32>(a, b))
    v128.store(WORK_B + offset, v128.sub<f32>(a, b))
    low += 4
    high -= 4
    offset += 16
  }
  // The middle of an odd number of bands is its own mirror; odd cosines are zero there.
  if (low === high) {
    v128.store(WORK_A + offset, gather(low, rowBytes))
    v128.store(WORK_B + offset, f32x4.splat(0))
  }
}

function gather(from: i32, rowBytes: i32): v128 {
  let lanes = v128.load32_zero(from)
  lanes = v128.load32_lane(from + rowBytes, lanes, 1)
  lanes = v128.load32_lane(from + 2 * rowBytes, lanes, 2)
  return v128.load32_lane(from + 3 * rowBytes, lanes, 3)
}

function transform(to: i32, bands: i32, coefficients: i32): void {
  const rowBytes = coefficients << 2
  const foldedBytes = ((bands + 1) >> 1) << 4
  for (let k = 0; k < coefficients; k += 1) {
    let cosine = DCT + ((k * bands) << 2)
    let folded = k & 1 ? WORK_B : WORK_A
    const end = folded + foldedBytes
    let sum = f32x4.splat(0)
    while (folded < end) {
      sum = v128.add<f32>(sum, v128.mul<f32>(v128.load(folded), v128.load32_splat(cosine)))
      cosine += 4
      folded += 16
    }
    v128.store32_lane(to, sum, 0)
    v128.store32_lane(to + rowBytes, sum, 1)
    v128.store32_lane(to + 2 * rowBytes, sum, 2)
    v128.store32_lane(to + 3 * rowBytes, sum, 3)
    to += 4
  }
}
