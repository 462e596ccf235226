/** What follows from verdicts: the policy, its actions on calls, what it knows beside the voice. Main thread. */
import { CallActions } from '../actions/call-actions.ts'
import type { TwilioRest } from '../actions/twilio-rest.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import type { KnownCase } from '../decisions/call-risk.ts'
import type { LiveTrack } from '../decisions/live-calls.ts'
import type { VerdictSettings } from '../decisions/voice-verdict.ts'
import { ByteBudget } from '../log/durable-log.ts'
import { MarkFile } from '../log/mark-file.ts'
import type { EventBus } from '../notify/event-bus.ts'
import { CallerHistories } from '../storage/caller-history.ts'
import { PastActions } from '../storage/past-actions.ts'
import { CallMemories } from '../watch/call-memory.ts'
import { PolicyWatch } from '../watch/policy-watch.ts'
import { random } from './options.ts'
import type { Storage } from './storage.ts'

export interface ActionRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly storage: Storage
  readonly bus: EventBus
  readonly settingsOf: (trackId: number) => VerdictSettings
  readonly rest: TwilioRest
  /** Cases that a call falls under, from memory. */
  readonly caseFor: (from: string, to: string, route: string) => readonly KnownCase[]
  /** Asks for a second opinion on a track; false: there is none to ask. */
  readonly secondOpinion: (track: LiveTrack) => boolean
}

/** Some hundred bytes a call that was decided about, 10 KiB while its redirect or hang-up is under way. */
const journalBytesMax = 134_217_728
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

export function openActions(rooms: ActionRooms): PolicyWatch {
  const { config, log, clock, metrics, storage, bus, settingsOf, rest } = rooms
  const { counters } = metrics
  const { queueMax, timeLimitMs } = config.actions
  const actions = new CallActions({ rest, queueMax, timeLimitMs, clock, log, counters })
  const histories = new CallerHistories({ store: storage.store, clock, counters })
  const policy = new PolicyWatch({
    config: config.actions,
    settingsOf,
    signals: {
      caseFor: rooms.caseFor,
      historyOf: (number) => histories.of(number),
      forget: (number) => histories.forget(number),
    },
    actions,
    memories: new CallMemories({
      log: storage.logs.log('call-decisions', new ByteBudget(journalBytesMax)),
      marks: new MarkFile(`${storage.logs.directory}/actions-sent.ndjson`),
      callsMax: config.actions.callsRememberedMax,
      clock,
    }),
    secondOpinion: rooms.secondOpinion,
    past: new PastActions(storage.store),
    bus,
    writer: storage.writer,
    runId: storage.runId,
    random,
    clock,
    log,
    counters,
    latency: metrics.histogram('verdict_to_action_seconds', 'From a verdict to the request to Twilio', buckets),
  })
  metrics.gauge('actions_open', 'Redirects and hang-ups that wait or are under way', () => actions.open)
  metrics.gauge('policy_calls', 'Calls whose fired rules are remembered', () => policy.size)
  return policy
}
