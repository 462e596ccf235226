/**
 * Everything said about a hop besides its features: which frames are speech, and the flags. Brings together the gate
 * (speech-gate.ts), tones (tones.ts), DTMF (dtmf.ts) and music (music.ts); state per track is theirs.
 */
import type { Kernels } from '../audio/kernels.ts'
import { type Hop, type HopSpec, hopFlag } from './hop.ts'
import { SpeechGate } from './speech-gate.ts'
import { markTones } from './tones.ts'

export class HopFlags {
  readonly #gate: SpeechGate
  readonly #tonal: Uint8Array

  constructor(_kernels: Kernels, spec: HopSpec, _historyBytes: number, tracksMax: number) {
    this.#gate = new SpeechGate(spec.hopFrames, tracksMax)
    this.#tonal = new Uint8Array(spec.hopFrames)
  }

  reset(slot: number): void {
    this.#gate.reset(slot)
  }

  /** Writes speech, speechFrames, flags and dtmfDigit of `hop` from the figures of its frames. */
  judge(slot: number, stats: Float32Array, hop: Hop): void {
    hop.flags = 0
    hop.dtmfDigit = ''
    const tonalFrames = markTones(stats, this.#tonal)
    hop.speechFrames = this.#gate.judge(slot, stats, this.#tonal, hop.speech)
    if (tonalFrames > 0) hop.flags |= hopFlag.tone
    if (hop.speechFrames === 0 && this.#gate.quiet) hop.flags |= hopFlag.silence
  }
}
