/**
 * Reads about listened-to calls over a span of time, for the API: how they ended and how they were judged, model by
 * model, and how long after its audio a window was judged. A track counts once, in its newest state; a window that a
 * retry wrote twice counts once. Main thread.
 */
import { isoSeconds, type Span, spanParameters, stepOf, within } from './report-span.ts'
import type { Store } from './store.ts'

/** Labels as the verdict has them; `none` where nothing was decided yet. */
export type LabelCounts = Readonly<Record<string, number>>

export interface OverviewReport {
  readonly tracks: number
  readonly calls: number
  readonly audioMs: number
  readonly netSpeechMs: number
  readonly gapMs: number
  readonly lostMs: number
  readonly states: Readonly<Record<string, number>>
  readonly labels: LabelCounts
  readonly callRecords: { readonly attempts: number; readonly answered: number }
  readonly cases: { readonly opened: number; readonly live: number }
  readonly points: readonly { readonly at: string; readonly tracks: number; readonly labels: LabelCounts }[]
}

export interface VerdictsReport {
  readonly models: readonly {
    readonly model: string
    readonly tracks: number
    readonly scored: number
    readonly labels: LabelCounts
    readonly netSpeechMsMean: number
    readonly confidenceMean: number
    /** Scored tracks by last score: ten bins of equal width over 0..1. */
    readonly scoreHistogram: readonly number[]
  }[]
  /** Over tracks that got a label beyond inconclusive: end of the first window that had it, in ms of the call. */
  readonly firstLabelMs: Quantiles | null
  /** Of the same tracks: changes of label from one judged window to the next. */
  readonly labelChangesMean: number | null
}

/**
 * Of a window: from when its newest audio was due (start of the call + media time) to its score. The start is when the
 * stream began here, so audio that comes ahead of its time, as after a stall or from a simulator, makes it negative.
 */
export interface LatencyReport {
  readonly windows: number
  readonly delayMs: Quantiles | null
  readonly points: readonly ({ readonly at: string; readonly windows: number } & Quantiles)[]
}

export interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

type Answer = Record<string, unknown>
type Parameters = Record<string, string | number>

const binCount = 10
const decided = `('likely_synthetic', 'likely_human', 'benign_automation')`
const labelOf = `if(label = '', 'none', label) AS named`
const delay = `dateDiff('millisecond', started_at, scored_at) - toInt64(end_ms)`
/** One row a window: a retried insert may have told it twice. */
const judged = `SELECT any(started_at) AS started_at, min(scored_at) AS scored_at, end_ms, any(label) AS label,
    call_sid, track
  FROM voice_windows WHERE ${within('voice_windows.started_at')} AND has_score GROUP BY call_sid, track, end_ms`
const quantiles = (value: string) =>
  `quantileExact(0.5)(${value}) AS p50, quantileExact(0.95)(${value}) AS p95, quantileExact(0.99)(${value}) AS p99,
   max(${value}) AS most`

export class VoiceReports {
  readonly #store: Pick<Store, 'query'>

  constructor(store: Pick<Store, 'query'>) {
    this.#store = store
  }

  /** Tracks, call records and cases that began in the span. */
  async overview(span: Span): Promise<OverviewReport> {
    const ask = (sql: string) => this.#store.query(sql, parametersOf(span))
    const tracks = `FROM calls FINAL WHERE ${within('started_at')}`
    const [sums, states, labels, records, cases] = await Promise.all([
      ask(`SELECT count() AS n, uniqExact(call_sid) AS sids, sum(audio_ms) AS audio, sum(net_speech_ms) AS speech,
             sum(gap_ms) AS gap, sum(lost_ms) AS lost ${tracks}`),
      ask(`SELECT state AS name, count() AS n ${tracks} GROUP BY name ORDER BY name`),
      ask(`SELECT ${stepOf('started_at')}, ${labelOf}, count() AS n ${tracks} GROUP BY at, named ORDER BY at, named`),
      ask(`SELECT count() AS n, countIf(answered) AS ok FROM cdrs FINAL WHERE ${within('start_at')} AND is_attempt`),
      ask(`SELECT count() AS n, countIf(state IN ('open', 'cooled')) AS live FROM cases FINAL
           WHERE ${within('opened_at')} AND state != 'merged'`),
    ])
    const number = (rows: readonly Answer[], name: string): number => Number(rows[0]?.[name] ?? 0)
    return {
      tracks: number(sums, 'n'),
      calls: number(sums, 'sids'),
      audioMs: number(sums, 'audio'),
      netSpeechMs: number(sums, 'speech'),
      gapMs: number(sums, 'gap'),
      lostMs: number(sums, 'lost'),
      states: Object.fromEntries(states.map((row) => [String(row['name']), Number(row['n'])])),
      labels: labelsOf(labels),
      callRecords: { attempts: number(records, 'n'), answered: number(records, 'ok') },
      cases: { opened: number(cases, 'n'), live: number(cases, 'live') },
      points: pointsOf(labels),
    }
  }

  /** Tracks that began in the span, by the model that judged them last. */
  async verdicts(span: Span): Promise<VerdictsReport> {
    const ask = (sql: string) => this.#store.query(sql, parametersOf(span))
    const bin = `toUInt8(least(${binCount - 1}, floor(score * ${binCount})))`
    const [models, labels, changes] = await Promise.all([
      ask(`SELECT model, count() AS n, countIf(has_score) AS scored, avg(net_speech_ms) AS speech,
             avg(confidence) AS sure,
             ${Array.from({ length: binCount }, (_, i) => `countIf(has_score AND ${bin} = ${i}) AS bin${i}`).join(', ')}
           FROM calls FINAL WHERE ${within('started_at')} GROUP BY model ORDER BY n DESC, model LIMIT 100`),
      ask(`SELECT model, ${labelOf}, count() AS n FROM calls FINAL WHERE ${within('started_at')}
           GROUP BY model, named ORDER BY model, named`),
      ask(`SELECT ${quantiles('first_ms')}, avg(changes) AS changed, count() AS tracks FROM
           (SELECT minIf(end_ms, label IN ${decided}) AS first_ms,
              arrayCount((now, was) -> now != was, arraySlice(groupArray(label), 2), arrayPopBack(groupArray(label)))
                AS changes
            FROM (SELECT * FROM (${judged}) ORDER BY call_sid, track, end_ms) GROUP BY call_sid, track)
           WHERE first_ms > 0`),
    ])
    const [told = {}] = changes
    const tracks = Number(told['tracks'] ?? 0)
    return {
      models: models.map((row) => ({
        model: String(row['model']),
        tracks: Number(row['n']),
        scored: Number(row['scored']),
        labels: labelsOf(labels.filter(({ model }) => model === row['model'])),
        netSpeechMsMean: Math.round(Number(row['speech'])),
        confidenceMean: rounded(row['sure']),
        scoreHistogram: Array.from({ length: binCount }, (_, i) => Number(row[`bin${i}`])),
      })),
      firstLabelMs: tracks > 0 ? quantilesOf(told) : null,
      labelChangesMean: tracks > 0 ? rounded(told['changed']) : null,
    }
  }

  /** Judged windows of tracks that began in the span, by when they were judged. */
  async latency(span: Span): Promise<LatencyReport> {
    const ask = (sql: string) => this.#store.query(sql, parametersOf(span))
    const [whole, steps] = await Promise.all([
      ask(`SELECT count() AS n, ${quantiles(delay)} FROM (${judged})`),
      ask(`SELECT ${stepOf('scored_at')}, count() AS n, ${quantiles(delay)} FROM (${judged}) GROUP BY at ORDER BY at`),
    ])
    const windows = Number(whole[0]?.['n'] ?? 0)
    return {
      windows,
      delayMs: windows > 0 ? quantilesOf(whole[0] ?? {}) : null,
      points: steps.map((row) => ({ at: isoSeconds(row['at']), windows: Number(row['n']), ...quantilesOf(row) })),
    }
  }
}

function parametersOf({ fromMs, toMs, stepSeconds }: Span): Parameters {
  return { ...spanParameters(fromMs, toMs), step: stepSeconds }
}

function labelsOf(rows: readonly Answer[]): LabelCounts {
  const counts: Record<string, number> = {}
  for (const row of rows) {
    const name = String(row['named'])
    counts[name] = (counts[name] ?? 0) + Number(row['n'])
  }
  return counts
}

function pointsOf(rows: readonly Answer[]): OverviewReport['points'] {
  const steps = new Map<number, Answer[]>()
  for (const row of rows) {
    const at = Number(row['at'])
    const step = steps.get(at)
    if (step === undefined) steps.set(at, [row])
    else step.push(row)
  }
  return [...steps].map(([at, step]) => {
    const labels = labelsOf(step)
    return { at: isoSeconds(at), tracks: Object.values(labels).reduce((sum, n) => sum + n, 0), labels }
  })
}

function quantilesOf(row: Answer): Quantiles {
  const number = (name: string): number => Number(row[name])
  return { p50: number('p50'), p95: number('p95'), p99: number('p99'), max: number('most') }
}

function rounded(value: unknown): number {
  return Math.round(Number(value) * 1000) / 1000
}
