/**
 * What the stored call records say of a caller: calls, answers, talk, numbers called. Asked once when a call begins and
 * remembered for a while; a few questions at a time, a bounded number waits. A call waits for nothing here: what is not
 * known is not known. Not merged first (no FINAL): the index on numbers helps, and copies of old records are rare. Main
 * thread.
 */
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import type { CallerHistory } from '../decisions/call-risk.ts'
import type { Store } from './store.ts'

export interface CallerHistoriesOptions {
  readonly store: Pick<Store, 'query'>
  readonly clock: Clock
  readonly counters: Pick<Counters, 'callersUnknown'>
}

const daysBack = 30
const dayMs = 86_400_000
/** Questions at a time, and those that wait. */
const atOnceMax = 2
const waitingMax = 200
/** An answer counts so long. */
const rememberedMs = 60_000
const rememberedMax = 10_000

const sql = `
SELECT count() AS attempts, countIf(is_ok) AS answered, sum(if(is_ok, greatest(talk, 0), 0)) AS talk_ms,
  uniq(to_number) AS called
FROM
(
  SELECT to_number, talk_ms AS talk, is_attempt, answer_at > toDateTime64(0, 6, 'UTC') AS is_ok
  FROM cdrs
  WHERE start_at >= fromUnixTimestamp64Milli({from:Int64}) AND from_number = {number:String}
)
WHERE is_attempt`

interface Remembered {
  readonly history: Promise<CallerHistory | null>
  readonly atMs: number
}

export class CallerHistories {
  readonly #options: CallerHistoriesOptions
  readonly #remembered = new Map<string, Remembered>()
  readonly #turns: (() => void)[] = []
  #running = 0

  constructor(options: CallerHistoriesOptions) {
    this.#options = options
  }

  /** Null: not known. Never rejects. @param number E.164 digits */
  of(number: string): Promise<CallerHistory | null> {
    const nowMs = this.#options.clock.steadyMs()
    const known = this.#remembered.get(number)
    if (known !== undefined && nowMs - known.atMs < rememberedMs) return known.history
    if (this.#turns.length >= waitingMax) return this.#unknown()
    const history = this.#ask(number)
    this.#remembered.delete(number)
    this.#remembered.set(number, { history, atMs: nowMs })
    const oldest = this.#remembered.size > rememberedMax ? this.#remembered.keys().next().value : undefined
    if (oldest !== undefined) this.#remembered.delete(oldest)
    return history
  }

  forget(number: string): void {
    this.#remembered.delete(number)
  }

  async #ask(number: string): Promise<CallerHistory | null> {
    // Whoever ends hands the turn on.
    if (this.#running < atOnceMax) this.#running += 1
    else await new Promise<void>((turn) => this.#turns.push(turn))
    try {
      const from = this.#options.clock.wallMs() - daysBack * dayMs
      const [row = {}] = await this.#options.store.query(sql, { from, number })
      return {
        days: daysBack,
        attempts: Number(row['attempts'] ?? 0),
        answered: Number(row['answered'] ?? 0),
        talkMs: Number(row['talk_ms'] ?? 0),
        distinctCalled: Number(row['called'] ?? 0),
      }
    } catch {
      return this.#unknown()
    } finally {
      const next = this.#turns.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }

  async #unknown(): Promise<null> {
    this.#options.counters.callersUnknown += 1
    return null
  }
}
