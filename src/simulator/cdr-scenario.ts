/**
 * The figures of simulated telephone traffic: what `configs/simulation/default.yaml` holds, its types and limits. The
 * file is both the documentation and the bottom layer; a user's scenario is laid over it, then the campaign figures of
 * the chosen number plan, then prevalences from the command line. All problems are reported at once. Any thread.
 */
import { z } from 'zod'
import { ConfigProblems, readYamlFile } from '../config/load.ts'
import { projectRoot } from '../core/project.ts'
import type { Prevalence } from './cdr-prevalence.ts'

const defaultScenarioFile = `${projectRoot}configs/simulation/default.yaml`

export const hardNegativeKinds = [
  'dialler',
  'school_notification',
  'taxi_missed_call',
  'delivery_driver',
  'retry_storm',
  'conference',
  'test_calls',
] as const
export type HardNegativeKind = (typeof hardNegativeKinds)[number]

export const planNames = ['train', 'test'] as const
export type PlanName = (typeof planNames)[number]

const share = z.number().min(0).max(1)
const positive = z.number().positive().max(1e9)
const range = z
  .tuple([z.number().min(0).max(1e9), z.number().min(0).max(1e9)])
  .refine(([low, high]) => low <= high, 'low must not be above high')
const shares = z.tuple([share, share]).refine(([low, high]) => low <= high, 'low must not be above high')
const weights = <Name extends string>(names: readonly Name[]) => z.record(z.enum(names), z.number().min(0))
const hours = z.string().min(1)
const normalClass = z.strictObject({
  weight: z.number().min(0),
  hours,
  asr: share,
  holdingS: z.strictObject({ mu: z.number(), sigma: z.number().min(0).max(4) }),
  shortShare: share,
  abroadShare: share,
})
const episode = z.strictObject({ share, calls: range, durationS: range, hours })
const flashCall = z.strictObject({
  ...episode.shape,
  styles: weights(['pool', 'scattered', 'pin', 'own_range']),
  poolSize: range,
  prefixes: range,
  ringMeanS: range,
  ringSdS: range,
  ringS: range,
  calleeRejectShare: shares,
  accidentalAnswerShare: shares,
  answeredCampaignShare: share,
  answeredTalkS: range,
  resendShare: shares,
  resendS: range,
  scatteredValidShare: share,
})
const wangiri = z.strictObject({
  ...episode.shape,
  callers: range,
  ringS: range,
  answeredShare: shares,
  skipShare: shares,
  callbackShare: shares,
  callbackAfterS: range,
  callbackTalkS: range,
})
const tollFraud = z.strictObject({
  share,
  calls: range,
  hours,
  ranges: range,
  concurrent: range,
  talkS: range,
  testCalls: range,
  testLeadS: range,
  asr: shares,
})
const robocall = z.strictObject({
  ...episode.shape,
  callsPerNumberMean: positive,
  callsPerNumberSigma: z.number().min(0).max(2),
  asr: shares,
  talkMeanS: range,
  sameAreaShare: share,
  giveUpS: range,
})
const cliSpoof = z.strictObject({
  ...episode.shape,
  styles: weights(['domestic', 'well_known', 'impossible']),
  asr: shares,
  talkS: range,
})
const shortAnswerBurst = z.strictObject({
  share,
  calls: range,
  perMinute: range,
  hours,
  shortShare: shares,
  talkS: range,
  calledNumbers: range,
  reuseShare: shares,
})
const blocks = z
  .array(z.strictObject({ prefix: z.string().regex(/^[1-9]\d{0,7}$/), digits: z.number().int().min(8).max(15) }))
  .min(1)
const plan = z.strictObject({
  pins: z.string().regex(/^\d{1,10}$/),
  home: blocks,
  business: blocks,
  rented: blocks,
  abroad: blocks,
  premium: blocks,
  campaigns: z.record(z.string(), z.unknown()).optional(),
})

const scenario = z.strictObject({
  startsAtMs: z.number().int().min(0).max(4_000_000_000_000),
  hours: z.record(z.string(), z.array(z.number().min(0)).length(24)),
  normal: z.strictObject({ retail: normalClass, wholesale: normalClass, call_centre: normalClass }),
  people: z.strictObject({
    callsPerDay: positive,
    fill: z.number().min(0.01).max(1),
    withheldShare: share,
    redialShare: share,
    redialS: range,
    returnShare: share,
    returnS: range,
    unknownReleaseShare: share,
  }),
  ring: z.strictObject({
    answerMeanS: positive,
    answerSigma: z.number().min(0).max(2),
    noAnswerS: range,
    giveUpMeanS: positive,
    giveUpSigma: z.number().min(0).max(2),
    quickCancelShare: share,
    quickCancelS: range,
    postDialMedianS: positive,
    postDialSigma: z.number().min(0).max(2),
    abroadPostDialMedianS: positive,
  }),
  failures: weights(['cancel', 'no_answer', 'busy', 'not_found', 'rejected', 'congestion']),
  talkS: range,
  trunks: z.strictObject({
    access: z.number().int().min(1).max(1000),
    wholesale: z.number().int().min(1).max(1000),
    carrier: z.number().int().min(1).max(1000),
  }),
  hardNegatives: z.strictObject({
    dialler: episode,
    school_notification: episode,
    taxi_missed_call: episode,
    delivery_driver: episode,
    retry_storm: episode,
    conference: episode,
    test_calls: episode,
  }),
  campaigns: z.strictObject({
    flash_call: flashCall,
    wangiri,
    irsf: z.strictObject({ ...tollFraud.shape, callers: range }),
    robocall,
    pbx_hack: tollFraud,
    cli_spoof: cliSpoof,
    short_answer_burst: shortAnswerBurst,
  }),
  dirt: z.strictObject({
    duplicate: share,
    repeatS: range,
    late: share,
    lateS: range,
    disordered: share,
    disorderS: range,
    fork: share,
    answered_zero: share,
    unknown_release: share,
    caller_empty: share,
    caller_restricted: share,
    bad_utf8: share,
    bad_field: share,
  }),
  plans: z.strictObject({ train: plan, test: plan }),
})

export type Scenario = z.infer<typeof scenario>
export type NumberBlocks = z.infer<typeof blocks>
export type Dirt = Scenario['dirt']
export type DirtShares = Omit<Dirt, 'repeatS' | 'lateS' | 'disorderS'>

/** The shares alone, without how long things take. */
export function dirtShares({ repeatS: _repeat, lateS: _late, disorderS: _disorder, ...shares }: Dirt): DirtShares {
  return shares
}

type Tree = { [key: string]: unknown }

export interface ScenarioChoice {
  readonly plan: PlanName
  /** A YAML file laid over the shipped one. */
  readonly file?: string | undefined
  /** Share of all attempts by kind; what is not named stays as the scenario has it. */
  readonly prevalence?: Prevalence | undefined
}

/** @throws ConfigProblems with all problems at once */
export function loadScenario(choice: ScenarioChoice): Scenario {
  let tree: Tree = readYamlFile(defaultScenarioFile)
  if (choice.file !== undefined) tree = laid(tree, readYamlFile(choice.file))
  const own = ((tree['plans'] as Tree | undefined)?.[choice.plan] as Tree | undefined)?.['campaigns']
  if (isTree(own)) tree = laid(tree, { campaigns: own })
  for (const [kind, wanted] of Object.entries(choice.prevalence ?? {})) {
    tree = laid(tree, { campaigns: { [kind]: { share: wanted } } })
  }
  const parsed = scenario.safeParse(tree)
  if (!parsed.success) {
    throw new ConfigProblems(parsed.error.issues.map(({ path, message }) => `simulation ${path.join('.')}: ${message}`))
  }
  const problems = crossProblems(parsed.data)
  if (problems.length > 0) throw new ConfigProblems(problems)
  return parsed.data
}

function crossProblems({ hours, normal, hardNegatives, campaigns, dirt }: Scenario): string[] {
  const problems: string[] = []
  const groups = { normal, hardNegatives, campaigns }
  let together = 0
  for (const [group, members] of Object.entries(groups)) {
    for (const [name, figures] of Object.entries(members)) {
      if (hours[figures.hours] === undefined) {
        problems.push(`simulation ${group}.${name}.hours: no profile "${figures.hours}" in hours`)
      }
      if ('share' in figures) together += figures.share
    }
  }
  if (together > 1) problems.push(`simulation: the shares of campaigns and hard negatives add up to ${together}`)
  const dirty = Object.values(dirtShares(dirt)).reduce((sum, each) => sum + each, 0)
  if (dirty > 1) problems.push(`simulation dirt: the shares add up to ${dirty}`)
  return problems
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function laid(under: Tree, over: Tree): Tree {
  const out: Tree = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = out[key]
    out[key] = isTree(below) && isTree(value) ? laid(below, value) : value
  }
  return out
}
