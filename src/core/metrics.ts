/**
 * One table of every metric (the only importer of prom-client). Hot code adds to plain numbers (`counters.mediaFrames
 * += 1`); they become Prometheus text only when somebody scrapes. Names follow `[namespace_]name_unit[_total]`. Main
 * thread.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

interface CounterDefinition {
  readonly name: string
  readonly help: string
  readonly labels: Readonly<Record<string, string>>
}

function counter(name: string, help: string, labels: Record<string, string> = {}): CounterDefinition {
  return { name: `voicefw_${name}_total`, help, labels }
}

const mediaDropped = 'Media messages that were read but not used'
const socketsRefused = 'WebSocket upgrades refused'
const socketsClosed = 'Twilio sockets closed by us'
const voiceScores = 'Recordings scored over the API, by fate'
const secondStage = 'Suspicious windows for the second stage, by fate'
const httpRefused = 'HTTP requests refused before their route'
const workerLost = 'Workers replaced'
const storeRows = 'Rows by fate'
const vaultNumbers = 'Numbers of the vault by fate'
const cdrRecords = 'Call records by fate'
const callActions = 'Redirects and hang-ups by outcome'
const opinions = 'Second opinions of other detectors, by fate'
const recordings = 'Tracks kept as audio, by fate'
const noticeDeliveries = 'Tries to hand a notice to one receiver, by fate'
const modelSwaps = 'Times another version of a model was to take over'
const twilioRequests = 'Requests to Twilio by outcome, after the last try'
const fraudWorkerLost = 'Fraud workers replaced'
const cdrNotInWindows = 'Calls whose time did not fit the windows'
const cdrSocketsClosed = 'Sockets for call records closed by us'

/** Key in code -> what Prometheus sees. Keys that share a name differ by label. */
export const counterTable = {
  httpRequests: counter('http_requests', 'HTTP requests routed'),
  httpErrors: counter('http_errors', 'Answers with status 500 or above'),
  httpBugs: counter('http_bugs', 'Exceptions caught at the wrapper of a uWebSockets.js callback'),
  httpFramingRefused: counter('http_refused', httpRefused, { reason: 'framing' }),
  httpBodyRefused: counter('http_refused', httpRefused, { reason: 'body' }),
  connectionsRefused: counter('connections_refused', 'Connections closed at once: server.connectionsMax was reached'),
  mediaFrames: counter('media_frames', 'Media messages put into a ring'),
  mediaBytes: counter('media_bytes', 'Bytes of Twilio messages read'),
  mediaSlowPath: counter('media_slow_path', 'Media messages that the byte scanner left to JSON.parse'),
  mediaMalformed: counter('media_dropped', mediaDropped, { reason: 'malformed' }),
  mediaBinary: counter('media_dropped', mediaDropped, { reason: 'binary' }),
  mediaBeforeStart: counter('media_dropped', mediaDropped, { reason: 'before_start' }),
  mediaUnknownTrack: counter('media_dropped', mediaDropped, { reason: 'track_not_watched' }),
  mediaDisplaced: counter('media_dropped', mediaDropped, { reason: 'stream_displaced' }),
  mediaSequenceRegressed: counter('media_dropped', mediaDropped, { reason: 'sequence_regressed' }),
  mediaRingFull: counter('media_dropped', mediaDropped, { reason: 'ring_full' }),
  mediaTooLarge: counter('media_dropped', mediaDropped, { reason: 'too_large' }),
  mediaRefused: counter('media_dropped', mediaDropped, { reason: 'call_refused' }),
  mediaAfterEnd: counter('media_dropped', mediaDropped, { reason: 'after_end' }),
  mediaUnknownEvents: counter('media_unknown_events', 'Twilio messages of an event we do not know'),
  mediaStartRepeated: counter('media_start_repeated', 'start messages on a stream that had started'),
  mediaClockSetBack: counter('media_clock_set_back', 'Streams whose timestamps fell back and went on from there'),
  audioDuplicate: counter('audio_dropped', 'Decoded frames not used', { reason: 'duplicate' }),
  audioRegressed: counter('audio_dropped', 'Decoded frames not used', { reason: 'regressed' }),
  audioUndecodable: counter('audio_dropped', 'Decoded frames not used', { reason: 'base64' }),
  audioStray: counter('audio_dropped', 'Decoded frames not used', { reason: 'clock_jump' }),
  audioFilledMs: counter('audio_filled_milliseconds', 'Small losses filled with silence and flagged'),
  audioLostMs: counter('audio_lost_milliseconds', 'Audio that never came (jumps of media.timestamp)'),
  socketsOpened: counter('sockets_opened', 'Twilio sockets accepted'),
  socketsRefusedToken: counter('sockets_refused', socketsRefused, { reason: 'token' }),
  socketsRefusedSignature: counter('sockets_refused', socketsRefused, { reason: 'signature' }),
  socketsRefusedCapacity: counter('sockets_refused', socketsRefused, { reason: 'capacity' }),
  socketsClosedBinding: counter('sockets_closed', socketsClosed, { reason: 'call_not_bound' }),
  socketsClosedProtocol: counter('sockets_closed', socketsClosed, { reason: 'protocol' }),
  socketsClosedTrackless: counter('sockets_closed', socketsClosed, { reason: 'no_start' }),
  tokensEvicted: counter('stream_tokens_evicted', 'Stream tokens dropped unused because tokensMax was reached'),
  webhookRefused: counter('webhook_refused', 'Twilio webhooks refused (signature or account)'),
  streamErrors: counter('stream_errors', 'stream-error callbacks from Twilio'),
  callsStarted: counter('calls_started', 'Detections begun (call and track)'),
  callsEnded: counter('calls_ended', 'Detections ended (call and track)'),
  callsRefused: counter('calls_refused', 'Detections refused by admission'),
  streamsDisplaced: counter('streams_displaced', 'Streams replaced by a newer one of the same call and track'),
  streamsResumed: counter('streams_resumed', 'Detections continued on a new stream within the grace'),
  hopsClosed: counter('hops_closed', 'Hops whose features were made'),
  hopsScored: counter('hops_scored', 'Hops scored by the model'),
  hopsUnfamiliar: counter('hops_unfamiliar', 'Hops scored but left out: unlike the audio the model learned from'),
  inferenceRuns: counter('inference_runs', 'Runs of the voice model (batches)'),
  voiceScored: counter('voice_scores', voiceScores, { fate: 'judged' }),
  voiceScoreFailed: counter('voice_scores', voiceScores, { fate: 'failed' }),
  voiceScoreRefused: counter('voice_scores', voiceScores, { fate: 'refused' }),
  secondStageJudged: counter('second_stage_windows', secondStage, { fate: 'judged' }),
  secondStageOverBudget: counter('second_stage_windows', secondStage, { fate: 'over_budget' }),
  secondStageLost: counter('second_stage_windows', secondStage, { fate: 'lost' }),
  secondStageMs: counter('second_stage_milliseconds', 'Time the second stage spent computing'),
  verdictsChanged: counter('verdicts_changed', 'Label changes'),
  actionsDecided: counter('actions_decided', 'Rules of the policy on calls that fired, in force or in shadow'),
  actionsDone: counter('call_actions', callActions, { outcome: 'done' }),
  actionsFailed: counter('call_actions', callActions, { outcome: 'failed' }),
  actionsRefused: counter('call_actions', callActions, { outcome: 'queue_full' }),
  actionsUnwritten: counter(
    'actions_unwritten',
    'Decisions about calls that a restart will not know of: the disk refused',
  ),
  policyThrew: counter('policy_threw', 'Looks of the policy that ended in a bug; the verdict stands, nothing was done'),
  callersUnknown: counter('caller_look_ups_given_up', "Look-ups of a caller's records that failed or were too many"),
  modelSwaps: counter('model_swaps', modelSwaps, { outcome: 'done' }),
  modelSwapsRefused: counter('model_swaps', modelSwaps, { outcome: 'refused' }),
  shadowScores: counter('model_shadow_scores', 'Inputs that a candidate and the active model both judged'),
  workerThrew: counter('workers_replaced', workerLost, { reason: 'threw' }),
  workerHung: counter('workers_replaced', workerLost, { reason: 'hung' }),
  twilioDone: counter('twilio_requests', twilioRequests, { outcome: 'done' }),
  twilioCallOver: counter('twilio_requests', twilioRequests, { outcome: 'call_over' }),
  twilioStreamsFull: counter('twilio_requests', twilioRequests, { outcome: 'streams_full' }),
  twilioUnauthenticated: counter('twilio_requests', twilioRequests, { outcome: 'unauthenticated' }),
  twilioBusy: counter('twilio_requests', twilioRequests, { outcome: 'busy' }),
  twilioUnavailable: counter('twilio_requests', twilioRequests, { outcome: 'unavailable' }),
  twilioRejected: counter('twilio_requests', twilioRequests, { outcome: 'rejected' }),
  twilioRetried: counter('twilio_requests_retried', 'Tries of requests to Twilio that were made again'),
  detectionsAsked: counter('detections', 'Detections by what began or ended them', { event: 'asked' }),
  detectionsOffered: counter('detections', 'Detections by what began or ended them', { event: 'offered' }),
  detectionsFailed: counter('detections', 'Detections by what began or ended them', { event: 'failed' }),
  detectionsUntracked: counter('detections_untracked', 'Streams that no detection stands for: too many at a time'),
  detectionsUnwritten: counter('detections_unwritten', 'Changes of detections that the journal did not take'),
  streamsRestarted: counter('streams_restarted', 'Streams asked for again: broken, or cut by a restart'),
  callsNotListened: counter('calls_not_listened', 'Calls left alone because a rule says so'),
  rowsStored: counter('store_rows', storeRows, { fate: 'stored' }),
  rowsSpooled: counter('store_rows', storeRows, { fate: 'spooled' }),
  rowsRefused: counter('store_rows', storeRows, { fate: 'refused_spool_full' }),
  rowsQuarantined: counter('store_rows', storeRows, { fate: 'quarantined' }),
  rowsQuarantineLost: counter('store_quarantine_lost', 'Quarantined rows whose file was full or not writable'),
  logEntriesCorrupt: counter('log_entries_corrupt', 'Entries of the durable log with a wrong checksum, quarantined'),
  insertsRetried: counter('store_inserts_retried', 'Insert batches sent again after an unclear error'),
  storeChildRestarts: counter('store_child_restarts', 'Restarts of the embedded ClickHouse child'),
  vaultNumbersStored: counter('vault_numbers', vaultNumbers, { event: 'stored' }),
  vaultNumbersForgotten: counter('vault_numbers', vaultNumbers, { event: 'forgotten' }),
  vaultRefused: counter('vault_refused', 'Numbers not taken because too many wait for the disk'),
  cdrAccepted: counter('cdr_records', cdrRecords, { fate: 'accepted' }),
  cdrDuplicates: counter('cdr_records', cdrRecords, { fate: 'duplicate' }),
  cdrRejected: counter('cdr_records', cdrRecords, { fate: 'rejected' }),
  cdrGroups: counter('cdr_groups', 'Groups of call records made durable by one flush'),
  cdrRefused: counter('cdr_batches_refused', 'Batches of call records refused: memory, log or disk full'),
  cdrSocketsOpened: counter('cdr_sockets_opened', 'Sockets for call records accepted'),
  cdrSocketsRefused: counter('cdr_sockets_refused', 'Sockets for call records refused at the upgrade'),
  cdrSocketsWindow: counter('cdr_sockets_closed', cdrSocketsClosed, { reason: 'window' }),
  cdrSocketsFull: counter('cdr_sockets_closed', cdrSocketsClosed, { reason: 'full' }),
  cdrLate: counter('cdr_window_time', cdrNotInWindows, { fate: 'late' }),
  cdrAhead: counter('cdr_window_time', cdrNotInWindows, { fate: 'ahead' }),
  keysEvicted: counter('cdr_keys_evicted', 'Keys that left full tables of sliding windows'),
  fraudCalls: counter('fraud_calls', 'Calls judged by the fraud worker, rebuilt windows included'),
  fraudUnreadable: counter('fraud_unreadable', 'Rows or entries of the log that the fraud worker could not read'),
  fraudScores: counter('fraud_scores', 'Rows for calls under an open case'),
  fraudWorkerThrew: counter('fraud_workers_replaced', fraudWorkerLost, { reason: 'threw' }),
  fraudWorkerHung: counter('fraud_workers_replaced', fraudWorkerLost, { reason: 'hung' }),
  casesOpened: counter('cases_opened', 'Cases opened'),
  casesRefused: counter('cases_refused', 'Signals that opened no case because there were too many'),
  casesForgotten: counter('cases_forgotten', 'Closed cases that left memory; the table has them'),
  decisionsAsked: counter('decisions_asked', 'Decisions asked for, over HTTP and WebSocket'),
  decisionsActed: counter('decisions_acted', 'Decisions that were not allow'),
  decisionsShadowed: counter('decisions_shadowed', 'Decisions that were allow in shadow mode only'),
  eventsPublished: counter('events_published', 'Events put on the bus'),
  eventSubscribersSlow: counter('event_subscribers_closed', 'Event subscribers closed', { reason: 'slow' }),
  eventSubscribersRefused: counter('event_subscribers_refused', 'Event subscribers refused: too many at a time'),
  opinionsAsked: counter('opinions', opinions, { fate: 'asked' }),
  opinionsHeard: counter('opinions', opinions, { fate: 'heard' }),
  opinionsAbstained: counter('opinions', opinions, { fate: 'abstained' }),
  opinionsFailed: counter('opinions', opinions, { fate: 'failed' }),
  opinionsRefused: counter('opinions', opinions, { fate: 'refused' }),
  recordingsKept: counter('recordings', recordings, { fate: 'kept' }),
  recordingsTooLong: counter('recordings', recordings, { fate: 'cut_at_length' }),
  recordingsFull: counter('recordings', recordings, { fate: 'disk_budget_full' }),
  recordingsFailed: counter('recordings', recordings, { fate: 'disk_failed_or_slow' }),
  recordingsRefused: counter('recordings', recordings, { fate: 'call_opted_out' }),
  recordingsErased: counter('recordings', recordings, { fate: 'erased' }),
  recordingsExpired: counter('recordings', recordings, { fate: 'expired' }),
  audioTapsThrew: counter('audio_taps_threw', 'Listeners on a track that threw and were removed'),
  noticesQueued: counter('notices', 'Notices for receivers, by fate', { fate: 'queued' }),
  noticesRefused: counter('notices', 'Notices for receivers, by fate', { fate: 'refused' }),
  noticesDelivered: counter('notice_deliveries', noticeDeliveries, { fate: 'delivered' }),
  noticesFailed: counter('notice_deliveries', noticeDeliveries, { fate: 'failed' }),
  noticesDead: counter('notice_deliveries', noticeDeliveries, { fate: 'dead' }),
  noticesRepeated: counter('notice_deliveries', noticeDeliveries, { fate: 'repeated_stage' }),
  deadLettersEvicted: counter('dead_letters_evicted', 'Dead letters dropped because there were too many'),
  authDenied: counter('auth_denied', 'Requests without a valid credential or role'),
  authThrottled: counter('auth_throttled', 'Wrong credentials answered 429: too many from one address'),
  authLimited: counter('auth_limited', 'Requests answered 429: more than auth.limits allows'),
  socketsRefusedOrigin: counter('sockets_refused', socketsRefused, { reason: 'origin' }),
  socketsRefusedLimit: counter('sockets_refused', socketsRefused, { reason: 'per_key' }),
  socketsClosedRevoked: counter('sockets_revoked', 'Sockets and streams ended because their credential was'),
  tlsReloads: counter('tls_reloads', 'Certificates taken over while running'),
  auditRefused: counter('audit_rows_refused', 'Audit rows that could not be taken: disk or audit log full'),
  sqlQueries: counter('sql_queries', 'Queries answered at the SQL door'),
  sqlRefused: counter('sql_refused', 'Queries refused at the SQL door'),
  sessionsEvicted: counter('sessions_evicted', 'Dashboard sessions ended early because there were too many'),
} as const satisfies Record<string, CounterDefinition>

export type CounterName = keyof typeof counterTable
export type Counters = { -readonly [K in CounterName]: number }

/** All counters at zero. */
export function zeroCounters(): Counters {
  return Object.fromEntries(Object.keys(counterTable).map((key) => [key, 0])) as Counters
}

export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Metrics {
  readonly counters: Counters
  /** A value read at scrape time. */
  gauge(name: string, help: string, read: () => number): void
  /** The same with labels: one value for each set of them, as they are at scrape time. */
  gauges(name: string, help: string, labels: readonly string[], read: () => readonly LabelledValue[]): void
  /** A distribution; `observe` may be called on warm paths (per window, per insert), not per frame. */
  histogram(name: string, help: string, buckets: readonly number[]): { observe(value: number): void }
  /** Prometheus exposition text. */
  text(): Promise<string>
}

export function createMetrics(options: { processMetrics: boolean } = { processMetrics: true }): Metrics {
  const registry = new Registry()
  if (options.processMetrics) collectDefaultMetrics({ register: registry })
  const counters = zeroCounters()
  registerCounters(registry, counters)
  return {
    counters,
    gauge(name, help, read) {
      new Gauge({
        name: `voicefw_${name}`,
        help,
        registers: [registry],
        collect() {
          this.set(read())
        },
      })
    },
    gauges(name, help, labelNames, read) {
      new Gauge({
        name: `voicefw_${name}`,
        help,
        labelNames: [...labelNames],
        registers: [registry],
        collect() {
          this.reset()
          for (const { labels, value } of read()) this.set(labels, value)
        },
      })
    },
    histogram(name, help, buckets) {
      return new Histogram({ name: `voicefw_${name}`, help, buckets: [...buckets], registers: [registry] })
    },
    text: () => registry.metrics(),
  }
}

function registerCounters(registry: Registry, counters: Counters): void {
  const byName = new Map<string, { help: string; keys: CounterName[] }>()
  for (const key of Object.keys(counterTable) as CounterName[]) {
    const definition: CounterDefinition = counterTable[key]
    const known = byName.get(definition.name)
    if (known) known.keys.push(key)
    else byName.set(definition.name, { help: definition.help, keys: [key] })
  }
  for (const [name, { help, keys }] of byName) {
    const labelNames = Object.keys(counterTable[keys[0] as CounterName].labels)
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        for (const key of keys) this.inc(counterTable[key].labels, counters[key])
      },
    })
  }
}
