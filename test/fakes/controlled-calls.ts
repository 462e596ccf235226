/** Detections over a call table and a REST client whose answers the test decides. */
import assert from 'node:assert/strict'
import { DetectionJournal } from '../../src/actions/detection-journal.ts'
import { DetectionRules } from '../../src/actions/detection-rules.ts'
import type { StreamDoors } from '../../src/actions/detection-streams.ts'
import { Detections } from '../../src/actions/detections.ts'
import type { CallNow, StreamOrder } from '../../src/actions/twilio-rest.ts'
import type { VoiceConfig } from '../../src/config/schema.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import type { TrackVerdict } from '../../src/decisions/verdict-view.ts'
import { toAll } from '../../src/house/detections.ts'
import type { CallStream } from '../../src/ingest/call-stream.ts'
import { CallTable } from '../../src/ingest/call-table.ts'
import type { CallFacts } from '../../src/ingest/track.ts'
import type { DurableLog } from '../../src/log/durable-log.ts'
import { FakeTracks } from './track-sink.ts'

export const accountSid = `AC${'4'.repeat(32)}`
export const callSid = `CA${'5'.repeat(32)}`

export interface ControlledOptions {
  readonly log: DurableLog
  readonly clock?: ManualClock
  readonly restartStreams?: boolean
  readonly enabled?: VoiceConfig['enabled']
  readonly watched?: 'inbound_track' | 'outbound_track' | 'both_tracks'
  readonly accounts?: readonly string[]
}

/** What Twilio was asked, and what it shall answer. */
export class ScriptedRest {
  readonly started: (StreamOrder & { callSid: string })[] = []
  readonly stopped: string[] = []
  fetches = 0
  call: CallNow | Error = { status: 'in-progress', from: '+12025550100', to: '+12025550199', direction: 'inbound' }
  /** Thrown instead of an answer while set. */
  refusal: Error | null = null
  stopRefusal: Error | null = null

  async startStream(_account: string, sid: string, order: StreamOrder): Promise<{ streamSid: string }> {
    this.started.push({ ...order, callSid: sid })
    await new Promise((resolve) => setImmediate(resolve))
    if (this.refusal !== null) throw this.refusal
    return { streamSid: `MZ${this.started.length}` }
  }

  async stopStream(_account: string, _call: string, stream: string): Promise<void> {
    if (this.stopRefusal !== null) throw this.stopRefusal
    this.stopped.push(stream)
  }

  async fetchCall(): Promise<CallNow> {
    this.fetches += 1
    await new Promise((resolve) => setImmediate(resolve))
    if (this.call instanceof Error) throw this.call
    return this.call
  }
}

export interface Controlled {
  readonly clock: ManualClock
  readonly counters: Counters
  readonly rest: ScriptedRest
  readonly table: CallTable
  readonly detections: Detections
  readonly verdicts: Map<string, TrackVerdict>
  /** Facts by the URL that was given to Twilio, as the token would bind them. */
  readonly tokens: Map<string, CallFacts>
  /** A stream's start message for a URL that Twilio was given. */
  arrive(order: StreamOrder, streamSid: string): CallStream
  /** Lets so much time pass, in steps, with ticks and turns of the event loop. */
  pass(ms: number): Promise<void>
}

export function controlled(options: ControlledOptions): Controlled {
  const clock = options.clock ?? new ManualClock()
  const counters = zeroCounters()
  const rest = new ScriptedRest()
  const tokens = new Map<string, CallFacts>()
  const verdicts = new Map<string, TrackVerdict>()
  const track = options.watched ?? 'inbound_track'
  const doors: StreamDoors = {
    streamUrl(call) {
      const url = `wss://voice.example.com/twilio/media/token-${tokens.size + 1}`
      tokens.set(url, call)
      return url
    },
    statusCallback: () => 'https://voice.example.com/twilio/stream-status',
    hasRoom: () => table.size < 100,
    endTrack: (sid, name) => void table.end(sid, name, 'operator'),
    endCall: (sid, account) => table.callEnded(sid, account),
  }
  const detections: Detections = new Detections({
    rest,
    accounts: (options.accounts ?? [accountSid]).map((sid) => ({ sid })),
    rules: new DetectionRules(options.enabled ?? { default: true, timeZone: 'UTC', rules: [] }),
    journal: new DetectionJournal(options.log),
    doors,
    watched: track,
    restartStreams: options.restartStreams ?? true,
    party: (raw) => raw,
    verdictOf: (sid, name) => verdicts.get(`${sid}/${name}`) ?? null,
    random: numbered(),
    clock,
    counters,
    log: silentLog,
  })
  const sink = new FakeTracks()
  const listener = toAll(sink, detections)
  const times = { reconnectGraceMs: 2000, idleTimeoutMs: 15_000 }
  const table: CallTable = new CallTable({ sink, listener, clock, counters, track, ...times })
  return {
    clock,
    counters,
    rest,
    table,
    detections,
    verdicts,
    tokens,
    arrive: (order, streamSid) => arrive(table, tokens, order, streamSid),
    async pass(ms) {
      for (let at = 0; at < ms; at += 250) {
        clock.advance(Math.min(250, ms - at))
        table.tick()
        detections.tick()
        for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

/** Bytes that never repeat. */
function numbered(): (bytes: number) => Buffer {
  let made = 0
  return (bytes) => {
    made += 1
    const buffer = Buffer.alloc(bytes)
    buffer.writeUInt32BE(made, bytes - 4)
    return buffer
  }
}

const tracksOf = {
  inbound_track: ['inbound'],
  outbound_track: ['outbound'],
  both_tracks: ['inbound', 'outbound'],
} as const

function arrive(table: CallTable, tokens: Map<string, CallFacts>, order: StreamOrder, streamSid: string): CallStream {
  const facts = tokens.get(order.url)
  assert.ok(facts, 'a token opens one socket once')
  tokens.delete(order.url)
  return table.start(facts, streamSid, tracksOf[order.track])
}
