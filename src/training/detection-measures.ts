/**
 * How well scores tell synthetic from human speech: equal error rate, area under the curve, Cllr, detection at a rate
 * of false alarms, reliability; and bootstrap intervals that draw speakers and systems, not calls, because calls of one
 * speaker or system are much alike. Pure.
 *
 *     human calls:   speakers are drawn again                 a speaker drawn twice counts twice
 *     spoof calls:   systems are drawn, then their speakers   one system alone: its speakers
 *     nothing to draw from (one speaker): calls are drawn
 */
import { quantile } from '../core/quantile.ts'

export interface Interval {
  readonly value: number
  /** Null: one call of a class tells nothing of how certain that is. */
  readonly low: number | null
  readonly high: number | null
}

/** One call (or stretch of it) as far as figures care. */
export interface Trial {
  readonly isSpoof: boolean
  readonly speaker: string
  readonly system: string
  /** Log-likelihood ratio, positive = synthetic. */
  readonly llr: number
  /** Highest ratio at which the call would have raised an alarm; -Infinity: at none. */
  readonly alarmLlr: number
  /** Net speech, hours: what false alarms are counted over. */
  readonly hours: number
}

/** How often each trial counts; all ones: as it is. */
export type Weights = Int32Array

const sum = (values: Iterable<number>): number => {
  let total = 0
  for (const value of values) total += value
  return total
}

/** Trials by ascending ratio, with the place of each among them. */
export interface Ranked {
  readonly trials: readonly Trial[]
  readonly byLlr: Int32Array
  /** Human trials that can alarm, loudest first; then the rest. */
  readonly byAlarm: Int32Array
}

export function ranked(trials: readonly Trial[]): Ranked {
  const places = Array.from(trials, (_, i) => i)
  return {
    trials,
    byLlr: Int32Array.from([...places].sort((a, b) => trials[a]!.llr - trials[b]!.llr)),
    byAlarm: Int32Array.from([...places].sort((a, b) => compare(trials[b]!.alarmLlr, trials[a]!.alarmLlr))),
  }
}

/** Like a - b, for infinities too. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}

export interface RocPoint {
  /** From this ratio on a trial counts as synthetic. */
  readonly llr: number
  readonly falseAlarm: number
  readonly miss: number
}

/** Errors at every distinct ratio, from "all are synthetic" to "none is". Empty where a class is missing. */
export function rocOf({ trials, byLlr }: Ranked, weights: Weights): RocPoint[] {
  let spoofs = 0
  let humans = 0
  for (const [i, trial] of trials.entries()) {
    if (trial.isSpoof) spoofs += weights[i]!
    else humans += weights[i]!
  }
  if (spoofs === 0 || humans === 0) return []
  const points: RocPoint[] = []
  let missed = 0
  let passed = 0
  for (let at = 0; at < byLlr.length; ) {
    const { llr } = trials[byLlr[at]!]!
    points.push({ llr, falseAlarm: 1 - passed / humans, miss: missed / spoofs })
    for (; at < byLlr.length && trials[byLlr[at]!]!.llr === llr; at += 1) {
      const trial = byLlr[at]!
      if (trials[trial]!.isSpoof) missed += weights[trial]!
      else passed += weights[trial]!
    }
  }
  points.push({ llr: Infinity, falseAlarm: 1 - passed / humans, miss: missed / spoofs })
  return points
}

/** Where misses are as frequent as false alarms, on the line between neighbouring points; NaN without both classes. */
export function equalErrorRate(rankedTrials: Ranked, weights: Weights): number {
  const points = rocOf(rankedTrials, weights)
  for (let at = 1; at < points.length; at += 1) {
    const before = points[at - 1]!
    const after = points[at]!
    if (after.miss < after.falseAlarm) continue
    const gapBefore = before.falseAlarm - before.miss
    const gapAfter = after.falseAlarm - after.miss
    const part = gapBefore === gapAfter ? 0 : gapBefore / (gapBefore - gapAfter)
    return before.miss + part * (after.miss - before.miss)
  }
  return Number.NaN
}

/** Chance that a synthetic trial has the higher ratio; ties count half. NaN without both classes. */
export function areaUnderCurve(rankedTrials: Ranked, weights: Weights): number {
  const points = rocOf(rankedTrials, weights)
  if (points.length === 0) return Number.NaN
  let area = 0
  for (let at = 1; at < points.length; at += 1) {
    const before = points[at - 1]!
    const after = points[at]!
    area += (before.falseAlarm - after.falseAlarm) * (1 - (before.miss + after.miss) / 2)
  }
  return area
}

/** Cost of the ratios as probabilities, bits; 0 perfect, 1 as good as saying nothing (Brummer and du Preez, 2006). */
export function costOfLlr({ trials }: Ranked, weights: Weights): number {
  const cost = [0, 0]
  const total = [0, 0]
  for (const [i, { isSpoof, llr }] of trials.entries()) {
    const side = isSpoof ? 1 : 0
    const z = isSpoof ? -llr : llr
    cost[side]! += weights[i]! * ((Math.max(0, z) + Math.log1p(Math.exp(-Math.abs(z)))) / Math.LN2)
    total[side]! += weights[i]!
  }
  return (cost[0]! / total[0]! + cost[1]! / total[1]!) / 2
}

/** Ratio above which no more than so many false alarms an hour come: the loudest human call that is one too many. */
export function alarmBound({ trials, byAlarm }: Ranked, weights: Weights, perHour: number): number {
  let hours = 0
  for (const [i, trial] of trials.entries()) if (!trial.isSpoof) hours += weights[i]! * trial.hours
  let alarms = 0
  for (let at = 0; at < byAlarm.length; ) {
    const { alarmLlr } = trials[byAlarm[at]!]!
    if (alarmLlr === -Infinity) break
    for (; at < byAlarm.length && trials[byAlarm[at]!]!.alarmLlr === alarmLlr; at += 1) {
      if (!trials[byAlarm[at]!]!.isSpoof) alarms += weights[byAlarm[at]!]!
    }
    if (alarms > perHour * hours) return alarmLlr
  }
  return -Infinity
}

/** Share of synthetic calls that alarm where human ones do so at most `perHour` times an hour; NaN without both. */
export function detectionAt(rankedTrials: Ranked, weights: Weights, perHour: number): number {
  const { trials } = rankedTrials
  const bound = alarmBound(rankedTrials, weights, perHour)
  let found = 0
  let spoofs = 0
  let humans = 0
  for (const [i, { isSpoof, alarmLlr }] of trials.entries()) {
    if (isSpoof) {
      spoofs += weights[i]!
      if (alarmLlr > bound) found += weights[i]!
    } else humans += weights[i]!
  }
  return spoofs === 0 || humans === 0 ? Number.NaN : found / spoofs
}

export interface ReliabilityBin {
  /** Mean probability that was told. */
  readonly told: number
  /** Share that was synthetic, both classes weighted alike. */
  readonly came: number
  readonly calls: number
}

/** Told against come, in ten bins of the told probability; the classes weigh alike, as the scores assume. */
export function reliabilityOf(trials: readonly Trial[]): ReliabilityBin[] {
  const spoofs = trials.filter(({ isSpoof }) => isSpoof).length
  const humans = trials.length - spoofs
  if (spoofs === 0 || humans === 0) return []
  const bins = Array.from({ length: 10 }, () => ({ told: 0, came: 0, weight: 0, calls: 0 }))
  for (const { isSpoof, llr } of trials) {
    const told = 1 / (1 + Math.exp(-llr))
    const weight = isSpoof ? 1 / spoofs : 1 / humans
    const bin = bins[Math.min(9, Math.floor(told * 10))]!
    bin.told += weight * told
    bin.weight += weight
    bin.calls += 1
    if (isSpoof) bin.came += weight
  }
  return bins
    .filter(({ calls }) => calls > 0)
    .map(({ told, came, weight, calls }) => ({ told: told / weight, came: came / weight, calls }))
}

/** Groups to draw from, by class. */
interface Clusters {
  /** Trials by speaker, or each alone. */
  readonly humans: readonly (readonly number[])[]
  /** Trials by speaker within system, or the same one level down. */
  readonly spoofs: readonly (readonly (readonly number[])[])[]
}

export type DrawnOver = 'speakers' | 'systems' | 'calls'

function grouped(places: readonly number[], keyOf: (place: number) => string): number[][] {
  const groups = new Map<string, number[]>()
  for (const place of places) {
    const key = keyOf(place)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [place])
    else group.push(place)
  }
  return [...groups.values()]
}

function clustersOf(trials: readonly Trial[]): Clusters & { readonly over: { human: DrawnOver; spoof: DrawnOver } } {
  const all = trials.map((_, i) => i)
  const speakerOf = (place: number): string => trials[place]!.speaker
  const human = all.filter((place) => !trials[place]!.isSpoof)
  const spoof = all.filter((place) => trials[place]!.isSpoof)
  const speakers = grouped(human, speakerOf)
  const systems = grouped(spoof, (place) => trials[place]!.system)
  const voices = grouped(spoof, speakerOf)
  const alone = (places: readonly number[]): number[][] => places.map((place) => [place])
  const spoofOver = systems.length > 1 ? 'systems' : voices.length > 1 ? 'speakers' : 'calls'
  return {
    humans: speakers.length > 1 ? speakers : alone(human),
    spoofs: {
      systems: () => systems.map((places) => grouped(places, speakerOf)),
      speakers: () => voices.map((places) => [places]),
      calls: () => alone(spoof).map((places) => [places]),
    }[spoofOver](),
    over: { human: speakers.length > 1 ? 'speakers' : 'calls', spoof: spoofOver },
  }
}

export type Measure = (rankedTrials: Ranked, weights: Weights) => number

export interface Bootstrap {
  /** Of each measure, in order; null where it cannot be had (a class is missing). */
  readonly intervals: readonly (Interval | null)[]
  readonly over: { readonly human: DrawnOver; readonly spoof: DrawnOver }
}

/** Values of measures with their 95 % percentile intervals over `rounds` draws. */
export function bootstrap(
  trials: readonly Trial[],
  measures: readonly Measure[],
  { rounds, random }: { rounds: number; random: () => number },
): Bootstrap {
  const all = ranked(trials)
  const once = new Int32Array(trials.length).fill(1)
  const values = measures.map((measure) => measure(all, once))
  const { humans, spoofs, over } = clustersOf(trials)
  const drawn = measures.map((): number[] => [])
  const weights = new Int32Array(trials.length)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const count = (places: readonly number[]): void => {
    for (const place of places) weights[place]! += 1
  }
  const canDraw = humans.length !== 1 && spoofs.flat().length !== 1 && values.some(Number.isFinite)
  for (let round = 0; round < rounds && canDraw; round += 1) {
    weights.fill(0)
    for (let i = 0; i < humans.length; i += 1) count(pick(humans))
    for (let i = 0; i < spoofs.length; i += 1) {
      const voices = pick(spoofs)
      for (let v = 0; v < voices.length; v += 1) count(pick(voices))
    }
    for (const [m, measure] of measures.entries()) drawn[m]!.push(measure(all, weights))
  }
  return { intervals: values.map((value, m) => intervalOf(value, drawn[m]!)), over }
}

function intervalOf(value: number, drawn: readonly number[]): Interval | null {
  if (!Number.isFinite(value)) return null
  const sorted = drawn.filter(Number.isFinite).sort((a, b) => a - b)
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) }
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length
}

/** A small generator with a fixed start (Mulberry32), so that a report is the same every time. */
export function repeatable(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
