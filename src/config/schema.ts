/**
 * The shape of the configuration: every key, its type and range. Defaults are not here but in configs/default.yaml,
 * which is both the documentation and the bottom layer. Unknown keys are refused. Any thread.
 */
import { z } from 'zod'

const ms = z.number().int().min(0).max(86_400_000)
const count = z.number().int().min(1).max(10_000_000)
const share = z.number().min(0).max(1)
const days = z.number().int().min(1).max(36_500)
const bytes = z.number().int().min(4096).max(1_099_511_627_776)

const account = z.strictObject({
  sid: z.string().regex(/^AC[0-9a-fA-F]{32}$/, 'a Twilio account SID: AC and 32 hexadecimal digits'),
  authTokens: z.array(z.string().min(1)).min(1).max(2),
  apiBaseUrl: z.url({ protocol: /^https?$/ }).default('https://api.twilio.com'),
})

const server = z.strictObject({
  host: z.string().min(1),
  port: z.number().int().min(0).max(65_535),
  publicUrl: z.url({ protocol: /^https?$/ }).nullable(),
  tls: z.strictObject({ certFile: z.string(), keyFile: z.string() }).nullable(),
  bodyBytesMax: bytes,
  bodyTimeoutMs: ms,
  mediaSocketsMax: count,
  eventSubscribersMax: count,
  drainMs: ms,
})

const twilio = z.strictObject({
  accounts: z.array(account).max(1000),
  enforceSignature: z.boolean(),
  track: z.enum(['inbound_track', 'outbound_track', 'both_tracks']),
  continuation: z.string().max(3000),
  tokenTtlMs: ms,
  tokensMax: count,
  messageBytesMax: bytes.max(16_777_216),
})

const voice = z.strictObject({
  workers: z.number().int().min(1).max(64),
  callsMax: count,
  ringBytes: bytes.max(1_073_741_824),
  tickMs: z.number().int().min(5).max(1000),
  gapFillMsMax: z.number().int().min(0).max(1000),
  reconnectGraceMs: ms,
  idleTimeoutMs: z.number().int().min(1000).max(3_600_000),
  workerHungMs: z.number().int().min(200).max(60_000),
  provisionalNetSpeechMs: z.number().int().min(500).max(2000),
  firmNetSpeechMs: ms,
  forgettingHalfLifeMs: z.number().int().min(500).max(3_600_000),
  dwellMs: ms,
  lossShareMax: share,
  thresholds: z.strictObject({ synthetic: share.nullable(), human: share.nullable() }),
  hysteresis: z.number().min(0).max(0.5),
})

const storage = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).nullable(),
  username: z.string(),
  password: z.string(),
  database: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'a plain database name'),
  embedded: z.strictObject({ memoryBytesMax: bytes }),
  flushMs: ms,
  batchRowsMax: z.number().int().min(1).max(100_000),
  requestTimeoutMs: ms,
  spoolBytesMax: bytes,
})

export const configSchema = z.strictObject({
  dataDir: z.string().min(1),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
  server,
  auth: z.strictObject({ sessionTtlMs: ms, sessionsMax: count, metricsPublic: z.boolean() }),
  twilio,
  detection: z.strictObject({ voice }),
  storage,
  retention: z.strictObject({ callsDays: days, voiceWindowsDays: days, auditDays: days }),
})

export type Config = z.infer<typeof configSchema>
export type VoiceConfig = Config['detection']['voice']
export type TwilioConfig = Config['twilio']
