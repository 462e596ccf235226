/**
 * DTMF digits in the audio (a `<Start><Stream>` brings no dtmf events), by the criteria of ITU-T Q.23 and Q.24: one
 * row and one column tone, near their nominal frequencies, within the twist, at least 40 ms. Most frames are
 * dismissed by their two largest peaks; the rest go through the Goertzel kernel in blocks of 20 ms that move on by a
 * frame.
 *
 *   blocks   ├────20 ms────┤
 *                   ├────20 ms────┤          three blocks in a row with the same digit: a digit
 *                          ├────20 ms────┤
 *   A tone of 40 ms covers 58 % of at least three blocks, one of 23 ms (which Q.24 says to refuse) of at most two.
 */
import { frameStat, statsPerFrame } from '../audio/frame-stats.ts'
import { dtmfColumnsHz, dtmfRowsHz } from '../audio/goertzel.ts'
import type { Kernels } from '../audio/kernels.ts'

const digits = '123A456B789C*0#D'
const blockSamples = 160

/** Three blocks of 20 ms, each 10 ms on: 40 ms. */
const blocksMin = 3

/** Share of a frame's power in its two peaks before Goertzel is asked: a digit 6 dB over the rest of the signal. */
const peakShareMin = 0.7

/** Share of a block's energy in the two tones: 1 for a full block at nominal frequencies, 0.59 for "D" 1.5 % off. */
const toneShareMin = 0.575

/** Accepted distance from nominal: Q.24 accepts 1.5 % and refuses 3.5 %. */
const frequencyToleranceMax = 0.025

/**
 * Q.24 (most tolerant administration): the row up to 8 dB over the column, the column up to 4 dB over the row; 1 dB
 * of slack.
 */
const rowOverColumnMax = 10 ** 0.9
const columnOverRowMax = 10 ** 0.5

/** The next row or column tone has to be 6 dB weaker. */
const neighbourShareMax = 0.25

/** No digit under this mean square: -45 dBFS, far under what a telephone sends. */
const meanSquareMin = 3e-5

/** Speech is not believed this many frames (60 ms) to both sides of a digit. */
const dtmfMaskFrames = 6

export class DtmfDetector {
  /** After `scan`: digits that were confirmed in this hop, in order. */
  digits = ''
  /** After `scan`: frames of this hop during which a digit sounded. */
  toneFrames = 0
  readonly #kernels: Kernels
  readonly #frameSamples: number
  readonly #binHz: number
  readonly #firstBlock: number
  readonly #candidate: Int8Array
  readonly #run: Int32Array
  readonly #mask: Int32Array

  /**
   * @param firstNewest byte offset of the first hop sample at 8 kHz in kernel memory, with at least 80 samples before
   * it
   * @param frameSamples samples of a frame at 8 kHz
   */
  constructor(kernels: Kernels, firstNewest: number, frameSamples: number, binHz: number, tracksMax: number) {
    this.#kernels = kernels
    this.#frameSamples = frameSamples
    this.#binHz = binHz
    this.#firstBlock = firstNewest + (frameSamples - blockSamples) * 4
    this.#candidate = new Int8Array(tracksMax)
    this.#run = new Int32Array(tracksMax)
    this.#mask = new Int32Array(tracksMax)
  }

  reset(slot: number): void {
    this.#candidate[slot] = -1
    this.#run[slot] = 0
    this.#mask[slot] = 0
  }

  /** Looks at all frames of a hop; marks in `masked` the frames in which a digit sounded and those around it. */
  scan(slot: number, stats: Float32Array, masked: Uint8Array): void {
    masked.fill(0)
    this.digits = ''
    this.toneFrames = 0
    for (let frame = 0; frame < masked.length; frame += 1) {
      if (this.#mask[slot]! > 0) {
        masked[frame] = 1
        this.#mask[slot]! -= 1
      }
      const code = this.#mayBeDigit(stats, frame) ? this.#digitAt(frame) : -1
      this.#run[slot] = code >= 0 && code === this.#candidate[slot] ? this.#run[slot]! + 1 : code >= 0 ? 1 : 0
      this.#candidate[slot] = code
      const run = this.#run[slot]!
      if (run < blocksMin) continue
      if (run === blocksMin) this.digits += digits[code]
      const begin = run === blocksMin ? Math.max(0, frame - blocksMin + 1 - dtmfMaskFrames) : frame
      masked.fill(1, begin, frame + 1)
      this.toneFrames += run === blocksMin ? Math.min(blocksMin, frame + 1) : 1
      this.#mask[slot] = dtmfMaskFrames
    }
  }

  /** Two strong peaks, one near a row and one near a column frequency. */
  #mayBeDigit(stats: Float32Array, frame: number): boolean {
    const row = frame * statsPerFrame
    if (stats[row + frameStat.peakShare]! + stats[row + frameStat.secondShare]! < peakShareMin) return false
    const a = stats[row + frameStat.peakBin]! * this.#binHz
    const b = stats[row + frameStat.secondBin]! * this.#binHz
    return isNear(Math.min(a, b), dtmfRowsHz) && isNear(Math.max(a, b), dtmfColumnsHz)
  }

  /** Index into `digits` of what the block that ends with this frame holds, or -1. */
  #digitAt(frame: number): number {
    const { at, run, floats } = this.#kernels
    const block = this.#firstBlock + frame * this.#frameSamples * 4
    run.goertzel(block, blockSamples)
    let energy = 0
    for (let i = block / 4; i < block / 4 + blockSamples; i += 1) energy += floats[i]! ** 2
    if (energy < meanSquareMin * blockSamples) return -1
    const powers = at.GOERTZEL / 4 + 8
    const row = strongest(floats, powers)
    const column = strongest(floats, powers + 4)
    if (row < 0 || column < 0) return -1
    const low = floats[powers + row]!
    const high = floats[powers + 4 + column]!
    if (low > high * rowOverColumnMax || high > low * columnOverRowMax) return -1
    // A sine of amplitude a over n samples has energy n a^2 / 2 and Goertzel power (n a / 2)^2.
    if ((2 / blockSamples) * (low + high) < toneShareMin * energy) return -1
    return row * 4 + column
  }
}

function isNear(hz: number, nominal: readonly number[]): boolean {
  for (const tone of nominal) if (Math.abs(hz - tone) <= tone * frequencyToleranceMax) return true
  return false
}

/** Which of the four powers from `first` stands out; -1 when none does. */
function strongest(powers: Float32Array, first: number): number {
  let best = 0
  for (let i = 1; i < 4; i += 1) if (powers[first + i]! > powers[first + best]!) best = i
  for (let i = 0; i < 4; i += 1) {
    if (i !== best && powers[first + i]! > powers[first + best]! * neighbourShareMax) return -1
  }
  return best
}
