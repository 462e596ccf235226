/**
 * A foreign model on all calls. The embedding of a hop is its audio or features, so the history holds what the window
 * is made of; two floats behind it say how many hops ago the track was judged and what was found, because the model's
 * own hop may be longer than the pipeline's. In between the last finding stands. Runs on the calling thread; a model
 * that would stop it for too long is refused.
 *
 *     embedding  [ audio or features of the hop | hops since judged | llr ]
 */
import { systemClock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { audioSamplesOf, featureWidth, type HopSpec, speechBands } from '../features/hop.ts'
import type { HopDetector, VoiceInputs, VoiceRowSizes } from './hop-detector.ts'
import type { Stretch } from './window-input.ts'
import { pipelineHopMsOf, type WindowManifest } from './window-manifest.ts'
import { type WindowModel, WindowSession } from './window-session.ts'

/** A worker that computes gives no life sign, and all its calls wait: longer runs belong into a second stage. */
export const windowRunMsMax = 400

/** The hops a window model is fed with, in the words of the front end. */
export function windowHopSpec(manifest: WindowManifest): HopSpec {
  const { input, sampleRateHz } = manifest
  const hopFrames = pipelineHopMsOf(manifest) / 10
  if (input.kind === 'waveform') {
    // The model takes none of them; the speech gate does.
    return { features: speechBands, hopFrames, contextFrames: 0, audioHz: sampleRateHz }
  }
  return { features: { ...input.definition, sampleRateHz }, hopFrames, contextFrames: 0 }
}

export class WindowDetector implements HopDetector {
  readonly row: VoiceRowSizes
  readonly batchMax: number
  readonly inputs: VoiceInputs
  readonly embedding: Float32Array
  readonly logit: Float32Array
  readonly #session: WindowSession
  /** Where the payload stands in a row of features. */
  readonly #payloadAt: number
  /** Pipeline hops between two looks. */
  readonly #every: number
  readonly #due: number[] = []

  private constructor(session: WindowSession, manifest: WindowManifest, batchMax: number) {
    const spec = windowHopSpec(manifest)
    const { hopFloats, pastHops } = session.window
    const features = spec.hopFrames * featureWidth(spec.features)
    this.#session = session
    this.#payloadAt = manifest.input.kind === 'waveform' ? features : 0
    this.#every = manifest.hop.ms / pipelineHopMsOf(manifest)
    this.batchMax = batchMax
    this.row = {
      features: features + audioSamplesOf(spec),
      speech: spec.hopFrames,
      historyHops: pastHops,
      embedding: hopFloats + 2,
    }
    const rows = (floats: number): Float32Array => new Float32Array(batchMax * floats)
    this.inputs = {
      features: rows(this.row.features),
      speech: rows(this.row.speech),
      history: rows(pastHops * this.row.embedding),
      historyWeight: rows(pastHops),
    }
    this.embedding = rows(this.row.embedding)
    this.logit = rows(1)
  }

  /** @throws OperatingError `model_invalid` */
  static async load(model: WindowModel, options: { batchMax: number; runMsMax?: number }): Promise<WindowDetector> {
    const session = await WindowSession.load(model, options.batchMax)
    const { batchMax, runMsMax = windowRunMsMax } = options
    const beganMs = systemClock.steadyMs()
    await session.run(session.batchMax)
    const tookMs = systemClock.steadyMs() - beganMs
    if (tookMs > runMsMax) {
      await session.release()
      const why = `a run takes ${Math.round(tookMs)} ms, at most ${runMsMax} may be spent on all calls`
      throw new OperatingError('model_invalid', `${why}: use it as detection.voice.secondStage`)
    }
    return new WindowDetector(session, model.manifest, batchMax)
  }

  async run(count: number): Promise<void> {
    const due = this.#due
    due.length = 0
    for (let row = 0; row < count; row += 1) if (!this.#stands(row)) due.push(row)
    const { batchMax, window, input } = this.#session
    for (let from = 0; from < due.length; from += batchMax) {
      const rows = Math.min(batchMax, due.length - from)
      for (let r = 0; r < rows; r += 1) window.build(this.#stretches(due[from + r]!), input, r * window.floats)
      await this.#session.run(rows)
      for (let r = 0; r < rows; r += 1) this.#keep(due[from + r]!, 0, this.#session.llr(r))
    }
  }

  warm(count: number): Promise<void> {
    return this.#session.run(Math.min(count, this.#session.batchMax))
  }

  release(): Promise<void> {
    return this.#session.release()
  }

  /** True when what was found a while ago still holds. */
  #stands(row: number): boolean {
    const { history, historyWeight } = this.inputs
    const { historyHops, embedding } = this.row
    const newest = (row + 1) * historyHops - 1
    if (historyWeight[newest]! <= 0) return false
    const since = history[(newest + 1) * embedding - 2]! + 1
    if (since >= this.#every) return false
    this.#keep(row, since, history[(newest + 1) * embedding - 1]!)
    return true
  }

  #keep(row: number, since: number, llr: number): void {
    const { features, embedding } = this.row
    const from = row * features + this.#payloadAt
    const end = (row + 1) * embedding
    this.embedding.set(this.inputs.features.subarray(from, from + embedding - 2), end - embedding)
    this.embedding[end - 2] = since
    this.embedding[end - 1] = llr
    this.logit[row] = llr
  }

  #stretches(row: number): Stretch[] {
    const { history, historyWeight, features } = this.inputs
    const { historyHops, embedding } = this.row
    const out: Stretch[] = []
    for (let hop = row * historyHops; hop < (row + 1) * historyHops; hop += 1) {
      if (historyWeight[hop]! > 0) out.push({ values: history, at: hop * embedding })
    }
    out.push({ values: features, at: row * this.row.features + this.#payloadAt })
    return out
  }
}
