/** Kept audio: who is recorded by configuration and label, and the timer of its time to live. Main thread. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import type { LiveCalls, LiveTrack } from '../decisions/live-calls.ts'
import type { AudioTaps } from '../ingest/audio-tap.ts'
import type { CallListener } from '../ingest/track.ts'
import type { EventBus } from '../notify/event-bus.ts'
import type { VerdictEvent } from '../notify/verdict-event.ts'
import { RecordingKeys } from '../recordings/recording-keys.ts'
import { Recordings } from '../recordings/recordings.ts'

/** Audio whose time is over is looked for so often. */
const expireMs = 60_000

export interface KeptAudio {
  readonly recordings: Recordings
  /** Keeps all live tracks of a call from now on. */
  readonly startCall: (callSid: string) => void
  readonly listener: CallListener
  close(): Promise<void>
}

export interface RecordingRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly live: LiveCalls
  readonly bus: EventBus
  readonly taps: AudioTaps
}

/** @throws OperatingError config_invalid: the master key cannot be used */
export function openRecordings({ config, log, clock, metrics, live, bus, taps }: RecordingRooms): KeptAudio {
  const { audio, dataDir } = config
  const directory = `${dataDir}/recordings`
  const keys = new RecordingKeys(directory, audio.keyFile ?? `${dataDir}/audio.key`)
  if (audio.keep !== 'none') keys.master()
  const recordings = new Recordings({ config: audio, directory, keys, taps, clock, log, counters: metrics.counters })
  metrics.gauge('recordings_bytes', 'Kept audio on disk', () => recordings.bytes)
  metrics.gauge('recordings_running', 'Tracks that are being kept', () => recordings.running)
  const told = (thrown: unknown): void => log.error('kept audio', { reason: messageOf(thrown) })
  const begun = recordings.begin().catch(told)
  const expire = (): void => void begun.then(() => recordings.expire()).catch(told)
  const timer = setInterval(expire, expireMs)
  expire()
  const ofCall = (callSid: string): LiveTrack[] =>
    [...live.liveTracks()].filter(({ facts }) => facts.call.callSid === callSid)
  if (audio.keep === 'labels') {
    bus.subscribe(null, ({ type, data }) => {
      if (type !== 'verdict') return
      const { callSid, track, changed, label } = data as VerdictEvent
      if (!changed || !(audio.labels as readonly string[]).includes(label)) return
      for (const { facts } of ofCall(callSid)) if (facts.track === track) recordings.start(facts)
    })
  }
  return {
    recordings,
    startCall: (callSid) => {
      for (const { facts } of ofCall(callSid)) recordings.start(facts)
    },
    listener: {
      opened: (facts) => void (audio.keep === 'all' && recordings.start(facts)),
      resumed: () => {},
      closed: () => {},
    },
    async close() {
      clearInterval(timer)
      await recordings.close()
    },
  }
}
