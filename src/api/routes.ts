/**
 * The URL table: every route and socket of the API with who may use it, what it takes and what it answers. The gate
 * enforces what is declared here, `GET /openapi.json` tells it. Main thread.
 */
import type { HttpAnswer, HttpRequest, Route, SocketRoute } from '../http/exchange.ts'
import type { CdrSocketState } from '../ingest/cdr-door.ts'
import type { CallActionsResource } from './actions.ts'
import { type Analytics, analyticsQuery } from './analytics.ts'
import { type AuditLog, auditPage, auditQuery } from './audit-log.ts'
import { type BackupResource, backupRoutes } from './backups.ts'
import { callRoutes } from './call-routes.ts'
import type { Calls } from './calls.ts'
import { detectionRoutes } from './detection-routes.ts'
import type { DetectionResource } from './detections.ts'
import { type ErasureResource, erasureRoutes } from './erasures.ts'
import { type EventSubscribers, eventsQuery } from './event-subscribers.ts'
import type { Events } from './events.ts'
import { type FraudParts, fraudRoutes } from './fraud-routes.ts'
import { Gate, type GateOptions } from './gate.ts'
import type { Health } from './health.ts'
import { type KeysResource, keyListShape, keysQuery, newKeyBody, newKeyShape } from './keys.ts'
import { modelRoutes } from './model-routes.ts'
import type { ModelsResource } from './models.ts'
import type { Notifications } from './notifications.ts'
import { eventSocket, notifyRoutes } from './notify-routes.ts'
import { openApiDocument } from './openapi.ts'
import { type Page, pagePaths } from './page.ts'
import { json } from './problem.ts'
import { recordingRoutes } from './recording-routes.ts'
import type { RecordingsResource } from './recordings.ts'
import { referencePage } from './reference-page.ts'
import { type ApiRoute, type ApiSocket, open, route, socket } from './route-table.ts'
import { type SessionResource, signInBody } from './session.ts'
import * as shapes from './shapes.ts'
import { type SqlParts, sqlRoutes } from './sql-routes.ts'
import { twilioRoutes } from './twilio-routes.ts'
import { type VoiceScores, voiceScoreRoutes } from './voice-scores.ts'

export interface ApiParts extends GateOptions {
  readonly version: string
  readonly health: Health
  readonly calls: Calls
  readonly actions: CallActionsResource
  readonly detections: DetectionResource
  readonly events: Events
  /** Of `WS /v1/events`, and of the stream. */
  readonly subscribers: EventSubscribers
  readonly notifications: Notifications
  readonly models: ModelsResource
  readonly fraud: FraudParts
  readonly voiceScores: VoiceScores
  readonly session: SessionResource
  readonly page: Page
  readonly recordings: RecordingsResource
  readonly analytics: Analytics
  readonly keys: KeysResource
  readonly auditLog: AuditLog
  readonly erasures: ErasureResource
  readonly backups: BackupResource
  /** `POST` and `WS /v1/cdr`. */
  readonly cdr: {
    post(request: HttpRequest): Promise<HttpAnswer>
    readonly bodyBytesMax: number
    readonly route: SocketRoute<CdrSocketState>
  }
  /** Null: the door is shut (config sql.enabled). */
  readonly sql: SqlParts | null
  /** config auth.metricsPublic. */
  readonly metricsPublic: boolean
}

/** Bodies that hold one key. */
const small = 12_288
const text = (mediaType: string, description: string) => ({ mediaTypes: [mediaType], description })
const stored = ['storage_unavailable', 'storage_rejected'] as const

export function apiRoutes(parts: ApiParts): { readonly routes: Route[]; readonly sockets: SocketRoute<unknown>[] } {
  const declared = [
    ...openRoutes(parts),
    ...callRoutes(parts),
    ...dataRoutes(parts),
    ...detectionRoutes(parts.detections),
    ...fraudRoutes(parts.fraud),
    ...voiceScoreRoutes(parts.voiceScores),
    ...notifyRoutes(parts.notifications),
    ...modelRoutes(parts.models),
    ...recordingRoutes(parts.recordings),
    ...sqlRoutes(parts.sql),
    ...adminRoutes(parts),
    ...erasureRoutes(parts.erasures),
    ...backupRoutes(parts.backups),
  ]
  const sockets = apiSockets(parts)
  const document = openApiDocument({
    version: parts.version,
    routes: [...declared, ...documentRoutes(noDocument, noDocument)],
    sockets,
    foreign: twilioRoutes,
  })
  const written = json(200, document)
  const page = referencePage(document)
  const all = [
    ...declared,
    ...documentRoutes(
      () => written,
      () => page,
    ),
  ]
  const gate = new Gate(parts)
  return { routes: gate.routes(all), sockets: sockets.map((one) => gate.socket(one)) }
}

function openRoutes({ health, session, page, metricsPublic }: ApiParts): ApiRoute[] {
  const metrics = {
    answers: { 200: text('text/plain; version=0.0.4; charset=utf-8', 'Prometheus exposition') },
    answer: () => health.metrics(),
  }
  return [
    open('GET', '/healthz', 'The process answers', {
      answers: { 200: shapes.aliveShape },
      answer: () => health.live(),
    }),
    open('GET', '/readyz', 'Whether every part works, by name', {
      answers: { 200: shapes.readyShape, 503: shapes.readyShape },
      answer: () => health.ready(),
    }),
    metricsPublic
      ? open('GET', '/metrics', 'Metrics for Prometheus', metrics)
      : route('GET', '/metrics', 'viewer', 'Metrics for Prometheus', metrics),
    open('GET', '/v1/session', 'Who is signed in', {
      answers: { 200: shapes.whoShape },
      problems: ['unauthenticated', 'forbidden'],
      answer: (request) => session.show(request),
    }),
    open('POST', '/v1/session', 'Signs in with a key; sets a cookie', {
      body: { schema: signInBody },
      bodyBytesMax: small,
      answers: { 200: shapes.signedInShape },
      problems: ['unauthenticated', 'forbidden'],
      answer: (request) => session.signIn(request),
    }),
    open('DELETE', '/v1/session', 'Signs out', {
      bodyBytesMax: small,
      answers: { 200: shapes.signedOutShape },
      answer: (request) => session.signOut(request),
    }),
    ...pagePaths.map((path) =>
      open('GET', path, 'The dashboard', {
        answers: { 200: text('*/*', 'A file of the page'), 304: text('*/*', 'As known by its ETag') },
        problems: ['not_found'],
        answer: (request) => page.answer(request),
      }),
    ),
  ]
}

function dataRoutes({ health, events, analytics, cdr }: ApiParts): ApiRoute[] {
  return [
    route('GET', '/v1/status', 'viewer', 'The checks, with what scores are held to', {
      answers: { 200: shapes.statusShape },
      answer: () => health.status(),
    }),
    route('GET', '/v1/events', 'viewer', 'Server-sent events, resumable', {
      reveals: true,
      query: eventsQuery,
      answers: { 200: text('text/event-stream', 'Events as they happen; Last-Event-ID resumes') },
      problems: ['capacity_full'],
      answer: (request) => events.stream(request),
    }),
    route(
      'GET',
      '/v1/analytics/:report',
      'viewer',
      'A report: overview, verdicts, latency, traffic, quality, fraud, selfcheck',
      {
        query: analyticsQuery,
        answers: { 200: shapes.reportShape },
        problems: stored,
        answer: (request) => analytics.report(request),
      },
    ),
    route('POST', '/v1/cdr', 'ingest', 'Takes call records; 200 means on disk', {
      query: shapes.cdrQuery,
      body: { mediaTypes: cdrMediaTypes },
      bodyBytesMax: cdr.bodyBytesMax,
      answers: { 200: shapes.cdrAnswerShape },
      problems: ['source_unknown', 'spool_full'],
      answer: (request) => cdr.post(request),
    }),
  ]
}

const cdrMediaTypes = [
  'application/json',
  'application/x-ndjson',
  'application/msgpack',
  'text/csv',
  'application/x-www-form-urlencoded',
  'application/x-www-form-base64-encoded',
]

function adminRoutes({ keys, auditLog }: ApiParts): ApiRoute[] {
  return [
    route('GET', '/v1/keys', 'admin', 'API keys, without their secrets', {
      query: keysQuery,
      answers: { 200: keyListShape },
      answer: (request) => keys.list(request),
    }),
    route('POST', '/v1/keys', 'admin', 'Makes an API key; it is shown this once', {
      body: { schema: newKeyBody },
      bodyBytesMax: small,
      answers: { 201: newKeyShape },
      problems: ['spool_full'],
      answer: (request, identity) => keys.create(request, identity),
    }),
    route('DELETE', '/v1/keys/:id', 'admin', 'Revokes an API key, at once', {
      bodyBytesMax: small,
      answers: { 200: shapes.revokedShape },
      problems: ['spool_full'],
      answer: (request, identity) => keys.revoke(request, identity),
    }),
    route('GET', '/v1/audit', 'admin', 'Who did what; NDJSON for export', {
      query: auditQuery,
      answers: { 200: { ...text('application/x-ndjson', 'A page; as NDJSON its rows alone'), schema: auditPage } },
      problems: stored,
      answer: (request, identity) => auditLog.read(request, identity),
    }),
  ]
}

function apiSockets({ cdr, subscribers }: ApiParts): ApiSocket[] {
  return [
    eventSocket(subscribers),
    socket(cdr.route, 'ingest', 'Takes call records; an ack means on disk. Also answers what to do with a call', {
      query: shapes.cdrQuery,
      problems: ['source_unknown', 'capacity_full'],
    }),
  ]
}

const noDocument = (): HttpAnswer => ({ status: 200 })

function documentRoutes(document: () => HttpAnswer, page: () => HttpAnswer): ApiRoute[] {
  return [
    open('GET', '/openapi.json', 'This document', {
      answers: { 200: shapes.openApiShape },
      answer: document,
    }),
    open('GET', '/openapi', 'This document, for people', {
      answers: { 200: text('text/html; charset=utf-8', 'A page') },
      answer: page,
    }),
  ]
}
