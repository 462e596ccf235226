/**
 * The part of the training data that people made: windows of cases they confirmed or dismissed, read from the store
 * and written as rows like those of a dump. Main thread of the command.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { silentLog } from '../core/log.ts'
import { zeroCounters } from '../core/metrics.ts'
import { featureCount, featureNames } from '../features/call-features.ts'
import { type JudgedWindow, type JudgedWindows, judgedWindows } from '../storage/judged-windows.ts'
import { createStore } from '../storage/stores.ts'
import { lookColumns } from '../training/dump-call-features.ts'
import { lookLabel } from '../training/look-labels.ts'
import type { LabelledRun } from './flash-call-runs.ts'

/** Verdicts learnt from, the newest. */
export const judgedWindowsMax = 50_000

/** @throws OperatingError `storage_unavailable` */
export async function readJudged(config: Pick<Config, 'dataDir' | 'storage'>): Promise<JudgedWindows> {
  const store = createStore(config, { counters: zeroCounters(), log: silentLog })
  try {
    await store.start()
    return await judgedWindows(store, featureNames, judgedWindowsMax)
  } catch (thrown) {
    if (thrown instanceof OperatingError && thrown.code !== 'storage_unavailable') throw thrown
    const hint = config.storage.url === null ? '; an embedded store is read while no server runs on it' : ''
    throw new OperatingError('storage_unavailable', `${messageOf(thrown)}${hint}`)
  } finally {
    await store.close()
  }
}

/** Writes the rows; the columns after the features as a dump has them. */
export function writeJudged(windows: readonly JudgedWindow[], work: string): LabelledRun {
  const width = featureCount + lookColumns.length
  const rows = new Float32Array(windows.length * width)
  const subjects = new Map<string, number>()
  let campaigns = 0
  for (const [row, { features, isCampaign, subject }] of windows.entries()) {
    const number = subjects.get(subject) ?? subjects.size
    subjects.set(subject, number)
    if (isCampaign) campaigns++
    rows.set(features, row * width)
    rows.set([isCampaign ? lookLabel.campaign : lookLabel.clean, 0, number, 0], row * width + featureCount)
  }
  mkdirSync(work, { recursive: true })
  const file = join(work, 'judged.f32')
  writeFileSync(file, rows)
  const looks = { looks: windows.length, campaignLooks: campaigns }
  return { part: 'labelled', file, ...looks, calls: 0, campaignCalls: 0, days: 0 }
}
