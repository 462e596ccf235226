/**
 * Composition: builds every room and hands each the callbacks it needs. Read it from `startFirewall` down and you
 * have the way of a call: webhook and socket -> call table -> voice pool -> verdict -> events and rows. Main thread.
 */
import { randomBytes } from 'node:crypto'
import { ApiKeys } from './access/api-keys.ts'
import { Authenticator } from './access/authenticate.ts'
import { FailureThrottle, failureThrottleDefaults } from './access/failure-throttle.ts'
import { Sessions } from './access/sessions.ts'
import { Analytics } from './api/analytics.ts'
import { Audit } from './api/audit.ts'
import { Calls } from './api/calls.ts'
import { Events } from './api/events.ts'
import { Health } from './api/health.ts'
import { Page } from './api/page.ts'
import { apiRoutes } from './api/routes.ts'
import { SessionResource } from './api/session.ts'
import { makeDataDir } from './config/data-dir.ts'
import { ConfigProblems, isLoopback } from './config/load.ts'
import type { Config } from './config/schema.ts'
import type { Clock } from './core/clock.ts'
import { messageOf } from './core/errors.ts'
import type { Log } from './core/log.ts'
import { createMetrics, type Metrics } from './core/metrics.ts'
import { projectRoot, version } from './core/project.ts'
import { watchThread } from './core/thread-load.ts'
import { LiveCalls } from './decisions/live-calls.ts'
import { type VerdictSettings, verdictSettings } from './decisions/voice-verdict.ts'
import { createHttpServer, type HttpServer } from './http/server.ts'
import { activeModelDir, loadVoiceModel, modelLabel } from './inference/model-file.ts'
import { CallTable } from './ingest/call-table.ts'
import { CdrDoor } from './ingest/cdr-door.ts'
import { CdrIntake } from './ingest/cdr-intake.ts'
import { MediaSockets } from './ingest/media-socket.ts'
import { StreamTokens } from './ingest/stream-tokens.ts'
import { voiceWebhookRoutes } from './ingest/voice-webhook.ts'
import { LogEnvironment } from './log/log-environment.ts'
import { EventBus } from './notify/event-bus.ts'
import { CdrReports } from './storage/cdr-reports.ts'
import { runIdOf } from './storage/interrupted-calls.ts'
import { PastCalls } from './storage/past-calls.ts'
import { Reports } from './storage/reports.ts'
import { RowQuarantine } from './storage/row-quarantine.ts'
import { RowWriter } from './storage/row-writer.ts'
import type { Store } from './storage/store.ts'
import { createStore } from './storage/stores.ts'
import { TableDrain } from './storage/table-drain.ts'
import { rowOf } from './storage/tables.ts'
import { keepStore, type Upkeep } from './storage/upkeep.ts'
import { TrackWatch } from './watch/track-watch.ts'
import { VoicePool } from './worker/pool.ts'

export interface FirewallOptions {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  /** Told the admin key that was made at a first start on loopback; nobody else is. */
  readonly adminKeyMade?: (key: string) => void
  /** For tests: lets the pool's workers be told to throw or hang. */
  readonly faults?: boolean
}

export interface Firewall {
  readonly url: string
  readonly port: number
  readonly pool: VoicePool
  /** Refuses new work, lets live calls go on for `server.drainMs`, ends the rest as interrupted, stores, and stops. */
  close(): Promise<void>
}

/** Timers of calls, tokens and sockets are looked at so often. */
const tickMs = 250
/** The log of call records and the quality of sources are looked at so often. */
const slowTickMs = 1000
const eventsKeptMax = 20_000
const quarantineBytesMax = 67_108_864
const random = (bytes: number): Buffer => randomBytes(bytes)

/** @throws OperatingError config_invalid, model_invalid, storage_unavailable (embedded engine) */
export async function startFirewall(options: FirewallOptions): Promise<Firewall> {
  const { config, log, clock } = options
  makeDataDir(config.dataDir)
  const keys = openKeys(options)
  const metrics = createMetrics()
  const { counters } = metrics
  const model = loadVoiceModel(activeModelDir('voice'))
  const settings = verdictSettings(config.detection.voice, model.manifest, modelLabel(model.manifest))
  const storage = openStorage(options, counters)
  const { writer, runId } = storage
  const faults = options.faults ?? false
  const [pool] = await Promise.all([
    VoicePool.start({ config: config.detection.voice, model, counters, clock, log, faults }),
    storage.upkeep.started,
  ])

  const live = new LiveCalls()
  const bus = new EventBus({ keepMax: eventsKeptMax, firstId: clock.wallMs() * 1000, counters })
  const latency = metrics.histogram('hop_latency_seconds', 'From the frame that closed a hop to its verdict', buckets)
  const watch = new TrackWatch({ live, pool, writer, bus, settings, runId, clock, counters, latency })
  const server = createHttpServer({ log, counters, clock, limits: config.server, tls: config.server.tls })
  const ingest = openIngest({ config, log, clock, metrics, pool, watch, server, intake: storage.records.intake })
  const rooms: ApiRooms = { config, log, clock, keys, metrics, live, bus, pool, settings, storage, server }
  for (const route of apiRoutes(openApi(rooms))) server.route(route)
  registerGauges(rooms, ingest.table)

  const port = await server.listen(config.server.host, config.server.port)
  ingest.listening(port)
  const url = `${config.server.tls ? 'https' : 'http'}://${config.server.host}:${port}`
  log.info('listening', { url, model: settings.model, runId })
  return { url, port, pool, close: () => closeHouse(options, { server, ingest, pool, watch, storage }) }
}

interface Storage {
  readonly logs: LogEnvironment
  readonly runId: string
  readonly store: Store
  readonly writer: RowWriter
  readonly records: Records
  readonly upkeep: Upkeep
}

/** Spool, store, writer, and whoever brings the store up and keeps trying. */
function openStorage({ config, log, clock }: FirewallOptions, counters: Metrics['counters']): Storage {
  const logs = LogEnvironment.open({ directory: `${config.dataDir}/spool`, counters, log })
  const runId = runIdOf(logs.id, clock.wallMs())
  const store = createStore(config, { counters, log })
  const { flushMs, batchRowsMax, spoolBytesMax } = config.storage
  const quarantineFile = `${config.dataDir}/quarantine.ndjson`
  const limits = { flushMs, batchRowsMax, spoolBytesMax, quarantineFile }
  const writer = new RowWriter({ logs, store, counters, clock, log, ...limits })
  const records = openRecords({ config, log, clock, counters, logs, store, writer })
  const { retention } = config
  const begin = (): void => records.drain.begin()
  const upkeep = keepStore({ store, writer, begin, retention, serverId: logs.id, runId, clock, log })
  return { logs, runId, store, writer, records, upkeep }
}

const buckets = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1, 2, 5]

/** Keys, or the refusal to stand open: beyond loopback nobody starts without authentication. */
function openKeys({ config, clock, adminKeyMade }: FirewallOptions): ApiKeys {
  const keys = new ApiKeys({ dataDir: config.dataDir, clock, random })
  if (isLoopback(config.server.host)) {
    const made = keys.ensureFirstKey()
    if (made !== undefined) adminKeyMade?.(made)
  } else if (!keys.any()) {
    throw new ConfigProblems([
      `server.host: ${config.server.host} is not loopback and no API key exists in ${config.dataDir}; ` +
        'make one first: voicefw key create --role admin --name NAME',
    ])
  }
  return keys
}

interface Records {
  readonly intake: CdrIntake
  readonly drain: TableDrain
}

interface RecordRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly counters: Metrics['counters']
  readonly logs: LogEnvironment
  readonly store: Store
  readonly writer: RowWriter
}

/** Call records: doors -> lanes -> durable log; the log is what the drain inserts into table `cdrs`. */
function openRecords({ config, log, clock, counters, logs, store, writer }: RecordRooms): Records {
  const intake: CdrIntake = new CdrIntake({
    config: config.cdr.doors,
    sourceDirectories: [...config.cdr.doors.sourceDirectories, `${config.dataDir}/sources`],
    logs,
    clock,
    counters,
    log,
    writeCount: ({ hourMs: hour, source, defect, count }) =>
      void writer.write('source_quality', rowOf('source_quality', { hour, source, defect, count })),
    writeExample: ({ atMs: at, ...example }) =>
      void writer.write('source_quality_examples', rowOf('source_quality_examples', { at, ...example })),
    arrived: (rows) => drain.arrived(rows),
  })
  const { flushMs, batchRowsMax } = config.storage
  const file = `${config.dataDir}/quarantine-cdrs.ndjson`
  const quarantine = new RowQuarantine({ file, bytesMax: quarantineBytesMax, counters, log })
  const rooms = { store, quarantine, counters, log, clock, flushMs, batchRowsMax }
  const drain = new TableDrain({ ...rooms, table: 'cdrs', rows: intake.rows, logId: logs.id })
  // Until the memory of a former run is there batches are answered 503.
  intake.open().catch((thrown: unknown) => log.error('records cannot be taken', { reason: messageOf(thrown) }))
  return { intake, drain }
}

interface Ingest {
  readonly table: CallTable
  listening(port: number): void
  stop(): void
}

interface IngestRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly pool: VoicePool
  readonly watch: TrackWatch
  readonly server: HttpServer
  readonly intake: CdrIntake
}

/** Twilio's doors: webhooks, media sockets, the call table, and the timer that moves them on. */
function openIngest({ config, log, clock, metrics, pool, watch, server, intake }: IngestRooms): Ingest {
  const { counters } = metrics
  const { twilio } = config
  const { track, accounts, enforceSignature, continuation, messageBytesMax, tokenTtlMs, tokensMax } = twilio
  let publicUrl = config.server.publicUrl ?? ''
  const tokens = new StreamTokens({ clock, tokenTtlMs, tokensMax, random, counters })
  const { reconnectGraceMs, idleTimeoutMs } = config.detection.voice
  const table = new CallTable({ sink: pool, listener: watch, clock, counters, track, reconnectGraceMs, idleTimeoutMs })
  const shared = { publicUrl: () => publicUrl, tokens, counters, log }
  const callEnded = (callSid: string, accountSid: string): void => table.callEnded(callSid, accountSid)
  const callStatus = async (fields: object): Promise<void> =>
    void (await intake.takeBody('twilio', Buffer.from(JSON.stringify(fields)), 'json', ''))
  const webhook = {
    twilio: { accounts, enforceSignature, track, continuation },
    callEnded,
    callStatus,
    random,
    ...shared,
  }
  for (const route of voiceWebhookRoutes(webhook)) server.route(route)
  const sockets = new MediaSockets({
    twilio: { accounts, enforceSignature, messageBytesMax },
    mediaSocketsMax: config.server.mediaSocketsMax,
    isDraining: () => server.isDraining(),
    table,
    clock,
    ...shared,
  })
  server.socket(sockets.route)
  const timer = setInterval(() => {
    table.tick()
    tokens.tick()
    sockets.tick()
    watch.tick()
  }, tickMs)
  const slowTimer = setInterval(() => intake.tick(), slowTickMs)
  return {
    table,
    listening(port) {
      if (publicUrl === '') publicUrl = `${config.server.tls ? 'https' : 'http'}://${config.server.host}:${port}`
    },
    stop() {
      clearInterval(timer)
      clearInterval(slowTimer)
    },
  }
}

interface ApiRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly keys: ApiKeys
  readonly metrics: Metrics
  readonly live: LiveCalls
  readonly bus: EventBus
  readonly pool: VoicePool
  readonly settings: VerdictSettings
  readonly storage: Storage
  readonly server: HttpServer
}

function openApi(rooms: ApiRooms): Parameters<typeof apiRoutes>[0] {
  const { config, clock, keys, metrics, live, bus, pool, settings } = rooms
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
  const audit = new Audit({ clock, write: (row) => void writer.write('audit', Object.values(row)) })
  const { synthetic, human } = settings
  const cdr = new CdrDoor({
    intake,
    limits: config.cdr.doors,
    authorize: (request) => void authenticator.authorize(request, 'ingest'),
    isDraining: () => rooms.server.isDraining(),
    counters,
    log: rooms.log,
  })
  rooms.server.socket(cdr.route)
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
    },
    metricsText: () => metrics.text(),
  })
  return {
    authenticator,
    audit,
    health,
    calls: new Calls({ live, past: new PastCalls(new Reports(store)) }),
    events: new Events({ bus, subscribersMax: config.server.eventSubscribersMax, counters }),
    session: new SessionResource({ authenticator, sessions, audit }),
    page: new Page(`${projectRoot}dist/dashboard`),
    analytics: new Analytics({ reports: new CdrReports(store), clock }),
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

function registerGauges(rooms: ApiRooms, table: CallTable): void {
  const { live, metrics, pool, server } = rooms
  const { writer } = rooms.storage
  const { intake, drain } = rooms.storage.records
  const seats = (read: (seat: ReturnType<VoicePool['stats']>['seats'][number]) => number): number =>
    pool.stats().seats.reduce((sum, seat) => sum + read(seat), 0)
  metrics.gauge('tracks_live', 'Detections (call and track) that are live', () => live.liveCount)
  metrics.gauge('tracks_fed', 'Detections that streams may feed', () => table.size)
  metrics.gauge('sockets_open', 'WebSockets open', () => server.openSockets())
  metrics.gauge('ring_used_bytes', 'Audio that waits for voice workers', () => seats((seat) => seat.ringUsedBytes))
  metrics.gauge('worker_busy_milliseconds', 'Time voice workers spent computing', () => seats((seat) => seat.busyMs))
  metrics.gauge('spool_bytes', 'Rows on disk that ClickHouse has not confirmed', () => writer.spoolBytes())
  metrics.gauge('cdr_ids_remembered', 'Record ids that duplicates are found by', () => intake.stats().ids)
  metrics.gauge('cdr_pending_bytes', 'Batches of call records in memory', () => intake.stats().pendingBytes)
  metrics.gauge('cdr_waiting_entries', 'Entries of the log that ClickHouse has not confirmed', () => drain.waiting)
  metrics.gauge('cdr_log_bytes', 'Call records in the durable log', () => intake.stats().logBytes)
  const load = watchThread()
  metrics.gauge('event_loop_delay_p99_milliseconds', 'Main thread, since the last scrape', () => load.delayMsP99())
  metrics.gauge('event_loop_utilization', 'Main thread, since the last scrape, 0..1', () => load.utilization())
}

interface House {
  readonly server: HttpServer
  readonly ingest: Ingest
  readonly pool: VoicePool
  readonly watch: TrackWatch
  readonly storage: Storage
}

async function closeHouse({ config, clock, log }: FirewallOptions, house: House): Promise<void> {
  const { server, ingest, pool, watch, storage } = house
  const { writer, records, store, logs, upkeep } = storage
  log.info('draining', { tracks: ingest.table.size })
  server.drain()
  const deadlineMs = clock.steadyMs() + config.server.drainMs
  while (ingest.table.size > 0 && clock.steadyMs() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  ingest.table.endAll('interrupted')
  await pool.drain()
  watch.endAll()
  ingest.stop()
  await records.intake.close()
  await upkeep.stop()
  await writer.close()
  await records.drain.close()
  await Promise.all([store.close(), pool.stop()])
  server.close()
  await logs.close()
  log.info('stopped')
}
