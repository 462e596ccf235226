/**
 * From what came of labelled calls to the figures people read: overall and by system, condition, language, speech
 * length; false alarms by human group; labels, their times and their flapping. Figures have 95 % intervals. Pure.
 */
import { quantile } from '../core/quantile.ts'
import type { Label } from '../decisions/verdict-view.ts'
import { type CallFacts, speechLengthsS } from './call-facts.ts'
import * as measures from './detection-measures.ts'
import { type Measured, rateOf, shareOf } from './measures.ts'

/** A row of the list with what came of it. */
export interface JudgedCall {
  readonly file: string
  readonly isSpoof: boolean
  readonly speaker: string
  readonly system: string
  /** Other columns that calls are grouped by: condition, language ... */
  readonly groups: Readonly<Record<string, string>>
  readonly facts: CallFacts
}

export interface ReportOptions {
  readonly thresholds: { readonly synthetic: number; readonly human: number }
  /** Columns of `groups` to report by. */
  readonly groupedBy: readonly string[]
  /** Draws of each interval. */
  readonly rounds: number
}

export interface Figures {
  readonly human: number
  readonly spoof: number
  readonly eer: measures.Interval | null
  readonly auc: measures.Interval | null
  readonly cllr: measures.Interval | null
  /** Share of synthetic calls that alarm, at a threshold of one false alarm an hour of human speech. */
  readonly detectionAt1PerHour: measures.Interval | null
  /** What the intervals draw again. */
  readonly over: { readonly human: measures.DrawnOver; readonly spoof: measures.DrawnOver }
}

export interface AlarmFigures {
  readonly calls: number
  readonly hours: number
  readonly alarms: number
  /** Of human speech, at the shipped threshold; the interval that of a Poisson count. */
  readonly perHour: Measured | null
}

export interface CallFigures {
  readonly calls: number
  /** Labels at the end of the call. */
  readonly right: Measured | null
  readonly wrong: Measured | null
  readonly inconclusive: Measured | null
  readonly insufficient: Measured | null
  /** Medians and 90th percentiles over the calls that got one. */
  readonly firstLabel: TimeFigures
  readonly firstRightLabel: TimeFigures
  /** Changes after the first label. */
  readonly changesPerCall: number
  /** Calls whose label went from human to synthetic or back. */
  readonly turned: Measured | null
}

export interface TimeFigures {
  readonly calls: number
  readonly netSpeechS: { readonly median: number | null; readonly p90: number | null }
  readonly afterS: { readonly median: number | null; readonly p90: number | null }
}

export interface VoiceReport {
  readonly thresholds: ReportOptions['thresholds']
  readonly calls: { readonly human: number; readonly spoof: number; readonly unjudged: number }
  readonly humanSpeechHours: number
  readonly overall: Figures
  readonly bySystem: Readonly<Record<string, Figures>>
  /** Column -> value -> figures of the calls with it. */
  readonly by: Readonly<Record<string, Readonly<Record<string, Figures>>>>
  /** Seconds of net speech -> figures of the evidence at that moment; `all`, then by system. */
  readonly bySpeechLength: Readonly<Record<string, Readonly<Record<string, Figures>>>>
  readonly falseAlarms: AlarmFigures & {
    /** The same with speakers drawn again. */
    readonly perHourOverSpeakers: measures.Interval | null
    readonly bySpeaker: Readonly<Record<string, AlarmFigures>>
    readonly by: Readonly<Record<string, Readonly<Record<string, AlarmFigures>>>>
    /** The worst group of at least ten minutes of speech against the average. */
    readonly worstGroup: { readonly group: string; readonly timesAverage: number } | null
  }
  readonly engine: Readonly<Record<'human' | 'spoof', CallFigures>> & {
    bySystem: Readonly<Record<string, CallFigures>>
  }
  /** Curve of errors at the end of the call and by speech length; at most 200 points each. */
  readonly det: Readonly<Record<string, readonly { readonly falseAlarm: number; readonly miss: number }[]>>
  readonly reliability: readonly measures.ReliabilityBin[]
}

const curvePointsMax = 200
/** A group with less human speech says nothing about a rate. */
const groupHoursMin = 1 / 6

export function voiceReport(calls: readonly JudgedCall[], options: ReportOptions): VoiceReport {
  const { thresholds, groupedBy, rounds } = options
  const random = measures.repeatable(20_26)
  const humans = calls.filter(({ isSpoof }) => !isSpoof)
  const spoofs = calls.filter(({ isSpoof }) => isSpoof)
  const figures = (of: readonly JudgedCall[], llrOf: LlrOf): Figures => figuresOf(of, llrOf, rounds, random)
  const end: LlrOf = ({ facts }) => facts.endLlr
  const withHumans = (of: readonly JudgedCall[], llrOf: LlrOf): Figures => figures([...humans, ...of], llrOf)
  const systems = valuesOf(spoofs, ({ system }) => system)
  const bySystem = (llrOf: LlrOf): Record<string, Figures> =>
    table(systems, (name) =>
      withHumans(
        spoofs.filter(({ system }) => system === name),
        llrOf,
      ),
    )
  const lengths = speechLengthsS.map((_, at): [string, LlrOf] => [lengthName(at), ({ facts }) => facts.llrAfter[at]!])
  const curves: [string, LlrOf][] = [['end of call', end], ...lengths]
  return {
    thresholds,
    calls: {
      human: humans.length,
      spoof: spoofs.length,
      unjudged: calls.filter(({ facts }) => facts.endLlr === null).length,
    },
    humanSpeechHours: hoursOf(humans),
    overall: figures(calls, end),
    bySystem: bySystem(end),
    by: table(groupedBy, (column) =>
      Object.fromEntries(groupsOf(calls, humans, column).map(([value, group]) => [value, figures(group, end)])),
    ),
    bySpeechLength: Object.fromEntries(
      lengths.map(([name, llrOf]) => [name, { all: figures(calls, llrOf), ...bySystem(llrOf) }]),
    ),
    falseAlarms: falseAlarmsOf(humans, groupedBy, rounds, random),
    engine: {
      human: engineOf(humans),
      spoof: engineOf(spoofs),
      bySystem: table(systems, (name) => engineOf(spoofs.filter(({ system }) => system === name))),
    },
    det: Object.fromEntries(curves.map(([name, llrOf]) => [name, curveOf(trialsOf(calls, llrOf))])),
    reliability: measures.reliabilityOf(trialsOf(calls, end)),
  }
}

type LlrOf = (call: JudgedCall) => number | null

export function lengthName(at: number): string {
  return `${speechLengthsS[at]} s`
}

function table<T>(names: readonly string[], of: (name: string) => T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, of(name)]))
}

function valuesOf(calls: readonly JudgedCall[], of: (call: JudgedCall) => string): string[] {
  return [...new Set(calls.map(of))].filter((value) => value !== '').sort()
}

const groupOf =
  (column: string) =>
  ({ groups }: JudgedCall): string =>
    groups[column] ?? ''

/** Calls by a column's value. A column that people and systems never share, like family, is held against all people. */
function groupsOf(
  calls: readonly JudgedCall[],
  humans: readonly JudgedCall[],
  column: string,
): [string, JudgedCall[]][] {
  const values = valuesOf(calls, groupOf(column))
  const groups = values.map((value): [string, JudgedCall[]] => [
    value,
    calls.filter((call) => groupOf(column)(call) === value),
  ])
  const isShared = groups.some(([, of]) => of.some(({ isSpoof }) => isSpoof) && of.some(({ isSpoof }) => !isSpoof))
  if (isShared) return groups
  return groups.filter(([, of]) => of[0]?.isSpoof).map(([value, of]) => [value, [...humans, ...of]])
}

function hoursOf(calls: readonly JudgedCall[]): number {
  return calls.reduce((total, { facts }) => total + facts.netSpeechMs, 0) / 3_600_000
}

/** Calls without that evidence are no trials. */
function trialsOf(calls: readonly JudgedCall[], llrOf: LlrOf): measures.Trial[] {
  return calls.flatMap((call) => {
    const llr = llrOf(call)
    if (llr === null) return []
    const { isSpoof, speaker, system, facts } = call
    const alarmLlr = facts.alarmLlr ?? -Infinity
    return [{ isSpoof, speaker, system, llr, alarmLlr, hours: facts.netSpeechMs / 3_600_000 }]
  })
}

function figuresOf(calls: readonly JudgedCall[], llrOf: LlrOf, rounds: number, random: () => number): Figures {
  const trials = trialsOf(calls, llrOf)
  const spoof = trials.filter(({ isSpoof }) => isSpoof).length
  const detection: measures.Measure = (ranked, weights) => measures.detectionAt(ranked, weights, 1)
  const all = [measures.equalErrorRate, measures.areaUnderCurve, measures.costOfLlr, detection]
  const { intervals, over } = measures.bootstrap(trials, all, { rounds, random })
  const [eer = null, auc = null, cllr = null, detectionAt1PerHour = null] = intervals
  return { human: trials.length - spoof, spoof, eer, auc, cllr, detectionAt1PerHour, over }
}

/** Times that a call was labelled synthetic, from another label. */
function alarmsOf({ facts }: JudgedCall): number {
  return facts.labels.filter(({ label }) => label === 'likely_synthetic').length
}

function alarmFigures(humans: readonly JudgedCall[]): AlarmFigures {
  const hours = hoursOf(humans)
  const alarms = humans.reduce((total, call) => total + alarmsOf(call), 0)
  return { calls: humans.length, hours, alarms, perHour: rateOf(alarms, hours) }
}

function falseAlarmsOf(
  humans: readonly JudgedCall[],
  groupedBy: readonly string[],
  rounds: number,
  random: () => number,
): VoiceReport['falseAlarms'] {
  const speakers = valuesOf(humans, ({ speaker }) => speaker)
  const ofSpeaker = new Map(
    speakers.map((name) => [name, alarmFigures(humans.filter((call) => call.speaker === name))]),
  )
  const by = table(groupedBy, (column) =>
    table(valuesOf(humans, groupOf(column)), (value) =>
      alarmFigures(humans.filter((call) => groupOf(column)(call) === value)),
    ),
  )
  const all = alarmFigures(humans)
  const figures = [...ofSpeaker.values()]
  const rates = Array.from({ length: figures.length > 1 ? rounds : 0 }, () => {
    const drawn = figures.map(() => figures[Math.floor(random() * figures.length)]!)
    const hours = drawn.reduce((total, each) => total + each.hours, 0)
    return drawn.reduce((total, each) => total + each.alarms, 0) / hours
  }).sort((a, b) => a - b)
  const low = quantile(rates, 0.025)
  const high = quantile(rates, 0.975)
  const average = all.perHour?.value ?? Number.NaN
  const groups = Object.entries(by)
    .flatMap(([column, values]) =>
      Object.entries(values).map(([value, of]) => ({ group: `${column} ${value}`, ...of })),
    )
    .filter(({ hours }) => hours >= groupHoursMin)
    .map(({ group, perHour }) => ({ group, timesAverage: (perHour?.value ?? 0) / average }))
    .sort((a, b) => b.timesAverage - a.timesAverage)
  return {
    ...all,
    perHourOverSpeakers: low === null || high === null ? null : { value: average, low, high },
    bySpeaker: Object.fromEntries(ofSpeaker),
    by,
    worstGroup: average > 0 ? (groups[0] ?? null) : null,
  }
}

function engineOf(calls: readonly JudgedCall[]): CallFigures {
  const rightLabel = ({ isSpoof }: JudgedCall): Label => (isSpoof ? 'likely_synthetic' : 'likely_human')
  const wrongLabel = ({ isSpoof }: JudgedCall): Label => (isSpoof ? 'likely_human' : 'likely_synthetic')
  const share = (of: (call: JudgedCall) => boolean): Measured | null => shareOf(calls.filter(of).length, calls.length)
  const changes = calls.map(({ facts }) => Math.max(0, facts.labels.length - 1))
  return {
    calls: calls.length,
    right: share((call) => call.facts.endLabel === rightLabel(call)),
    wrong: share((call) => call.facts.endLabel === wrongLabel(call)),
    inconclusive: share((call) => call.facts.endLabel === 'inconclusive'),
    insufficient: share((call) => call.facts.endLabel === 'insufficient_speech'),
    firstLabel: timesOf(calls.flatMap(({ facts }) => facts.labels.slice(0, 1))),
    firstRightLabel: timesOf(
      calls.flatMap((call) => call.facts.labels.filter(({ label }) => label === rightLabel(call)).slice(0, 1)),
    ),
    changesPerCall: calls.length === 0 ? 0 : measures.mean(changes),
    turned: share(({ facts }) => {
      const names = new Set(facts.labels.map(({ label }) => label))
      return names.has('likely_human') && names.has('likely_synthetic')
    }),
  }
}

function timesOf(moments: readonly { readonly netSpeechMs: number; readonly afterMs: number }[]): TimeFigures {
  const of = (values: readonly number[]): { median: number | null; p90: number | null } => {
    const sorted = [...values].sort((a, b) => a - b)
    return { median: quantile(sorted, 0.5), p90: quantile(sorted, 0.9) }
  }
  return {
    calls: moments.length,
    netSpeechS: of(moments.map(({ netSpeechMs }) => netSpeechMs / 1000)),
    afterS: of(moments.map(({ afterMs }) => afterMs / 1000)),
  }
}

function curveOf(trials: readonly measures.Trial[]): { falseAlarm: number; miss: number }[] {
  const points = measures.rocOf(measures.ranked(trials), new Int32Array(trials.length).fill(1))
  const step = Math.max(1, points.length / curvePointsMax)
  const kept = points.filter(
    (_, at) => at === points.length - 1 || Math.floor(at / step) !== Math.floor((at - 1) / step),
  )
  return kept.map(({ falseAlarm, miss }) => ({ falseAlarm, miss }))
}
