/**
 * Models of another maker, small enough to compute by hand. `powerOnnx`: two logits [a p, -a p] of the mean square p of
 * a waveform, and p itself as an output nobody asked for. `levelOnnx`: one probability, the logistic of 8 + the mean of
 * all log bands.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { featureWidth } from '../../src/features/hop.ts'
import type { WindowManifest } from '../../src/inference/window-manifest.ts'
import type { WindowModel } from '../../src/inference/window-session.ts'
import { writeOnnx } from './onnx-writer.ts'
import { tinyManifest, tinyOnnx } from './tiny-model.ts'

export const powerGain = 40

function ints(...values: number[]) {
  return { ints: values }
}

export function powerOnnx(samples: number, channelAxis: boolean): Uint8Array {
  const dims = channelAxis ? [1, samples] : [samples]
  const axes = channelAxis ? ints(1, 2) : ints(1)
  return writeOnnx({
    inputs: { wave: dims },
    outputs: { power: [], logits: [2] },
    constants: [{ name: 'gain', dims: [1, 2], values: Float32Array.of(powerGain, -powerGain) }],
    nodes: [
      { operator: 'Mul', inputs: ['wave', 'wave'], output: 'square' },
      { operator: 'ReduceMean', inputs: ['square'], output: 'power', attributes: { axes, keepdims: { int: 0 } } },
      { operator: 'Unsqueeze', inputs: ['power'], output: 'column', attributes: { axes: ints(1) } },
      { operator: 'MatMul', inputs: ['column', 'gain'], output: 'logits' },
    ],
  })
}

export function levelOnnx(bands: number, frames: number): Uint8Array {
  const axes = ints(1, 2, 3)
  return writeOnnx({
    inputs: { bands: [1, bands, frames] },
    outputs: { probability: [] },
    constants: [{ name: 'eight', dims: [1], values: Float32Array.of(8) }],
    nodes: [
      { operator: 'ReduceMean', inputs: ['bands'], output: 'mean', attributes: { axes, keepdims: { int: 0 } } },
      { operator: 'Add', inputs: ['mean', 'eight'], output: 'level' },
      { operator: 'Sigmoid', inputs: ['level'], output: 'probability' },
    ],
  })
}

const story = { training: {}, metrics: {}, limits: ['for tests'] }

function vouched(onnx: Uint8Array) {
  return { file: 'model.onnx', sha256: createHash('sha256').update(onnx).digest('hex'), parameters: 2 }
}

/** A waveform model over two seconds. */
export function powerModel(changes: Partial<WindowManifest> = {}, channelAxis = false): WindowModel {
  const { sampleRateHz = 8000 } = changes
  const samples = 2 * sampleRateHz
  const onnx = powerOnnx(samples, channelAxis)
  const manifest: WindowManifest = {
    name: 'voice',
    version: 'power',
    kind: 'voice-window',
    ...vouched(onnx),
    sampleRateHz,
    input: { kind: 'waveform', name: 'wave', samples, channelAxis, scale: 1 },
    short: 'repeat',
    output: { name: 'logits', form: 'logit', columns: ['synthetic', 'human'] },
    hop: { ms: 500 },
    batchMax: 4,
    calibration: { scale: 1, offset: 0 },
    thresholds: { synthetic: 0.8, human: 0.2 },
    ...story,
    ...changes,
  }
  return { onnx, manifest }
}

/** A model over the shipped log bands, one second of them, bands first. */
export function levelModel(changes: Partial<WindowManifest> = {}): WindowModel {
  const { features: definition } = tinyManifest(tinyOnnx())
  const onnx = levelOnnx(featureWidth(definition), 100)
  const manifest: WindowManifest = {
    ...powerModel().manifest,
    version: 'level',
    ...vouched(onnx),
    input: { kind: 'features', name: 'bands', definition, frames: 100, layout: 'bands-frames', channelAxis: true },
    output: { name: 'probability', form: 'probability', columns: ['human'] },
    ...changes,
  }
  return { onnx, manifest }
}

/** Lays a model out under `dir`, a folder of models. */
export function writeOwnModel(dir: string, { manifest, onnx }: WindowModel): void {
  const folder = join(dir, manifest.name, manifest.version)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'model.onnx'), onnx)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
}
