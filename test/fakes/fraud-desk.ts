/**
 * A fraud desk for the page's tests: the routes for cases, numbers and reports over plain maps, in the shapes of the
 * API, with roles as the API has them. Decisions change the case and are told on the bus.
 */
import type { Role } from '../../src/access/roles.ts'
import { problemOf } from '../../src/api/problem.ts'
import { OperatingError } from '../../src/core/errors.ts'
import type {
  CaseDetail,
  CaseEvent,
  FraudAnswer,
  NumberView,
  QualityAnswer,
  TrafficAnswer,
} from '../../src/dashboard/fraud-shapes.ts'
import type { CaseView } from '../../src/decisions/case-view.ts'
import type { HttpAnswer, HttpRequest, Route } from '../../src/http/exchange.ts'
import type { EventBus } from '../../src/notify/event-bus.ts'
import type { fakeApi } from './api.ts'

type Detail = Pick<CaseDetail, 'cdrs' | 'series' | 'scores'>

const noDetail: Detail = { cdrs: [], series: { stepSeconds: 60, points: [] }, scores: { calls: 0, actions: {} } }

export class FraudDesk {
  readonly cases = new Map<string, CaseView>()
  readonly details = new Map<string, Detail>()
  readonly numbers = new Map<string, NumberView>()
  traffic: (query: URLSearchParams) => TrafficAnswer = emptyTraffic
  report: (query: URLSearchParams) => FraudAnswer = (query) => ({ ...overSpan(query), points: [], kinds: [] })
  quality: QualityAnswer = { from: '', to: '', sources: [] }
  /** Bodies of decisions, as they came. */
  readonly decided: { id: string; decision: string; body: unknown }[] = []
  readonly #bus: EventBus

  constructor(bus: EventBus) {
    this.#bus = bus
  }

  put(...cases: CaseView[]): void {
    for (const it of cases) this.cases.set(it.id, it)
  }

  /** Changes a case and tells it, as the server does. */
  tell(change: CaseEvent['change'], it: CaseView): void {
    this.put(it)
    this.#bus.publish('case', { change, case: it })
  }

  list(query: URLSearchParams): { cases: CaseView[]; next: string | null } {
    const fits = (name: 'state' | 'kind' | 'verdict') => (it: CaseView) =>
      query.get(name) === null || query.get(name) === it[name]
    const state = query.get('state') ?? 'all'
    const states = state === 'live' ? ['open', 'cooled'] : state === 'all' ? ['open', 'cooled', 'closed'] : [state]
    const rank = ({ state }: CaseView) => (state === 'open' || state === 'cooled' ? 0 : 1)
    const sorted = [...this.cases.values()]
      .filter((it) => states.includes(it.state))
      .filter(fits('kind'))
      .filter(fits('verdict'))
      .sort((a, b) => rank(a) - rank(b) || b.severity - a.severity || (a.lastSeenAt < b.lastSeenAt ? 1 : -1))
    const limit = Number(query.get('limit') ?? 50)
    const from = Number(query.get('before') ?? 0)
    const next = from + limit < sorted.length ? String(from + limit) : null
    return { cases: sorted.slice(from, from + limit), next }
  }

  decide(id: string, decision: string, body: unknown, actor: string): CaseView {
    const it = this.#case(id)
    this.decided.push({ id, decision, body })
    const note = (body as { note?: string }).note ?? null
    const by = { decidedBy: actor, decidedAt: it.lastSeenAt, note }
    if (decision === 'confirm') return this.#told('confirmed', { ...it, ...by, verdict: 'confirmed', state: 'open' })
    if (decision === 'close') return this.#told('closed', { ...it, ...by, state: 'closed' })
    const action = { ...it.action, intended: 'allow', effective: 'allow', expiresAt: null } as const
    return this.#told('dismissed', { ...it, ...by, verdict: 'dismissed', state: 'closed', action })
  }

  detail(id: string): CaseDetail {
    return { ...this.#case(id), ...(this.details.get(id) ?? noDetail) }
  }

  analytics(report: string, query: URLSearchParams): object {
    if (report === 'quality') return this.quality
    return report === 'fraud' ? this.report(query) : this.traffic(query)
  }

  number(number: string): NumberView {
    const found = this.numbers.get(number)
    if (found === undefined) throw new OperatingError('not_found', 'nothing is known about this number')
    return found
  }

  #told(change: CaseEvent['change'], it: CaseView): CaseView {
    this.tell(change, it)
    return it
  }

  #case(id: string): CaseView {
    const it = this.cases.get(id)
    if (it === undefined) throw new OperatingError('not_found', 'no case of that id is known')
    return it
  }
}

function emptyTraffic(query: URLSearchParams): TrafficAnswer {
  return { ...overSpan(query), points: [], routes: [] }
}

function overSpan(query: URLSearchParams): { from: string; to: string; stepSeconds: number } {
  const iso = (name: string) => new Date(Number(query.get(name))).toISOString()
  return { from: iso('from'), to: iso('to'), stepSeconds: Number(query.get('step')) }
}

/** The API's routes, those of the desk in place of their own. */
export function withDesk(api: ReturnType<typeof fakeApi>, desk: FraudDesk): Route[] {
  const guarded =
    (role: Role, answer: (request: HttpRequest, actor: string) => object) =>
    (request: HttpRequest): HttpAnswer => {
      try {
        const identity = api.authenticator.authenticate(request)
        api.authenticator.require(identity, role)
        const headers = { 'Content-Type': 'application/json' }
        return { status: 200, headers, body: JSON.stringify(answer(request, identity.actor)) }
      } catch (thrown) {
        return problemOf(thrown)
      }
    }
  const query = (request: HttpRequest) => new URLSearchParams(request.query)
  const id = ({ params }: HttpRequest) => params['id'] ?? ''
  const decisions = (['confirm', 'dismiss', 'close'] as const).map(
    (decision): Route => ({
      method: 'POST',
      pattern: `/v1/cases/:id/${decision}`,
      answer: guarded('operator', (request, actor) =>
        desk.decide(id(request), decision, JSON.parse(request.body.toString()), actor),
      ),
    }),
  )
  const routes: Route[] = [
    { method: 'GET', pattern: '/v1/cases', answer: guarded('viewer', (request) => desk.list(query(request))) },
    { method: 'GET', pattern: '/v1/cases/:id', answer: guarded('viewer', (request) => desk.detail(id(request))) },
    ...decisions,
    {
      method: 'GET',
      pattern: '/v1/numbers/:e164',
      answer: guarded('viewer', (request) => desk.number(request.params['e164'] ?? '')),
    },
    {
      method: 'GET',
      pattern: '/v1/analytics/:report',
      answer: guarded('viewer', (request) => desk.analytics(request.params['report'] ?? '', query(request))),
    },
  ]
  const replaced = new Set(routes.map(({ method, pattern }) => `${method} ${shapeOf(pattern)}`))
  return [...api.routes.filter(({ method, pattern }) => !replaced.has(`${method} ${shapeOf(pattern)}`)), ...routes]
}

/** Patterns that differ only in the names of their parts are the same to a server. */
function shapeOf(pattern: string): string {
  return pattern.replace(/:\w+/g, ':')
}
