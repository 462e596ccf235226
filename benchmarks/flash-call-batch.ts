/**
 * What a window costs in the shipped flash-call model, by how many are judged in one run, and beside it the rule that
 * judges without a model. CPU of this process, one thread.
 */
import { projectRoot } from '../src/core/project.ts'
import { flashCallRule } from '../src/decisions/flash-call-rule.ts'
import { featureCount } from '../src/features/call-features.ts'
import { FlashCallModel, flashCallBatchMax } from '../src/inference/flash-call-model.ts'

import { medianCpuMs, rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const batches = [16, 64, flashCallBatchMax, 4096] as const

export async function run(): Promise<BenchmarkRow[]> {
  const model = await FlashCallModel.load(`${projectRoot}models/flash_call/1`)
  const features = noise(4096)
  const perSecond = async (of: Pick<FlashCallModel, 'scores'>, batch: number, rounds: number): Promise<number> => {
    const ms = await medianCpuMs(async () => void (await of.scores(features, batch)), rounds, 5)
    return rounded((batch / ms) * 1000)
  }
  // Long enough that V8 has put its optimising compiler through onnxruntime before anything is counted.
  await medianCpuMs(async () => void (await model.scores(features, flashCallBatchMax)), 1, 200)
  const alone = await perSecond(model, 1, 301)
  const unit = 'windows/s of CPU'
  const rows: BenchmarkRow[] = [{ name: 'flash-call model, batch 1', value: alone, unit }]
  for (const batch of batches) {
    const value = await perSecond(model, batch, 51)
    const runs = batch > flashCallBatchMax ? `, runs of ${flashCallBatchMax}` : ''
    const baseline = { name: 'same model, one a run', value: alone }
    rows.push({ name: `flash-call model, batch ${batch}${runs}`, value, unit, baseline })
  }
  const rule = await perSecond(flashCallRule, flashCallBatchMax, 51)
  rows.push({ name: `flash-call rule, batch ${flashCallBatchMax}`, value: rule, unit })
  await model.release()
  return rows
}

/** Shares, as most features are; what they say does not change what they cost. */
function noise(rows: number): Float32Array {
  let state = 1
  return Float32Array.from({ length: rows * featureCount }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  })
}
