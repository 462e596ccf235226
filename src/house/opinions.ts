/** Second opinions: the configured vendors, each behind its gate, and who asks them by label. Main thread. */

import type { VendorConfig } from '../config/opinions-schema.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import type { LiveCalls, LiveTrack } from '../decisions/live-calls.ts'
import { createOutward, type Outward } from '../http/outward.ts'
import type { AudioTaps } from '../ingest/audio-tap.ts'
import type { EventBus } from '../notify/event-bus.ts'
import type { VerdictEvent } from '../notify/verdict-event.ts'
import { hiya } from '../opinions/hiya.ts'
import { modulate } from '../opinions/modulate.ts'
import type { OpinionVendor } from '../opinions/opinion.ts'
import { realityDefender } from '../opinions/reality-defender.ts'
import { resemble } from '../opinions/resemble.ts'
import { SecondOpinions } from '../opinions/second-opinions.ts'
import { VendorGate } from '../opinions/vendor-gate.ts'
import type { TrackWatch } from '../watch/track-watch.ts'

/** ms between looks at a file's result that is not ready. */
const pollMs = 2000

export interface OpinionRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly live: LiveCalls
  readonly bus: EventBus
  readonly taps: AudioTaps
  readonly watch: TrackWatch
}

export function openOpinions(rooms: OpinionRooms): SecondOpinions {
  const { config, log, clock, metrics, live, bus, taps, watch } = rooms
  const { vendors, labels, audioMs, answerTimeoutMs: answerMs, concurrentMax, vendorsPerTrack } = config.opinions
  const outward = createOutward()
  const opinions = new SecondOpinions({
    vendors: vendors.map((each) => ({
      vendor: vendorOf(each, answerMs, outward),
      gate: new VendorGate(each.perHourMax),
    })),
    taps,
    audioMs,
    answerMs,
    concurrentMax,
    vendorsPerTrack,
    heard: (track, opinion) => watch.heard(track, opinion),
    clock,
    log,
    counters: metrics.counters,
  })
  metrics.gauge('opinions_running', 'Second opinions under way', () => opinions.running)
  metrics.gauge('audio_taps', 'Tracks whose audio is copied for a second opinion', () => taps.size)
  if (vendors.length === 0 || labels.length === 0) return opinions
  bus.subscribe(null, ({ type, data }) => {
    if (type !== 'verdict') return
    const verdict = data as VerdictEvent
    if (!verdict.changed || !labels.includes(verdict.label)) return
    const track = liveTrack(live, verdict)
    if (track !== undefined) opinions.ask(track)
  })
  return opinions
}

function liveTrack(live: LiveCalls, { callSid, track }: VerdictEvent): LiveTrack | undefined {
  for (const each of live.liveTracks()) {
    if (each.facts.call.callSid === callSid && each.facts.track === track) return each
  }
  return undefined
}

function vendorOf(config: VendorConfig, timeoutMs: number, outward: Outward): OpinionVendor {
  const url = config.url.replace(/\/+$/, '')
  switch (config.kind) {
    case 'resemble':
      return resemble({ ...config, url, timeoutMs, pollMs, outward })
    case 'reality-defender':
      return realityDefender({ ...config, url, timeoutMs, pollMs, outward })
    case 'modulate':
      return modulate({ ...config, timeoutMs })
    case 'hiya':
      return hiya({ ...config, timeoutMs })
  }
}
