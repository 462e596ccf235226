/**
 * `POST /v1/decisions` before a call is set up: which live cases it would fall under, and what the policy says. From
 * memory, a few look-ups a call. Main thread.
 */
import type { FraudAction } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import { digitCount, leadingChars, rangeChars } from '../wire/number-token.ts'
import type { CaseBook } from './case-book.ts'
import type { FraudCase } from './cases.ts'
import type { FraudPolicy } from './fraud-policy.ts'

export interface CallAhead {
  readonly from: string
  readonly to: string
  readonly route?: string | undefined
}

export interface LiveDecision {
  readonly action: FraudAction
  readonly reasons: readonly string[]
  readonly caseId?: string
  /** The answer may be kept so long. */
  readonly ttlMs: number
  /** What `action` were without shadow mode. */
  readonly intended: FraudAction
  readonly shadow: boolean
}

/** An answer may be kept for a minute at most: people decide, and cases open, meanwhile. */
const ttlMsMax = 60_000
/** That nothing is known holds shorter. */
const allowTtlMs = 10_000

export interface LiveDecisionsOptions {
  readonly book: Pick<CaseBook, 'on'>
  readonly policy: FraudPolicy
  readonly destinationDigits: number
  readonly clock: Clock
  readonly counters: Pick<Counters, 'decisionsAsked' | 'decisionsActed' | 'decisionsShadowed'>
}

export class LiveDecisions {
  readonly #options: LiveDecisionsOptions

  constructor(options: LiveDecisionsOptions) {
    this.#options = options
  }

  /** Live cases that a call falls under. */
  casesOf({ from, to, route = '' }: CallAhead): FraudCase[] {
    const { book, destinationDigits } = this.#options
    return book.on(subjectsOf(digitsOf(from), digitsOf(to), route, destinationDigits))
  }

  decide(call: CallAhead): LiveDecision {
    const { policy, clock, counters } = this.#options
    counters.decisionsAsked += 1
    const cases = this.casesOf(call)
    const { from, route = '' } = call
    const decision = cases.length === 0 ? null : policy.decide(cases, digitsOf(from), route, clock.wallMs())
    const { shadow } = policy
    if (decision === null) return { action: 'allow', reasons: [], ttlMs: allowTtlMs, intended: 'allow', shadow }
    const { action, intended, reasons, caseId, ttlMs } = decision
    if (action !== 'allow') counters.decisionsActed += 1
    else if (intended !== 'allow') counters.decisionsShadowed += 1
    return { action, reasons, caseId, ttlMs: Math.min(ttlMs, ttlMsMax), intended, shadow }
  }
}

/** As records have them: digits without `+` or `00` in front. */
function digitsOf(number: string): string {
  return number.replace(/^(?:\+|00)/, '').replace(/[\s().-]/g, '')
}

/** The subjects of a call as keys; ranges as in features/call-windows.ts. */
function subjectsOf(from: string, to: string, route: string, destinationDigits: number): string[] {
  const subjects = [`called_number:${to}`]
  if (from !== '') subjects.push(`number:${from}`)
  const digits = digitCount(from)
  for (let off = 3; off <= 5 && digits >= 8 && digits - off >= 4; off++) {
    subjects.push(`range:${from.slice(0, rangeChars(from, off))}`)
  }
  const destination = to.slice(0, leadingChars(to, destinationDigits))
  if (route !== '') subjects.push(`route:${route}`, `route_destination:${route}>${destination}`)
  return subjects
}
