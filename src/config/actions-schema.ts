/**
 * The shape of `actions:`, the policy on live calls: rules (one a line), exceptions for voices that are machines by
 * right, weights of signalling in a call's risk, limits. Contradictions within a rule are told with the rest, all at
 * once. Defaults stand in configs/default.yaml. Any thread.
 */
import { z } from 'zod'

const share = z.number().min(0).max(1)
const ms = z.number().int().min(0).max(86_400_000)
const count = z.number().int().min(1).max(100_000)
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'a short name: a-z, 0-9 and -')
const nats = z.number().min(-10).max(10)

/** What a rule may do, weakest first. */
export const actionKinds = ['observe', 'notify', 'annotate', 'secondOpinion', 'redirect', 'hangup'] as const
export type ActionKind = (typeof actionKinds)[number]

const labelNames = [
  'likely_synthetic',
  'likely_human',
  'inconclusive',
  'insufficient_speech',
  'benign_automation',
] as const
const caseKindNames = [
  'flash_call',
  'wangiri',
  'irsf',
  'robocall',
  'pbx_hack',
  'cli_spoof',
  'short_answer_burst',
  'anomaly',
] as const

const numberPattern = /^(anonymous|[0-9]{1,15}\*?|(client|sip):\S{1,200})$/
/** YAML reads +12025550123 as a number; a person means the digits. */
const number = z.preprocess(
  (value) => (typeof value === 'number' ? String(value) : typeof value === 'string' ? value.replace(/^\+/, '') : value),
  z.string().regex(numberPattern, 'digits, digits and * for a prefix, anonymous, client:NAME or sip:ADDRESS'),
)
const numbers = z.array(number).min(1).max(100_000)

export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

const time = z.strictObject({
  between: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/, 'local times, e.g. "22:00-06:00"')
    .optional(),
  days: z.array(z.enum(weekdays)).min(1).max(7).optional(),
  zone: z.string().refine(isZone, 'an IANA time zone, e.g. Europe/Berlin').default('UTC'),
})

/** Which calls and tracks; every key that stands there must hold. */
const who = {
  track: z.enum(['inbound', 'outbound']).optional(),
  direction: z.enum(['inbound', 'outbound']).optional(),
  from: numbers.optional(),
  notFrom: numbers.optional(),
  to: numbers.optional(),
  notTo: numbers.optional(),
  time: time.optional(),
}

const when = z.strictObject({
  label: z.union([z.enum(labelNames), z.array(z.enum(labelNames)).min(1)]).optional(),
  confidenceMin: share.optional(),
  scoreMin: share.optional(),
  riskMin: share.optional(),
  netSpeechMsMin: ms.optional(),
  repeatedPhrasesMin: z.int().min(1).max(1000).optional(),
  dwellMs: ms.optional(),
  caseKinds: z.array(z.enum(caseKindNames)).min(1).optional(),
  stirVerstat: z.array(z.string().min(1).max(64)).min(1).max(20).optional(),
  ...who,
})

const twiml = z
  .string()
  .max(4000, 'Twilio takes 4000 characters')
  .regex(/^\s*(<\?xml[^>]*\?>\s*)?<Response[\s>/]/, 'TwiML: <Response> ... </Response>')
  .refine((text) => !/\baction=["']\/?(?!https?:)[^"']/.test(text), 'inline TwiML needs absolute action URLs')
const target = z
  .strictObject({ url: z.url({ protocol: /^https?$/ }).optional(), twiml: twiml.optional() })
  .refine((to) => (to.url === undefined) !== (to.twiml === undefined), 'one of url and twiml')

const doing = z.union(
  [
    z.enum(['observe', 'notify', 'secondOpinion', 'hangup']),
    z.strictObject({ annotate: z.string().min(1).max(500) }),
    z.strictObject({ redirect: target, back: target.optional() }),
  ],
  {
    error:
      'observe, notify, secondOpinion, hangup, { annotate: TEXT } or ' +
      '{ redirect: { url or twiml }, back: { url or twiml } }; inline TwiML with absolute action URLs only',
  },
)

// A rule of its own may stay in shadow while the rest is in force; never the other way round.
const rule = z.strictObject({ name, when, do: doing, shadow: z.boolean().default(false) })

/** Why a voice may be a machine. */
const exceptionKinds = ['voicebot', 'ivr', 'voicemail', 'call_screening', 'accessibility'] as const

const exception = z.strictObject({
  name,
  why: z.enum(exceptionKinds),
  /** Only speech of the first ms of the audio: greetings and call screening come first. */
  firstMs: ms.min(1).optional(),
  ...who,
})

/** Of everything but the first of a name: at its place. */
function sameNames(list: readonly { name: string }[], context: z.core.$RefinementCtx): void {
  for (const [index, { name: own }] of list.entries()) {
    if (list.findIndex((other) => other.name === own) === index) continue
    context.addIssue({ code: 'custom', path: [index, 'name'], message: 'names must differ' })
  }
}

function exceptionProblems(list: readonly z.infer<typeof exception>[], context: z.core.$RefinementCtx): void {
  sameNames(list, context)
  for (const [index, { name: _, why: __, ...limits }] of list.entries()) {
    if (Object.values(limits).some((limit) => limit !== undefined)) continue
    context.addIssue({ code: 'custom', path: [index], message: 'excepts every call; say which' })
  }
}

const byKind = z.strictObject({
  flash_call: nats,
  wangiri: nats,
  irsf: nats,
  robocall: nats,
  pbx_hack: nats,
  cli_spoof: nats,
  short_answer_burst: nats,
  anomaly: nats,
} satisfies Record<(typeof caseKindNames)[number], typeof nats>)

export const actionsSchema = z.strictObject({
  shadow: z.boolean(),
  rules: z.array(rule).max(500).superRefine(sameNames),
  exceptions: z.array(exception).max(500).superRefine(exceptionProblems),
  risk: z.strictObject({
    stir: z.strictObject({ passedA: nats, passedB: nats, passedC: nats, failed: nats, none: nats }),
    cases: byKind,
    subjects: z.strictObject({ number: share, range: share, route: share }),
    history: z.strictObject({ talker: nats, dialler: nats }),
    signallingMax: nats.min(0),
  }),
  queueMax: count,
  timeLimitMs: z.number().int().min(100).max(60_000),
  windowsMax: z.number().int().min(1).max(1000),
  callsRememberedMax: count,
})

export type ActionsConfig = z.infer<typeof actionsSchema>
export type RuleConfig = ActionsConfig['rules'][number]
export type ExceptionConfig = ActionsConfig['exceptions'][number]
export type RiskConfig = ActionsConfig['risk']
