/**
 * From the hops of a track to the input of a model that wants a window at once: the newest hops in a row, cut or filled
 * to the window's length, in the model's layout. Hops that hold no speech are not in the history, so long pauses are
 * left out. Pure; any thread.
 *
 *     hops kept   [ h1 | h2 | h3 ] current [ h4 ]       window   [ .h2 | h3 | h4 ]      the newest samples or frames
 *     not enough  [ h1 ]                                repeat   [ h1 | h1 | h1 | h ]   zeros-before [ 0 | 0 | 0 h1 ]
 */
import { strict as assert } from 'node:assert'
import { featureWidth } from '../features/hop.ts'
import type { WindowManifest } from './window-manifest.ts'

/** A stretch of hop audio or features, oldest value first. */
export interface Stretch {
  readonly values: Float32Array
  readonly at: number
}

export class WindowInput {
  /** Floats of one window. */
  readonly floats: number
  /** Floats of one hop, as they come. */
  readonly hopFloats: number
  /** Hops before the current one that may reach into the window. */
  readonly pastHops: number
  readonly #manifest: WindowManifest
  readonly #window: Float32Array

  constructor(manifest: WindowManifest, hopMs: number) {
    const { input, sampleRateHz } = manifest
    this.#manifest = manifest
    const perHop = hopMs * (sampleRateHz / 1000)
    if (input.kind === 'waveform') {
      this.hopFloats = perHop
      this.floats = input.samples
    } else {
      const width = featureWidth(input.definition)
      this.hopFloats = (perHop / input.definition.hopSamples) * width
      this.floats = input.frames * width
    }
    this.pastHops = Math.max(1, Math.ceil(this.floats / this.hopFloats) - 1)
    this.#window = new Float32Array(this.floats)
  }

  /** Dimensions of one row of the model's input. */
  get dims(): readonly number[] {
    const { input } = this.#manifest
    const channel = input.channelAxis ? [1] : []
    if (input.kind === 'waveform') return [...channel, input.samples]
    const width = featureWidth(input.definition)
    return [...channel, ...(input.layout === 'frames-bands' ? [input.frames, width] : [width, input.frames])]
  }

  /** Writes a window of the stretches, oldest first, each `hopFloats` long, to `target[at...]`. */
  build(stretches: readonly Stretch[], target: Float32Array, at: number): void {
    assert(stretches.length > 0)
    this.#gather(stretches)
    const { input } = this.#manifest
    const window = this.#window
    if (input.kind === 'waveform') {
      for (let i = 0; i < window.length; i += 1) target[at + i] = window[i]! * input.scale
      return
    }
    if (input.layout === 'frames-bands') {
      target.set(window, at)
      return
    }
    const width = featureWidth(input.definition)
    for (let frame = 0; frame < input.frames; frame += 1) {
      for (let band = 0; band < width; band += 1) {
        target[at + band * input.frames + frame] = window[frame * width + band]!
      }
    }
  }

  #gather(stretches: readonly Stretch[]): void {
    const window = this.#window
    const heard = Math.min(window.length, stretches.length * this.hopFloats)
    const { short } = this.#manifest
    let end = short === 'zeros-before' ? window.length : heard
    if (heard < window.length) window.fill(0)
    for (let s = stretches.length - 1; s >= 0 && end > 0; s -= 1) {
      const { values, at } = stretches[s]!
      const taken = Math.min(end, this.hopFloats)
      window.set(values.subarray(at + this.hopFloats - taken, at + this.hopFloats), end - taken)
      end -= taken
    }
    if (short !== 'repeat') return
    for (let i = heard; i < window.length; i += heard) window.copyWithin(i, 0, Math.min(heard, window.length - i))
  }
}
