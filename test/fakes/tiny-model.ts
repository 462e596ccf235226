/**
 * A voice model small enough to compute by hand: the inputs and outputs of a real one, arithmetic anybody can redo.
 * `embedding[e]` = mean over frames of feature band e; `logit` = mean of the embedding + mean of the speech marks +
 * mean over (hop, e) of historyWeight x history. So the logit shows which hops stood in the history.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StreamManifest } from '../../src/inference/model-file.ts'
import { writeOnnx } from './onnx-writer.ts'

export interface TinyShape {
  readonly hopFrames: number
  readonly contextFrames: number
  readonly bands: number
  readonly windowHops: number
  readonly embeddingSize: number
}

export const tinyShape: TinyShape = { hopFrames: 50, contextFrames: 2, bands: 60, windowHops: 4, embeddingSize: 3 }

/** @param novelty adds the output: `novelty` = share of the hop that is speech */
export function tinyOnnx(shape: TinyShape = tinyShape, weight = 1, novelty = false): Uint8Array {
  const { bands, embeddingSize } = shape
  const pick = new Float32Array(bands * embeddingSize)
  for (let e = 0; e < embeddingSize; e += 1) pick[e * embeddingSize + e] = weight
  return writeOnnx({
    inputs: {
      features: [shape.contextFrames + shape.hopFrames, bands],
      speech: [shape.hopFrames],
      history: [shape.windowHops - 1, embeddingSize],
      historyWeight: [shape.windowHops - 1],
    },
    outputs: { embedding: [embeddingSize], logit: [], ...(novelty ? { novelty: [] } : {}) },
    constants: [{ name: 'pick', dims: [bands, embeddingSize], values: pick }],
    nodes: [
      { operator: 'MatMul', inputs: ['features', 'pick'], output: 'picked' },
      mean('picked', 'embedding', [1]),
      mean('embedding', 'embeddingMean', [1]),
      mean('speech', 'speechMean', [1]),
      { operator: 'Unsqueeze', inputs: ['historyWeight'], output: 'weight', attributes: { axes: { ints: [2] } } },
      { operator: 'Mul', inputs: ['history', 'weight'], output: 'weighted' },
      mean('weighted', 'historyMean', [1, 2]),
      { operator: 'Add', inputs: ['embeddingMean', 'speechMean'], output: 'partial' },
      { operator: 'Add', inputs: ['partial', 'historyMean'], output: 'logit' },
      ...(novelty ? [mean('speech', 'novelty', [1])] : []),
    ],
  })
}

function mean(input: string, output: string, axes: number[]) {
  return {
    operator: 'ReduceMean',
    inputs: [input],
    output,
    attributes: { axes: { ints: axes }, keepdims: { int: 0 } },
  }
}

export function tinyManifest(onnx: Uint8Array, shape: TinyShape = tinyShape): StreamManifest {
  return {
    name: 'voice',
    version: 'tiny',
    kind: 'voice',
    file: 'model.onnx',
    sha256: createHash('sha256').update(onnx).digest('hex'),
    parameters: shape.bands * shape.embeddingSize,
    sampleRateHz: 8000,
    features: {
      kind: 'log-bands',
      scale: 'linear',
      windowSamples: 256,
      hopSamples: 80,
      fftSize: 256,
      bands: shape.bands,
      lowHz: 80,
      highHz: 3880,
      floor: 1e-6,
    },
    hop: { ms: shape.hopFrames * 10, frames: shape.hopFrames, contextFrames: shape.contextFrames },
    window: { hops: shape.windowHops },
    embedding: { size: shape.embeddingSize },
    thresholds: { synthetic: 0.8, human: 0.2 },
    calibration: {},
    training: { data: 'none: written by hand' },
    metrics: {},
    limits: ['for tests'],
  }
}

/**
 * Lays `models/` out in `dir`: registry, manifest and model of voice/tiny.
 * @param unfamiliarFrom share of a hop's speech beyond which the model calls it unfamiliar
 */
export function writeTinyModel(dir: string, shape: TinyShape = tinyShape, unfamiliarFrom?: number): void {
  const onnx = tinyOnnx(shape, 1, unfamiliarFrom !== undefined)
  const abstain = unfamiliarFrom === undefined ? {} : { abstain: { novelty: { threshold: unfamiliarFrom } } }
  mkdirSync(join(dir, 'voice', 'tiny'), { recursive: true })
  writeFileSync(join(dir, 'voice', 'tiny', 'model.onnx'), onnx)
  writeFileSync(
    join(dir, 'voice', 'tiny', 'manifest.json'),
    JSON.stringify({ ...tinyManifest(onnx, shape), ...abstain }),
  )
  writeFileSync(join(dir, 'registry.json'), JSON.stringify({ voice: { active: 'tiny', previous: null } }))
}

/** Another version beside it, by default of the same arithmetic; the registry is left as it is. */
export function writeVersion(
  dir: string,
  version: string,
  { weight = 1, ...change }: { weight?: number } & Partial<StreamManifest> = {},
): void {
  const onnx = tinyOnnx(tinyShape, weight)
  const folder = join(dir, 'voice', version)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'model.onnx'), onnx)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...tinyManifest(onnx), version, ...change }))
}
