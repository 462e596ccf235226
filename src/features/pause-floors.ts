/**
 * What is heard in the pauses of a track: the level of each, how much it differs from pause to pause, and how much of
 * them is digital silence. A room keeps its noise; audio that is pasted or synthesised sentence by sentence, or gated,
 * does not. Welford's running variance (Technometrics 4, 1962). Voice worker.
 */

/** A pause counts from 100 ms on, in frames of 10 ms. */
const pauseFramesMin = 10
/** A longer one counts as several: 2 s. */
const pauseFramesMax = 200
/** ln power of a frame of samples at full-scale deviation 1: 10 log10(121 bins x 96) dB = 40.65 dB. */
const fullScaleDb = 40.65
const dbPerNeper = 10 / Math.LN10
/** No floor is told lower: one step of mu-law is -72 dBFS. */
const floorDbfsMin = -75
/** ln power that only samples of zero have. */
const digitalSilence = -12

/**
 * Per track: the pause that is heard (frames, sum of dB), pauses, mean, squares, largest jump, newest level; then
 * frames without speech, and those of zeros.
 */
const fields = 9
const [sumAt, pausesAt, meanAt, squaresAt, jumpAt, newestAt, quietAt, zeroAt] = [1, 2, 3, 4, 5, 6, 7, 8]

/** dB relative to full scale and differences of it; NaN where there is nothing to tell. */
export interface PauseFloorFigures {
  pauses: number
  /** Mean level of the pauses, dBFS. */
  pauseFloorDbfs: number
  /** Standard deviation of the level from pause to pause, dB. */
  pauseFloorSpreadDb: number
  /** Largest step from one pause to the next, dB. */
  pauseFloorJumpDb: number
  /** Share of the frames without speech that are samples of zero, 0..1. */
  digitalSilenceShare: number
}

export class PauseFloors {
  readonly #state: Float64Array

  constructor(tracksMax: number) {
    this.#state = new Float64Array(tracksMax * fields)
  }

  reset(slot: number): void {
    this.#state.fill(0, slot * fields, (slot + 1) * fields)
  }

  /** The pause that is heard ends here, or cannot be judged: what was heard of it is forgotten. */
  cut(slot: number): void {
    this.#state[slot * fields] = 0
    this.#state[slot * fields + sumAt] = 0
  }

  /** The next frame. @param power natural logarithm of its power */
  hear(slot: number, isSpeech: boolean, power: number): void {
    const state = this.#state
    const at = slot * fields
    if (isSpeech) {
      if (state[at]! >= pauseFramesMin) this.#count(at)
      this.cut(slot)
      return
    }
    state[at] = state[at]! + 1
    state[at + sumAt] = state[at + sumAt]! + Math.max(floorDbfsMin, power * dbPerNeper - fullScaleDb)
    state[at + quietAt] = state[at + quietAt]! + 1
    if (power <= digitalSilence) state[at + zeroAt] = state[at + zeroAt]! + 1
    if (state[at] === pauseFramesMax) {
      this.#count(at)
      this.cut(slot)
    }
  }

  #count(at: number): void {
    const state = this.#state
    const level = state[at + sumAt]! / state[at]!
    const pauses = state[at + pausesAt]! + 1
    const apart = level - state[at + meanAt]!
    state[at + meanAt] = state[at + meanAt]! + apart / pauses
    state[at + squaresAt] = state[at + squaresAt]! + apart * (level - state[at + meanAt]!)
    if (pauses > 1) state[at + jumpAt] = Math.max(state[at + jumpAt]!, Math.abs(level - state[at + newestAt]!))
    state[at + newestAt] = level
    state[at + pausesAt] = pauses
  }

  tell(slot: number, to: PauseFloorFigures): void {
    const state = this.#state
    const at = slot * fields
    const pauses = state[at + pausesAt]!
    to.pauses = pauses
    to.pauseFloorDbfs = pauses > 0 ? state[at + meanAt]! : Number.NaN
    to.pauseFloorSpreadDb = pauses > 1 ? Math.sqrt(state[at + squaresAt]! / (pauses - 1)) : Number.NaN
    to.pauseFloorJumpDb = pauses > 1 ? state[at + jumpAt]! : Number.NaN
    to.digitalSilenceShare = state[at + quietAt]! > 0 ? state[at + zeroAt]! / state[at + quietAt]! : Number.NaN
  }
}
