/**
 * A flash-call model small enough to compute by hand: the probability of a row is its `blinkShare`. Lays out
 * `flash_call/tiny` in a folder, as models/ has it.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { feature, featureCount, featureNames } from '../../src/features/call-features.ts'
import type { FlashCallManifest } from '../../src/inference/flash-call-model.ts'
import { writeOnnx } from './onnx-writer.ts'

function tinyOnnx(): Uint8Array {
  const pick = new Float32Array(featureCount)
  pick[feature.blinkShare] = 1
  return writeOnnx({
    inputs: { features: [featureCount] },
    outputs: { probability: [] },
    constants: [{ name: 'pick', dims: [featureCount], values: pick }],
    nodes: [{ operator: 'MatMul', inputs: ['features', 'pick'], output: 'probability' }],
  })
}

/** @returns the version's folder */
export function writeTinyFlashModel(dir: string, change: Partial<FlashCallManifest> = {}): string {
  const onnx = tinyOnnx()
  const folder = join(dir, 'flash_call', 'tiny')
  const manifest: FlashCallManifest = {
    name: 'flash_call',
    version: 'tiny',
    kind: 'flash_call',
    file: 'model.onnx',
    sha256: createHash('sha256').update(onnx).digest('hex'),
    parameters: featureCount,
    features: [...featureNames],
    thresholds: { flashCall: 0.75 },
    calibration: {},
    training: { data: 'none: written by hand' },
    metrics: {},
    limits: ['for tests'],
    ...change,
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'model.onnx'), onnx)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  return folder
}
