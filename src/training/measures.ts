/**
 * Figures of detection with what is known of their certainty: shares (Wilson), rates (Poisson), average precision over
 * ranked looks with an interval over the subjects they belong to. Pure.
 */

export interface Measured {
  readonly value: number
  readonly low: number
  readonly high: number
}

const z95 = 1.959964

/** A share with its 95 % Wilson interval; null of nothing. */
export function shareOf(hits: number, all: number): Measured | null {
  if (all === 0) return null
  const value = hits / all
  const centre = (value + (z95 * z95) / (2 * all)) / (1 + (z95 * z95) / all)
  const half = (z95 * Math.sqrt((value * (1 - value)) / all + (z95 * z95) / (4 * all * all))) / (1 + (z95 * z95) / all)
  return { value, low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

/** Events a day with the 95 % interval of a Poisson count (Wilson and Hilferty's roots). */
export function rateOf(events: number, days: number): Measured | null {
  if (!(days > 0)) return null
  const root = (count: number, sign: number) =>
    count === 0 ? 0 : count * (1 - 1 / (9 * count) + (sign * z95) / (3 * Math.sqrt(count))) ** 3
  return { value: events / days, low: Math.max(0, root(events, -1)) / days, high: root(events + 1, 1) / days }
}

export interface RankedLook {
  readonly score: number
  readonly isCampaign: boolean
  /** Looks of one subject tell much the same: they are drawn together. */
  readonly subject: number
}

const resamples = 200

/** Average precision (area under the precision-recall curve); the interval by drawing subjects anew. */
export function averagePrecision(looks: readonly RankedLook[], random: () => number): Measured | null {
  if (!looks.some((look) => look.isCampaign)) return null
  const ranked = [...looks].sort((a, b) => b.score - a.score)
  const index = new Map<number, number>()
  for (const { subject } of ranked) if (!index.has(subject)) index.set(subject, index.size)
  const subjects = ranked.map(({ subject }) => index.get(subject)!)
  const drawn = new Int32Array(index.size)
  const values: number[] = []
  for (let round = 0; round < resamples; round++) {
    drawn.fill(0)
    for (let i = 0; i < drawn.length; i++) {
      const at = Math.floor(random() * drawn.length)
      drawn[at] = drawn[at]! + 1
    }
    const value = precisionOf(ranked, subjects, drawn)
    if (!Number.isNaN(value)) values.push(value)
  }
  values.sort((a, b) => a - b)
  const at = (share: number) => values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN
  return { value: precisionOf(ranked, subjects, drawn.fill(1)), low: at(0.025), high: at(0.975) }
}

/** Looks of one score count together: their order says nothing. */
function precisionOf(ranked: readonly RankedLook[], subjects: readonly number[], times: Int32Array): number {
  let hits = 0
  let all = 0
  let sum = 0
  for (let i = 0; i < ranked.length; ) {
    const { score } = ranked[i]!
    let fresh = 0
    for (; i < ranked.length && ranked[i]!.score === score; i++) {
      const weight = times[subjects[i]!]!
      all += weight
      if (ranked[i]!.isCampaign) fresh += weight
    }
    hits += fresh
    if (fresh > 0) sum += (fresh * hits) / all
  }
  return hits === 0 ? Number.NaN : sum / hits
}

/** The middle one; null of nothing. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** Of looks whose score lies in a bin: what was said of them, and how often it was true. */
export interface CalibrationBin {
  readonly from: number
  readonly to: number
  readonly looks: number
  readonly said: number
  readonly isTrue: number
}

const binEdges = [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1] as const

/** How often it is true what a scorer says. Bins without looks are left out. */
export function calibrationOf(looks: readonly RankedLook[]): CalibrationBin[] {
  return binEdges.slice(0, -1).flatMap((from, at) => {
    const to = binEdges[at + 1]!
    const here = looks.filter(({ score }) => score >= from && (score < to || to === 1))
    if (here.length === 0) return []
    const said = here.reduce((sum, { score }) => sum + score, 0) / here.length
    return [{ from, to, looks: here.length, said, isTrue: here.filter((look) => look.isCampaign).length / here.length }]
  })
}
