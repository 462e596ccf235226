/**
 * Composition: builds every room and hands each the callbacks it needs. Read it from `startFirewall` down and you
 * have the way of a call: webhook and socket -> call table -> voice pool -> verdict -> events and rows. Main thread.
 */
import type { ApiKeys } from './access/api-keys.ts'
import type { Audit } from './api/audit.ts'
import { apiRoutes } from './api/routes.ts'
import { makeDataDir } from './config/data-dir.ts'
import { createMetrics } from './core/metrics.ts'
import { LiveCalls, type LiveTrack } from './decisions/live-calls.ts'
import { openActions } from './house/actions.ts'
import { type ApiRooms, openApi } from './house/api.ts'
import { keepCertificate } from './house/certificate.ts'
import { type Control, openControl } from './house/detections.ts'
import { type Fraud, openFraud } from './house/fraud.ts'
import { registerGauges } from './house/gauges.ts'
import { type Ingest, type IngestRooms, openIngest } from './house/ingest.ts'
import { type Keeping, openKeeping } from './house/keeping.ts'
import { openKeys } from './house/keys.ts'
import { type Models, openModels } from './house/models.ts'
import { openNotify } from './house/notify.ts'
import { openOpinions } from './house/opinions.ts'
import type { FirewallOptions } from './house/options.ts'
import { type KeptAudio, openRecordings } from './house/recordings.ts'
import { openStorage, type Storage } from './house/storage.ts'
import { openVoiceScoring, type VoiceScoring } from './house/voice-scoring.ts'
import { createHttpServer, type HttpServer } from './http/server.ts'
import { AudioTaps } from './ingest/audio-tap.ts'
import { EventBus } from './notify/event-bus.ts'
import type { Notifier } from './notify/notifier.ts'
import type { SecondOpinions } from './opinions/second-opinions.ts'
import type { PolicyWatch, Signals } from './watch/policy-watch.ts'
import { TrackWatch } from './watch/track-watch.ts'
import type { VoiceGenerations } from './worker/voice-generations.ts'

export interface Firewall {
  readonly url: string
  readonly port: number
  readonly pool: VoiceGenerations
  /** Every route and socket: `GET /healthz`, `WS /v1/cdr`. */
  patterns(): string[]
  /** Takes over a new certificate. */
  reload(): Promise<void>
  /** Refuses new work, lets live calls go on for `server.drainMs`, ends the rest as interrupted, stores, and stops. */
  close(): Promise<void>
}

const eventsKeptMax = 20_000

/** @throws OperatingError config_invalid, model_invalid, storage_unavailable (embedded engine) */
export async function startFirewall(given: FirewallOptions): Promise<Firewall> {
  const { log, clock } = given
  makeDataDir(given.config.dataDir)
  const keys = openKeys(given)
  const metrics = createMetrics()
  const { counters } = metrics
  const storage = openStorage(given, metrics)
  const { writer, runId, privacy } = storage
  // From here on numbers in lists are what numbers of calls will be.
  const { config } = privacy
  const options = { ...given, config }
  const bus = new EventBus({ keepMax: eventsKeptMax, firstId: clock.wallMs() * 1000, counters })
  const notifier = await openNotify({ config, log, clock, metrics, bus, logs: storage.logs })
  const faults = given.faults ?? false
  const live = new LiveCalls()
  const opened = openModels({ config, log, clock, metrics, live, bus, writer, faults })
  const [models] = await Promise.all([opened, storage.upkeep.started])
  const { generations: pool, settingsOf } = models

  const latency = metrics.histogram('hop_latency_seconds', 'From the frame that closed a hop to its verdict', buckets)
  const control = openControl(options, { metrics, logs: storage.logs, live, doors: privacy.doors })
  const { rest } = control
  const fraud = openFraud({ config, log, clock, metrics, bus, storage, faults, models })
  models.begin(fraud.feed)
  const caseFor: Signals['caseFor'] = (from, to, route) => fraud.decisions.casesOf({ from, to, route })
  // Asked for only by verdicts, which come later.
  const secondOpinion = (track: LiveTrack): boolean => opinions.ask(track)
  const actions = { config, log, clock, metrics, storage, bus, settingsOf, rest, caseFor, secondOpinion }
  const policy = openActions(actions)
  const watch = new TrackWatch({ live, pool: models.voice, writer, bus, policy, runId, clock, counters, latency })
  const server = createHttpServer({ log, counters, clock, limits: config.server, tls: config.server.tls })
  const { intake } = storage.records
  const taps = new AudioTaps(pool, counters)
  const opinions: SecondOpinions = openOpinions({ config, log, clock, metrics, live, bus, taps, watch })
  const { party } = privacy.doors
  const audio = openRecordings({ config, log, clock, metrics, live, bus, taps })
  // Nobody is refused before the doors are open.
  const refused: IngestRooms['refused'] = (request, code) => api.audit.refusedAtTwilio(request, code)
  const below = { sink: taps, watch, also: audio.listener, server, intake, control, party, refused }
  const ingest = openIngest({ config, log, clock, metrics, ...below })
  const common = { config, log, clock, keys, metrics, live, bus, models, policy }
  const scoring = openVoiceScoring({ config, metrics, active: () => models.judgement() })
  const inMemory = { fraud, live, policy, control, ingest, bus, notifier, audio }
  const keeping = openKeeping({ config, log, clock, storage, live: inMemory })
  const rooms: ApiRooms = { ...common, storage, fraud, scoring, server, control, notifier, audio, keeping }
  const api: ReturnType<typeof openApi> = openApi(rooms)
  const { routes, sockets } = apiRoutes(api)
  for (const route of routes) server.route(route)
  for (const socket of sockets) server.socket(socket)
  registerGauges(rooms, ingest.table)

  const certificate = keepCertificate({ tls: config.server.tls, server, log, counters })
  const port = await server.listen(config.server.host, config.server.port)
  ingest.listening(port)
  control.detections.begin()
  policy.begin()
  const url = `${config.server.tls ? 'https' : 'http'}://${config.server.host}:${port}`
  log.info('listening', { url, model: settingsOf().model, runId })
  const house: House = { ...rooms, pool, ingest, watch, opinions, audit: api.audit }
  return {
    ...{ url, port, pool, patterns: () => server.patterns(), reload: () => certificate.reload() },
    async close() {
      certificate.stop()
      await closeHouse(options, house)
    },
  }
}

const buckets = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1, 2, 5]

interface House {
  readonly server: HttpServer
  readonly ingest: Ingest
  readonly pool: VoiceGenerations
  readonly models: Models
  readonly watch: TrackWatch
  readonly policy: PolicyWatch
  readonly storage: Storage
  readonly notifier: Notifier
  readonly control: Control
  readonly opinions: SecondOpinions
  readonly audio: KeptAudio
  readonly fraud: Fraud
  readonly scoring: VoiceScoring
  readonly audit: Audit
  readonly keys: ApiKeys
  readonly keeping: Keeping
}

async function closeHouse({ config, clock, log }: FirewallOptions, house: House): Promise<void> {
  const { server, ingest, pool, models, watch, policy, storage, fraud, scoring, control } = house
  const { notifier, opinions, audio, audit, keys, keeping } = house
  const { writer, records, trail, store, logs, upkeep } = storage
  log.info('draining', { tracks: ingest.table.size })
  server.drain()
  control.detections.close()
  const deadlineMs = clock.steadyMs() + config.server.drainMs
  while (ingest.table.size > 0 && clock.steadyMs() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  ingest.table.endAll('interrupted')
  opinions.close()
  await models.close()
  await scoring.stop()
  await audio.close()
  await pool.drain()
  watch.endAll()
  ingest.stop()
  await policy.settled()
  control.rest.close()
  await keeping.over()
  await records.intake.close()
  await fraud.feed.stop()
  await notifier.close()
  await upkeep.stop()
  await writer.close()
  audit.sweep(true)
  await trail.close()
  keys.writeUsed()
  await storage.privacy.stop()
  await Promise.all([records.drain.close(), records.scoresDrain.close()])
  await Promise.all([store.close(), pool.stop()])
  server.close()
  await logs.close()
  log.info('stopped')
}
