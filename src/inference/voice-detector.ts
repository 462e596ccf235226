/**
 * The voice model as the pipeline uses it: fill rows of `inputs`, `run(count)`, read rows of `embedding` and
 * `logit`. A row is one hop of one track. All buffers are allocated once for `batchMax` rows; nothing here knows of
 * tracks or time. Runs on the calling thread.
 *
 * With F = contextFrames + hop frames, B features a frame (bands or coefficients), H = window hops - 1,
 * E = embedding size, row r lies at
 *     features  [r*F*B ...]   context frames first, then the hop's, bands of a frame together
 *     speech    [r*hopFrames ...]        history [r*H*E ...] oldest hop first        historyWeight [r*H ...]
 *     embedding [r*E ...]                logit [r]            novelty [r] if the graph has it
 */
import { OperatingError } from '../core/errors.ts'
import { featureWidth } from '../features/hop.ts'
import type { HopDetector, VoiceInputs, VoiceRowSizes } from './hop-detector.ts'
import type { StreamManifest } from './model-file.ts'
import { BatchSession } from './session.ts'

interface Shapes {
  readonly inputs: Readonly<Record<keyof VoiceInputs, readonly number[]>>
  readonly outputs: Readonly<Record<'embedding' | 'logit', readonly number[]>>
}

interface StreamModel {
  readonly manifest: StreamManifest
  readonly onnx: Uint8Array
}

export class VoiceDetector implements HopDetector {
  readonly row: VoiceRowSizes
  readonly batchMax: number
  readonly inputs: VoiceInputs
  /** [batchMax, E] of the last run. */
  readonly embedding: Float32Array
  /** [batchMax] calibrated natural log-likelihood ratios of the last run; positive = synthetic. */
  readonly logit: Float32Array
  /** [batchMax] of the last run, by the manifest's threshold; absent: the graph does not measure it. */
  readonly novelty?: Float32Array
  readonly #session: BatchSession<Shapes['inputs'], Shapes['outputs']>
  readonly #noveltyMax: number

  private constructor(
    session: BatchSession<Shapes['inputs'], Shapes['outputs']>,
    row: VoiceRowSizes,
    noveltyMax: number,
  ) {
    this.#session = session
    this.#noveltyMax = noveltyMax
    const { novelty } = session.optional
    if (novelty !== undefined) this.novelty = novelty
    this.row = row
    this.batchMax = session.batchMax
    this.inputs = session.inputs
    this.embedding = session.outputs.embedding
    this.logit = session.outputs.logit
  }

  /** @throws OperatingError `model_invalid` */
  static async load({ manifest, onnx }: StreamModel, options: { batchMax: number }): Promise<VoiceDetector> {
    const frames = manifest.hop.contextFrames + manifest.hop.frames
    const historyHops = manifest.window.hops - 1
    const width = featureWidth(manifest.features)
    const session = await BatchSession.load({
      onnx,
      batchMax: options.batchMax,
      inputs: {
        features: [frames, width],
        speech: [manifest.hop.frames],
        history: [historyHops, manifest.embedding.size],
        historyWeight: [historyHops],
      },
      outputs: { embedding: [manifest.embedding.size], logit: [] },
      optional: { novelty: [] },
    })
    const abstain = manifest.abstain?.novelty
    if (abstain !== undefined && session.optional['novelty'] === undefined) {
      await session.release()
      const mend = 'take the key out of the manifest, or export the graph with the output'
      const why = 'abstain.novelty needs an output "novelty", the graph has none'
      throw new OperatingError('model_invalid', `${why}: ${mend}`)
    }
    const row = {
      features: frames * width,
      speech: manifest.hop.frames,
      historyHops,
      embedding: manifest.embedding.size,
    }
    return new VoiceDetector(session, row, abstain?.threshold ?? 1)
  }

  /** Judges rows 0..count-1; a larger set is split by the caller. */
  async run(count: number): Promise<void> {
    await this.#session.run(count)
    const { novelty } = this
    if (novelty === undefined || this.#noveltyMax === 1) return
    for (let r = 0; r < count; r += 1) novelty[r]! /= this.#noveltyMax
  }

  warm(count: number): Promise<void> {
    return this.#session.run(count)
  }

  /** Frees the model's WebAssembly memory. */
  release(): Promise<void> {
    return this.#session.release()
  }
}
