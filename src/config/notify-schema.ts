/** The shape of `notify`: who is told what. Defaults of a receiver stand here, those of the rest in the YAML. */
import { z } from 'zod'
import { filePath } from './file-path.ts'

const eventTypes = ['verdict', 'case', 'action', 'model', 'health'] as const
const severities = ['info', 'low', 'medium', 'high', 'critical'] as const
/** Labels of verdicts and kinds of cases. */
export const noticeKinds = [
  'likely_synthetic',
  'likely_human',
  'inconclusive',
  'insufficient_speech',
  'benign_automation',
  'flash_call',
  'wangiri',
  'irsf',
  'robocall',
  'pbx_hack',
  'cli_spoof',
  'short_answer_burst',
  'anomaly',
] as const

const ms = z.number().int().min(1).max(604_800_000)
const name = z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and hyphens, 32 at most')
const numbers = z.enum(['full', 'masked'])
const allowPrivate = z.boolean().default(false)

/** What a receiver is told. `kinds` empty: all. */
function filter(minSeverity: (typeof severities)[number]) {
  return {
    types: z
      .array(z.enum(eventTypes))
      .min(1)
      .default([...eventTypes]),
    kinds: z.array(z.enum(noticeKinds)).default([]),
    minSeverity: z.enum(severities).default(minSeverity),
  }
}

const webhook = z.strictObject({
  name,
  url: z.url({ protocol: /^https?$/ }),
  secrets: z.array(z.string().min(24, 'at least 24 characters; whsec_<base64> or any text')).min(1).max(2),
  ...filter('info'),
  numbers: numbers.default('full'),
  allowPrivate,
})

const slack = z.strictObject({
  name,
  webhookUrl: z.url({ protocol: /^https?$/ }),
  ...filter('high'),
  numbers: numbers.default('masked'),
  quietHours: z.boolean().default(true),
  allowPrivate,
})

const mail = z.strictObject({
  name,
  from: z.string().regex(/^[^\r\n]*[^\s@]+@[^\s@]+$/, 'a mail address, or Name <address>'),
  to: z
    .array(z.string().regex(/^[^\s@,]+@[^\s@,]+$/, 'a mail address'))
    .min(1)
    .max(50),
  ...filter('high'),
  numbers: numbers.default('masked'),
  quietHours: z.boolean().default(true),
})

const smtp = z.strictObject({
  host: z.string().min(1),
  port: z.number().int().min(1).max(65_535).default(587),
  tls: z.enum(['implicit', 'starttls', 'none']).default('starttls'),
  user: z.string().min(1).nullable().default(null),
  password: z.string().nullable().default(null),
})

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'HH:MM')

const quietHours = z.strictObject({
  from: clockTime,
  to: clockTime,
  zone: z.string().refine(isZone, 'a time zone such as Europe/Berlin'),
  unlessSeverity: z.enum(severities).default('critical'),
})

export const notifySchema = z.strictObject({
  webhooks: z.array(webhook).max(20),
  slack: z.array(slack).max(10),
  mail: z.array(mail).max(10),
  smtp: smtp.nullable(),
  quietHours: quietHours.nullable(),
  templatesDir: filePath.nullable(),
  queueBytesMax: z.number().int().min(65_536).max(10_737_418_240),
  deadMax: z.number().int().min(1).max(100_000),
  requestTimeoutMs: ms.max(60_000),
  retry: z.strictObject({ firstMs: ms, mostMs: ms, giveUpMs: ms }),
})

export type NotifyConfig = z.infer<typeof notifySchema>

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

/** Rules that tie values to one another. */
export function notifyProblems(config: NotifyConfig): string[] {
  const problems: string[] = []
  const { webhooks, slack, mail, retry } = config
  const seen = new Set<string>()
  for (const receiver of [...webhooks, ...slack, ...mail]) {
    if (seen.has(receiver.name)) problems.push(`notify: two receivers are named ${receiver.name}`)
    seen.add(receiver.name)
  }
  if (mail.length > 0 && config.smtp === null) problems.push('notify.mail needs notify.smtp')
  const plain = [
    ...webhooks.map((each) => ({ ...each, address: each.url })),
    ...slack.map((each) => ({ ...each, address: each.webhookUrl })),
  ]
  for (const receiver of plain) {
    if (receiver.address.startsWith('https:') || receiver.allowPrivate) continue
    problems.push(`notify: ${receiver.name} is called over http; that is for private addresses (allowPrivate) only`)
  }
  if (retry.mostMs < retry.firstMs) {
    problems.push(`notify.retry.mostMs (${retry.mostMs}) must not be below notify.retry.firstMs (${retry.firstMs})`)
  }
  return problems
}
