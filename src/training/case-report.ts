/** From what came of cases and campaigns to the figures people read, kind by kind. Pure. */
import { type CaseKind, caseKinds } from '../decisions/fraud-signal.ts'
import {
  averagePrecision,
  type CalibrationBin,
  calibrationOf,
  type Measured,
  median,
  type RankedLook,
  rateOf,
  shareOf,
} from './measures.ts'

export interface CampaignFacts {
  readonly name: string
  readonly label: string
  readonly calls: number
  readonly lastsS: number
  readonly underCase: number
  /** By a case of its own kind: after how many of its calls, and how long after the first of them. */
  readonly found: { readonly calls: number; readonly afterS: number } | null
  /** A case of another kind held it. */
  readonly foundAs: CaseKind | null
}

export interface CaseFacts {
  readonly kind: CaseKind
  readonly subject: string
  readonly score: number
  readonly isTrue: boolean
  /** Its evidence is of campaigns, if not of its kind. */
  readonly isFraud: boolean
  /** Campaign, episode or class that most of its evidence is of. */
  readonly mostly: string
}

export interface EvaluationFacts {
  readonly days: number
  readonly calls: number
  readonly unlabelled: number
  readonly campaigns: readonly CampaignFacts[]
  readonly cases: readonly CaseFacts[]
  readonly under: ReadonlyMap<string, { readonly all: number; readonly right: number }>
  readonly looks: readonly RankedLook[]
  readonly greyLooks: number
}

export interface Missed {
  readonly campaign: string
  readonly calls: number
  readonly lastsS: number
  readonly foundAs: CaseKind | null
}

export interface KindReport {
  readonly campaigns: number
  readonly found: number
  /** Found by a case of another kind only. */
  readonly foundAsOther: number
  /** Of campaigns. */
  readonly recall: Measured | null
  readonly cases: number
  readonly trueCases: number
  /** False by kind, but about a campaign of another. */
  readonly otherKind: number
  readonly precision: Measured | null
  readonly alertsPerDay: Measured | null
  /** Cases about no campaign at all. */
  readonly falsePerDay: Measured | null
  readonly callsToDetection: number | null
  readonly secondsToDetection: number | null
  /** Of all calls of campaigns, those that fell under a case as they came; of calls under a case, those rightly. */
  readonly callRecall: number | null
  readonly callPrecision: number | null
  readonly missed: readonly Missed[]
  readonly falseCases: readonly CaseFacts[]
}

export interface EvaluationReport {
  readonly calls: number
  readonly days: number
  readonly unlabelled: number
  readonly alertsPerDay: Measured | null
  readonly falsePerDay: Measured | null
  readonly kinds: Readonly<Partial<Record<CaseKind, KindReport>>>
  /** Over the windows that the flash-call scorer is asked about; the interval over the keys they belong to. */
  readonly flashCallPrAuc: Measured | null
  /** The probabilities of these windows against how often they were true. */
  readonly flashCallCalibration: readonly CalibrationBin[]
  readonly flashCallLooks: { readonly campaign: number; readonly clean: number; readonly grey: number }
}

/** Several runs as one: their days add up, their campaigns and keys are different ones. */
export function pooled(runs: readonly EvaluationFacts[]): EvaluationFacts {
  const under = new Map<string, { all: number; right: number }>()
  const looks: RankedLook[] = []
  let subjects = 0
  for (const run of runs) {
    for (const [kind, { all, right }] of run.under) {
      const sum = under.get(kind) ?? { all: 0, right: 0 }
      under.set(kind, { all: sum.all + all, right: sum.right + right })
    }
    let most = -1
    for (const look of run.looks) {
      most = Math.max(most, look.subject)
      looks.push({ ...look, subject: look.subject + subjects })
    }
    subjects += most + 1
  }
  const sum = (of: (run: EvaluationFacts) => number) => runs.reduce((total, run) => total + of(run), 0)
  const named = <T>(run: number, it: T, key: keyof T) => ({ ...it, [key]: `${run + 1}:${String(it[key])}` })
  return {
    days: sum((run) => run.days),
    calls: sum((run) => run.calls),
    unlabelled: sum((run) => run.unlabelled),
    campaigns: runs.flatMap((run, at) => run.campaigns.map((each) => named(at, each, 'name'))),
    cases: runs.flatMap((run, at) => run.cases.map((each) => named(at, each, 'mostly'))),
    under,
    looks,
    greyLooks: sum((run) => run.greyLooks),
  }
}

/** A small generator with a fixed start, so that a report is the same every time. */
function repeatable(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  }
}

export function reportOf(facts: EvaluationFacts): EvaluationReport {
  const { days, cases, looks } = facts
  const kinds = caseKinds.filter(
    (kind) => cases.some((each) => each.kind === kind) || facts.campaigns.some(({ label }) => label === kind),
  )
  const campaignLooks = looks.filter((look) => look.isCampaign).length
  return {
    calls: facts.calls,
    days,
    unlabelled: facts.unlabelled,
    alertsPerDay: rateOf(cases.length, days),
    falsePerDay: rateOf(cases.filter(({ isFraud }) => !isFraud).length, days),
    kinds: Object.fromEntries(kinds.map((kind) => [kind, kindReport(kind, facts)])),
    flashCallPrAuc: averagePrecision(looks, repeatable()),
    flashCallCalibration: calibrationOf(looks),
    flashCallLooks: { campaign: campaignLooks, clean: looks.length - campaignLooks, grey: facts.greyLooks },
  }
}

function kindReport(kind: CaseKind, facts: EvaluationFacts): KindReport {
  const { days, under } = facts
  const cases = facts.cases.filter((each) => each.kind === kind)
  const campaigns = facts.campaigns.filter(({ label }) => label === kind)
  const found = campaigns.flatMap((each) => (each.found === null ? [] : [each.found]))
  const missed = campaigns.filter((each) => each.found === null)
  const trueCases = cases.filter(({ isTrue }) => isTrue).length
  const callsUnder = under.get(kind)
  const calls = campaigns.reduce((sum, each) => sum + each.calls, 0)
  const underCase = campaigns.reduce((sum, each) => sum + each.underCase, 0)
  return {
    campaigns: campaigns.length,
    found: found.length,
    foundAsOther: missed.filter(({ foundAs }) => foundAs !== null).length,
    recall: shareOf(found.length, campaigns.length),
    cases: cases.length,
    trueCases,
    otherKind: cases.filter(({ isTrue, isFraud }) => !isTrue && isFraud).length,
    precision: shareOf(trueCases, cases.length),
    alertsPerDay: rateOf(cases.length, days),
    falsePerDay: rateOf(cases.filter(({ isFraud }) => !isFraud).length, days),
    callsToDetection: median(found.map((each) => each.calls)),
    secondsToDetection: median(found.map((each) => each.afterS)),
    callRecall: calls === 0 ? null : underCase / calls,
    callPrecision: callsUnder === undefined ? null : callsUnder.right / callsUnder.all,
    missed: missed.map(({ name, calls: of, lastsS, foundAs }) => ({ campaign: name, calls: of, lastsS, foundAs })),
    falseCases: cases.filter(({ isTrue }) => !isTrue),
  }
}
