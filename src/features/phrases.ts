/**
 * Where the phrases of a track begin and end: speech between pauses, by the frames that the speech gate marked. A
 * phrase begins with speech that lasts, ends where speech stopped for `pauseFrames`, and is known to have ended only
 * then. One for all tracks of a worker; a frame costs a few comparisons and allocates nothing. Voice worker.
 *
 *     gate    ..######..########.....................###...   # speech
 *     phrase    [ began            ] ended, told 200 ms later   (the burst at the right is no phrase)
 */
import { holdFrames, leadFrames } from './speech-gate.ts'

/** Speech that stops for so long ends a phrase, in frames of 10 ms: longer than the closure of a stop consonant. */
export const pauseFrames = 20

/** A phrase has at least so many frames of speech as the gate widens it: a click or a breath is none. */
const speechFramesMin = 10 + holdFrames + leadFrames

/** What a frame did. `inside`: it belongs to a phrase, or to the pause that may end it. */
export const phraseFrame = { outside: 0, began: 1, inside: 2, ended: 3, dropped: 4 } as const

/** Per track: frames heard, start of the open phrase (-1: none), its last frame of speech, its frames of speech. */
const fields = 4
const [startAt, lastAt, countAt] = [1, 2, 3]

export class Phrases {
  readonly #state: Int32Array
  /** Edges of the newest phrase in frames heard, without what the gate adds at both; -1: none since the last cut. */
  readonly #newestStart: Int32Array
  readonly #newestEnd: Int32Array

  constructor(tracksMax: number) {
    this.#state = new Int32Array(tracksMax * fields)
    this.#newestStart = new Int32Array(tracksMax)
    this.#newestEnd = new Int32Array(tracksMax)
  }

  /** The track begins, or what was heard and what comes do not belong together: an open phrase is dropped. */
  cut(slot: number): void {
    this.#state[slot * fields] = 0
    this.#state[slot * fields + startAt] = -1
    this.#newestStart[slot] = -1
    this.#newestEnd[slot] = -1
  }

  /** Frames heard since the track's last cut. */
  heard(slot: number): number {
    return this.#state[slot * fields]!
  }

  /** Start of the newest phrase that is long enough to be one, in frames heard; -1: none. */
  newestStart(slot: number): number {
    return this.#newestStart[slot]!
  }

  /** End of the newest phrase that ended: the frame after its last one; -1: none. */
  newestEnd(slot: number): number {
    return this.#newestEnd[slot]!
  }

  /** The next frame of a track. @returns one of `phraseFrame` */
  hear(slot: number, isSpeech: boolean): number {
    const state = this.#state
    const at = slot * fields
    const frame = state[at]!
    state[at] = frame + 1
    const start = state[at + startAt]!
    if (isSpeech) {
      state[at + lastAt] = frame
      if (start < 0) {
        state[at + startAt] = frame
        state[at + countAt] = 1
        return phraseFrame.began
      }
      state[at + countAt] = state[at + countAt]! + 1
      if (state[at + countAt] === speechFramesMin) this.#newestStart[slot] = start + leadFrames
      return phraseFrame.inside
    }
    if (start < 0) return phraseFrame.outside
    if (frame - state[at + lastAt]! < pauseFrames) return phraseFrame.inside
    state[at + startAt] = -1
    if (state[at + countAt]! < speechFramesMin) return phraseFrame.dropped
    this.#newestEnd[slot] = state[at + lastAt]! + 1 - holdFrames
    return phraseFrame.ended
  }
}
