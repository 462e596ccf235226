/** The whole API over fakes: what main.ts wires, without a server. */
import { CallActionsResource } from '../../src/api/actions.ts'
import { Analytics } from '../../src/api/analytics.ts'
import { Audit, type AuditRow } from '../../src/api/audit.ts'
import { AuditLog } from '../../src/api/audit-log.ts'
import { BackupResource, type BackupResourceOptions } from '../../src/api/backups.ts'
import { Calls } from '../../src/api/calls.ts'
import { DetectionResource, type DetectionResourceOptions } from '../../src/api/detections.ts'
import { ErasureResource, type ErasureResourceOptions } from '../../src/api/erasures.ts'
import { EventSubscribers } from '../../src/api/event-subscribers.ts'
import { Events } from '../../src/api/events.ts'
import { type Check, Health } from '../../src/api/health.ts'
import { KeysResource } from '../../src/api/keys.ts'
import { ModelsResource, type ModelsShown } from '../../src/api/models.ts'
import { Notifications, type NotificationsView } from '../../src/api/notifications.ts'
import { Page } from '../../src/api/page.ts'
import { RecordingsResource, type RecordingsResourceOptions } from '../../src/api/recordings.ts'
import { apiRoutes } from '../../src/api/routes.ts'
import { SessionResource } from '../../src/api/session.ts'
import type { VoiceScores } from '../../src/api/voice-scores.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { projectRoot } from '../../src/core/project.ts'
import type { SocketRoute } from '../../src/http/exchange.ts'
import type { CdrSocketState } from '../../src/ingest/cdr-door.ts'
import { EventBus } from '../../src/notify/event-bus.ts'
import type { AuditFilter, AuditRecord } from '../../src/storage/audit-rows.ts'
import { VoiceReports } from '../../src/storage/voice-reports.ts'
import { FakeCallPolicy, FakeLiveCalls, FakePastCalls } from './calls.ts'
import { fakeFraud } from './fraud.ts'
import { house } from './people.ts'

export interface ApiOptions {
  readonly checks?: Readonly<Record<string, Check>>
  readonly metricsPublic?: boolean
  readonly subscribersMax?: number
  readonly keepMax?: number
  readonly storageBatch?: number
  readonly score?: VoiceScores['score']
  readonly notifications?: NotificationsView
  /** Mode `tokens`. */
  readonly reveal?: (text: string) => string
  readonly detections?: Omit<DetectionResourceOptions, 'audit'>
  readonly models?: ModelsShown
  readonly recordings?: RecordingsResourceOptions['recordings']
}

const nothing = (): never => {
  throw new OperatingError('not_found', 'nothing of the kind here')
}

const noDetections: Omit<DetectionResourceOptions, 'audit'> = {
  detections: {
    start: async () => nothing(),
    stop: async () => nothing(),
    find: nothing,
    list: () => [],
    view: nothing,
  },
  overrides: { state: { revision: 0, changedAt: null, changedBy: null, rules: [] }, replace: nothing },
  configured: { default: true, timeZone: 'UTC', rules: [] },
}

const noErasures: ErasureResourceOptions['erasures'] = { begin: nothing, report: () => null }

const noBackup = { startedAt: null, finishedAt: null, problem: null, table: null, rows: 0, rowsTotal: 0, tables: [] }
const noBackups: BackupResourceOptions['backups'] = {
  state: { state: 'none', directory: null, ...noBackup },
  checked: nothing,
  begin: nothing,
}

const noModels: ModelsShown = {
  views: () => [],
  activate: async () => nothing(),
  rollback: async () => nothing(),
  setCandidate: async () => nothing(),
}

const noRecordings: RecordingsResourceOptions['recordings'] = {
  isOn: false,
  list: async () => [],
  read: async () => nothing(),
  erase: async () => 0,
  optIn: () => {},
  optOut: async () => 0,
}

const noNotifications: NotificationsView = {
  views: () => [],
  deadLetters: () => [],
  resend: async () => {
    throw new OperatingError('not_found', 'no dead letter of that id')
  },
}

/** Audit rows as they lie in the table. */
class FakeTrail {
  readonly head = { chain: 'test-0', seq: 0, hash: '' }
  readonly records: AuditRecord[] = []

  async page(filter: AuditFilter): Promise<AuditRecord[]> {
    return this.records.slice(0, filter.limit)
  }
}

const cdrState = (): CdrSocketState => ({
  source: 'canonical',
  unackedMessages: 0,
  unackedBytes: 0,
  answered: Promise.resolve(),
  isOver: false,
})

/** Says back what it is sent. */
const cdrSocket: SocketRoute<CdrSocketState> = {
  pattern: '/v1/cdr',
  messageBytesMax: 1000,
  idleTimeoutSeconds: 60,
  upgrade: () => ({ accept: cdrState() }),
  open: () => {},
  message: (socket, _state, bytes) => void socket.send(Buffer.from(bytes).toString()),
  close: () => {},
}

export function fakeApi(options: ApiOptions = {}) {
  const people = house()
  const { clock, counters, authenticator, sessions, origins } = people
  const rows: AuditRow[] = []
  const audit = new Audit({ write: (row) => rows.push(row), clock })
  const live = new FakeLiveCalls()
  const past = new FakePastCalls()
  const policy = new FakeCallPolicy()
  const bus = new EventBus({ keepMax: options.keepMax ?? 10_000, firstId: clock.wallMs() * 1000, counters })
  const reveal = options.reveal ?? ((text: string) => text)
  const subscribers = new EventSubscribers({ bus, subscribersMax: options.subscribersMax ?? 10, reveal, counters })
  const events = new Events(subscribers)
  const checks: Record<string, Check> = { ...options.checks }
  const fraud = fakeFraud(clock)
  const trail = new FakeTrail()
  const { routes, sockets } = apiRoutes({
    ...{ version: '0.1.0', authenticator, audit, origins, counters, events, subscribers },
    limits: { socketsPerKey: 3, socketsPerAddress: 5 },
    reveal: options.reveal ?? null,
    keys: new KeysResource({ keys: people.keys, audit, audited: async () => {} }),
    erasures: new ErasureResource({ erasures: noErasures, audit, audited: async () => {} }),
    backups: new BackupResource({ backups: noBackups, audit, audited: async () => {} }),
    auditLog: new AuditLog({ rows: trail, head: async () => trail.head, audit, clock }),
    detections: new DetectionResource({ ...(options.detections ?? noDetections), audit }),
    calls: new Calls({ live, past, policy, searched: (text) => text, storageBatch: options.storageBatch ?? 250 }),
    actions: new CallActionsResource({ policy, audit, clock }),
    health: new Health({
      version: '0.1.0',
      clock,
      checks,
      facts: () => ({ model: 'voice/1', thresholds: { synthetic: 0.8, human: 0.3 } }),
      metricsText: async () => 'voicefw_up 1\n',
    }),
    session: new SessionResource({ authenticator, sessions, audit }),
    page: new Page(`${projectRoot}dist/dashboard`),
    notifications: new Notifications({ view: options.notifications ?? noNotifications, audit }),
    models: new ModelsResource({ models: options.models ?? noModels, audit, audited: async () => {} }),
    recordings: new RecordingsResource({ recordings: options.recordings ?? noRecordings, startCall: () => {}, audit }),
    analytics: new Analytics({
      clock,
      reports: { traffic: async () => ({ points: [], routes: [] }), quality: async () => [] },
      selfCheck: { check: async () => ({ agrees: true, waitingEntries: 0, days: [], arrivals: [] }) },
      fraud: { report: async () => ({ points: [], kinds: [] }) },
      voice: new VoiceReports({ query: async () => [] }),
    }),
    fraud: fraud.parts(audit),
    voiceScores: { score: options.score ?? (async () => []), bodyBytesMax: 1000 },
    cdr: { bodyBytesMax: 1000, route: cdrSocket, post: async () => ({ status: 200, body: '{}' }) },
    sql: null,
    metricsPublic: options.metricsPublic ?? true,
  })
  const { key } = people.keys.create('viewer', 'screen')
  const header = { authorization: `Bearer ${key}` }
  const served = { routes, sockets, trail, key, header }
  return { ...people, audit, rows, fraud, live, past, policy, bus, events, subscribers, checks, ...served }
}
