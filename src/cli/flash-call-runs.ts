/**
 * The runs that a flash-call model is trained on: traffic drawn from the recipe, through the detector, into files of
 * features. Each run's scenario is kept beside them, so that any row can be traced. Main thread of the command.
 *
 *   WORK/train-07.json   the drawn scenario       WORK/train-07.f32   rows       WORK/runs.json   all of it, counted
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigProblems, readYamlFile } from '../config/load.ts'
import type { CdrConfig } from '../config/schema.ts'
import { projectRoot } from '../core/project.ts'
import { featureNames } from '../features/call-features.ts'
import { partSeed } from '../simulator/cdr-draws.ts'
import type { Prevalence } from '../simulator/cdr-prevalence.ts'
import { CdrTraffic } from '../simulator/cdr-traffic.ts'
import { drawLength, drawScenario, variationSchema } from '../simulator/cdr-variation.ts'
import { seededRandom } from '../simulator/seeded-random.ts'
import { CallFeatureDump, type DumpCounts, lookColumns } from '../training/dump-call-features.ts'

const pair = z.tuple([z.number().positive(), z.number().positive()])
const part = z.strictObject({ runs: z.number().int().min(1).max(1000), attempts: pair, perSecond: pair })

const recipeSchema = variationSchema.extend({
  version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  seed: z.number().int().min(0).max(1e9),
  parts: z.strictObject({ train: part, dev: part }),
})
export type FlashCallRecipe = z.infer<typeof recipeSchema>

export interface TrainingRun extends DumpCounts {
  readonly part: 'train' | 'dev'
  readonly file: string
  readonly seed: number
  readonly prevalence: Prevalence
}

/** Rows that are no simulated run: windows with a person's verdict. */
export interface LabelledRun extends DumpCounts {
  readonly part: 'labelled'
  readonly file: string
}

/** @throws ConfigProblems */
export function readRecipe(path: string): FlashCallRecipe {
  const parsed = recipeSchema.safeParse(readYamlFile(path))
  if (parsed.success) return parsed.data
  throw new ConfigProblems(parsed.error.issues.map((issue) => `${path} ${issue.path.join('.')}: ${issue.message}`))
}

/** Makes all runs of the recipe in `work`, and lists what else there is; `onRun` is told before each. */
export async function makeRuns(
  recipe: FlashCallRecipe,
  cdr: CdrConfig,
  work: string,
  labelled: readonly LabelledRun[],
  onRun: (done: number, all: number) => void,
): Promise<TrainingRun[]> {
  const defaults = readYamlFile(join(projectRoot, 'configs/simulation/default.yaml'))
  const runs: TrainingRun[] = []
  const all = recipe.parts.train.runs + recipe.parts.dev.runs
  mkdirSync(work, { recursive: true })
  for (const [name, { runs: count, ...lengths }] of Object.entries(recipe.parts)) {
    for (let number = 1; number <= count; number++) {
      onRun(runs.length, all)
      const stem = join(work, `${name}-${String(number).padStart(2, '0')}`)
      const seed = partSeed(recipe.seed, `${name} ${number}`) % 1_000_000_000
      const random = seededRandom(seed)
      const { overlay, prevalence } = drawScenario(random, recipe, defaults)
      const length = drawLength(random, lengths.attempts, lengths.perSecond)
      writeFileSync(`${stem}.json`, JSON.stringify(overlay, null, 1))
      const traffic = new CdrTraffic({ plan: 'train', file: `${stem}.json`, prevalence, seed, ...length })
      const counts = await dump(traffic, cdr, `${stem}.f32`)
      runs.push({ part: name as 'train' | 'dev', file: `${stem}.f32`, seed, prevalence, ...counts })
    }
  }
  writeFileSync(
    join(work, 'runs.json'),
    JSON.stringify({ features: featureNames, columns: lookColumns, runs: [...runs, ...labelled] }, null, 1),
  )
  return runs
}

const callsPerAdvance = 1000

async function dump(traffic: CdrTraffic, cdr: CdrConfig, path: string): Promise<DumpCounts> {
  const features = new CallFeatureDump(path, cdr)
  let calls = 0
  for (let next = traffic.next(); next !== undefined; next = traffic.next()) {
    features.call(next.record, next.truth.label === 'flash_call')
    if (++calls % callsPerAdvance === 0) await features.advance()
  }
  return features.finish()
}
