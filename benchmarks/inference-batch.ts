/**
 * What a second of live speech costs in the shipped voice model, by how many calls are judged in one run; beside the
 * same model run for one call at a time. CPU of this process, one thread.
 */

import type { HopDetector } from '../src/inference/hop-detector.ts'
import { hopMsOf, loadDetector } from '../src/inference/load-detector.ts'
import { activeModelDir, loadVoiceModel } from '../src/inference/model-file.ts'
import { medianCpuMs, rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const batches = [8, 16, 32, 64, 128] as const
/** The pool's batch: see src/worker/pool.ts. */
const poolBatch = 32

export async function run(): Promise<BenchmarkRow[]> {
  const model = loadVoiceModel(activeModelDir('voice'))
  const detector = await loadDetector(model, { batchMax: 128 })
  fillWithNoise(detector)
  const hopsPerSecond = 1000 / hopMsOf(model.manifest)
  // Long enough that V8 has put its optimising compiler through onnxruntime before anything is counted.
  await medianCpuMs(() => detector.run(32), 1, 60)
  const perSecond = async (batch: number, rounds: number): Promise<number> => {
    const ms = await medianCpuMs(() => detector.run(batch), rounds, 5)
    return rounded((ms / batch) * hopsPerSecond)
  }
  const alone = await perSecond(1, 101)
  const rows: BenchmarkRow[] = [{ name: 'inference, batch 1', value: alone, unit: 'ms CPU per second of speech' }]
  for (const batch of batches) {
    const row: BenchmarkRow = {
      name: `inference, batch ${batch}`,
      value: await perSecond(batch, 21),
      unit: 'ms CPU per second of speech',
      baseline: { name: 'same model, one call a run', value: alone },
    }
    if (batch === poolBatch) row.budget = { must: 0.5, aim: 0.2 }
    rows.push(row)
  }
  await detector.release()
  return rows
}

/** Values like those of log bands; what they say does not change what they cost. */
function fillWithNoise({ inputs }: HopDetector): void {
  let state = 1
  for (const input of Object.values(inputs) as Float32Array[]) {
    for (let i = 0; i < input.length; i += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      input[i] = (state / 2 ** 32) * 4 - 8
    }
  }
  inputs.speech.fill(1)
  inputs.historyWeight.fill(1)
}
