/** The API: its parts over what the other rooms offer. Main thread. */
import type { ApiKeys } from '../access/api-keys.ts'
import { Authenticator } from '../access/authenticate.ts'
import { FailureThrottle, failureThrottleDefaults } from '../access/failure-throttle.ts'
import { Sessions } from '../access/sessions.ts'
import { CallActionsResource } from '../api/actions.ts'
import { Analytics } from '../api/analytics.ts'
import { Audit } from '../api/audit.ts'
import { Calls } from '../api/calls.ts'
import { DetectionResource } from '../api/detections.ts'
import { eventSocketRoute } from '../api/event-socket.ts'
import { EventSubscribers } from '../api/event-subscribers.ts'
import { Events } from '../api/events.ts'
import { Health } from '../api/health.ts'
import { Notifications } from '../api/notifications.ts'
import { Page } from '../api/page.ts'
import type { apiRoutes } from '../api/routes.ts'
import { SessionResource } from '../api/session.ts'
import { isLoopback } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import { projectRoot, version } from '../core/project.ts'
import type { LiveCalls } from '../decisions/live-calls.ts'
import type { VerdictSettings } from '../decisions/voice-verdict.ts'
import type { UpgradeRequest } from '../http/exchange.ts'
import type { HttpServer } from '../http/server.ts'
import { CdrDoor } from '../ingest/cdr-door.ts'
import type { EventBus } from '../notify/event-bus.ts'
import type { Notifier } from '../notify/notifier.ts'
import { CdrReports } from '../storage/cdr-reports.ts'
import { CdrSelfCheck } from '../storage/cdr-self-check.ts'
import { FraudReports } from '../storage/fraud-reports.ts'
import { PastCalls } from '../storage/past-calls.ts'
import { Reports } from '../storage/reports.ts'
import type { RowWriter } from '../storage/row-writer.ts'
import type { Upkeep } from '../storage/upkeep.ts'
import type { PolicyWatch } from '../watch/policy-watch.ts'
import type { VoicePool } from '../worker/pool.ts'
import type { Control } from './detections.ts'
import { type Fraud, fraudCheck, fraudParts } from './fraud.ts'
import { random } from './options.ts'
import type { Storage } from './storage.ts'

export interface ApiRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly keys: ApiKeys
  readonly metrics: Metrics
  readonly live: LiveCalls
  readonly bus: EventBus
  readonly pool: VoicePool
  readonly settings: VerdictSettings
  readonly policy: PolicyWatch
  readonly storage: Storage
  readonly fraud: Fraud
  readonly server: HttpServer
  readonly notifier: Notifier
  readonly control: Control
}

export function openApi(rooms: ApiRooms): Parameters<typeof apiRoutes>[0] {
  const { config, clock, keys, metrics, live, bus, pool, settings, policy } = rooms
  const { store, writer, upkeep } = rooms.storage
  const { intake } = rooms.storage.records
  const { counters } = metrics
  const sessions = new Sessions({
    ttlMs: config.auth.sessionTtlMs,
    sessionsMax: config.auth.sessionsMax,
    secure: (config.server.publicUrl ?? '').startsWith('https:') && !isLoopback(config.server.host),
    clock,
    random,
    keyStands: (id) => keys.stands(id),
    counters,
  })
  const throttle = new FailureThrottle({ clock, ...failureThrottleDefaults })
  const authenticator = new Authenticator({ keys, sessions, throttle, counters })
  const selfCheck = new CdrSelfCheck({ store, waitingEntries: () => rooms.storage.records.drain.waiting })
  const audit = new Audit({ clock, write: (row) => void writer.write('audit', Object.values(row)) })
  const { synthetic, human } = settings
  const cdr = new CdrDoor({
    intake,
    limits: config.cdr.doors,
    decide: (call) => rooms.fraud.decisions.decide(call),
    authorize: (request) => void authenticator.authorize(request, 'ingest'),
    isDraining: () => rooms.server.isDraining(),
    counters,
    log: rooms.log,
  })
  rooms.server.socket(cdr.route)
  const subscribers = new EventSubscribers({ bus, subscribersMax: config.server.eventSubscribersMax, counters })
  const authorize = (request: UpgradeRequest): void => void authenticator.authorize(request, 'viewer')
  rooms.server.socket(eventSocketRoute({ subscribers, authorize, publicUrl: config.server.publicUrl }))
  metrics.gauge('cdr_sockets_open', 'Sockets for call records', () => cdr.sockets)
  const health = new Health({
    version,
    clock,
    facts: () => ({ model: settings.model, thresholds: { synthetic, human } }),
    checks: {
      models: () => ({ state: 'ok', detail: settings.model }),
      workers: () =>
        pool.ready() ? { state: 'ok' } : { state: 'degraded', detail: 'a voice worker is being replaced' },
      storage: () => storageCheck(writer, upkeep),
      records: () => intake.check(),
      fraud: () => fraudCheck(rooms.fraud),
    },
    metricsText: () => metrics.text(),
  })
  return {
    authenticator,
    audit,
    health,
    calls: new Calls({ live, past: new PastCalls(new Reports(store)), policy }),
    actions: new CallActionsResource({ policy, audit, clock }),
    events: new Events(subscribers),
    detections: new DetectionResource({ ...rooms.control, configured: config.detection.voice.enabled, audit }),
    session: new SessionResource({ authenticator, sessions, audit }),
    page: new Page(`${projectRoot}dist/dashboard`),
    notifications: new Notifications({ view: rooms.notifier, audit }),
    analytics: new Analytics({ reports: new CdrReports(store), fraud: new FraudReports(store), selfCheck, clock }),
    fraud: fraudParts(rooms, audit),
    cdr: { post: (request) => cdr.post(request), bodyBytesMax: config.cdr.doors.bodyBytesMax },
    metricsPublic: config.auth.metricsPublic,
  }
}

function storageCheck(writer: RowWriter, upkeep: Upkeep): { state: 'ok' | 'degraded' | 'failed'; detail: string } {
  const state = writer.state()
  if (state === 'full') return { state: 'failed', detail: 'the spool is full, rows are refused' }
  if (!upkeep.prepared()) return { state: 'degraded', detail: 'spooling on disk until ClickHouse answers' }
  return state === 'up' ? { state: 'ok', detail: 'up' } : { state: 'degraded', detail: 'spooling on disk' }
}
