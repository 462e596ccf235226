/**
 * Reads about call records for the API: traffic per step and per route, and what was odd about each source's records.
 * Traffic comes from the per-minute roll-up and, for records that came when their ids may have been forgotten, from the
 * merged table itself, so that no record counts twice. Main thread.
 */
import { isoSeconds, type Span, stepOf, within } from './report-span.ts'
import type { Store } from './store.ts'

export interface TrafficFilter {
  readonly source?: string | undefined
  readonly ingress?: string | undefined
  readonly egress?: string | undefined
}

/** Attempts and what became of them. Ratios are null where there is nothing to divide by. */
export interface Traffic {
  readonly attempts: number
  readonly answered: number
  readonly unanswered: number
  readonly cancelled: number
  readonly busy: number
  /** Answered, talked for 3 s or less. */
  readonly short: number
  /** Answer-seizure ratio: answered / attempts. */
  readonly asr: number | null
  /** Average call duration of answered calls, ms. */
  readonly acdMs: number | null
  /** short / answered. */
  readonly shortShare: number | null
}

export interface TrafficReport {
  readonly points: readonly (Traffic & { readonly at: string })[]
  /** Most attempts first. */
  readonly routes: readonly (Traffic & { readonly ingress: string; readonly egress: string })[]
}

export interface QualityDefect {
  readonly defect: string
  readonly count: number
  readonly examples: readonly { readonly at: string; readonly record: string; readonly detail: string }[]
}

export interface SourceQuality {
  readonly source: string
  readonly records: number
  readonly duplicates: number
  readonly rejected: number
  readonly skipped: number
  readonly defects: readonly QualityDefect[]
}

type Answer = Record<string, unknown>

const routesMax = 200
const examplesMax = 5

const sums = `sum(attempts) AS n, sum(answered) AS ok, sum(short) AS brief, sum(cancelled) AS gone,
  sum(busy) AS engaged, sum(talk_ms) AS talk`

/** Both halves of the traffic, in the columns of the roll-up. */
export const trafficRows = `
  SELECT minute, source, ingress, egress, attempts, answered, short, cancelled, busy, talk_ms
  FROM traffic_minutes
  WHERE minute >= fromUnixTimestamp({from:Int64}) AND minute < fromUnixTimestamp({to:Int64})
  UNION ALL
  SELECT toStartOfMinute(toDateTime(start_at, 'UTC')) AS minute, source, ingress, egress, 1 AS attempts,
    is_ok AS answered, is_ok AND talk BETWEEN 0 AND 3000 AS short, NOT is_ok AND NOT is_busy AND gave_up AS cancelled,
    NOT is_ok AND is_busy AS busy, if(is_ok, toUInt64(greatest(talk, 0)), toUInt64(0)) AS talk_ms
  FROM
  (
    SELECT start_at, source, ingress, egress, talk_ms AS talk, is_attempt, backfill,
      answer_at > toDateTime64(0, 6, 'UTC') AS is_ok, cause_q850 = 17 OR cause_sip IN (486, 600) AS is_busy,
      released_by = 'caller' OR cause_sip = 487 AS gave_up
    FROM cdrs FINAL
    WHERE start_at >= fromUnixTimestamp64Milli({from:Int64} * 1000)
      AND start_at < fromUnixTimestamp64Milli({to:Int64} * 1000)
  )
  WHERE is_attempt AND backfill`

export class CdrReports {
  readonly #store: Pick<Store, 'query'>

  constructor(store: Pick<Store, 'query'>) {
    this.#store = store
  }

  async traffic(span: Span, filter: TrafficFilter): Promise<TrafficReport> {
    const parameters: Record<string, string | number> = {
      from: Math.floor(span.fromMs / 60_000) * 60,
      to: Math.ceil(span.toMs / 60_000) * 60,
      step: span.stepSeconds,
    }
    const conditions: string[] = []
    for (const name of ['source', 'ingress', 'egress'] as const) {
      const value = filter[name]
      if (value === undefined) continue
      parameters[name] = value
      conditions.push(`${name} = {${name}:String}`)
    }
    const from = `FROM (${trafficRows}) ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}`
    const [points, routes] = await Promise.all([
      this.#store.query(`SELECT ${stepOf('minute')}, ${sums} ${from} GROUP BY at ORDER BY at`, parameters),
      this.#store.query(
        `SELECT ingress, egress, ${sums} ${from} GROUP BY ingress, egress ORDER BY n DESC LIMIT ${routesMax}`,
        parameters,
      ),
    ])
    return {
      points: points.map((row) => ({ at: isoSeconds(row['at']), ...trafficOf(row) })),
      routes: routes.map((row) => ({
        ingress: String(row['ingress']),
        egress: String(row['egress']),
        ...trafficOf(row),
      })),
    }
  }

  async quality(span: Pick<Span, 'fromMs' | 'toMs'>, source: string | undefined): Promise<SourceQuality[]> {
    const hourMs = 3_600_000
    const parameters: Record<string, string | number> = {
      from: Math.floor(span.fromMs / hourMs) * hourMs,
      to: Math.ceil(span.toMs / hourMs) * hourMs,
    }
    if (source !== undefined) parameters['source'] = source
    const only = source === undefined ? '' : 'AND source = {source:String}'
    const [counts, examples] = await Promise.all([
      this.#store.query(
        `SELECT source, defect, sum(count) AS n FROM source_quality WHERE ${within('hour')} ${only}
         GROUP BY source, defect ORDER BY source, n DESC, defect`,
        parameters,
      ),
      this.#store.query(
        `SELECT source, defect, at, record, detail FROM source_quality_examples WHERE ${within('at')} ${only}
         ORDER BY at DESC LIMIT ${examplesMax} BY source, defect`,
        parameters,
      ),
    ])
    return qualityOf(counts, examples)
  }
}

function trafficOf(row: Answer): Traffic {
  const [attempts, answered, short, cancelled, busy, talkMs] = ['n', 'ok', 'brief', 'gone', 'engaged', 'talk'].map(
    (name) => Number(row[name]),
  ) as [number, number, number, number, number, number]
  return {
    attempts,
    answered,
    unanswered: attempts - answered,
    cancelled,
    busy,
    short,
    asr: ratio(answered, attempts),
    acdMs: answered === 0 ? null : Math.round(talkMs / answered),
    shortShare: ratio(short, answered),
  }
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 10_000) / 10_000
}

function qualityOf(counts: readonly Answer[], examples: readonly Answer[]): SourceQuality[] {
  const bySource = new Map<string, QualityDefect[]>()
  for (const row of counts) {
    const [source, defect] = [String(row['source']), String(row['defect'])]
    const list = bySource.get(source) ?? []
    bySource.set(source, list)
    const shown = examples.filter((example) => example['source'] === source && example['defect'] === defect)
    list.push({
      defect,
      count: Number(row['n']),
      examples: shown.map(({ at, record, detail }) => ({
        at: String(at),
        record: String(record),
        detail: String(detail),
      })),
    })
  }
  return [...bySource].map(([source, defects]) => {
    const sum = (matches: (defect: string) => boolean): number =>
      defects.filter(({ defect }) => matches(defect)).reduce((total, { count }) => total + count, 0)
    return {
      source,
      records: sum((defect) => defect === 'records'),
      duplicates: sum((defect) => defect === 'duplicate'),
      rejected: sum((defect) => defect.startsWith('rejected:')),
      skipped: sum((defect) => defect.startsWith('skipped:')),
      defects: defects.filter(({ defect }) => defect !== 'records'),
    }
  })
}
