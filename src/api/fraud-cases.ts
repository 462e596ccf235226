/**
 * `GET /v1/cases`, `GET /v1/cases/{id}` and `POST /v1/cases/{id}/{confirm|dismiss|close}`. Live cases and the newest
 * that are over come from memory, older ones from storage. Order: live ones, worst first; then those that are over,
 * seen last first. While storage is down what memory knows is told, with `partial` saying what is missing. Main thread.
 *
 *   next = base64url of [1 live | 0 over, severity or last seen in ms, id] of the last case told; opaque to clients
 */
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { CaseAct, CaseBook } from '../decisions/case-book.ts'
import type { BookedCase } from '../decisions/case-journal.ts'
import type { CaseView } from '../decisions/case-view.ts'
import { type CaseState, caseStates, type FraudCase } from '../decisions/cases.ts'
import { caseKinds } from '../decisions/fraud-signal.ts'
import { severity } from '../decisions/policy-forecast.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { FraudReports } from '../storage/fraud-reports.ts'
import type { PastCaseFilter, PastCases } from '../storage/past-cases.ts'
import type { Audit } from './audit.ts'
import { parseQuery } from './calls.ts'
import { optionalJsonBody } from './checked-request.ts'
import { clearNumbersQuery } from './clear-numbers.ts'
import { json } from './problem.ts'

const pageMax = 500
const seriesMarginMs = 1_800_000
const dayMs = 86_400_000

export const casesQuery = z.strictObject({
  state: z.enum([...caseStates, 'live', 'over', 'all']).default('all'),
  kind: z.enum(caseKinds).optional(),
  verdict: z.enum(['confirmed', 'dismissed', 'none']).optional(),
  limit: z.coerce.number().int().min(1).max(pageMax).default(100),
  before: z.string().max(300).optional(),
  ...clearNumbersQuery,
})

const position = z.tuple([z.union([z.literal(0), z.literal(1)]), z.number(), z.string().max(64)])
type Position = z.infer<typeof position>

export const noteBody = z.strictObject({ note: z.string().trim().max(1000).nullish() })

export interface FraudCasesOptions {
  readonly book: Pick<CaseBook, 'get' | 'live' | 'over' | 'decide'>
  readonly view: (booked: BookedCase) => CaseView
  readonly past: Pick<PastCases, 'list' | 'get'>
  readonly reports: Pick<FraudReports, 'calls' | 'series' | 'scores'>
  readonly audit: Audit
}

export class FraudCases {
  readonly #options: FraudCasesOptions

  constructor(options: FraudCasesOptions) {
    this.#options = options
  }

  async list(request: HttpRequest): Promise<HttpAnswer> {
    const query = parseQuery(casesQuery, request.query)
    const after = query.before === undefined ? null : readPosition(query.before)
    const states = statesOf(query.state)
    const fits = ({ seed: { it } }: BookedCase): boolean =>
      states.includes(it.state) &&
      (query.kind === undefined || it.kind === query.kind) &&
      (query.verdict === undefined || (it.verdict ?? 'none') === query.verdict)
    const { book, view } = this.#options
    const overStates = states.filter((state) => state === 'closed' || state === 'merged')
    const filter = { states: overStates, kind: query.kind, verdict: query.verdict, limit: query.limit + 1 }
    // Ten thousand may live: only those of the page are told in full.
    const inMemory = [...book.live(), ...book.over()]
      .filter(fits)
      .map((booked) => ({ at: placeOf(booked.seed.it), tell: () => view(booked) }))
      .filter(({ at }) => after === null || compare(after, at) < 0)
    const { cases: older, partial } =
      overStates.length === 0 || inMemory.length > query.limit
        ? { cases: [], partial: undefined }
        : await this.#older(filter, after)
    const all = [...inMemory, ...older.map((it) => ({ at: positionOf(it), tell: () => it }))]
      .filter(({ at }) => after === null || compare(after, at) < 0)
      .sort((a, b) => compare(a.at, b.at))
    const page = all.slice(0, query.limit)
    const last = page.at(-1)
    const next = all.length > page.length && last ? { next: writePosition(last.at) } : {}
    return json(200, { cases: page.map(({ tell }) => tell()), ...next, ...(partial === undefined ? {} : { partial }) })
  }

  async get(request: HttpRequest): Promise<HttpAnswer> {
    const id = idOf(request)
    const { book, view, past, reports } = this.#options
    const booked = book.get(id)
    const it = booked === undefined ? await past.get(id) : view(booked)
    if (it === undefined) throw new OperatingError('not_found', 'no case of that id is known')
    const [firstMs, lastMs] = [Date.parse(it.firstSeenAt), Date.parse(it.lastSeenAt)]
    // A call may have begun long before it ended.
    const [fromMs, toMs] = [firstMs - dayMs, lastMs + seriesMarginMs]
    try {
      const [cdrs, series, scores] = await Promise.all([
        reports.calls(it.evidence, fromMs, toMs),
        reports.series(it.subject, firstMs - seriesMarginMs, toMs),
        reports.scores(id, fromMs, toMs + dayMs),
      ])
      return json(200, { ...it, cdrs, series, scores })
    } catch (thrown) {
      if (!(thrown instanceof OperatingError) || thrown.code !== 'storage_unavailable') throw thrown
      const nothing = { cdrs: [], series: { stepSeconds: 60, points: [] }, scores: { calls: 0, actions: {} } }
      return json(200, { ...it, ...nothing, partial: thrown.code })
    }
  }

  async act(request: HttpRequest, identity: Identity, act: CaseAct): Promise<HttpAnswer> {
    const { book, view, audit } = this.#options
    const id = idOf(request)
    const note = optionalJsonBody(noteBody, request).note || null
    try {
      const booked = await book.decide(id, act, identity.actor, note)
      audit.note(request, identity, { action: `case.${act}`, result: 'ok', detail: booked.seed.it.kind })
      return json(200, view(booked))
    } catch (thrown) {
      const result = thrown instanceof OperatingError ? thrown.code : 'internal'
      audit.note(request, identity, { action: `case.${act}`, result, detail: messageOf(thrown) })
      throw thrown
    }
  }

  async #older(filter: PastCaseFilter, after: Position | null) {
    const { past, book } = this.#options
    const cases: CaseView[] = []
    let place = after?.[0] === 0 ? { lastSeenMs: after[1], id: after[2] } : undefined
    try {
      for (;;) {
        const batch = await past.list({ ...filter, after: place })
        cases.push(...batch.filter((each) => book.get(each.id) === undefined))
        const last = batch.at(-1)
        if (last === undefined || batch.length < filter.limit || cases.length >= filter.limit) return { cases }
        place = { lastSeenMs: Date.parse(last.lastSeenAt), id: last.id }
      }
    } catch (thrown) {
      if (!(thrown instanceof OperatingError) || thrown.code !== 'storage_unavailable') throw thrown
      return { cases, partial: thrown.code }
    }
  }
}

function idOf(request: HttpRequest): string {
  const id = request.params['id'] ?? ''
  if (!/^[A-Za-z0-9-]{1,64}$/.test(id)) throw new OperatingError('bad_request', 'not the id of a case')
  return id
}

/** Cases that were taken in by others are told only when asked for. */
function statesOf(state: z.infer<typeof casesQuery>['state']): CaseState[] {
  if (state === 'live') return ['open', 'cooled']
  if (state === 'over') return ['closed']
  return state === 'all' ? ['open', 'cooled', 'closed'] : [state]
}

function positionOf({ id, state, severity: worth, lastSeenAt }: CaseView): Position {
  return isLive(state) ? [1, worth, id] : [0, Date.parse(lastSeenAt), id]
}

function placeOf(it: FraudCase): Position {
  return isLive(it.state) ? [1, severity(it), it.id] : [0, it.lastSeenMs, it.id]
}

function isLive(state: CaseState): boolean {
  return state === 'open' || state === 'cooled'
}

/** Negative: `a` stands before `b`. */
function compare(a: Position, b: Position): number {
  if (a[0] !== b[0]) return b[0] - a[0]
  if (a[1] !== b[1]) return b[1] - a[1]
  return a[2] === b[2] ? 0 : a[2] > b[2] ? -1 : 1
}

function writePosition(at: Position): string {
  return Buffer.from(JSON.stringify(at)).toString('base64url')
}

function readPosition(text: string): Position {
  try {
    return position.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
  } catch {
    throw new OperatingError('bad_request', 'before: not one of ours')
  }
}
