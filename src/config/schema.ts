/**
 * The shape of the configuration: every key, its type and range. Defaults are not here but in configs/default.yaml,
 * which is both the documentation and the bottom layer. Unknown keys are refused. Any thread.
 */
import { z } from 'zod'
import { actionsSchema } from './actions-schema.ts'
import { audioSchema } from './audio-schema.ts'
import { filePath } from './file-path.ts'
import { notifySchema } from './notify-schema.ts'
import { opinionsSchema } from './opinions-schema.ts'

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
  tls: z.strictObject({ certFile: filePath, keyFile: filePath }).nullable(),
  bodyBytesMax: bytes,
  bodyTimeoutMs: ms,
  connectionsMax: count,
  browserOrigins: z.array(z.url({ protocol: /^https?$/ })).max(100),
  mediaSocketsMax: count,
  eventSubscribersMax: count,
  drainMs: ms,
})

const limit = z.strictObject({ requests: count, windowS: z.number().int().min(1).max(3600) })

/** Asymmetric, one family a deployment; HS only with a secret and never beside the others. */
const jwtAlgorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'],
  ...['HS256', 'HS384', 'HS512'],
] as const

const jwt = z.strictObject({
  algorithms: z.array(z.enum(jwtAlgorithms)).min(1),
  issuer: z.string().min(1),
  audience: z.string().min(1),
  jwksFile: filePath.nullable().default(null),
  jwksUrl: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  secret: z.string().min(32, 'at least 32 characters').nullable().default(null),
  roleClaim: z.string().min(1).default('role'),
  scopeClaim: z.string().min(1).default('scope'),
  clockSkewS: z.number().int().min(0).max(300).default(30),
  ageMaxS: z.number().int().min(1).max(31_536_000).default(86_400),
})

const failures = z.strictObject({
  burst: z.number().int().min(1).max(10_000),
  refillMs: z.number().int().min(1).max(3_600_000),
  addressesMax: count,
})

const auth = z.strictObject({
  sessionTtlMs: ms,
  sessionsMax: count,
  metricsPublic: z.boolean(),
  jwt: jwt.nullable(),
  failures,
  limits: z.strictObject({
    perKey: limit,
    perIngestKey: limit,
    perAddress: limit,
    socketsPerKey: count,
    socketsPerAddress: count,
  }),
})

const sql = z.strictObject({
  enabled: z.boolean(),
  queryBytesMax: bytes.max(1_048_576),
  rowsMax: count,
  answerBytesMax: bytes.max(268_435_456),
  timeMs: z.number().int().min(100).max(600_000),
  memoryBytesMax: bytes,
  queriesMax: z.number().int().min(1).max(64),
})

const twilio = z.strictObject({
  accounts: z.array(account).max(1000),
  enforceSignature: z.boolean(),
  track: z.enum(['inbound_track', 'outbound_track', 'both_tracks']),
  continuation: z.string().max(3000),
  tokenTtlMs: ms,
  tokensMax: count,
  messageBytesMax: bytes.max(16_777_216),
  rest: z.strictObject({
    timeoutMs: z.number().int().min(100).max(60_000),
    totalMs: z.number().int().min(100).max(600_000),
    triesMax: z.number().int().min(1).max(10),
    backoffMs: z.number().int().min(1).max(60_000),
    atOnce: z.number().int().min(1).max(500),
    urgentAtOnce: z.number().int().min(1).max(500),
    waitingMax: count,
  }),
})

/** Prefixes of numbers; where numbers have tokens (`privacy.numbers`), those and what they begin with too. */
const prefixShape = /^([0-9]{1,15}|[0-9]{1,14}~[a-l]([a-z2-7]{15})?)$/
const hoursShape = /^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/
const prefixes = z.array(z.string().regex(prefixShape, 'E.164 digits without +; a prefix counts')).min(1).max(10_000)

/** One rule of which calls are listened to; everything it names must fit. */
export const detectionRule = z.strictObject({
  name: z.string().min(1).max(80),
  listen: z.boolean(),
  to: prefixes.optional(),
  from: prefixes.optional(),
  accounts: z
    .array(z.string().regex(/^AC[0-9a-fA-F]{32}$/, 'a Twilio account SID'))
    .min(1)
    .optional(),
  direction: z.enum(['inbound', 'outbound']).optional(),
  days: z
    .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
    .min(1)
    .optional(),
  hours: z.string().regex(hoursShape, 'HH:MM-HH:MM, like 22:00-06:00').optional(),
  until: z.iso.datetime({ offset: true }).optional(),
})
export const detectionRules = z.array(detectionRule).max(1000)

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

const voice = z.strictObject({
  enabled: z.strictObject({
    default: z.boolean(),
    timeZone: z.string().refine(isTimeZone, 'a time zone, like UTC or Europe/London'),
    rules: detectionRules,
  }),
  restartStreams: z.boolean(),
  workers: z.number().int().min(1).max(64),
  callsMax: count,
  ringBytes: bytes.max(1_073_741_824),
  tickMs: z.number().int().min(5).max(1000),
  gapFillMsMax: z.number().int().min(0).max(1000),
  reconnectGraceMs: ms,
  idleTimeoutMs: z.number().int().min(1000).max(3_600_000),
  workerHungMs: z.number().int().min(200).max(60_000),
  provisionalNetSpeechMs: z.number().int().min(500).max(1500),
  firmNetSpeechMs: ms,
  forgettingHalfLifeMs: z.number().int().min(500).max(3_600_000),
  dwellMs: ms,
  lossShareMax: share,
  thresholds: z.strictObject({ synthetic: share.nullable(), human: share.nullable() }),
  hysteresis: z.number().min(0).max(0.5),
  scoring: z.strictObject({
    bodyBytesMax: bytes.max(268_435_456),
    audioSMax: z.number().int().min(1).max(86_400),
    channelsMax: z.number().int().min(1).max(32),
    waitingMax: z.number().int().min(1).max(1000),
    timeMsMax: z.number().int().min(1000).max(600_000),
  }),
  secondStage: z
    .strictObject({
      model: z.string().regex(/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/, 'a model as name/version'),
      scoreMin: z.number().min(0.01).max(0.99),
      cpuShareMax: z.number().min(0.01).max(1),
    })
    .nullable(),
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

/** What a case of a kind does to later calls of its subject. */
export const fraudActions = ['allow', 'label', 'challenge', 'divert', 'block'] as const
const fraudAction = z.enum(fraudActions)
const calls = z.number().int().min(1).max(1_000_000)
const seconds = z.number().min(0).max(86_400)

const doors = z.strictObject({
  sourceDirectories: z.array(filePath).max(20),
  bodyBytesMax: bytes.max(268_435_456),
  inflatedBytesMax: bytes.max(268_435_456),
  messageBytesMax: bytes.max(16_777_216),
  unackedMessagesMax: count,
  unackedBytesMax: bytes,
  socketsMax: count,
  pendingBytesMax: bytes,
  idsMax: z.number().int().min(1000).max(100_000_000),
  keepHours: z.number().min(0.01).max(720),
  keepBytesMax: bytes,
  logBytesMax: bytes,
  lateMs: z.number().int().min(1000).max(31_536_000_000),
})

const cdr = z.strictObject({
  doors,
  windows: z.strictObject({ latenessMs: ms, heldMax: count, recentCallsMax: count }),
  keys: z.strictObject({
    numbersMax: count,
    rangesMax: count,
    calledNumbersMax: count,
    routesMax: count,
    routeDestinationsMax: count,
    destinationDigits: z.number().int().min(1).max(12),
  }),
  rules: z.strictObject({
    flashCall: z.strictObject({ attemptsMin: calls, scoreMin: share }),
    wangiri: z.strictObject({ distinctCalledMin: calls, cancelShareMin: share, ringMeanMaxS: seconds }),
    robocall: z.strictObject({ attemptsMin: calls, answeredShareMax: share, talkMeanMaxS: seconds }),
    irsf: z.strictObject({ longCallsMin: calls, longShareMin: share }),
    pbxHack: z.strictObject({ longCallsMin: calls, longShareMin: share }),
    cliSpoof: z.strictObject({ invalidMin: calls, invalidShareMin: share }),
    shortAnswer: z.strictObject({ shortMin: calls, shortShareMin: share }),
    anomaly: z.strictObject({ attemptsMin: calls, timesUsual: z.number().min(1).max(1000), hoursMin: calls }),
  }),
  cases: z.strictObject({
    casesMax: count,
    coolMs: ms,
    closeMs: ms,
    evidenceMax: z.number().int().min(1).max(1000),
    dismissMs: z.number().int().min(0).max(31_536_000_000),
  }),
  policy: z.strictObject({
    shadow: z.boolean(),
    ttlMs: ms,
    scoreMin: share,
    allowNumbers: z.array(z.string().regex(/^[0-9]{1,20}$/, 'digits; a prefix counts')).max(100_000),
    allowRoutes: z.array(z.string().min(1)).max(10_000),
    actions: z.strictObject({
      flash_call: fraudAction,
      wangiri: fraudAction,
      irsf: fraudAction,
      robocall: fraudAction,
      pbx_hack: fraudAction,
      cli_spoof: fraudAction,
      short_answer_burst: fraudAction,
      anomaly: fraudAction,
    }),
  }),
})

const models = z.strictObject({
  directory: filePath.nullable(),
  watchMs: z.number().int().min(100).max(600_000),
  shadow: z.strictObject({ cpuShareMax: z.number().min(0).max(4), callsMax: count }),
  drift: z.strictObject({
    referenceDays: z.number().int().min(1).max(90),
    daysKept: z.number().int().min(2).max(366),
  }),
})

const privacy = z.strictObject({
  numbers: z.enum(['clear', 'tokens']),
  keyFile: filePath.nullable(),
  cacheNumbersMax: count,
  unsavedMax: count,
})

export const configSchema = z.strictObject({
  dataDir: filePath,
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
  server,
  auth,
  sql,
  twilio,
  detection: z.strictObject({ voice }),
  models,
  actions: actionsSchema,
  privacy,
  audio: audioSchema,
  cdr,
  notify: notifySchema,
  opinions: opinionsSchema,
  storage,
  retention: z.strictObject({
    callsDays: days,
    voiceWindowsDays: days,
    auditDays: days,
    cdrsDays: days,
    trafficDays: days,
    casesDays: days,
    cdrScoresDays: days,
    shadowScoresDays: days,
    qualityDays: days,
    actionsDays: days,
    deadLettersDays: days,
    quarantineDays: days,
  }),
})

export type Config = z.infer<typeof configSchema>
export type ModelsConfig = Config['models']
export type VoiceConfig = Config['detection']['voice']
export type DetectionRule = z.infer<typeof detectionRule>
export type TwilioConfig = Config['twilio']
export type CdrConfig = Config['cdr']
export type CdrDoorsConfig = CdrConfig['doors']
export type FraudRulesConfig = CdrConfig['rules']
export type FraudPolicyConfig = CdrConfig['policy']
export type FraudAction = (typeof fraudActions)[number]
export type JwtConfig = NonNullable<Config['auth']['jwt']>
export type LimitsConfig = Config['auth']['limits']
