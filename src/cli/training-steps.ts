/**
 * The steps of a training as a file describes them (training/steps.yaml): read, checked, and laid out for one recipe,
 * one line of words a step. Nothing is run here. Main thread of the command.
 *
 *     name: calls {part}   over: [{part: train}, {part: dev}]   run: [python, calls.py, --part, "{part}"]
 *     ->  calls train: python calls.py --part train      calls dev: python calls.py --part dev
 */
import { z } from 'zod'
import { ConfigProblems, readYamlFile } from '../config/load.ts'

const words = z.array(z.string()).min(1)
const row = z.record(z.string(), z.union([z.string(), z.number()]))

const stepSchema = z.strictObject({
  name: z.string().min(1),
  /** Makes data; `--prepare` runs these alone. */
  prepare: z.boolean().default(false),
  /** May run at the same time as the entry before it: neither needs what the other makes. */
  beside: z.boolean().default(false),
  /** A map of the recipe, by its path, or rows. */
  over: z.union([z.string(), z.array(row).min(1)]).optional(),
  minutes: z.number().positive().optional(),
  perUnit: z.number().positive().optional(),
  ask: words.optional(),
  choose: z.record(z.string(), z.string()).optional(),
  makes: z.string().optional(),
  stdout: z.string().optional(),
  run: words,
})

const stepsSchema = z.strictObject({
  needs: z.strictObject({
    python: z.array(z.string()),
    programs: z.array(z.string()),
    /** Shared libraries that a script loads by name. */
    libraries: z.array(z.string()).default([]),
    diskGB: z.number().positive(),
  }),
  steps: z.array(stepSchema).min(1),
})

type Step = z.infer<typeof stepSchema>
export type TrainingNeeds = z.infer<typeof stepsSchema>['needs']

export interface PlannedStep {
  readonly name: string
  /** Steps of one entry of the file (`over`), and of entries beside it, share it: none needs what another makes. */
  readonly group: number
  readonly prepare: boolean
  readonly minutes: number
  /** `{ask}` still stands in it: what `ask` prints is known when its turn comes. */
  readonly run: readonly string[]
  readonly ask: readonly string[] | null
  readonly makes: string | null
  readonly stdout: string | null
}

export interface PlanWords {
  readonly work: string
  readonly recipe: string
  readonly models: string
}

export interface TrainingPlan {
  readonly version: string
  readonly needs: TrainingNeeds
  readonly steps: readonly PlannedStep[]
}

/** @throws ConfigProblems naming every place of the steps' file or the recipe that is wrong */
export function planOf(stepsFile: string, given: PlanWords): TrainingPlan {
  const parsed = stepsSchema.safeParse(readYamlFile(stepsFile))
  if (!parsed.success) {
    throw new ConfigProblems(
      parsed.error.issues.map(({ path, message }) => `${stepsFile} ${path.join('.')}: ${message}`),
    )
  }
  const recipe = readYamlFile(given.recipe)
  const { version } = recipe
  if (typeof version !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(version)) {
    throw new ConfigProblems([`${given.recipe} version: a plain folder name, in quotes, got ${String(version)}`])
  }
  const problems: string[] = []
  const fixed = { ...given, version }
  let group = 0
  const steps = parsed.data.steps.flatMap((step) => {
    if (!step.beside) group += 1
    try {
      return rowsOf(step, recipe).map((values) => ({ ...laidOut(step, { ...fixed, ...values }, recipe), group }))
    } catch (thrown) {
      if (!(thrown instanceof PlanProblem)) throw thrown
      problems.push(`${stepsFile} ${step.name}: ${thrown.message}`)
      return []
    }
  })
  if (problems.length > 0) throw new ConfigProblems(problems)
  return { version, needs: parsed.data.needs, steps }
}

class PlanProblem extends Error {}

type Words = Readonly<Record<string, string>>

function rowsOf({ over }: Step, recipe: Record<string, unknown>): Words[] {
  if (over === undefined) return [{}]
  if (typeof over !== 'string') {
    return over.map((each) => Object.fromEntries(Object.entries(each).map(([key, value]) => [key, String(value)])))
  }
  const found = valueAt(recipe, over)
  if (typeof found !== 'object' || found === null) throw new PlanProblem(`the recipe has no map ${over}`)
  return Object.entries(found).map(([key, value]) => ({ key, value: String(value) }))
}

function valueAt(recipe: Record<string, unknown>, path: string): unknown {
  let value: unknown = recipe
  for (const key of path.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  }
  return value
}

function laidOut(step: Step, given: Words, recipe: Record<string, unknown>): Omit<PlannedStep, 'group'> {
  const filled = (text: string, words: Words): string =>
    text.replace(/\{([\w:.]+)\}/g, (whole, name: string) => {
      if (name === 'ask' && step.ask !== undefined) return whole
      const value = name.startsWith('recipe:') ? valueAt(recipe, name.slice(7)) : words[name]
      if (typeof value === 'string' || typeof value === 'number') return String(value)
      throw new PlanProblem(`${whole} is not known`)
    })
  const template = step.choose?.[given['key'] ?? ''] ?? step.choose?.['otherwise']
  const all = template === undefined ? given : { ...given, chosen: filled(template, given) }
  const optional = (text: string | undefined): string | null => (text === undefined ? null : filled(text, all))
  const units = Number(given['value'])
  return {
    name: filled(step.name, all),
    prepare: step.prepare,
    minutes: step.minutes ?? (step.perUnit ?? 0) * (Number.isFinite(units) ? units : 1),
    run: step.run.map((word) => filled(word, all)),
    ask: step.ask === undefined ? null : step.ask.map((word) => filled(word, all)),
    makes: optional(step.makes),
    stdout: optional(step.stdout),
  }
}
