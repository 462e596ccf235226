/**
 * Real FFT of four frames at once, one frame a lane, and its power spectrum. n real samples are taken as n/2 complex
 * ones (even samples real, odd imaginary), which is how they already lie; Stockham's self-sorting FFT in radix 4 (one
 * radix-2 stage when n/2 is no power of 4) goes back and forth between two buffers, so no bit reversal is needed.
 *
 *   WORK  x0 | x1 | x2 | x3 | ...     each | | is a v128: frames 0..3 of that sample
 *         re0  im0  re1  im1          the same memory read as complex
 */
import { POWER, TWIDDLE, WORK_A, WORK_B } from './memory-map'

/** One radix-4 stage from `x` to `y`; n: length of each sub-transform, s: how many there are side by side. */
function stage4(x: i32, y: i32, n: i32, s: i32): void {
  const m = n >> 2
  const quarter = (m * s) << 5
  const row = s << 5
  columnPlain(x, y, quarter, row)
  for (let p = 1; p < m; p += 1) {
    const w1 = TWIDDLE + ((p * s) << 3)
    const w2 = TWIDDLE + ((p * s) << 4)
    const w3 = TWIDDLE + ((3 * p * s) << 3)
    columnTurned(x + p * row, y + 4 * p * row, quarter, row, w1, w2, w3)
  }
}

/** Butterflies whose twiddle is 1. */
function columnPlain(x: i32, y: i32, quarter: i32, row: i32): void {
  for (let end = x + row; x < end; x += 32) {
    const aRe = v128.load(x)
    const aIm = v128.load(x, 16)
    const bRe = v128.load(x + quarter)
    const bIm = v128.load(x + quarter, 16)
    const cRe = v128.load(x + 2 * quarter)
    const cIm = v128.load(x + 2 * quarter, 16)
    const dRe = v128.load(x + 3 * quarter)
    const dIm = v128.load(x + 3 * quarter, 16)
    const acRe = v128.add<f32>(aRe, cRe)
    const acIm = v128.add<f32>(aIm, cIm)
    const amRe = v128.sub<f32>(aRe, cRe)
    const amIm = v128.sub<f32>(aIm, cIm)
    const bdRe = v128.add<f32>(bRe, dRe)
    const bdIm = v128.add<f32>(bIm, dIm)
    const bmRe = v128.sub<f32>(bRe, dRe)
    const bmIm = v128.sub<f32>(bIm, dIm)
    v128.store(y, v128.add<f32>(acRe, bdRe))
    v128.store(y, v128.add<f32>(acIm, bdIm), 16)
    v128.store(y + row, v128.add<f32>(amRe, bmIm))
    v128.store(y + row, v128.sub<f32>(amIm, bmRe), 16)
    v128.store(y + 2 * row, v128.sub<f32>(acRe, bdRe))
    v128.store(y + 2 * row, v128.sub<f32>(acIm, bdIm), 16)
    v128.store(y + 3 * row, v128.sub<f32>(amRe, bmIm))
    v128.store(y + 3 * row, v128.add<f32>(amIm, bmRe), 16)
    y += 32
  }
}

/** Butterflies, then the three twiddles at w1, w2, w3 (cosine, minus sine). */
function columnTurned(x: i32, y: i32, quarter: i32, row: i32, w1: i32, w2: i32, w3: i32): void {
  const c1 = v128.load32_splat(w1)
  const s1 = v128.load32_splat(w1, 4)
  const c2 = v128.load32_splat(w2)
  const s2 = v128.load32_splat(w2, 4)
  const c3 = v128.load32_splat(w3)
  const s3 = v128.load32_splat(w3, 4)
  for (let end = x + row; x < end; x += 32) {
    const aRe = v128.load(x)
    const aIm = v128.load(x, 16)
    const bRe = v128.load(x + quarter)
    const bIm = v128.load(x + quarter, 16)
    const cRe = v128.load(x + 2 * quarter)
    const cIm = v128.load(x + 2 * quarter, 16)
    const dRe = v128.load(x + 3 * quarter)
    const dIm = v128.load(x + 3 * quarter, 16)
    const acRe = v128.add<f32>(aRe, cRe)
    const acIm = v128.add<f32>(aIm, cIm)
    const amRe = v128.sub<f32>(aRe, cRe)
    const amIm = v128.sub<f32>(aIm, cIm)
    const bdRe = v128.add<f32>(bRe, dRe)
    const bdIm = v128.add<f32>(bIm, dIm)
    const bmRe = v128.sub<f32>(bRe, dRe)
    const bmIm = v128.sub<f32>(bIm, dIm)
    v128.store(y, v128.add<f32>(acRe, bdRe))
    v128.store(y, v128.add<f32>(acIm, bdIm), 16)
    // (a - c) -+ i (b - d) and a + c - b - d, each times its twiddle.
    storeTurned(y + row, v128.add<f32>(amRe, bmIm), v128.sub<f32>(amIm, bmRe), c1, s1)
    storeTurned(y + 2 * row, v128.sub<f32>(acRe, bdRe), v128.sub<f32>(acIm, bdIm), c2, s2)
    storeTurned(y + 3 * row, v128.sub<f32>(amRe, bmIm), v128.add<f32>(amIm, bmRe), c3, s3)
    y += 32
  }
}

function storeTurned(to: i32, re: v128, im: v128, cos: v128, minusSin: v128): void {
  v128.store(to, v128.sub<f32>(v128.mul<f32>(re, cos), v128.mul<f32>(im, minusSin)))
  v128.store(to, v128.add<f32>(v128.mul<f32>(re, minusSin), v128.mul<f32>(im, cos)), 16)
}

/** The last stage when one factor of 2 is left: `s` butterflies without twiddles. */
function stage2(x: i32, y: i32, s: i32): void {
  const half = s << 5
  for (let offset = 0; offset < half; offset += 16) {
    const a = v128.load(x + offset)
    const b = v128.load(x + half + offset)
    v128.store(y + offset, v128.add<f32>(a, b))
    v128.store(y + half + offset, v128.sub<f32>(a, b))
  }
}

/** Transforms the `fftSize` samples a lane at WORK_A and leaves |X|^2 of bins 0 .. fftSize/2 at POWER. */
export function powerSpectrum(fftSize: i32): void {
  const complexSize = fftSize >> 1
  let x = WORK_A
  let y = WORK_B
  let n = complexSize
  let s = 1
  while (n >= 4) {
    stage4(x, y, n, s)
    const swap = x
    x = y
    y = swap
    n >>= 2
    s <<= 2
  }
  if (n === 2) {
    stage2(x, y, s)
    x = y
  }
  splitReal(x, complexSize)
}

/**
 * The spectrum of the real signal from that of its complex packing: with e = (Z[k] + conj Z[M-k]) / 2 and
 * o = -i (Z[k] - conj Z[M-k]) / 2, X[k] = e + w o and X[M-k] = conj(e - w o); only their powers are kept.
 */
function splitReal(z: i32, complexSize: i32): void {
  const half = f32x4.splat(0.5)
  const table = TWIDDLE + (complexSize << 3)
  const re0 = v128.load(z)
  const im0 = v128.load(z, 16)
  const dc = v128.add<f32>(re0, im0)
  const nyquist = v128.sub<f32>(re0, im0)
  v128.store(POWER, v128.mul<f32>(dc, dc))
  v128.store(POWER + (complexSize << 4), v128.mul<f32>(nyquist, nyquist))
  const last = complexSize >> 1
  for (let k = 1; k <= last; k += 1) {
    const a = z + (k << 5)
    const b = z + ((complexSize - k) << 5)
    const aRe = v128.load(a)
    const aIm = v128.load(a, 16)
    const bRe = v128.load(b)
    const bIm = v128.load(b, 16)
    const eRe = v128.mul<f32>(v128.add<f32>(aRe, bRe), half)
    const eIm = v128.mul<f32>(v128.sub<f32>(aIm, bIm), half)
    const oRe = v128.mul<f32>(v128.add<f32>(aIm, bIm), half)
    const oIm = v128.mul<f32>(v128.sub<f32>(bRe, aRe), half)
    const cos = v128.load32_splat(table + (k << 3))
    const minusSin = v128.load32_splat(table + (k << 3), 4)
    const tRe = v128.sub<f32>(v128.mul<f32>(oRe, cos), v128.mul<f32>(oIm, minusSin))
    const tIm = v128.add<f32>(v128.mul<f32>(oRe, minusSin), v128.mul<f32>(oIm, cos))
    const pRe = v128.add<f32>(eRe, tRe)
    const pIm = v128.add<f32>(eIm, tIm)
    const mRe = v128.sub<f32>(eRe, tRe)
    const mIm = v128.sub<f32>(eIm, tIm)
    v128.store(POWER + (k << 4), v128.add<f32>(v128.mul<f32>(pRe, pRe), v128.mul<f32>(pIm, pIm)))
    v128.store(POWER + ((complexSize - k) << 4), v128.add<f32>(v128.mul<f32>(mRe, mRe), v128.mul<f32>(mIm, mIm)))
  }
}
