/**
 * From samples to log band powers and the figures the speech gate needs, four frames at a time (one a lane).
 * Each frame: window, FFT, power, triangular bands, ln(power + floor) into its row of FEATURES; and a row of 16 figures
 * into STATS (names in src/audio/frame-stats.ts):
 *
 *   STATS row  0..5 ln power of 6 sub-bands | 6 ln power, all of them | 7 peak bin | 8 its share | 9 second peak bin
 *              10 its share | 11 flatness | 12 ln mean square of the newest samples | 13 zero crossings
 *              14 full-scale neighbours | 15 largest magnitude
 *
 * A peak's bin is the centre of gravity of the five bins around the largest one; its share is their part of all power.
 */
import { powerSpectrum } from './fft'
import { naturalLog } from './logarithm'
import { BANDS, EDGES, POWER, STATS, WEIGHTS, WINDOW, WORK_A } from './memory-map'

/** Keeps logarithms of digital silence finite; far under one mu-law step (which is 8 / 32768, squared 6e-8). */
const TINY: f32 = 1e-10

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
    const stats = STATS + (frame << 6)
    logBands(features + ((frame * bands) << 2), bands, floor, stats)
    const edges = subBands(stats)
    peaks(stats, edges)
    for (let lane = 0; lane < 4; lane += 1) {
      const newest = samples + (((frame + lane) * hopSamples + windowSamples - hopSamples) << 2)
      timeStats(newest, hopSamples, stats + (lane << 6))
    }
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

/** Triangles over POWER, logarithm, and flatness: mean of the logs minus log of the mean (0 flat, negative peaky). */
function logBands(features: i32, bands: i32, floor: f32, stats: i32): void {
  const floors = f32x4.splat(floor)
  const rowBytes = bands << 2
  let weight = WEIGHTS
  let sum = f32x4.splat(0)
  let logSum = f32x4.splat(0)
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
    sum = v128.add<f32>(sum, power)
    logSum = v128.add<f32>(logSum, log)
    v128.store32_lane(to, log, 0)
    v128.store32_lane(to + rowBytes, log, 1)
    v128.store32_lane(to + 2 * rowBytes, log, 2)
    v128.store32_lane(to + 3 * rowBytes, log, 3)
    to += 4
  }
  const share = f32x4.splat(<f32>(1.0 / <f64>bands))
  storeColumn(stats, 11, v128.sub<f32>(v128.mul<f32>(logSum, share), naturalLog(v128.mul<f32>(sum, share))))
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

/** The largest bin a lane, then the largest at least three bins (94 Hz) away: 350 and 440 Hz are two peaks. */
function peaks(stats: i32, total: v128): void {
  const first = load<i32>(EDGES)
  const end = load<i32>(EDGES, 24)
  let best = f32x4.splat(0)
  let bestBin = f32x4.splat(<f32>first)
  let index = f32x4.splat(<f32>first)
  const one = f32x4.splat(1)
  for (let k = first; k < end; k += 1) {
    const power = v128.load(POWER + (k << 4))
    const more = v128.gt<f32>(power, best)
    best = v128.bitselect(power, best, more)
    bestBin = v128.bitselect(index, bestBin, more)
    index = v128.add<f32>(index, one)
  }
  let second = f32x4.splat(0)
  let secondBin = f32x4.splat(<f32>first)
  index = f32x4.splat(<f32>first)
  const apart = f32x4.splat(2)
  for (let k = first; k < end; k += 1) {
    const power = v128.load(POWER + (k << 4))
    const far = v128.gt<f32>(v128.abs<f32>(v128.sub<f32>(index, bestBin)), apart)
    const more = v128.and(far, v128.gt<f32>(power, second))
    second = v128.bitselect(power, second, more)
    secondBin = v128.bitselect(index, secondBin, more)
    index = v128.add<f32>(index, one)
  }
  storePeak(stats, 0, 7, v128.extract_lane<f32>(bestBin, 0), v128.extract_lane<f32>(total, 0))
  storePeak(stats, 1, 7, v128.extract_lane<f32>(bestBin, 1), v128.extract_lane<f32>(total, 1))
  storePeak(stats, 2, 7, v128.extract_lane<f32>(bestBin, 2), v128.extract_lane<f32>(total, 2))
  storePeak(stats, 3, 7, v128.extract_lane<f32>(bestBin, 3), v128.extract_lane<f32>(total, 3))
  storePeak(stats, 0, 9, v128.extract_lane<f32>(secondBin, 0), v128.extract_lane<f32>(total, 0))
  storePeak(stats, 1, 9, v128.extract_lane<f32>(secondBin, 1), v128.extract_lane<f32>(total, 1))
  storePeak(stats, 2, 9, v128.extract_lane<f32>(secondBin, 2), v128.extract_lane<f32>(total, 2))
  storePeak(stats, 3, 9, v128.extract_lane<f32>(secondBin, 3), v128.extract_lane<f32>(total, 3))
}

/**
 * Share and centre of gravity of the five bins around `bin`, as far as they lie between the edges (mains hum does
 * not).
 */
function storePeak(stats: i32, lane: i32, column: i32, bin: f32, total: f32): void {
  const k = <i32>bin
  const from = max(load<i32>(EDGES), k - 2)
  const to = min(load<i32>(EDGES, 24) - 1, k + 2)
  let sum = TINY
  let moment: f32 = 0
  for (let at = from; at <= to; at += 1) {
    const power = load<f32>(POWER + (at << 4) + (lane << 2))
    sum += power
    moment += power * <f32>(at - k)
  }
  const row = stats + (lane << 6)
  store<f32>(row + (column << 2), bin + moment / sum)
  store<f32>(row + (column << 2), sum / total, 4)
}

function storeColumn(stats: i32, column: i32, lanes: v128): void {
  const to = stats + (column << 2)
  v128.store32_lane(to, lanes, 0)
  v128.store32_lane(to, lanes, 1, 64)
  v128.store32_lane(to, lanes, 2, 128)
  v128.store32_lane(to, lanes, 3, 192)
}

/** Full scale of mu-law is 32124 / 32768; the limit lies just under it. */
const FULL_SCALE: f32 = 0.98

/** Level, sign changes and neighbours both at full scale, over the frame's own new samples (not its whole window). */
function timeStats(samples: i32, count: i32, row: i32): void {
  let squares = f32x4.splat(0)
  let largest = f32x4.splat(0)
  let crossings = 0
  let clipped = 0
  const limit = f32x4.splat(FULL_SCALE)
  const zero = f32x4.splat(0)
  const end = samples + (count << 2)
  for (let at = samples; at < end; at += 16) {
    const now = v128.load(at)
    const before = v128.load(at - 4)
    squares = v128.add<f32>(squares, v128.mul<f32>(now, now))
    const magnitude = v128.abs<f32>(now)
    largest = v128.max<f32>(largest, magnitude)
    const turned = v128.xor(v128.lt<f32>(now, zero), v128.lt<f32>(before, zero))
    crossings += popcnt(v128.bitmask<i32>(turned))
    clipped += popcnt(v128.bitmask<i32>(v128.gt<f32>(v128.min<f32>(magnitude, v128.abs<f32>(before)), limit)))
  }
  const sum =
    v128.extract_lane<f32>(squares, 0) +
    v128.extract_lane<f32>(squares, 1) +
    v128.extract_lane<f32>(squares, 2) +
    v128.extract_lane<f32>(squares, 3)
  store<f32>(row, v128.extract_lane<f32>(naturalLog(f32x4.splat(sum / <f32>count + TINY)), 0), 48)
  store<f32>(row, <f32>crossings, 52)
  store<f32>(row, <f32>clipped, 56)
  largest = v128.max<f32>(largest, v128.shuffle<f32>(largest, largest, 2, 3, 0, 1))
  largest = v128.max<f32>(largest, v128.shuffle<f32>(largest, largest, 1, 0, 3, 2))
  v128.store32_lane(row, largest, 0, 60)
}
