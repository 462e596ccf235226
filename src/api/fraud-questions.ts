/**
 * Questions about numbers and calls: `POST /v1/decisions` (from memory, before a call is set up), `GET
 * /v1/numbers/{e164}` (profile) and `POST /v1/score/cdr` (records through a fresh detector, nothing stored). Main
 * thread; windows and scoring are asked of the fraud worker.
 */
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { CaseBook } from '../decisions/case-book.ts'
import type { BookedCase } from '../decisions/case-journal.ts'
import type { CaseView } from '../decisions/case-view.ts'
import type { LiveDecisions } from '../decisions/live-decisions.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { FraudReports } from '../storage/fraud-reports.ts'
import type { PastCases } from '../storage/past-cases.ts'
import { digitCount, isToken, tokenMark } from '../wire/number-token.ts'
import { jsonBody } from './checked-request.ts'
import { json } from './problem.ts'

export const callBody = z.strictObject({
  from: z.string().max(64).default(''),
  to: z.string().min(1).max(64),
  route: z.string().max(512).optional(),
})

const casesMax = 100

export interface FraudQuestionsOptions {
  readonly decisions: Pick<LiveDecisions, 'decide'>
  readonly book: Pick<CaseBook, 'live' | 'over'>
  readonly view: (booked: BookedCase) => CaseView
  readonly past: Pick<PastCases, 'list'>
  readonly reports: Pick<FraudReports, 'number'>
  /** The windows of a number; null: it has none. */
  readonly windowsOf: (digits: string) => Promise<unknown>
  /** @throws OperatingError bad_request */
  readonly score: (body: Uint8Array, format: 'json' | 'ndjson') => Promise<object>
  /** The name of a number that is asked about; a token is one already. */
  readonly asked: (number: string) => string
  readonly clock: Clock
}

export class FraudQuestions {
  readonly #options: FraudQuestionsOptions

  constructor(options: FraudQuestionsOptions) {
    this.#options = options
  }

  decide(request: HttpRequest): HttpAnswer {
    const { decisions, asked } = this.#options
    const { from, to, ...rest } = jsonBody(callBody, request)
    return json(200, decisions.decide({ ...rest, from: asked(from), to: asked(to) }))
  }

  async number(request: HttpRequest): Promise<HttpAnswer> {
    const { book, view, windowsOf, reports, clock, asked } = this.#options
    const given = (request.params['e164'] ?? '').replace(/^\+/, '')
    if (!/^\d{2,20}$/.test(given) && !isToken(given))
      throw new OperatingError('bad_request', 'a number: E.164 digits, + may stand before; or its token')
    const digits = asked(given)
    const known = [...book.live(), ...book.over()].filter(({ seed }) => concerns(seed.it.subject, digits)).map(view)
    const [windows, stored] = await Promise.all([
      windowsOf(digits).catch((thrown: unknown) => onlyIf('worker_lost', thrown)),
      reports.number(digits, clock.wallMs()).catch((thrown: unknown) => onlyIf('storage_unavailable', thrown)),
    ])
    const older = stored === null ? [] : await this.#older(digits, new Set(known.map((each) => each.id)))
    const nothing = { asCaller: null, asCalled: null, recent: [], partial: 'storage_unavailable' }
    const cases = [...known, ...older].slice(0, casesMax)
    return json(200, { number: digits, cases, windows, ...(stored ?? nothing) })
  }

  async score(request: HttpRequest): Promise<HttpAnswer> {
    const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
    const format = type === 'application/json' ? 'json' : type === 'application/x-ndjson' ? 'ndjson' : null
    if (format === null) {
      throw new OperatingError('media_type_unsupported', 'Content-Type: application/json or application/x-ndjson')
    }
    return json(200, await this.#options.score(new Uint8Array(request.body), format))
  }

  async #older(digits: string, knownIds: ReadonlySet<string>): Promise<CaseView[]> {
    const found = await this.#options.past.list({ states: ['closed'], subject: digits, limit: casesMax })
    return found.filter((each) => !knownIds.has(each.id))
  }
}

/** Is the number the subject, or in its range? */
function concerns({ type, value }: CaseView['subject'], digits: string): boolean {
  // A range of a thousand of tokens has the mark and the group beside its digits.
  if (type === 'range')
    return digits.startsWith(value) && (isRangeName(value) || digitCount(digits) >= value.length + 3)
  return (type === 'number' || type === 'called_number') && value === digits
}

function isRangeName(range: string): boolean {
  return range.includes(tokenMark)
}

function onlyIf(code: string, thrown: unknown): null {
  if (thrown instanceof OperatingError && thrown.code === code) return null
  throw thrown
}
