/**
 * Are the counts right? Per source and day: what table `cdrs` holds, counted call by call, beside what the traffic
 * report tells (roll-up and late records), and the rows of each day of arrival beside what the doors said they
 * accepted. What differs is named. Days are UTC. Main thread.
 */
import { trafficRows } from './cdr-reports.ts'
import type { Store } from './store.ts'

/** Attempts by how they ended; the four kinds of unanswered exclude one another. */
export interface OutcomeCounts {
  readonly attempts: number
  readonly answered: number
  /** Answered, talked for 3 s or less. */
  readonly short: number
  readonly unanswered: number
  /** The caller gave up. */
  readonly cancelled: number
  readonly busy: number
  /** Not answered, not busy, not given up: rang out, refused, no such number, network. */
  readonly failed: number
  readonly talkMs: number
}

export interface CheckedDay {
  readonly day: string
  readonly source: string
  /** All rows, also those that are no attempt. */
  readonly records: number
  readonly table: OutcomeCounts
  readonly report: OutcomeCounts
  /** Names of the counts that differ. */
  readonly differs: readonly string[]
}

export interface CheckedArrivals {
  /** Day of arrival. */
  readonly day: string
  readonly source: string
  /** As the doors answered. */
  readonly accepted: number
  readonly stored: number
  /**
   * `fewer_stored`: rows still wait, or records came again after their id was forgotten and are one row, or rows are
   * lost. `more_stored`: a kill took the last second of counting with it.
   */
  readonly state: 'agrees' | 'fewer_stored' | 'more_stored'
}

export interface SelfCheck {
  /** No count of a day differs and no arrivals are missing. */
  readonly agrees: boolean
  /** Entries of the log that the table has not got yet. */
  readonly waitingEntries: number
  readonly days: readonly CheckedDay[]
  readonly arrivals: readonly CheckedArrivals[]
}

type Answer = Record<string, unknown>

const dayMs = 86_400_000
const counts = ['attempts', 'answered', 'short', 'unanswered', 'cancelled', 'busy', 'failed', 'talkMs'] as const

const byDay = `toString(toDate(start_at, 'UTC')) AS day`

/** Call by call, in words of its own: the view that fills the roll-up is not asked. */
const tableSql = `
  SELECT ${byDay}, source, count() AS records,
    countIf(is_attempt = 1) AS attempts,
    countIf(is_attempt = 1 AND is_ok) AS answered,
    countIf(is_attempt = 1 AND is_ok AND talk_ms >= 0 AND talk_ms <= 3000) AS short,
    countIf(is_attempt = 1 AND NOT is_ok) AS unanswered,
    countIf(is_attempt = 1 AND ending = 'cancelled') AS cancelled,
    countIf(is_attempt = 1 AND ending = 'busy') AS busy,
    countIf(is_attempt = 1 AND ending = 'failed') AS failed,
    sumIf(talk_ms, is_attempt = 1 AND is_ok AND talk_ms > 0) AS talkMs
  FROM
  (
    SELECT start_at, source, is_attempt, talk_ms, toUnixTimestamp64Micro(answer_at) != 0 AS is_ok,
      multiIf(is_ok, 'answered', cause_q850 = 17 OR cause_sip = 486 OR cause_sip = 600, 'busy',
        released_by = 'caller' OR cause_sip = 487, 'cancelled', 'failed') AS ending
    FROM cdrs FINAL
    WHERE start_at >= fromUnixTimestamp64Milli({from:Int64} * 1000)
      AND start_at < fromUnixTimestamp64Milli({to:Int64} * 1000)
  )
  GROUP BY day, source`

const reportSql = `
  SELECT toString(toDate(minute, 'UTC')) AS day, source, sum(attempts) AS attempts, sum(answered) AS answered,
    sum(short) AS short, attempts - answered AS unanswered, sum(cancelled) AS cancelled, sum(busy) AS busy,
    attempts - answered - cancelled - busy AS failed, sum(talk_ms) AS talkMs
  FROM (${trafficRows}) GROUP BY day, source`

const storedSql = `
  SELECT toString(toDate(received_at, 'UTC')) AS day, source, count() AS n FROM cdrs FINAL
  WHERE received_at >= fromUnixTimestamp64Milli({from:Int64} * 1000)
    AND received_at < fromUnixTimestamp64Milli({to:Int64} * 1000)
  GROUP BY day, source`

const acceptedSql = `
  SELECT toString(toDate(hour, 'UTC')) AS day, source, sum(count) AS n FROM source_quality
  WHERE defect = 'records' AND hour >= fromUnixTimestamp64Milli({from:Int64} * 1000)
    AND hour < fromUnixTimestamp64Milli({to:Int64} * 1000)
  GROUP BY day, source`

export interface CdrSelfCheckOptions {
  readonly store: Pick<Store, 'query'>
  readonly waitingEntries: () => number
}

export class CdrSelfCheck {
  readonly #options: CdrSelfCheckOptions

  constructor(options: CdrSelfCheckOptions) {
    this.#options = options
  }

  /** Whole days, from that of `fromMs` to that before `toMs`. */
  async check(span: { readonly fromMs: number; readonly toMs: number }): Promise<SelfCheck> {
    const { store, waitingEntries } = this.#options
    const from = (Math.floor(span.fromMs / dayMs) * dayMs) / 1000
    const to = (Math.ceil(span.toMs / dayMs) * dayMs) / 1000
    const ask = (sql: string): Promise<Answer[]> => store.query(sql, { from, to })
    // Asked first: what the doors count later may not look like a loss.
    const accepted = await ask(acceptedSql)
    const waiting = waitingEntries()
    const stored = await ask(storedSql)
    const [table, report] = await Promise.all([ask(tableSql), ask(reportSql)])
    const days = pairs(table, report).map(([key, ofTable, ofReport]) => checkedDay(key, ofTable, ofReport))
    const arrivals = pairs(accepted, stored).map(([key, told, held]) => checkedArrivals(key, told, held))
    const isFine = days.every(({ differs }) => differs.length === 0)
    const agrees = isFine && arrivals.every(({ state }) => state !== 'fewer_stored')
    return { agrees, waitingEntries: waiting, days, arrivals }
  }
}

interface Key {
  readonly day: string
  readonly source: string
}

/** Rows of both answers by day and source, newest day first. */
function pairs(left: readonly Answer[], right: readonly Answer[]): [Key, Answer, Answer][] {
  const keyOf = (row: Answer): string => `${row['day']} ${row['source']}`
  const rights = new Map(right.map((row) => [keyOf(row), row]))
  const lefts = new Map(left.map((row) => [keyOf(row), row]))
  const keys = [...new Set([...lefts.keys(), ...rights.keys()])]
  return keys
    .map((key): [Key, Answer, Answer] => {
      const row = lefts.get(key) ?? rights.get(key) ?? {}
      const named = { day: String(row['day']), source: String(row['source']) }
      return [named, lefts.get(key) ?? {}, rights.get(key) ?? {}]
    })
    .sort(([a], [b]) => b.day.localeCompare(a.day) || a.source.localeCompare(b.source))
}

function checkedDay(key: Key, ofTable: Answer, ofReport: Answer): CheckedDay {
  const [table, report] = [countsOf(ofTable), countsOf(ofReport)]
  const differs = counts.filter((name) => table[name] !== report[name])
  return { ...key, records: Number(ofTable['records'] ?? 0), table, report, differs }
}

function countsOf(row: Answer): OutcomeCounts {
  return Object.fromEntries(counts.map((name) => [name, Number(row[name] ?? 0)])) as Record<
    (typeof counts)[number],
    number
  >
}

function checkedArrivals(key: Key, told: Answer, held: Answer): CheckedArrivals {
  const [accepted, stored] = [Number(told['n'] ?? 0), Number(held['n'] ?? 0)]
  const state = stored === accepted ? 'agrees' : stored < accepted ? 'fewer_stored' : 'more_stored'
  return { ...key, accepted, stored, state }
}
