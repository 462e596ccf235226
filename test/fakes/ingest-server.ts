/** The doors for Twilio on a real server and a fake sink: webhook, tokens, media sockets. For tests of ingest/. */
import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import { CallTable } from '../../src/ingest/call-table.ts'
import { MediaSockets } from '../../src/ingest/media-socket.ts'
import { StreamTokens } from '../../src/ingest/stream-tokens.ts'
import { type VoiceWebhookOptions, voiceWebhookRoutes } from '../../src/ingest/voice-webhook.ts'
import { FakeTracks } from './track-sink.ts'
import { TwilioCaller } from './twilio-caller.ts'

export const accountSid = `AC${'a'.repeat(32)}`
export const authToken = 'the primary token'
export const publicUrl = 'https://voice.example.com'

export interface IngestOptions {
  readonly accounts?: { sid: string; authTokens: string[]; apiBaseUrl: string }[]
  readonly enforceSignature?: boolean
  readonly mediaSocketsMax?: number
  readonly publicUrl?: string
  readonly tokensClock?: Clock
  readonly socketsClock?: Clock
  readonly webhook?: Pick<VoiceWebhookOptions, 'listensTo' | 'streamOffered' | 'streamStatus'>
  readonly callStatus?: (fields: Readonly<Record<string, string>>) => Promise<void>
}

export interface Ingest {
  readonly server: HttpServer
  readonly url: string
  readonly counters: Counters
  readonly tracks: FakeTracks
  readonly table: CallTable
  readonly tokens: StreamTokens
  readonly sockets: MediaSockets
  readonly caller: TwilioCaller
}

let running: HttpServer[] = []

/** For `afterEach`. */
export function closeIngest(): void {
  for (const server of running) server.close()
  running = []
}

export async function startIngest(options: IngestOptions = {}): Promise<Ingest> {
  const counters = zeroCounters()
  const tracks = new FakeTracks()
  const accounts = options.accounts ?? [{ sid: accountSid, authTokens: [authToken], apiBaseUrl: 'https://x.example' }]
  const twilio = {
    accounts,
    enforceSignature: options.enforceSignature ?? true,
    track: 'inbound_track' as const,
    continuation: '<Pause length="60"/>',
    messageBytesMax: 65_536,
  }
  const limits = { bodyBytesMax: 65_536, bodyTimeoutMs: 1000 }
  const clock = systemClock
  const log = silentLog
  const server = createHttpServer({ log, counters, clock, limits, tls: null })
  running.push(server)
  const table = new CallTable({
    sink: tracks,
    listener: tracks,
    clock,
    counters,
    track: twilio.track,
    reconnectGraceMs: 2000,
    idleTimeoutMs: 15_000,
  })
  const tokens = new StreamTokens({
    clock: options.tokensClock ?? clock,
    tokenTtlMs: 60_000,
    tokensMax: 100,
    random: randomBytes,
    counters,
  })
  const known = (): string => options.publicUrl ?? publicUrl
  const sockets = new MediaSockets({
    twilio,
    mediaSocketsMax: options.mediaSocketsMax ?? 100,
    publicUrl: known,
    isDraining: () => server.isDraining(),
    tokens,
    table,
    clock: options.socketsClock ?? clock,
    counters,
    log,
  })
  server.socket(sockets.route)
  const callEnded = table.callEnded.bind(table)
  for (const route of voiceWebhookRoutes({
    twilio,
    publicUrl: known,
    tokens,
    callEnded,
    ...options.webhook,
    ...(options.callStatus === undefined ? {} : { callStatus: options.callStatus }),
    random: randomBytes,
    counters,
    log,
  })) {
    server.route(route)
  }
  const url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`
  const caller = new TwilioCaller({ url, publicUrl: known(), accountSid, authToken })
  return { server, url, counters, tracks, table, tokens, sockets, caller }
}
