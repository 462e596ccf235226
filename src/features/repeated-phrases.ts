/**
 * Phrases of a track that are the same sound again: a recording or a synthesiser's stored sentence, not a person, who
 * says the same words with other pitch and timing. Per frame of 10 ms only the places of the two largest spectral
 * peaks are kept (as in Wang, An Industrial-Strength Audio Search Algorithm, ISMIR 2003): loss, noise, codecs and
 * gain leave most of them where they were. Two phrases are alike by the share of their loud frames in which both peaks
 * are in the same place at the best of 21 shifts, less that share at shifts 50 ms and more away, where only what does
 * not move (a held vowel, a hum) is still the same. docs/voice-signals.md says what people reach. Voice worker.
 *
 *   per track   open    [ 200 x (peak, peak) | 200 x level ]                           600 bytes
 *               kept    16 x [ 200 x (peak, peak) ], the newest over the oldest      6,400 bytes
 *   a peak is 1 + (place in eighths of a bin, 3.9 Hz) mod 255; 0: the frame is not loud
 */

/** Phrases kept for comparison. */
const phrasesKept = 16
/** Frames of a phrase that are compared: its first 2 s. */
const framesMax = 200
/** A shorter phrase is not compared: a person may say "yes" twice nearly alike. 1 s. */
const comparedFramesMin = 100
/** Loud: within this of the phrase's loudest frame, in steps of level (8 to a neper of power): 20 dB. */
const loudSteps = 37
/** A phrase with fewer loud frames tells nothing. */
const loudFramesMin = 40
/** Where the beginning of two phrases may differ, in frames to both sides. */
const shiftMax = 10
/** Their ends, which fade into the line's noise, may differ by more: the shorter is so much of the longer. */
const sharedPartMin = 0.75
/** The best shift is looked for at every second one, on every fourth frame. */
const shiftStep = 2
const coarseStep = 4
/** Shifts this far from the best tell what would be alike anyway. */
const awayMin = 5
/** Likeness on some of the frames from which all of them are looked at. */
const worthFrom = 0.2
/** Peaks are in the same place up to this, eighths of a bin: 8 Hz. */
const nearMax = 2
const places = 255
/** Alike from this share on. */
export const repeatedFrom = 0.5

const openBytes = framesMax * 2
const keptBytes = phrasesKept * framesMax * 2

export class RepeatedPhrases {
  /** Level of the open phrase's frames, (ln power + 16) x 8. */
  readonly #levels: Uint8Array
  readonly #open: Uint8Array
  readonly #openFrames: Uint16Array
  readonly #kept: Uint8Array
  /** Frames and loud frames of what is kept. */
  readonly #frames: Uint16Array
  readonly #loud: Uint16Array
  readonly #next: Uint8Array
  /** Same frames at each shift, of the two phrases that are compared now. */
  readonly #atShift = new Uint16Array((2 * shiftMax) / shiftStep + 1)

  constructor(tracksMax: number) {
    this.#levels = new Uint8Array(tracksMax * framesMax)
    this.#open = new Uint8Array(tracksMax * openBytes)
    this.#openFrames = new Uint16Array(tracksMax)
    this.#kept = new Uint8Array(tracksMax * keptBytes)
    this.#frames = new Uint16Array(tracksMax * phrasesKept)
    this.#loud = new Uint16Array(tracksMax * phrasesKept)
    this.#next = new Uint8Array(tracksMax)
  }

  /** The track begins: nothing is kept. */
  reset(slot: number): void {
    this.#openFrames[slot] = 0
    this.#next[slot] = 0
    this.#frames.fill(0, slot * phrasesKept, (slot + 1) * phrasesKept)
  }

  /** A phrase begins; what stood open before is forgotten. */
  begin(slot: number): void {
    this.#openFrames[slot] = 0
  }

  /** @param power natural logarithm; @param peakBin, secondBin places of the two largest peaks, fractional FFT bins */
  hear(slot: number, power: number, peakBin: number, secondBin: number): void {
    const frame = this.#openFrames[slot]!
    if (frame === framesMax) return
    this.#openFrames[slot] = frame + 1
    this.#levels[slot * framesMax + frame] = Math.max(0, Math.min(255, Math.round((power + 16) * 8)))
    const at = slot * openBytes + frame * 2
    this.#open[at] = 1 + (Math.round(peakBin * 8) % places)
    this.#open[at + 1] = 1 + (Math.round(secondBin * 8) % places)
  }

  /**
   * The open phrase ended, and after it `pauseFrames` frames of pause were heard. @returns how much it is like the most
   * similar one of those kept, 0..1; NaN: too short or too quiet to be compared
   */
  end(slot: number, pauseFrames: number): number {
    const heard = this.#openFrames[slot]!
    this.#openFrames[slot] = 0
    const count = heard === framesMax ? framesMax : heard - pauseFrames
    if (count < comparedFramesMin) return Number.NaN
    const loud = this.#markLoud(slot, count)
    if (loud < loudFramesMin) return Number.NaN
    let best = 0
    for (let entry = slot * phrasesKept; entry < (slot + 1) * phrasesKept; entry += 1) {
      const other = this.#frames[entry]!
      if (Math.min(other, count) < sharedPartMin * Math.max(other, count)) continue
      best = Math.max(best, this.#likeness(slot, count, loud, entry))
    }
    this.#keep(slot, count, loud)
    return best
  }

  /** Frames that are not loud lose their peaks. */
  #markLoud(slot: number, count: number): number {
    const levels = slot * framesMax
    let loudest = 0
    for (let i = 0; i < count; i += 1) loudest = Math.max(loudest, this.#levels[levels + i]!)
    let loud = 0
    for (let i = 0; i < count; i += 1) {
      if (this.#levels[levels + i]! >= loudest - loudSteps) loud += 1
      else this.#open[slot * openBytes + i * 2] = 0
    }
    return loud
  }

  #keep(slot: number, count: number, loud: number): void {
    const next = this.#next[slot]!
    const entry = slot * phrasesKept + next
    const from = slot * openBytes
    this.#kept.set(this.#open.subarray(from, from + count * 2), entry * openBytes)
    this.#frames[entry] = count
    this.#loud[entry] = loud
    this.#next[slot] = (next + 1) % phrasesKept
  }

  /** Every second shift on some of the frames; the best of them and its neighbours on all, if it is worth it. */
  #likeness(slot: number, count: number, loud: number, entry: number): number {
    const atShift = this.#atShift
    let best = 0
    for (let i = 0; i < atShift.length; i += 1) {
      atShift[i] = this.#same(slot, count, entry, i * shiftStep - shiftMax, coarseStep)
      if (atShift[i]! > atShift[best]!) best = i
    }
    let sum = 0
    let away = 0
    for (let i = 0; i < atShift.length; i += 1) {
      if (Math.abs(i - best) * shiftStep < awayMin) continue
      sum += atShift[i]!
      away += 1
    }
    const anyway = (sum * coarseStep) / away
    const frames = Math.max(loud, this.#loud[entry]!)
    const roughly = (atShift[best]! * coarseStep - anyway) / frames
    if (roughly < worthFrom) return Math.max(0, roughly)
    let same = 0
    for (let near = -1; near <= 1; near += 1) {
      same = Math.max(same, this.#same(slot, count, entry, best * shiftStep - shiftMax + near, 1))
    }
    return (same - anyway) / frames
  }

  /** Frames in which both peaks are in the same place, in whichever order. */
  #same(slot: number, count: number, entry: number, shift: number, step: number): number {
    const first = Math.max(0, -shift)
    const last = Math.min(count, this.#frames[entry]! - shift)
    const open = this.#open
    const kept = this.#kept
    const offset = entry * openBytes + shift * 2 - slot * openBytes
    const end = slot * openBytes + last * 2
    let same = 0
    for (let at = slot * openBytes + first * 2; at < end; at += 2 * step) {
      const a = open[at]!
      const c = kept[at + offset]!
      if (a === 0 || c === 0) continue
      const b = open[at + 1]!
      const d = kept[at + offset + 1]!
      if (near(a, c) ? near(b, d) : near(a, d) && near(b, c)) same += 1
    }
    return same
  }
}

function near(a: number, b: number): boolean {
  const apart = a < b ? b - a : a - b
  return apart <= nearMax || places - apart <= nearMax
}
