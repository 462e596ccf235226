/**
 * The URL table: every route of the API with who may use it, on one screen. The gate around each function
 * authenticates, checks the role, leaves an audit row when it refuses, and turns expected errors into problem
 * documents. Main thread.
 */
import { AccessRefused, type Authenticator, type Identity } from '../access/authenticate.ts'
import type { Role } from '../access/roles.ts'
import type { HttpAnswer, HttpRequest, HttpStream, Route } from '../http/exchange.ts'
import type { CallActionsResource } from './actions.ts'
import type { Analytics } from './analytics.ts'
import type { Audit } from './audit.ts'
import type { Calls } from './calls.ts'
import type { DetectionResource } from './detections.ts'
import type { Events } from './events.ts'
import { type FraudParts, fraudRoutes } from './fraud-routes.ts'
import type { Health } from './health.ts'
import type { Notifications } from './notifications.ts'
import { type Page, pagePaths } from './page.ts'
import { problemOf } from './problem.ts'
import type { SessionResource } from './session.ts'

export interface ApiParts {
  readonly authenticator: Authenticator
  readonly audit: Audit
  readonly health: Health
  readonly calls: Calls
  readonly actions: CallActionsResource
  readonly detections: DetectionResource
  readonly events: Events
  readonly session: SessionResource
  readonly page: Page
  readonly analytics: Analytics
  readonly notifications: Notifications
  readonly fraud: FraudParts
  /** `POST /v1/cdr`. */
  readonly cdr: { post(request: HttpRequest): Promise<HttpAnswer>; readonly bodyBytesMax: number }
  /** config auth.metricsPublic. */
  readonly metricsPublic: boolean
}

type Answer = HttpAnswer | HttpStream | Promise<HttpAnswer | HttpStream>
type Open = (request: HttpRequest) => Answer
type Guarded = (request: HttpRequest, identity: Identity) => Answer

export function apiRoutes(parts: ApiParts): Route[] {
  const { health, calls, actions, events, session, page, analytics, cdr, metricsPublic } = parts
  const gate = new Gate(parts)
  const metrics = () => health.metrics()
  return [
    { method: 'GET', pattern: '/healthz', answer: gate.open(() => health.live()) },
    { method: 'GET', pattern: '/readyz', answer: gate.open(() => health.ready()) },
    { method: 'GET', pattern: '/metrics', answer: metricsPublic ? gate.open(metrics) : gate.role('viewer', metrics) },
    { method: 'GET', pattern: '/v1/calls', answer: gate.role('viewer', (request) => calls.list(request)) },
    { method: 'GET', pattern: '/v1/calls/:callSid', answer: gate.role('viewer', (request) => calls.get(request)) },
    {
      method: 'POST',
      pattern: '/v1/calls/:callSid/actions/:id/undo',
      answer: gate.role('operator', (request, who) => actions.undo(request, who)),
      ...small,
    },
    {
      method: 'POST',
      pattern: '/v1/calls/:callSid/hands-off',
      answer: gate.role('operator', (request, who) => actions.handsOff(request, who)),
      ...small,
    },
    { method: 'GET', pattern: '/v1/events', answer: gate.role('viewer', (request) => events.stream(request)) },
    {
      method: 'GET',
      pattern: '/v1/analytics/:report',
      answer: gate.role('viewer', (request) => analytics.report(request)),
    },
    {
      method: 'POST',
      pattern: '/v1/cdr',
      bodyBytesMax: cdr.bodyBytesMax,
      answer: gate.role('ingest', (request) => cdr.post(request)),
    },
    ...notificationRoutes(gate, parts.notifications),
    ...detectionRoutes(parts.detections, gate),
    ...fraudRoutes(gate, parts.fraud),
    { method: 'GET', pattern: '/v1/status', answer: gate.role('viewer', () => health.status()) },
    { method: 'GET', pattern: '/v1/session', answer: gate.open((request) => session.show(request)) },
    { method: 'POST', pattern: '/v1/session', answer: gate.open((request) => session.signIn(request)), ...small },
    { method: 'DELETE', pattern: '/v1/session', answer: gate.open((request) => session.signOut(request)), ...small },
    ...pagePaths.map((path) => ({
      method: 'GET' as const,
      pattern: path,
      answer: gate.open((request) => page.answer(request)),
    })),
  ]
}

function notificationRoutes(gate: Gate, notifications: Notifications): Route[] {
  const path = '/v1/notifications'
  return [
    { method: 'GET', pattern: path, answer: gate.role('viewer', () => notifications.list()) },
    { method: 'GET', pattern: `${path}/dead`, answer: gate.role('operator', () => notifications.dead()) },
    {
      method: 'POST',
      pattern: `${path}/dead/:id/resend`,
      answer: gate.role('operator', (request, who) => notifications.resend(request, who)),
      ...small,
    },
  ]
}

function detectionRoutes(detections: DetectionResource, gate: Gate): Route[] {
  const [path, one, rules] = ['/v1/detections', '/v1/detections/:id', '/v1/detections/rules']
  return [
    {
      method: 'POST',
      pattern: path,
      answer: gate.role('operator', (...asked) => detections.start(...asked)),
      ...small,
    },
    { method: 'GET', pattern: path, answer: gate.role('viewer', (request) => detections.list(request)) },
    { method: 'GET', pattern: rules, answer: gate.role('viewer', () => detections.rules()) },
    { method: 'PUT', pattern: rules, answer: gate.role('operator', (...asked) => detections.replaceRules(...asked)) },
    { method: 'GET', pattern: one, answer: gate.role('viewer', (request) => detections.get(request)) },
    {
      method: 'DELETE',
      pattern: one,
      answer: gate.role('operator', (...asked) => detections.stop(...asked)),
      ...small,
    },
  ]
}

/** Bodies that hold one key. */
const small = { bodyBytesMax: 4096 } as const

class Gate {
  readonly #authenticator: Authenticator
  readonly #audit: Audit

  constructor(parts: { authenticator: Authenticator; audit: Audit }) {
    this.#authenticator = parts.authenticator
    this.#audit = parts.audit
  }

  /** For everybody. */
  open(answer: Open): Route['answer'] {
    return (request) => this.#settle(request, null, () => answer(request))
  }

  role(needed: Role, answer: Guarded): Route['answer'] {
    return (request) => {
      let identity: Identity | null = null
      return this.#settle(
        request,
        () => identity,
        () => {
          identity = this.#authenticator.authenticate(request)
          this.#authenticator.require(identity, needed)
          return answer(request, identity)
        },
      )
    }
  }

  async #settle(request: HttpRequest, who: (() => Identity | null) | null, answer: () => Answer) {
    try {
      return await answer()
    } catch (thrown) {
      const refused = thrown instanceof AccessRefused && thrown.wrong && thrown.code !== 'too_many_requests'
      if (refused) {
        const { code: result, message: detail } = thrown
        this.#audit.note(request, who?.() ?? null, { action: 'access.denied', result, detail })
      }
      return problemOf(thrown)
    }
  }
}
