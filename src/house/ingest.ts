/** Twilio's doors: webhooks, media sockets, the call table, and the timers that move them on. Main thread. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import type { HttpRequest, UpgradeRequest } from '../http/exchange.ts'
import type { HttpServer } from '../http/server.ts'
import { CallTable } from '../ingest/call-table.ts'
import type { CdrIntake } from '../ingest/cdr-intake.ts'
import { MediaSockets, mediaUrl } from '../ingest/media-socket.ts'
import { StreamTokens } from '../ingest/stream-tokens.ts'
import type { CallListener, TrackSink } from '../ingest/track.ts'
import { streamStatusUrl, voiceWebhookRoutes } from '../ingest/voice-webhook.ts'
import type { TrackWatch } from '../watch/track-watch.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import { type Control, toAll } from './detections.ts'
import { random } from './options.ts'

/** Timers of calls, tokens and sockets are looked at so often. */
const tickMs = 250
/** The log of call records and the quality of sources are looked at so often. */
const slowTickMs = 1000

export interface Ingest {
  readonly table: CallTable
  listening(port: number): void
  /** Calls that Twilio was told to stream and that have not come yet forget the number. */
  erase(spellings: NumberSpellings): void
  stop(): void
}

export interface IngestRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  /** Where frames go: the voice pool, behind the taps. */
  readonly sink: TrackSink
  readonly watch: TrackWatch
  readonly server: HttpServer
  readonly intake: CdrIntake
  readonly control: Control
  /** The name of a party of a call. */
  readonly party: (raw: string) => string
  /** Told of tracks beside the watch. */
  readonly also: CallListener
  /** Told of what is not let in at Twilio's doors. */
  readonly refused: (request: HttpRequest | UpgradeRequest, code: ErrorCode) => void
}

/** Twilio's doors: webhooks, media sockets, the call table, and the timer that moves them on. */
export function openIngest(rooms: IngestRooms): Ingest {
  const { config, log, clock, metrics, sink, watch, server, intake, control, party } = rooms
  const { counters } = metrics
  const { twilio } = config
  const { track, accounts, enforceSignature, continuation, messageBytesMax, tokenTtlMs, tokensMax } = twilio
  let publicUrl = config.server.publicUrl ?? ''
  const tokens = new StreamTokens({ clock, tokenTtlMs, tokensMax, random, counters })
  const { reconnectGraceMs, idleTimeoutMs } = config.detection.voice
  const { detections } = control
  const listener = toAll(watch, detections, rooms.also)
  const table = new CallTable({ sink, listener, clock, counters, track, reconnectGraceMs, idleTimeoutMs })
  const shared = { publicUrl: () => publicUrl, refused: rooms.refused, tokens, counters, log }
  const callEnded = (callSid: string, accountSid: string): void => {
    table.callEnded(callSid, accountSid)
    detections.callEnded(callSid, accountSid)
  }
  control.attach({
    streamUrl: (call) => mediaUrl(publicUrl, tokens.issue(call)),
    statusCallback: () => streamStatusUrl(publicUrl),
    hasRoom: () => table.size < config.detection.voice.callsMax && !server.isDraining(),
    endTrack: (callSid, name) => void table.end(callSid, name, 'operator'),
    endCall: (callSid, accountSid) => table.callEnded(callSid, accountSid),
  })
  const callStatus = async (fields: object): Promise<void> =>
    void (await intake.takeBody('twilio', Buffer.from(JSON.stringify(fields)), 'json', ''))
  const webhook = {
    twilio: { accounts, enforceSignature, track, continuation },
    callEnded,
    callStatus,
    party,
    callSeen: detections.callSeen.bind(detections),
    listensTo: detections.listensTo.bind(detections),
    streamOffered: detections.offered.bind(detections),
    streamStatus: detections.streamStatus.bind(detections),
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
    detections.tick()
  }, tickMs)
  const slowTimer = setInterval(() => intake.tick(), slowTickMs)
  return {
    table,
    listening(port) {
      if (publicUrl === '') publicUrl = `${config.server.tls ? 'https' : 'http'}://${config.server.host}:${port}`
    },
    erase: (spellings) => tokens.erase(spellings),
    stop() {
      clearInterval(timer)
      clearInterval(slowTimer)
    },
  }
}
