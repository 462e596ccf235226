/**
 * Which frames are speech. Six sub-bands are held against a noise floor that follows the track (lowest 50 ms of the
 * last seconds), and what does not change for 300 ms (hum, noise, held tones) is not speech however loud it is.
 * Judged a hop at a time, so each frame sees up to half a second to both sides. Missing speech is worse than letting
 * noise by.
 */
import { frameStat, statsPerFrame } from '../audio/frame-stats.ts'

const subBands = 6

/** Hops whose minima make the floor: 4 s. Longer than any stretch of speech without a 50 ms dip in each sub-band. */
const floorHops = 8

/** Frames averaged before a minimum is taken. */
const blockFrames = 5

/** The minimum of noise lies under its mean: by this much (natural log) for 50 ms blocks. */
const floorBias = 0.5

/**
 * The floor of the first hops (1.5 s) is at most this (ln power): about -50 dBFS of noise; else speech at once would
 * hide itself.
 */
const startHops = 3
const startFloorMax = -2

/** No frame under this level is speech (ln power of the window; about -56 dBFS). */
const powerMin = -3.5

/** A hop without speech is silence when no frame passes this (ln power; about -45 dBFS): line noise does not. */
const quietPowerMax = -1

/** Power (ln) that only samples of zero have. In a hop with filled samples they say nothing about the line's noise. */
const digitalSilence = -12

/** A sub-band counts from 0 at its floor to this (ln power: 17 dB). */
const excessMax = 4

/** What the six have to bring together: e.g. 6 dB in four of them, or 12 dB in two. */
const excessMin = 4

/**
 * Stationary: over this many frames the variance of ln power (0.04: 0.9 dB) and the mean of its sub-bands' variances
 * stay under these. White noise has 0.13 in its sub-bands (they hold few bins); speech of steady power has 0.6 and
 * more.
 */
const stationaryFrames = 30
const stationaryStep = 5
const stationaryVarianceMax = 0.04
const stationaryBandVarianceMax = 0.3

/** Speech goes on this long after (decay, weak consonants) and begins this early. */
export const holdFrames = 6
export const leadFrames = 3

/** Shorter bursts are clicks. */
const burstFramesMin = 4

/** Per track: minima [floorHops, subBands], then how many are valid, where the next goes, and frames of hold left. */
const stateSize = floorHops * subBands + 3
const validAt = floorHops * subBands
const nextAt = validAt + 1
const holdAt = validAt + 2

export class SpeechGate {
  /** After `judge`: no frame of the hop was louder than the line's own noise may be. */
  quiet = false
  readonly #frames: number
  readonly #state: Float32Array
  readonly #floor = new Float32Array(subBands)
  readonly #raw: Uint8Array
  readonly #steady: Uint8Array

  constructor(hopFrames: number, tracksMax: number) {
    this.#frames = hopFrames
    this.#state = new Float32Array(tracksMax * stateSize)
    this.#raw = new Uint8Array(hopFrames)
    this.#steady = new Uint8Array(hopFrames)
  }

  reset(slot: number): void {
    this.#state.fill(0, slot * stateSize, (slot + 1) * stateSize)
  }

  /**
   * Writes 1 or 0 a frame into `speech`; returns how many are 1. `barred` frames never are. A hop with a gap keeps
   * its floor.
   */
  judge(slot: number, stats: Float32Array, barred: Uint8Array, hasGap: boolean, speech: Float32Array): number {
    const state = slot * stateSize
    this.#followFloor(state, stats, hasGap ? digitalSilence : Number.NEGATIVE_INFINITY)
    this.#markSteady(stats)
    this.quiet = true
    for (let frame = 0; frame < this.#frames; frame += 1) {
      const power = stats[frame * statsPerFrame + frameStat.power]!
      const loud = power > powerMin
      if (power > quietPowerMax) this.quiet = false
      const out = barred[frame] === 1 || this.#steady[frame] === 1
      this.#raw[frame] = loud && !out && this.#excess(stats, frame) > excessMin ? 1 : 0
    }
    this.#dropBursts(state)
    return this.#widen(state, barred, speech)
  }

  /** Puts this hop's minima into the ring and takes the floor from it. */
  #followFloor(state: number, stats: Float32Array, powerOver: number): void {
    const valid = Math.min(floorHops, this.#state[state + validAt]! + 1)
    const next = this.#state[state + nextAt]!
    this.#state[state + validAt] = valid
    this.#state[state + nextAt] = (next + 1) % floorHops
    for (let band = 0; band < subBands; band += 1) {
      this.#state[state + next * subBands + band] = this.#lowest(stats, band, powerOver)
      let floor = valid <= startHops ? startFloorMax : Number.POSITIVE_INFINITY
      for (let hop = 0; hop < valid; hop += 1) floor = Math.min(floor, this.#state[state + hop * subBands + band]!)
      this.#floor[band] = floor + floorBias
    }
  }

  /** The lowest mean over `blockFrames` frames of one sub-band, of blocks that end with more power than `powerOver`. */
  #lowest(stats: Float32Array, band: number, powerOver: number): number {
    let lowest = Number.POSITIVE_INFINITY
    for (let first = 0; first + blockFrames <= this.#frames; first += blockFrames) {
      if (stats[(first + blockFrames - 1) * statsPerFrame + frameStat.power]! <= powerOver) continue
      let sum = 0
      for (let i = 0; i < blockFrames; i += 1) sum += stats[(first + i) * statsPerFrame + frameStat.subBand + band]!
      lowest = Math.min(lowest, sum / blockFrames)
    }
    return lowest
  }

  #excess(stats: Float32Array, frame: number): number {
    const row = frame * statsPerFrame + frameStat.subBand
    let sum = 0
    for (let band = 0; band < subBands; band += 1) {
      sum += Math.min(excessMax, Math.max(0, stats[row + band]! - this.#floor[band]!))
    }
    return sum
  }

  /** Marks stretches in which neither the power nor its distribution over the sub-bands moves. */
  #markSteady(stats: Float32Array): void {
    const steady = this.#steady
    steady.fill(0)
    for (let last = stationaryFrames; last <= this.#frames; last += stationaryStep) {
      const first = last - stationaryFrames
      if (variance(stats, frameStat.power, first, last) > stationaryVarianceMax) continue
      let bands = 0
      for (let band = 0; band < subBands; band += 1) bands += variance(stats, frameStat.subBand + band, first, last)
      if (bands < subBands * stationaryBandVarianceMax) steady.fill(1, first, last)
    }
  }

  /**
   * Removes runs that are too short, unless speech was just going on. A run at the hop's end may continue: it stays.
   */
  #dropBursts(state: number): void {
    let run = this.#state[state + holdAt]! > 0 ? burstFramesMin : 0
    for (let frame = 0; frame <= this.#frames; frame += 1) {
      if (frame < this.#frames && this.#raw[frame] === 1) {
        run += 1
        continue
      }
      if (run < burstFramesMin && frame < this.#frames) for (let i = frame - run; i < frame; i += 1) this.#raw[i] = 0
      run = 0
    }
  }

  #widen(state: number, barred: Uint8Array, speech: Float32Array): number {
    let hold = this.#state[state + holdAt]!
    let count = 0
    for (let frame = 0; frame < this.#frames; frame += 1) {
      if (this.#raw[frame] === 1) hold = holdFrames
      else if (hold > 0) hold -= 1
      let on = hold > 0
      for (let ahead = frame; !on && ahead <= frame + leadFrames && ahead < this.#frames; ahead += 1) {
        on = this.#raw[ahead] === 1
      }
      if (barred[frame] === 1) on = false
      speech[frame] = on ? 1 : 0
      if (on) count += 1
    }
    this.#state[state + holdAt] = hold
    return count
  }
}

function variance(stats: Float32Array, column: number, first: number, last: number): number {
  let sum = 0
  let squares = 0
  for (let at = first * statsPerFrame + column; at < last * statsPerFrame; at += statsPerFrame) {
    sum += stats[at]!
    squares += stats[at]! ** 2
  }
  const mean = sum / (last - first)
  return squares / (last - first) - mean * mean
}
