/**
 * Detection judged on simulated traffic that it was not made on: other numbers, another scenario, other seeds. The same
 * traffic goes through a detector for each scorer; runs of several seeds are pooled. Main thread of the command.
 */
import { join } from 'node:path'
import type { CdrConfig } from '../config/schema.ts'
import { projectRoot } from '../core/project.ts'
import type { FlashCallScorer } from '../decisions/flash-call-rule.ts'
import type { Prevalence } from '../simulator/cdr-prevalence.ts'
import { CdrTraffic } from '../simulator/cdr-traffic.ts'
import { type CallTruth, CaseEvaluation } from '../training/case-evaluation.ts'
import { type EvaluationFacts, type EvaluationReport, pooled, reportOf } from '../training/case-report.ts'

const scenarios = {
  /** Looked at in the first round of work. */
  first: join(projectRoot, 'configs/simulation/heldout.yaml'),
  /** Written before the rules were changed again, looked at after that only. */
  second: join(projectRoot, 'configs/simulation/heldout-2.yaml'),
} as const

export interface HeldOutSet {
  /** `1 %`, `clean` ... */
  readonly name: string
  readonly scenario: keyof typeof scenarios
  readonly prevalence: Prevalence
  readonly seeds: readonly number[]
  /** Attempts a second. */
  readonly rate: number
  readonly hours: number
}

const callsPerAdvance = 1000

/** @returns a report a scorer, all seeds pooled; `onCalls` is told how far it is */
export async function judgeHeldOut(
  set: HeldOutSet,
  scorers: Readonly<Record<string, FlashCallScorer>>,
  cdr: CdrConfig,
  onCalls: (done: number, all: number) => void,
): Promise<Record<string, EvaluationReport>> {
  const names = Object.keys(scorers)
  const facts = new Map<string, EvaluationFacts[]>(names.map((name) => [name, []]))
  const seconds = set.hours * 3600
  const attempts = Math.round(set.rate * seconds)
  let done = 0
  for (const seed of set.seeds) {
    const { prevalence } = set
    const file = scenarios[set.scenario]
    const traffic = new CdrTraffic({ plan: 'test', file, prevalence, seed, attempts, seconds })
    const truths = new Map<string, CallTruth>()
    const runs = Object.entries(scorers).map(([name, scorer]) => ({
      name,
      evaluation: new CaseEvaluation(cdr, scorer, (id) => truths.get(id)),
    }))
    for (let next = traffic.next(); next !== undefined; next = traffic.next()) {
      truths.set(next.record.id, next.truth)
      for (const { evaluation } of runs) evaluation.record(next.record)
      if (++done % callsPerAdvance !== 0) continue
      for (const { evaluation } of runs) await evaluation.advance()
      onCalls(done, attempts * set.seeds.length)
    }
    for (const { name, evaluation } of runs) facts.get(name)!.push(await evaluation.finish(set.hours / 24))
  }
  return Object.fromEntries([...facts].map(([name, each]) => [name, reportOf(pooled(each))]))
}

const rest = { irsf: 0.01, wangiri: 0.01, robocall: 0.01, pbx_hack: 0.01, cli_spoof: 0.01, short_answer_burst: 0.01 }
const none = { irsf: 0, wangiri: 0, robocall: 0, pbx_hack: 0, cli_spoof: 0, short_answer_burst: 0, flash_call: 0 }
const rare = Object.fromEntries(Object.keys(none).map((kind) => [kind, 0.001]))

const first = { scenario: 'first', rate: 10, hours: 24 } as const
/** A million attempts a day. */
const second = { scenario: 'second', rate: 11.574, hours: 24 } as const

/** Prevalence of flash calls; other kinds are as frequent, 1 % each at most, so that normal traffic stays the most. */
export const heldOutSets: readonly HeldOutSet[] = [
  { name: 'none', ...first, prevalence: none, seeds: [9101, 9102] },
  { name: '0.1 %', ...first, prevalence: rare, seeds: [9201, 9202] },
  { name: '1 %', ...first, prevalence: { ...rest, flash_call: 0.01 }, seeds: [9301, 9302] },
  { name: '10 %', ...first, prevalence: { ...rest, flash_call: 0.1 }, seeds: [9401], hours: 12 },
]

/** The same of the second file. */
export const secondSets: readonly HeldOutSet[] = [
  { name: 'second: none', ...second, prevalence: none, seeds: [8101, 8102] },
  { name: 'second: 0.1 %', ...second, prevalence: rare, seeds: [8201, 8202] },
  { name: 'second: 1 %', ...second, prevalence: { ...rest, flash_call: 0.01 }, seeds: [8301, 8302, 8303] },
  { name: 'second: 5 %', ...second, prevalence: { ...rest, flash_call: 0.05 }, seeds: [8401], hours: 12 },
]

/** Every other kind at 10 %, one at a time. */
export const heldOutKinds: readonly HeldOutSet[] = Object.keys(rest).map((kind, at) => ({
  name: `10 % ${kind}`,
  ...first,
  prevalence: { ...rest, flash_call: 0.01, [kind]: 0.1 },
  seeds: [9501 + at],
  hours: 6,
}))
