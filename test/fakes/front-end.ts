/**
 * A voice front end that can be read: each mu-law byte is a sample whose value is the byte itself. A closed hop has
 * the mean of its bytes in every feature, a frame is speech when one of its bytes is not 0, byte 254 makes the hop a
 * tone.
 */
import { noSignals } from '../../src/features/call-signals.ts'
import { type Hop, hopFlag } from '../../src/features/hop.ts'
import type { HopSink } from '../../src/features/voice-front-end.ts'
import type { FrontEnd } from '../../src/worker/voice-pipeline.ts'
import type { TinyShape } from './tiny-model.ts'

const filled = -1

export class FakeFrontEnd implements FrontEnd {
  readonly #shape: TinyShape
  readonly #slots: (number[] | undefined)[]
  #decoded: readonly number[] = []
  resets = 0
  /** Samples ever asked to be filled. */
  filledSamples = 0

  constructor(shape: TinyShape, tracksMax: number) {
    this.#shape = shape
    this.#slots = new Array<number[] | undefined>(tracksMax).fill(undefined)
  }

  get openSlots(): number {
    return this.#slots.filter((slot) => slot !== undefined).length
  }

  open(): number {
    const slot = this.#slots.indexOf(undefined)
    if (slot >= 0) this.#slots[slot] = []
    return slot
  }

  close(slot: number): void {
    this.#slots[slot] = undefined
  }

  reset(slot: number): void {
    this.resets += 1
    this.#slots[slot] = []
  }

  decode(message: Uint8Array, start: number, end: number): number {
    const text = Buffer.from(message.slice(start, end)).toString('latin1')
    const bytes = Buffer.from(text, 'base64')
    if (bytes.toString('base64') !== text) return -1
    this.#decoded = [...bytes]
    return bytes.length
  }

  push(slot: number, offset: number, count: number, sink: HopSink): void {
    this.#append(slot, this.#decoded.slice(offset, offset + count), sink)
  }

  fill(slot: number, count: number, sink: HopSink): void {
    this.filledSamples += count
    this.#append(slot, new Array<number>(count).fill(filled), sink)
  }

  #append(slot: number, samples: readonly number[], sink: HopSink): void {
    const hopSamples = this.#shape.hopFrames * 80
    for (const sample of samples) {
      const open = this.#slots[slot]
      if (open === undefined) throw new Error(`slot ${slot} is not open`)
      open.push(sample)
      if (open.length < hopSamples) continue
      sink.hop(slot, this.#hop(open))
      open.length = 0
    }
  }

  #hop(samples: readonly number[]): Hop {
    const { hopFrames, contextFrames, bands } = this.#shape
    const heard = samples.map((sample) => Math.max(0, sample))
    const mean = heard.reduce((a, b) => a + b, 0) / heard.length
    const speech = Float32Array.from({ length: hopFrames }, (_, frame) =>
      heard.slice(frame * 80, frame * 80 + 80).some((byte) => byte !== 0) ? 1 : 0,
    )
    const filledSamples = samples.filter((sample) => sample === filled).length
    return {
      features: new Float32Array((hopFrames + contextFrames) * bands).fill(mean),
      speech,
      speechFrames: speech.reduce((a, b) => a + b, 0),
      filledSamples,
      flags: (filledSamples > 0 ? hopFlag.gap : 0) | (heard.includes(254) ? hopFlag.tone : 0),
      dtmfDigit: '',
      signals: noSignals(),
    }
  }
}
