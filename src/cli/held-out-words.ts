/** Held-out figures as manifests keep them and tables show them. Pure. */
import type { CaseKind } from '../decisions/fraud-signal.ts'
import type { EvaluationReport, KindReport } from '../training/case-report.ts'
import type { Measured } from '../training/measures.ts'
import type { HeldOutSet } from './held-out-runs.ts'

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

function measured(of: Measured | null, digits: number): Measured | null {
  if (of === null) return null
  return { value: rounded(of.value, digits), low: rounded(of.low, digits), high: rounded(of.high, digits) }
}

/** The figures of one kind that a manifest keeps. */
export function brief(report: EvaluationReport, kind: CaseKind): Record<string, unknown> {
  const of = report.kinds[kind]
  const days = rounded(report.days, 2)
  if (of === undefined) return { days, calls: report.calls, campaigns: 0, cases: 0, falsePerDay: 0 }
  return {
    days,
    calls: report.calls,
    campaigns: of.campaigns,
    found: of.found,
    recall: measured(of.recall, 3),
    cases: of.cases,
    precision: measured(of.precision, 3),
    alertsPerDay: measured(of.alertsPerDay, 2),
    falsePerDay: measured(of.falsePerDay, 2),
    callsToDetection: of.callsToDetection,
    secondsToDetection: of.secondsToDetection === null ? null : rounded(of.secondsToDetection, 0),
    callRecall: of.callRecall === null ? null : rounded(of.callRecall, 3),
    prAuc: kind === 'flash_call' ? measured(report.flashCallPrAuc, 4) : undefined,
    missed: of.missed.map(({ campaign, calls, lastsS }) => ({ campaign, calls, lastsS: Math.round(lastsS) })),
  }
}

/** What was missed or wrong on a set, in sentences. */
export function limitsOf(set: HeldOutSet, report: EvaluationReport): string[] {
  const of = report.kinds.flash_call
  if (of === undefined) return []
  const out: string[] = []
  if (of.missed.length > 0) {
    const small = of.missed.map(({ calls, lastsS }) => `${calls} calls in ${Math.round(lastsS / 60)} min`)
    const missed = `missed ${of.missed.length} of ${of.campaigns} campaigns`
    out.push(`Held-out, flash calls ${set.name}: ${missed}: ${small.join('; ')}.`)
  }
  const wrong = of.falseCases.length
  if (wrong > 0) {
    out.push(
      `Held-out, flash calls ${set.name}: ${wrong} of ${of.cases} cases in ${report.days.toFixed(1)} days were wrong.`,
    )
  }
  return out
}

function share(of: Measured | null): string {
  return of === null ? '-' : `${of.value.toFixed(2)} (${of.low.toFixed(2)}-${of.high.toFixed(2)})`
}

function rate(of: Measured | null): string {
  return of === null ? '-' : `${of.value.toFixed(1)} (${of.low.toFixed(1)}-${of.high.toFixed(1)})`
}

export const tableHead = [
  'kind',
  'flash calls scored by',
  'campaigns found',
  'recall',
  'cases right',
  'precision',
  'alerts/day',
  'false/day',
  'calls to detection',
  'seconds to detection',
  'calls met',
] as const

/** One row of the evaluation table. */
export function tableRow(kind: string, scorer: string, of: KindReport): string[] {
  const whole = (value: number | null) => (value === null ? '-' : String(Math.round(value)))
  return [
    kind,
    scorer,
    `${of.found} of ${of.campaigns}${of.foundAsOther > 0 ? ` (+${of.foundAsOther} as another kind)` : ''}`,
    share(of.recall),
    `${of.trueCases} of ${of.cases}${of.otherKind > 0 ? ` (+${of.otherKind} another kind)` : ''}`,
    share(of.precision),
    rate(of.alertsPerDay),
    rate(of.falsePerDay),
    whole(of.callsToDetection),
    whole(of.secondsToDetection),
    of.callRecall === null ? '-' : of.callRecall.toFixed(2),
  ]
}
