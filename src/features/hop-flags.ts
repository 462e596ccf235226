/**
 * Everything said about a hop besides its features: which frames are speech, and the flags. Brings together the gate
 * (speech-gate.ts), held tones (tones.ts), DTMF (dtmf.ts) and music (music.ts); state per track is theirs.
 */
import type { Kernels } from '../audio/kernels.ts'
import { DtmfDetector } from './dtmf.ts'
import { type Hop, type HopSpec, hopFlag } from './hop.ts'
import { MusicDetector } from './music.ts'
import { SpeechGate } from './speech-gate.ts'
import { markTones } from './tones.ts'

const narrowHz = 8000

/**
 * Neighbours at full scale in a hop before it counts as clipped: a single loud peak touches full scale twice or less.
 */
const clippedMin = 4

export class HopFlags {
  readonly #gate: SpeechGate
  readonly #dtmf: DtmfDetector
  readonly #music: MusicDetector
  /** Frames that cannot be speech: tones and what surrounds DTMF. */
  readonly #barred: Uint8Array
  readonly #tonal: Uint8Array

  /** @param hopStart byte offset of the hop's first 8 kHz sample in kernel memory */
  constructor(kernels: Kernels, spec: HopSpec, hopStart: number, tracksMax: number) {
    const { features, hopFrames } = spec
    const frameSamples = (features.hopSamples * narrowHz) / features.sampleRateHz
    this.#gate = new SpeechGate(hopFrames, tracksMax)
    this.#dtmf = new DtmfDetector(kernels, hopStart, frameSamples, features.sampleRateHz / features.fftSize, tracksMax)
    this.#music = new MusicDetector(hopFrames, tracksMax)
    this.#barred = new Uint8Array(hopFrames)
    this.#tonal = new Uint8Array(hopFrames)
  }

  reset(slot: number): void {
    this.#gate.reset(slot)
    this.#dtmf.reset(slot)
    this.#music.reset(slot)
  }

  /**
   * Writes speech, speechFrames, flags and dtmfDigit of `hop` from the figures of its frames.
   * @param fullScalePairs neighbouring samples of the hop that are both at full scale
   */
  judge(slot: number, stats: Float32Array, fullScalePairs: number, hop: Hop): void {
    const barred = this.#barred
    this.#dtmf.scan(slot, stats, barred)
    const tonalFrames = markTones(stats, this.#tonal)
    for (let frame = 0; frame < barred.length; frame += 1) barred[frame]! |= this.#tonal[frame]!
    hop.speechFrames = this.#gate.judge(slot, stats, barred, hop.filledSamples > 0, hop.speech)
    hop.dtmfDigit = this.#dtmf.digits
    hop.flags = 0
    if (this.#dtmf.toneFrames > 0) hop.flags |= hopFlag.dtmf
    else if (tonalFrames > 0) hop.flags |= hopFlag.tone
    if (this.#music.judge(slot, stats, hop.speechFrames)) hop.flags |= hopFlag.music
    if (hop.speechFrames === 0 && this.#gate.quiet) hop.flags |= hopFlag.silence
    if (fullScalePairs >= clippedMin) hop.flags |= hopFlag.clipped
  }
}
