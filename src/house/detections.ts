/** Control over calls: Twilio REST, detections, the rules of which calls are listened to. Main thread. */
import { DetectionJournal } from '../actions/detection-journal.ts'
import { DetectionRules } from '../actions/detection-rules.ts'
import type { StreamDoors } from '../actions/detection-streams.ts'
import { Detections } from '../actions/detections.ts'
import { RuleOverrides } from '../actions/rule-overrides.ts'
import { TwilioRest } from '../actions/twilio-rest.ts'
import type { Metrics } from '../core/metrics.ts'
import type { LiveCalls } from '../decisions/live-calls.ts'
import type { CallListener } from '../ingest/track.ts'
import { ByteBudget } from '../log/durable-log.ts'
import type { LogEnvironment } from '../log/log-environment.ts'
import type { NumberDoors } from '../privacy/number-doors.ts'
import { type FirewallOptions, random } from './options.ts'
import { namedRules } from './privacy.ts'

const journalBytesMax = 33_554_432
const requestBuckets = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]

export interface Control {
  readonly rest: TwilioRest
  readonly detections: Detections
  readonly overrides: RuleOverrides
  /** Twilio's doors, once they are there. */
  attach(doors: StreamDoors): void
}

export interface ControlRooms {
  readonly metrics: Metrics
  readonly logs: LogEnvironment
  readonly live: LiveCalls
  readonly doors: NumberDoors
}

/** @throws OperatingError config_invalid: the file of rule overrides is damaged */
export function openControl({ config, clock, log }: FirewallOptions, rooms: ControlRooms): Control {
  const { metrics, logs, live, doors: numbers } = rooms
  const { counters } = metrics
  const { accounts, rest: limits, track: watched } = config.twilio
  const { enabled, restartStreams } = config.detection.voice
  const latency = metrics.histogram('twilio_request_seconds', 'A try of a request to Twilio', requestBuckets)
  const rest = new TwilioRest({ accounts, limits, clock, counters, latency })
  const rules = new DetectionRules(enabled)
  const file = `${config.dataDir}/detection-rules.json`
  const overrides = new RuleOverrides({
    file,
    clock,
    named: (laid) => namedRules(laid, numbers),
    changed: (laid) => rules.override(laid),
  })
  let attached: StreamDoors | null = null
  const doors = (): StreamDoors => {
    if (attached === null) throw new Error('no door of Twilio is open yet')
    return attached
  }
  const detections = new Detections({
    rest,
    accounts,
    rules,
    watched,
    restartStreams,
    party: (raw) => numbers.party(raw),
    clock,
    counters,
    log,
    random,
    journal: new DetectionJournal(logs.log('detections', new ByteBudget(journalBytesMax))),
    doors: {
      streamUrl: (call) => doors().streamUrl(call),
      statusCallback: () => doors().statusCallback(),
      hasRoom: () => doors().hasRoom(),
      endTrack: (callSid, name) => doors().endTrack(callSid, name),
      endCall: (callSid, accountSid) => doors().endCall(callSid, accountSid),
    },
    verdictOf: (callSid, name) => live.get(callSid)?.tracks.find((verdict) => verdict.track === name) ?? null,
  })
  metrics.gauge('detections_active', 'Detections that are starting or live', () => detections.activeCount)
  metrics.gauge('twilio_requests_waiting', 'Requests to Twilio that wait for their turn', () => rest.waiting)
  return {
    rest,
    detections,
    overrides,
    attach(given) {
      attached = given
    },
  }
}

/** Several listeners as one, told in order. */
export function toAll(...listeners: readonly CallListener[]): CallListener {
  return {
    opened: (track) => {
      for (const listener of listeners) listener.opened(track)
    },
    resumed: (track, streamSid) => {
      for (const listener of listeners) listener.resumed(track, streamSid)
    },
    detached: (track) => {
      for (const listener of listeners) listener.detached?.(track)
    },
    closed: (trackId, reason) => {
      for (const listener of listeners) listener.closed(trackId, reason)
    },
  }
}
