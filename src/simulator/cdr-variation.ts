/**
 * Scenarios drawn at random from ranges, so that what is trained on is never one kind of traffic. A recipe names
 * figures of `configs/simulation/default.yaml` by path and says from where to draw each. Pure; any thread.
 */
import { z } from 'zod'
import { ConfigProblems } from '../config/load.ts'
import { logUniform, type Pair, uniform, wholeUniform } from './cdr-draws.ts'
import { campaignKinds, type Prevalence } from './cdr-prevalence.ts'
import type { Random } from './seeded-random.ts'

const range = z
  .tuple([z.number().min(0), z.number().min(0)])
  .refine(([low, high]) => low <= high, 'low must not be above high')
const ranges = z.record(z.string(), range)

export const variationSchema = z.looseObject({
  cleanShare: z.number().min(0).max(1),
  flashCallShare: range,
  otherShare: range,
  vary: z.strictObject({
    pairs: ranges,
    scalars: ranges,
    whole: ranges,
    weights: z.array(z.string()),
    startHour: range,
  }),
})
export type Variation = z.infer<typeof variationSchema>

/** Monday 2026-01-05 00:00 UTC. */
const mondayMs = 1_767_571_200_000

type Tree = { [key: string]: unknown }

export interface DrawnScenario {
  /** To be laid over the default scenario. */
  readonly overlay: Tree
  readonly prevalence: Prevalence
}

/** @param defaults the scenario whose weights are varied */
export function drawScenario(random: Random, variation: Variation, defaults: Tree): DrawnScenario {
  const { vary } = variation
  const overlay: Tree = {}
  for (const [path, from] of Object.entries(vary.pairs)) {
    const ends = [uniform(random, from), uniform(random, from)].sort((a, b) => a - b)
    // Counts stay whole where the range is.
    put(overlay, path, from[1] >= 100 ? ends.map(Math.round) : ends)
  }
  for (const [path, from] of Object.entries(vary.scalars)) put(overlay, path, uniform(random, from))
  for (const [path, from] of Object.entries(vary.whole)) put(overlay, path, wholeUniform(random, from))
  for (const path of vary.weights) {
    const weights = at(defaults, path)
    put(overlay, path, Object.fromEntries(Object.keys(weights).map((name) => [name, random() ** 2 + 0.02])))
  }
  put(overlay, 'startsAtMs', mondayMs + wholeUniform(random, vary.startHour) * 3_600_000)
  return { overlay, prevalence: drawPrevalence(random, variation) }
}

function drawPrevalence(random: Random, shares: Variation): Prevalence {
  const clean = random() < shares.cleanShare
  return Object.fromEntries(
    campaignKinds.map((kind) => {
      const drawn =
        kind === 'flash_call' ? logUniform(random, shares.flashCallShare) : uniform(random, shares.otherShare)
      return [kind, clean ? 0 : drawn]
    }),
  )
}

/** How long and how dense a run is. */
export function drawLength(random: Random, attempts: Pair, perSecond: Pair): { attempts: number; seconds: number } {
  const count = Math.round(logUniform(random, attempts))
  return { attempts: count, seconds: Math.round(count / logUniform(random, perSecond)) }
}

function at(tree: Tree, path: string): Tree {
  const found = path.split('.').reduce<unknown>((under, key) => (under as Tree | undefined)?.[key], tree)
  if (typeof found !== 'object' || found === null) throw new ConfigProblems([`${path}: no such figure in the scenario`])
  return found as Tree
}

function put(tree: Tree, path: string, value: unknown): void {
  const keys = path.split('.')
  let under = tree
  for (const key of keys.slice(0, -1)) {
    under[key] ??= {}
    under = under[key] as Tree
  }
  under[keys.at(-1)!] = value
}
