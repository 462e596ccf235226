/**
 * Music, such as hold music, over the last four seconds: partials stand still where voices glide, and the level
 * hardly moves where speech has pauses. Two figures and one line between them, fitted to recordings (see
 * `MusicDetector.judge`). Singing over instruments counts as music, a lone singer does not. The flag comes after two
 * seconds at the earliest.
 */
import { frameStat, statsPerFrame } from '../audio/frame-stats.ts'

/** Hops looked at: 4 s. With 3 s a tenth less music was found at equal false alarms. */
const windowHops = 8

/** At a track's start fewer will do, from 2 s on, when the line is passed by more: `startMargin` a missing hop. */
const windowHopsMin = 4
const startMargin = 1

/** Peaks are compared with those of 40 ms before: then the windows share no more than a fifth of their energy. */
const lagFrames = 4

/** A partial stands still when it moves less than this part of a bin (31 Hz) in that time: 6 and 9 Hz. */
const peakStillBins = 0.2
const secondStillBins = 0.3

/** Frames this far (ln power: 20 dB) under the hop's loudest say nothing about partials. */
const quietUnderLoudest = 4.6

/** Windows with a smaller share of frames that the gate took for speech are silence, not music. */
const soundShareMin = 0.3

/**
 * Music when `stillWeight x still > spread x spreadWeight + offset`: still = share of loud frames whose two largest
 * peaks stand still, spread = ln of the standard deviation of ln power.
 */
const stillWeight = 35.5
const spreadWeight = 6.7
const offset = 2.9

/**
 * Per track: a ring of hops of (loud frames, still frames, sum of power, sum of squares, speech frames), filled,
 * next.
 */
const fields = 5
const filledAt = windowHops * fields
const nextAt = filledAt + 1
const stateSize = nextAt + 1

export class MusicDetector {
  readonly #frames: number
  readonly #state: Float64Array

  constructor(hopFrames: number, tracksMax: number) {
    this.#frames = hopFrames
    this.#state = new Float64Array(tracksMax * stateSize)
  }

  reset(slot: number): void {
    this.#state.fill(0, slot * stateSize, (slot + 1) * stateSize)
  }

  /**
   * True when the window that ends with this hop sounds like music. The line was fitted on hold music and speech of 35
   * sources, clean and in noise, for 1 % false alarms; README "Limits" and the tests say what it does elsewhere.
   */
  judge(slot: number, stats: Float32Array, speechFrames: number): boolean {
    const state = this.#state
    const first = slot * stateSize
    this.#put(first + state[first + nextAt]! * fields, stats, speechFrames)
    state[first + nextAt] = (state[first + nextAt]! + 1) % windowHops
    state[first + filledAt] = Math.min(windowHops, state[first + filledAt]! + 1)
    const filled = state[first + filledAt]!
    if (filled < windowHopsMin) return false
    let loud = 0
    let still = 0
    let sum = 0
    let squares = 0
    let sound = 0
    for (let at = first; at < first + filled * fields; at += fields) {
      loud += state[at]!
      still += state[at + 1]!
      sum += state[at + 2]!
      squares += state[at + 3]!
      sound += state[at + 4]!
    }
    const count = filled * this.#frames
    if (loud === 0 || sound < soundShareMin * count) return false
    const spread = 0.5 * Math.log(Math.max(squares / count - (sum / count) ** 2, 1e-6))
    const margin = (windowHops - filled) * startMargin
    return (stillWeight * still) / loud > spreadWeight * spread + offset + margin
  }

  #put(at: number, stats: Float32Array, speechFrames: number): void {
    let loudest = Number.NEGATIVE_INFINITY
    let sum = 0
    let squares = 0
    for (let row = frameStat.power; row < this.#frames * statsPerFrame; row += statsPerFrame) {
      const power = stats[row]!
      loudest = Math.max(loudest, power)
      sum += power
      squares += power * power
    }
    let loud = 0
    let still = 0
    for (let frame = 0; frame < this.#frames; frame += 1) {
      const row = frame * statsPerFrame
      if (stats[row + frameStat.power]! < loudest - quietUnderLoudest) continue
      loud += 1
      if (frame >= lagFrames && isStill(stats, row)) still += 1
    }
    this.#state[at] = loud
    this.#state[at + 1] = still
    this.#state[at + 2] = sum
    this.#state[at + 3] = squares
    this.#state[at + 4] = speechFrames
  }
}

/** The largest peak is where it was, and the second is where one of the two was. */
function isStill(stats: Float32Array, row: number): boolean {
  const before = row - lagFrames * statsPerFrame
  const peak = stats[before + frameStat.peakBin]!
  if (Math.abs(stats[row + frameStat.peakBin]! - peak) >= peakStillBins) return false
  const second = stats[row + frameStat.secondBin]!
  return (
    Math.abs(second - stats[before + frameStat.secondBin]!) < secondStillBins ||
    Math.abs(second - peak) < secondStillBins
  )
}
