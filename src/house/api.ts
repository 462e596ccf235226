/** The API: its parts over what the other rooms offer. Main thread. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiKeys } from '../access/api-keys.ts'
import { Authenticator } from '../access/authenticate.ts'
import { FailureThrottle } from '../access/failure-throttle.ts'
import { JwtVerifier } from '../access/jwt.ts'
import { Origins } from '../access/origins.ts'
import { RateLimits } from '../access/rate-limits.ts'
import { Sessions } from '../access/sessions.ts'
import { CallActionsResource } from '../api/actions.ts'
import { Analytics } from '../api/analytics.ts'
import { Audit } from '../api/audit.ts'
import { AuditLog } from '../api/audit-log.ts'
import { BackupResource } from '../api/backups.ts'
import { Calls } from '../api/calls.ts'
import { DetectionResource } from '../api/detections.ts'
import { ErasureResource } from '../api/erasures.ts'
import { EventSubscribers } from '../api/event-subscribers.ts'
import { Events } from '../api/events.ts'
import { Health } from '../api/health.ts'
import { KeysResource } from '../api/keys.ts'
import { ModelsResource } from '../api/models.ts'
import { Notifications } from '../api/notifications.ts'
import { Page } from '../api/page.ts'
import { RecordingsResource } from '../api/recordings.ts'
import type { apiRoutes } from '../api/routes.ts'
import { SessionResource } from '../api/session.ts'
import { SqlResource } from '../api/sql.ts'
import { isLoopback } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import { projectRoot, version } from '../core/project.ts'
import type { LiveCalls } from '../decisions/live-calls.ts'
import type { HttpServer } from '../http/server.ts'
import { CdrDoor } from '../ingest/cdr-door.ts'
import type { EventBus } from '../notify/event-bus.ts'
import type { Notifier } from '../notify/notifier.ts'
import type { ChainHead } from '../storage/audit-chain.ts'
import { AuditRows } from '../storage/audit-rows.ts'
import { CdrReports } from '../storage/cdr-reports.ts'
import { CdrSelfCheck } from '../storage/cdr-self-check.ts'
import { FraudReports } from '../storage/fraud-reports.ts'
import { PastCalls } from '../storage/past-calls.ts'
import { Reports } from '../storage/reports.ts'
import type { RowWriter } from '../storage/row-writer.ts'
import { SqlDoor } from '../storage/sql-door.ts'
import type { Store } from '../storage/store.ts'
import type { Upkeep } from '../storage/upkeep.ts'
import { VoiceReports } from '../storage/voice-reports.ts'
import type { PolicyWatch } from '../watch/policy-watch.ts'
import type { Control } from './detections.ts'
import { type Fraud, fraudCheck, fraudParts } from './fraud.ts'
import type { Keeping } from './keeping.ts'
import type { Models } from './models.ts'
import { random } from './options.ts'
import type { KeptAudio } from './recordings.ts'
import type { Storage } from './storage.ts'
import type { VoiceScoring } from './voice-scoring.ts'

/** How long a reader of the audit waits for rows on their way to ClickHouse. */
const auditWaitMs = 5000

export interface ApiRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly keys: ApiKeys
  readonly metrics: Metrics
  readonly live: LiveCalls
  readonly bus: EventBus
  readonly models: Models
  readonly policy: PolicyWatch
  readonly storage: Storage
  readonly fraud: Fraud
  readonly scoring: VoiceScoring
  readonly server: HttpServer
  readonly notifier: Notifier
  readonly control: Control
  readonly keeping: Keeping
  readonly audio: KeptAudio
}

export function openApi(rooms: ApiRooms): Parameters<typeof apiRoutes>[0] {
  const { config, clock, keys, metrics, live, bus, models, policy } = rooms
  const { store, writer, upkeep, trail, privacy } = rooms.storage
  const { doors, reveal } = privacy
  const { intake } = rooms.storage.records
  const { counters } = metrics
  const { authenticator, audit, origins, sessions } = openAccess(rooms)
  const selfCheck = new CdrSelfCheck({ store, waitingEntries: () => rooms.storage.records.drain.waiting })
  const cdr = new CdrDoor({
    intake,
    limits: config.cdr.doors,
    decide: (call) => rooms.fraud.decisions.decide({ ...call, from: doors.asked(call.from), to: doors.asked(call.to) }),
    isDraining: () => rooms.server.isDraining(),
    counters,
    log: rooms.log,
  })
  const { eventSubscribersMax: subscribersMax } = config.server
  const subscribers = new EventSubscribers({ bus, subscribersMax, reveal: reveal ?? ((text) => text), counters })
  metrics.gauge('cdr_sockets_open', 'Sockets for call records', () => cdr.sockets)
  const health = new Health({
    version,
    clock,
    facts: () => {
      const { model, synthetic, human } = models.settingsOf()
      return { model, thresholds: { synthetic, human } }
    },
    checks: {
      models: () => models.watch.check(),
      workers: () =>
        models.generations.ready()
          ? { state: 'ok' }
          : { state: 'degraded', detail: 'a voice worker is being replaced' },
      storage: () => storageCheck(writer, upkeep),
      records: () => intake.check(),
      fraud: () => fraudCheck(rooms.fraud),
    },
    metricsText: () => metrics.text(),
  })
  return {
    ...{ version, authenticator, audit, origins, counters, limits: config.auth.limits, health, reveal },
    keys: new KeysResource({ keys, audit, audited: () => trail.durable() }),
    erasures: new ErasureResource({ erasures: rooms.keeping.erasures, audit, audited: () => trail.durable() }),
    backups: new BackupResource({ backups: rooms.keeping.backups, audit, audited: () => trail.durable() }),
    auditLog: new AuditLog({ rows: new AuditRows(store), head: () => auditHead(trail), audit, clock }),
    calls: new Calls({ live, past: new PastCalls(new Reports(store)), policy, searched: doors.searched }),
    actions: new CallActionsResource({ policy, audit, clock }),
    events: new Events(subscribers),
    subscribers,
    detections: new DetectionResource({ ...rooms.control, configured: config.detection.voice.enabled, audit }),
    session: new SessionResource({ authenticator, sessions, audit }),
    page: new Page(`${projectRoot}dist/dashboard`),
    notifications: new Notifications({ view: rooms.notifier, audit }),
    models: new ModelsResource({ models: models.watch, audit, audited: () => trail.durable() }),
    recordings: new RecordingsResource({ ...rooms.audio, audit }),
    analytics: analyticsOf(store, selfCheck, clock),
    fraud: fraudParts(rooms, audit),
    voiceScores: rooms.scoring.parts,
    cdr: {
      post: (request) => cdr.post(request),
      route: cdr.route,
      bodyBytesMax: config.cdr.doors.bodyBytesMax,
    },
    sql: config.sql.enabled ? openSql(rooms, audit) : null,
    metricsPublic: config.auth.metricsPublic,
  }
}

/** The newest row of the audit, once ClickHouse has it. @throws OperatingError storage_unavailable */
async function auditHead(trail: Storage['trail']): Promise<ChainHead> {
  const late = sleep(auditWaitMs, 'late', { ref: false })
  const stored = trail.stored().then(() => 'stored')
  if ((await Promise.race([stored, late])) === 'late') {
    throw new OperatingError('storage_unavailable', 'the newest audit rows wait for ClickHouse')
  }
  return trail.head()
}

function openSql({ config, metrics, storage }: ApiRooms, audit: Audit): Parameters<typeof apiRoutes>[0]['sql'] {
  const { database } = config.storage
  const door = new SqlDoor({ store: storage.store, database, limits: config.sql })
  const resource = new SqlResource({ door, database, audit, counters: metrics.counters })
  return { resource, bodyBytesMax: config.sql.queryBytesMax }
}

/** Who may enter, and who did. */
function openAccess({ config, clock, keys, metrics, storage }: ApiRooms) {
  const { counters } = metrics
  const sessions = new Sessions({
    ttlMs: config.auth.sessionTtlMs,
    sessionsMax: config.auth.sessionsMax,
    secure: config.server.tls !== null || isSecureBehindProxy(config),
    clock,
    random,
    keyStands: (id) => id.startsWith('jwt:') || keys.stands(id),
    counters,
  })
  const { publicUrl, browserOrigins } = config.server
  const origins = new Origins({ publicUrl, browserOrigins })
  const authenticator = new Authenticator({
    ...{ keys, sessions, origins, clock, counters },
    throttle: new FailureThrottle({ clock, ...config.auth.failures }),
    limits: new RateLimits({ limits: config.auth.limits, counters }),
    jwt: config.auth.jwt === null ? null : new JwtVerifier(config.auth.jwt, clock),
  })
  const audit = new Audit({ clock, write: (row) => void storage.trail.write(row) })
  return { authenticator, audit, origins, sessions }
}

/** On loopback the page is opened plainly, whatever the public URL is. */
function isSecureBehindProxy({ server }: Config): boolean {
  return (server.publicUrl ?? '').startsWith('https:') && !isLoopback(server.host)
}

function storageCheck(writer: RowWriter, upkeep: Upkeep): { state: 'ok' | 'degraded' | 'failed'; detail: string } {
  const state = writer.state()
  if (state === 'full') return { state: 'failed', detail: 'the spool is full, rows are refused' }
  if (!upkeep.prepared()) return { state: 'degraded', detail: 'spooling on disk until ClickHouse answers' }
  return state === 'up' ? { state: 'ok', detail: 'up' } : { state: 'degraded', detail: 'spooling on disk' }
}

function analyticsOf(store: Store, selfCheck: CdrSelfCheck, clock: Clock): Analytics {
  const [reports, fraud, voice] = [new CdrReports(store), new FraudReports(store), new VoiceReports(store)]
  return new Analytics({ reports, fraud, voice, selfCheck, clock })
}
