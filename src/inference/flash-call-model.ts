/**
 * The trained flash-call model: rows of call features in, a calibrated probability a row out. Runs in batches of at
 * most `batchMax` rows, into buffers allocated once. Nothing is used before the manifest is complete, names the very
 * features that `call-features` makes, in their order, and its sha256 is that of the file. Any thread, one owner; runs
 * on the calling thread, one call of `scores` after the other.
 *
 *     scores(rows 0..999)  ->  run(rows 0..255), run(256..511), run(512..767), run(768..999)  ->  1000 probabilities
 */
import assert from 'node:assert/strict'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { featureCount, featureNames } from '../features/call-features.ts'
import { distributionCounts, folder, story } from './manifest-keys.ts'
import { invalid, readJson, readVouchedSlowly } from './model-file.ts'
import { BatchSession } from './session.ts'

const manifestSchema = z.strictObject({
  name: folder,
  version: folder,
  kind: z.literal('flash_call'),
  file: folder,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits'),
  parameters: z.number().int().min(1),
  /** Names of the inputs, in order. */
  features: z.array(z.string()),
  thresholds: z.strictObject({ flashCall: z.number().min(0).max(1) }),
  calibration: story,
  /** Kind of key (index in `keyKinds`) -> what a clean window of it is like, feature by feature. */
  reference: z.record(z.string(), z.array(z.number())).optional(),
  training: story,
  metrics: story,
  distributions: distributionCounts.optional(),
  limits: z.unknown(),
})
export type FlashCallManifest = z.infer<typeof manifestSchema>

/** Rows judged in one run: beyond it a run grows no cheaper by the row. */
export const flashCallBatchMax = 256

type Session = BatchSession<{ features: readonly number[] }, { probability: readonly number[] }>

/** Reads and checks `manifest.json` of a version's folder. @throws OperatingError `model_invalid` */
export function loadFlashCallManifest(dir: string): FlashCallManifest {
  const path = join(dir, 'manifest.json')
  const manifest = readJson(path, manifestSchema)
  if (manifest.version !== basename(dir)) {
    invalid(path, `version "${manifest.version}" of ${manifest.name} stands in a folder called "${basename(dir)}"`)
  }
  const wrong = featureNames.findIndex((name, at) => manifest.features[at] !== name)
  if (wrong >= 0) invalid(path, `features.${wrong} must be "${featureNames[wrong]}", got "${manifest.features[wrong]}"`)
  if (manifest.features.length > featureCount) {
    invalid(path, `features: ${manifest.features.length} of them, but only ${featureCount} are made`)
  }
  return manifest
}

export class FlashCallModel {
  readonly manifest: FlashCallManifest
  /** A score from here on is a flash call. */
  readonly trained: { readonly scoreMin: number; readonly reference: ReadonlyMap<number, readonly number[]> }
  readonly #session: Session
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(manifest: FlashCallManifest, session: Session) {
    this.manifest = manifest
    const reference = new Map(Object.entries(manifest.reference ?? {}).map(([kind, row]) => [Number(kind), row]))
    this.trained = { scoreMin: manifest.thresholds.flashCall, reference }
    this.#session = session
  }

  /** The thread goes on meanwhile. @param dir a version's folder @throws OperatingError `model_invalid` */
  static async load(dir: string, batchMax = flashCallBatchMax): Promise<FlashCallModel> {
    const manifest = loadFlashCallManifest(dir)
    const session = await BatchSession.load({
      onnx: await readVouchedSlowly(dir, manifest),
      batchMax,
      inputs: { features: [featureCount] },
      outputs: { probability: [] },
    })
    return new FlashCallModel(manifest, session)
  }

  /** `features`: `count` rows of `featureCount` floats. Answers a probability per row, in order. */
  scores(features: Float32Array, count: number): Promise<Float32Array> {
    assert(count * featureCount <= features.length, `${count} rows, but only ${features.length} floats`)
    const answer = this.#turn.then(() => this.#scores(features, count))
    // One that fails is told to who asked, and does not stop the next.
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  async #scores(features: Float32Array, count: number): Promise<Float32Array> {
    const { inputs, outputs, batchMax } = this.#session
    const scores = new Float32Array(count)
    for (let row = 0; row < count; row += batchMax) {
      const rows = Math.min(batchMax, count - row)
      inputs.features.set(features.subarray(row * featureCount, (row + rows) * featureCount))
      await this.#session.run(rows)
      scores.set(outputs.probability.subarray(0, rows), row)
    }
    return scores
  }

  /** Frees the model's WebAssembly memory. */
  release(): Promise<void> {
    return this.#session.release()
  }
}
