/**
 * From samples to log band powers and the figures the speech gate needs, four frames at a time (one a lane).
 * Each frame: window, FFT, power, triangular bands, ln(power + floor) into its row of FEATURES; and a row of 12 figures
 * into STATS (names in src/audio/frame-stats.ts):
 *
 *   STATS row  0..5 ln power of 6 sub-bands | 6 ln power, all of them | 7 peak bin | 8 its share | 9 second peak bin
 *              10 its share | 11 unused
 *
 * A peak's bin is the centre of gravity of the five bins around the largest one; its share is their part of all power.
 */
import { powerSpectrum } from './fft'
import { naturalLog } from './logarithm'
import { BANDS, EDGES, KEPT, POWER, STATS, STATS_PER_FRAME, WEIGHTS, WINDOW, WORK_A } from './memory-map'

/** Keeps logarithms of digital silence finite; far under one mu-law step (which is 8 / 32768, squared 6e-8). */
const TINY: f32 = 1e-10

/** Bytes of a row of STATS. */
const ROW: i32 = STATS_PER_FRAME << 2

/**
 * `samples`: the first frame's window start. Frames follow every `hopSamples`; `frames` is rounded up to 4, so memory
 * past the last window is read, and rows past the last frame are written.
 */
export function analyse(
  samples: i32,
  windowSamples: i32,
  hopSamples: i32,
  fftSize: i32,
  frames: i32,
  bands: i32,
  floor: f32,
  features: i32,
): void {
  for (let frame = 0; frame < frames; frame += 4) {
    gatherWindows(samples + ((frame * hopSamples) << 2), windowSamples, hopSamples << 2, fftSize)
    powerSpectrum(fftSize)
    logBands(features + ((frame * bands) << 2), bands, floor)
    const stats = STATS + frame * ROW
    const total = subBands(stats)
    peaks(stats, total)
  }
}

/** Four windows, multiplied by WINDOW and turned so that sample n of all four is one vector; zeros up to fftSize. */
function gatherWindows(samples: i32, windowSamples: i32, strideBytes: i32, fftSize: i32): void {
  const bytes = windowSamples << 2
  let to = WORK_A
  for (let offset = 0; offset < bytes; offset += 16) {
    const window = v128.load(WINDOW + offset)
    const from = samples + offset
    const a = v128.mul<f32>(v128.load(from), window)
    const b = v128.mul<f32>(v128.load(from + strideBytes), window)
    const c = v128.mul<f32>(v128.load(from + 2 * strideBytes), window)
    const d = v128.mul<f32>(v128.load(from + 3 * strideBytes), window)
    const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5)
    const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7)
    const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5)
    const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
    v128.store(to, v128.shuffle<f32>(abLow, cdLow, 0, 1, 4, 5))
    v128.store(to, v128.shuffle<f32>(abLow, cdLow, 2, 3, 6, 7), 16)
    v128.store(to, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5), 32)
    v128.store(to, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7), 48)
    to += 64
  }
  const end = WORK_A + (fftSize << 4)
  while (to < end) {
    v128.store(to, f32x4.splat(0))
    to += 16
  }
}

/** Triangles over POWER, then the logarithm. */
function logBands(features: i32, bands: i32, floor: f32): void {
  const floors = f32x4.splat(floor)
  const rowBytes = bands << 2
  let weight = WEIGHTS
  let to = features
  for (let band = 0; band < bands; band += 1) {
    let bin = POWER + (load<i32>(BANDS + (band << 3)) << 4)
    const weightEnd = weight + (load<i32>(BANDS + (band << 3), 4) << 2)
    let power = floors
    while (weight < weightEnd) {
      power = v128.add<f32>(power, v128.mul<f32>(v128.load(bin), v128.load32_splat(weight)))
      bin += 16
      weight += 4
    }
    const log = naturalLog(power)
    v128.store32_lane(to, log, 0)
    v128.store32_lane(to + rowBytes, log, 1)
    v128.store32_lane(to + 2 * rowBytes, log, 2)
    v128.store32_lane(to + 3 * rowBytes, log, 3)
    to += 4
  }
}

/** Sums of POWER between the seven edges. Returns the sum of all (the lanes of POWER are frames). */
function subBands(stats: i32): v128 {
  const tiny = f32x4.splat(TINY)
  let total = tiny
  for (let band = 0; band < 6; band += 1) {
    let bin = POWER + (load<i32>(EDGES + (band << 2)) << 4)
    const end = POWER + (load<i32>(EDGES + (band << 2), 4) << 4)
    let power = tiny
    while (bin < end) {
      power = v128.add<f32>(power, v128.load(bin))
      bin += 16
    }
    total = v128.add<f32>(total, power)
    storeColumn(stats, band, naturalLog(power))
  }
  storeColumn(stats, 6, naturalLog(total))
  return total
}

/**
 * The largest bin a lane, then the largest at least three bins (94 Hz) away: 350 and 440 Hz are two peaks. The first
 * peak's five bins are out of POWER while the second is looked for.
 */
function peaks(stats: i32, total: v128): void {
  const first = largestBins()
  exchangePeaks(first)
  const second = largestBins()
  exchangePeaks(first)
  storePeaks(stats + 28, first, total)
  storePeaks(stats + 36, second, total)
}

/** Changes the five bins around each lane's peak for what is kept at KEPT, which is zeros outside of `peaks`. */
function exchangePeaks(bins: v128): void {
  exchangePeak(POWER, KEPT, v128.extract_lane<f32>(bins, 0))
  exchangePeak(POWER + 4, KEPT + 20, v128.extract_lane<f32>(bins, 1))
  exchangePeak(POWER + 8, KEPT + 40, v128.extract_lane<f32>(bins, 2))
  exchangePeak(POWER + 12, KEPT + 60, v128.extract_lane<f32>(bins, 3))
}

function exchangePeak(lane: i32, kept: i32, bin: f32): void {
  let at = lane + ((<i32>bin - 2) << 4)
  for (let end = kept + 20; kept < end; kept += 4) {
    const power = load<f32>(at)
    store<f32>(at, load<f32>(kept))
    store<f32>(kept, power)
    at += 16
  }
}

/** The bin (as a float) of the largest power between the outer edges, per lane; the lowest of equals. */
function largestBins(): v128 {
  const first = load<i32>(EDGES)
  const last = load<i32>(EDGES, 24) - 1
  const four = f32x4.splat(4)
  // Four searches side by side, or each comparison would wait for the one before.
  let index = f32x4.splat(<f32>first)
  let bestA = f32x4.splat(0)
  let bestB = bestA
  let bestC = bestA
  let bestD = bestA
  let binA = index
  let binB = index
  let binC = index
  let binD = index
  const one = f32x4.splat(1)
  const two = f32x4.splat(2)
  const three = f32x4.splat(3)
  let k = first
  for (; k + 3 <= last; k += 4) {
    const at = POWER + (k << 4)
    const a = v128.load(at)
    const b = v128.load(at, 16)
    const c = v128.load(at, 32)
    const d = v128.load(at, 48)
    binA = v128.bitselect(index, binA, v128.gt<f32>(a, bestA))
    binB = v128.bitselect(v128.add<f32>(index, one), binB, v128.gt<f32>(b, bestB))
    binC = v128.bitselect(v128.add<f32>(index, two), binC, v128.gt<f32>(c, bestC))
    binD = v128.bitselect(v128.add<f32>(index, three), binD, v128.gt<f32>(d, bestD))
    bestA = v128.pmax<f32>(bestA, a)
    bestB = v128.pmax<f32>(bestB, b)
    bestC = v128.pmax<f32>(bestC, c)
    bestD = v128.pmax<f32>(bestD, d)
    index = v128.add<f32>(index, four)
  }
  for (; k <= last; k += 1) {
    const a = v128.load(POWER + (k << 4))
    binA = v128.bitselect(f32x4.splat(<f32>k), binA, v128.gt<f32>(a, bestA))
    bestA = v128.pmax<f32>(bestA, a)
  }
  const ab = lower(bestA, binA, bestB, binB)
  const cd = lower(bestC, binC, bestD, binD)
  return lower(v128.pmax<f32>(bestA, bestB), ab, v128.pmax<f32>(bestC, bestD), cd)
}

/** The bin of the larger power, or the lower bin of equal powers. */
function lower(powerA: v128, binA: v128, powerB: v128, binB: v128): v128 {
  const equal = v128.and(v128.eq<f32>(powerA, powerB), v128.lt<f32>(binB, binA))
  return v128.bitselect(binB, binA, v128.or(v128.gt<f32>(powerB, powerA), equal))
}

function storePeaks(row: i32, bins: v128, total: v128): void {
  storePeak(row, POWER, v128.extract_lane<f32>(bins, 0), v128.extract_lane<f32>(total, 0))
  storePeak(row + ROW, POWER + 4, v128.extract_lane<f32>(bins, 1), v128.extract_lane<f32>(total, 1))
  storePeak(row + 2 * ROW, POWER + 8, v128.extract_lane<f32>(bins, 2), v128.extract_lane<f32>(total, 2))
  storePeak(row + 3 * ROW, POWER + 12, v128.extract_lane<f32>(bins, 3), v128.extract_lane<f32>(total, 3))
}

/**
 * Share and centre of gravity of the five bins around `bin` of one lane of POWER, as far as they lie between the edges
 * (mains hum does not).
 */
function storePeak(to: i32, lane: i32, bin: f32, total: f32): void {
  const k = <i32>bin
  const first = max(load<i32>(EDGES), k - 2)
  const last = min(load<i32>(EDGES, 24) - 1, k + 2)
  let sum = TINY
  let moment: f32 = 0
  for (let at = first; at <= last; at += 1) {
    const power = load<f32>(lane + (at << 4))
    sum += power
    moment += power * <f32>(at - k)
  }
  store<f32>(to, bin + moment / sum)
  store<f32>(to, sum / total, 4)
}

function storeColumn(stats: i32, column: i32, lanes: v128): void {
  const to = stats + (column << 2)
  v128.store32_lane(to, lanes, 0)
  v128.store32_lane(to + ROW, lanes, 1)
  v128.store32_lane(to + 2 * ROW, lanes, 2)
  v128.store32_lane(to + 3 * ROW, lanes, 3)
}
