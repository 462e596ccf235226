/**
 * What a track tells besides its features, hop by hop: where its phrases lie, which of them are the same sound again,
 * and how its background holds from pause to pause. Needs no model and no training; evidence for people and policies,
 * never part of the probability (docs/voice-signals.md). All tracks of a worker in arrays made once, 7.0 KiB a
 * track; a frame allocates nothing. Voice worker.
 *
 *     frame -> Phrases --inside--> RepeatedPhrases --end--> likeness of the phrase to the last 16
 *        `---> PauseFloors
 */
import { frameStat, statsPerFrame } from '../audio/frame-stats.ts'
import { type PauseFloorFigures, PauseFloors } from './pause-floors.ts'
import { Phrases, pauseFrames, phraseFrame } from './phrases.ts'
import { RepeatedPhrases, repeatedFrom } from './repeated-phrases.ts'

/** Since the track began; edges of phrases NaN where there was none since the audio was last cut. */
export interface TrackSignals extends PauseFloorFigures {
  /** Start of the newest phrase, ms of media time (in a `Hop`: from the hop's start, so mostly negative). */
  phraseStartMs: number
  /** End of the newest phrase that ended; before `phraseStartMs`: that one is still spoken. */
  phraseEndMs: number
  /** Phrases that were long and loud enough to be compared with those before. */
  comparedPhrases: number
  /** Of these, the ones that are the sound of an earlier one again. */
  repeatedPhrases: number
  /** The largest likeness of two phrases, 0..1; 0 before two were compared. */
  phraseLikenessMax: number
}

export function noSignals(): TrackSignals {
  return {
    phraseStartMs: Number.NaN,
    phraseEndMs: Number.NaN,
    comparedPhrases: 0,
    repeatedPhrases: 0,
    phraseLikenessMax: 0,
    pauses: 0,
    pauseFloorDbfs: Number.NaN,
    pauseFloorSpreadDb: Number.NaN,
    pauseFloorJumpDb: Number.NaN,
    digitalSilenceShare: Number.NaN,
  }
}

/** Copies what a hop tells, with its times moved by `startMs` from the hop's start to media time. */
export function placeSignals(from: TrackSignals, startMs: number, to: TrackSignals): void {
  Object.assign(to, from)
  to.phraseStartMs = from.phraseStartMs + startMs
  to.phraseEndMs = from.phraseEndMs + startMs
}

export class CallSignals {
  readonly #frameMs: number
  readonly #phrases: Phrases
  readonly #repeats: RepeatedPhrases
  readonly #floors: PauseFloors
  readonly #compared: Uint32Array
  readonly #repeated: Uint32Array
  readonly #likeness: Float32Array

  constructor(frameMs: number, tracksMax: number) {
    this.#frameMs = frameMs
    this.#phrases = new Phrases(tracksMax)
    this.#repeats = new RepeatedPhrases(tracksMax)
    this.#floors = new PauseFloors(tracksMax)
    this.#compared = new Uint32Array(tracksMax)
    this.#repeated = new Uint32Array(tracksMax)
    this.#likeness = new Float32Array(tracksMax)
  }

  /** A track begins. */
  open(slot: number): void {
    this.cut(slot)
    this.#repeats.reset(slot)
    this.#floors.reset(slot)
    this.#compared[slot] = 0
    this.#repeated[slot] = 0
    this.#likeness[slot] = 0
  }

  /** Audio was lost, or a new stream goes on: what stood open is forgotten, what was counted stays. */
  cut(slot: number): void {
    this.#phrases.cut(slot)
    this.#floors.cut(slot)
  }

  /**
   * The frames of a hop.
   * @param stats rows of frame-stats.ts
   * @param speech 1 where the frame is speech
   * @param isVoice false: music, or filled samples are in it, so that its pauses say nothing of the line
   * @param to takes what the track tells after the hop
   */
  hear(slot: number, stats: Float32Array, speech: Float32Array, isVoice: boolean, to: TrackSignals): void {
    const hopStart = this.#phrases.heard(slot)
    if (!isVoice) this.#floors.cut(slot)
    for (let frame = 0; frame < speech.length; frame += 1) {
      const row = frame * statsPerFrame
      const power = stats[row + frameStat.power]!
      const isSpeech = speech[frame] === 1
      if (isVoice) this.#floors.hear(slot, isSpeech, power)
      const event = this.#phrases.hear(slot, isSpeech)
      if (event === phraseFrame.outside) continue
      if (event === phraseFrame.ended) {
        this.#ended(slot)
        continue
      }
      if (event === phraseFrame.began) this.#repeats.begin(slot)
      this.#repeats.hear(slot, power, stats[row + frameStat.peakBin]!, stats[row + frameStat.secondBin]!)
    }
    this.#tell(slot, hopStart, to)
  }

  #ended(slot: number): void {
    const likeness = this.#repeats.end(slot, pauseFrames)
    if (Number.isNaN(likeness)) return
    this.#compared[slot] = this.#compared[slot]! + 1
    if (likeness >= repeatedFrom) this.#repeated[slot] = this.#repeated[slot]! + 1
    if (likeness > this.#likeness[slot]!) this.#likeness[slot] = likeness
  }

  #tell(slot: number, hopStart: number, to: TrackSignals): void {
    const start = this.#phrases.newestStart(slot)
    const end = this.#phrases.newestEnd(slot)
    to.phraseStartMs = start < 0 ? Number.NaN : (start - hopStart) * this.#frameMs
    to.phraseEndMs = end < 0 ? Number.NaN : (end - hopStart) * this.#frameMs
    to.comparedPhrases = this.#compared[slot]!
    to.repeatedPhrases = this.#repeated[slot]!
    to.phraseLikenessMax = this.#likeness[slot]!
    this.#floors.tell(slot, to)
  }
}
