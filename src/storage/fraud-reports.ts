/**
 * Reads about cases and numbers for the API: a case's call records, its subject's traffic, what its calls were worth;
 * a number's last day; fraud over a span of time. Rows of scores are counted by call, so one that was written twice
 * counts once. Main thread.
 */
import type { Subject } from '../decisions/case-subjects.ts'
import { isoSeconds, type Span, spanParameters, stepOf, within } from './report-span.ts'
import type { Store } from './store.ts'

export interface CdrView {
  readonly id: string
  readonly source: string
  readonly startAt: string
  readonly from: string
  readonly to: string
  readonly ingress: string
  readonly egress: string
  readonly answered: boolean
  readonly ringMs: number | null
  readonly talkMs: number | null
  readonly causeQ850: number | null
  readonly causeSip: number | null
  readonly releasedBy: string
}

export interface SubjectTraffic {
  readonly attempts: number
  readonly answered: number
  readonly unanswered: number
  /** Answered, over within 3 s. */
  readonly short: number
  /** Over before anybody could answer. */
  readonly blink: number
}

export interface SubjectSeries {
  readonly stepSeconds: number
  readonly points: readonly (SubjectTraffic & { readonly at: string })[]
}

export type ActionCounts = Readonly<Record<string, number>>

export interface CaseScores {
  readonly calls: number
  readonly actions: ActionCounts
}

export interface NumberTraffic extends SubjectTraffic {
  /** Different numbers on the other side. */
  readonly others: number
  readonly talkMs: number
}

export interface FraudReport {
  readonly points: readonly {
    readonly at: string
    readonly opened: number
    readonly calls: number
    readonly actions: ActionCounts
  }[]
  readonly kinds: readonly {
    readonly kind: string
    readonly opened: number
    readonly live: number
    readonly confirmed: number
    readonly dismissed: number
    readonly calls: number
  }[]
}

type Answer = Record<string, unknown>
type Parameters = Record<string, string | number>

const dayMs = 86_400_000
const pointsMax = 200
const steps = [60, 300, 900, 3600, 14_400, 86_400]
const actions = ['allow', 'label', 'challenge', 'divert', 'block'] as const
const recentMax = 50
const recentDays = 30

const callColumns = `id, source, start_at, from_number, to_number, to_raw, ingress, egress, answered, ring_ms, talk_ms,
  cause_q850, cause_sip, released_by`

/** As features/call-event.ts has it: somebody must have ended it, and the network must not have failed. */
const blink = `NOT answered AND cause_sip != 404 AND cause_sip < 500
  AND cause_q850 NOT IN (1, 2, 3, 5, 25, 27, 28, 34, 38, 41, 42, 44, 47, 58, 63, 88, 102, 127)
  AND if(ring_ms >= 0, ring_ms <= 5000, end_at > start_at
    AND dateDiff('millisecond', start_at, end_at) BETWEEN 300 AND 8000
    AND (released_by IN ('caller', 'callee') OR cause_sip IN (486, 487, 603)))`

const sums = `count() AS n, countIf(answered) AS ok, countIf(answered AND talk_ms BETWEEN 0 AND 3000) AS brief,
  countIf(${blink}) AS blinks`

const route = `if(ingress != '', ingress, if(egress != '', egress, source))`
const begun = within('start_at')
/** How strong the strongest action for a call was, 1 to 5. */
const strongest = `max(indexOf(['${actions.join("', '")}'], intended))`

export class FraudReports {
  readonly #store: Pick<Store, 'query'>

  constructor(store: Pick<Store, 'query'>) {
    this.#store = store
  }

  /** Calls by id that began in the span, oldest first. */
  async calls(ids: readonly string[], fromMs: number, toMs: number): Promise<CdrView[]> {
    if (ids.length === 0) return []
    const rows = await this.#store.query(
      `SELECT ${callColumns} FROM cdrs FINAL WHERE ${begun} AND has(splitByChar('\\n', {ids:String}), id)
       ORDER BY start_at, id LIMIT 1000`,
      { ...spanParameters(fromMs, toMs), ids: ids.join('\n') },
    )
    return rows.map(cdrView)
  }

  /** The traffic of a subject around a span. */
  async series(subject: Subject, fromMs: number, toMs: number): Promise<SubjectSeries> {
    const stepSeconds = steps.find((step) => (toMs - fromMs) / 1000 / step <= pointsMax) ?? 86_400
    const { condition, parameters } = conditionOf(subject)
    const rows = await this.#store.query(
      `SELECT ${stepOf('start_at')}, ${sums} FROM cdrs FINAL
       WHERE ${begun} AND is_attempt AND ${condition} GROUP BY at ORDER BY at LIMIT 2000`,
      { ...spanParameters(fromMs, toMs), ...parameters, step: stepSeconds },
    )
    return { stepSeconds, points: rows.map((row) => ({ at: isoSeconds(row['at']), ...trafficOf(row) })) }
  }

  /** What the calls under a case were worth. */
  async scores(caseId: string, fromMs: number, toMs: number): Promise<CaseScores> {
    const rows = await this.#store.query(
      `SELECT intended, count() AS n FROM
       (SELECT argMax(intended, scored_at) AS intended FROM cdr_scores WHERE ${begun} AND case_id = {id:String}
        GROUP BY source, id) GROUP BY intended`,
      { ...spanParameters(fromMs, toMs), id: caseId },
    )
    const counts: Record<string, number> = { ...zero }
    for (const row of rows) counts[String(row['intended'])] = Number(row['n'])
    return { calls: Object.values(counts).reduce((sum, n) => sum + n, 0), actions: counts }
  }

  /** A number's calls of the last day, by side, and its newest ones. */
  async number(
    digits: string,
    nowMs: number,
  ): Promise<{
    asCaller: NumberTraffic
    asCalled: NumberTraffic
    recent: CdrView[]
  }> {
    const side = async (own: string, other: string): Promise<NumberTraffic> => {
      const [row = {}] = await this.#store.query(
        `SELECT ${sums}, uniqExact(${other}) AS others, sumIf(talk_ms, answered AND talk_ms > 0) AS talk
         FROM cdrs FINAL WHERE ${begun} AND is_attempt AND ${own} = {number:String}`,
        { ...spanParameters(nowMs - dayMs, nowMs + dayMs), number: digits },
      )
      return { ...trafficOf(row), others: Number(row['others'] ?? 0), talkMs: Number(row['talk'] ?? 0) }
    }
    const [asCaller, asCalled, recent] = await Promise.all([
      side('from_number', 'to_number'),
      side('to_number', 'from_number'),
      this.#store.query(
        `SELECT ${callColumns} FROM cdrs FINAL WHERE ${begun}
         AND (from_number = {number:String} OR to_number = {number:String}) ORDER BY start_at DESC LIMIT ${recentMax}`,
        { ...spanParameters(nowMs - recentDays * dayMs, nowMs + dayMs), number: digits },
      ),
    ])
    return { asCaller, asCalled, recent: recent.map(cdrView) }
  }

  /** Cases and the calls under them over a span. */
  async report({ fromMs, toMs, stepSeconds }: Span): Promise<FraudReport> {
    const parameters = { ...spanParameters(fromMs, toMs), step: stepSeconds }
    const opened = within('opened_at')
    const [cases, calls, kinds] = await Promise.all([
      this.#store.query(
        `SELECT ${stepOf('opened_at')}, count() AS n FROM cases FINAL
         WHERE ${opened} AND state != 'merged' GROUP BY at`,
        parameters,
      ),
      this.#store.query(
        `SELECT ${stepOf('start')}, action, count() AS n FROM
         (SELECT any(start_at) AS start, ${strongest} AS action FROM cdr_scores WHERE ${begun} GROUP BY source, id)
         GROUP BY at, action`,
        parameters,
      ),
      this.#store.query(
        `SELECT kind, count() AS opened, countIf(state IN ('open', 'cooled')) AS live,
           countIf(verdict = 'confirmed') AS confirmed, countIf(verdict = 'dismissed') AS dismissed, sum(calls) AS n
         FROM cases FINAL WHERE ${opened} AND state != 'merged' GROUP BY kind ORDER BY opened DESC, kind`,
        parameters,
      ),
    ])
    return { points: pointsOf(cases, calls), kinds: kinds.map(kindOf) }
  }
}

const zero = Object.fromEntries(actions.map((action) => [action, 0]))

function pointsOf(cases: readonly Answer[], calls: readonly Answer[]): FraudReport['points'] {
  const points = new Map<number, { opened: number; calls: number; actions: Record<string, number> }>()
  const at = (row: Answer) => {
    const time = Number(row['at'])
    const known = points.get(time)
    if (known !== undefined) return known
    const made = { opened: 0, calls: 0, actions: { ...zero } }
    points.set(time, made)
    return made
  }
  for (const row of cases) at(row).opened += Number(row['n'])
  for (const row of calls) {
    const point = at(row)
    point.calls += Number(row['n'])
    point.actions[actions[Number(row['action']) - 1] ?? 'allow'] = Number(row['n'])
  }
  return [...points].sort(([a], [b]) => a - b).map(([time, point]) => ({ at: isoSeconds(time), ...point }))
}

function kindOf(row: Answer): FraudReport['kinds'][number] {
  const number = (name: string): number => Number(row[name])
  return {
    kind: String(row['kind']),
    opened: number('opened'),
    live: number('live'),
    confirmed: number('confirmed'),
    dismissed: number('dismissed'),
    calls: number('n'),
  }
}

/** Calls of a subject, as decisions/case-subjects.ts has them. */
function conditionOf({ type, value }: Subject): { condition: string; parameters: Parameters } {
  const called = `if(to_number != '', to_number, to_raw)`
  if (type === 'number') return { condition: 'from_number = {value:String}', parameters: { value } }
  if (type === 'range') return { condition: 'startsWith(from_number, {value:String})', parameters: { value } }
  if (type === 'called_number') return { condition: `${called} = {value:String}`, parameters: { value } }
  if (type === 'route') return { condition: `${route} = {value:String}`, parameters: { value } }
  const at = value.lastIndexOf('>')
  const parameters = { value: value.slice(0, at), digits: value.slice(at + 1) }
  return { condition: `${route} = {value:String} AND startsWith(${called}, {digits:String})`, parameters }
}

function trafficOf(row: Answer): SubjectTraffic {
  const [attempts, answered] = [Number(row['n'] ?? 0), Number(row['ok'] ?? 0)]
  const [short, blinks] = [Number(row['brief'] ?? 0), Number(row['blinks'] ?? 0)]
  return { attempts, answered, unanswered: attempts - answered, short, blink: blinks }
}

function cdrView(row: Answer): CdrView {
  const known = (name: string, unknown: number): number | null => {
    const value = Number(row[name])
    return value === unknown ? null : value
  }
  return {
    id: String(row['id']),
    source: String(row['source']),
    startAt: new Date(String(row['start_at'])).toISOString(),
    from: String(row['from_number']),
    to: String(row['to_number'] || row['to_raw']),
    ingress: String(row['ingress']),
    egress: String(row['egress']),
    answered: Number(row['answered']) === 1,
    ringMs: known('ring_ms', -1),
    talkMs: known('talk_ms', -1),
    causeQ850: known('cause_q850', 0),
    causeSip: known('cause_sip', 0),
    releasedBy: String(row['released_by']),
  }
}
