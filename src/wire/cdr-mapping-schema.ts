/**
 * The shape of a source mapping (configs/sources/*.yaml): what a user writes to make a switch's records canonical.
 * Unknown keys are refused and every problem is told at once with its path. The words are explained, with examples,
 * at the head of configs/sources/generic-csv.yaml. Any thread, at start.
 */
import { z } from 'zod'
import { cdrFormats } from './cdr-decode.ts'
import { releaseParties } from './cdr-record.ts'
import { TimePattern } from './cdr-times.ts'
import { defaultNumberPlan, isCountry } from './numbers.ts'
import { TimeZone } from './time-zones.ts'

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const path = z.string().min(1).max(200)
const paths = z.union([path.transform((one) => [one]), z.array(path).min(1).max(20)])

const regex = z.string().min(1).max(300).refine(compiles, 'a regular expression')
const zone = z.string().refine(isZone, 'an IANA time zone such as Europe/Berlin, UTC, or an offset such as +02:00')
const format = z.string().max(60).refine(isFormat, 'a time format such as dd/MM/yyyy HH:mm:ss')
const country = z.string().refine(isCountry, 'an ISO 3166 country code such as US')

/** `{ path: value }`: all must hold. A value, a list of values, or one of the words below. */
const matcher = z.union([
  scalar.transform((one) => [one]),
  z.array(scalar).min(1),
  z.strictObject({ not: z.union([scalar.transform((one) => [one]), z.array(scalar).min(1)]) }),
  z.strictObject({ present: z.boolean() }),
  z.strictObject({ matches: regex }),
  z.strictObject({ same: path }),
  z.strictObject({ differs: path }),
])
const condition = z.record(path, matcher)
export type Condition = z.infer<typeof condition>
export type Matcher = z.infer<typeof matcher>

/** Where a text comes from: a path, or a list of which the first with a value is taken. */
const textSource = z.union([
  paths.transform((from) => ({ from })),
  z.strictObject({
    from: paths,
    match: regex.optional(),
    map: z.record(z.string(), scalar).optional(),
    otherwise: scalar.optional(),
    when: condition.optional(),
  }),
  z.strictObject({ const: scalar, when: condition.optional() }),
  z.strictObject({
    join: z.array(path).min(1).max(10),
    with: z.string().max(5).default(':'),
    when: condition.optional(),
  }),
])
const text = listOf(textSource)
export type TextSource = z.infer<typeof textSource>

const durationSource = z.union([
  paths.transform((from) => ({ from, unit: 's' as const })),
  z.strictObject({ from: paths, unit: z.enum(['s', 'ms', 'us']).default('s'), when: condition.optional() }),
])
const duration = listOf(durationSource)
export type DurationSource = z.infer<typeof durationSource>

const timeName = z.enum(['start', 'ring', 'answer', 'end'])
export type TimeName = z.infer<typeof timeName>

const timeSource = z.union([
  paths.transform((from) => ({ from, unit: 'auto' as const })),
  z.strictObject({
    from: paths,
    unit: z.enum(['auto', 's', 'ms', 'us', 'ns', 'text']).default('auto'),
    format: format.optional(),
    zone: zone.optional(),
    when: condition.optional(),
  }),
  z.strictObject({ after: timeName, plus: duration, when: condition.optional() }),
  z.strictObject({ before: timeName, minus: duration, when: condition.optional() }),
])
const time = listOf(timeSource)
export type TimeSource = z.infer<typeof timeSource>

const yesNo = z.union([
  z.enum(['yes', 'no']),
  z.boolean().transform((one) => (one ? ('yes' as const) : ('no' as const))),
])
const yesNoRules = z.array(
  z.union([z.strictObject({ when: condition, is: yesNo }), z.strictObject({ otherwise: yesNo })]),
)
const releaseRules = z.array(
  z.union([
    z.strictObject({ when: condition, is: z.enum([...releaseParties, 'byCause']) }),
    z.strictObject({ otherwise: z.enum([...releaseParties, 'byCause']) }),
  ]),
)

const csv = z.strictObject({
  delimiter: z.string().min(1).max(3).default(','),
  quote: z.enum(['"', "'"]).nullable().default('"'),
  columns: z.array(z.string()).min(1).max(400).nullable().default(null),
  header: z.union([yesNo, z.literal('auto')]).default('auto'),
  foldNames: z.boolean().default(false),
  skipLines: z.number().int().min(0).max(1000).default(0),
  encoding: z.enum(['utf-8', 'latin1']).default('utf-8'),
})

const input = z.strictObject({
  formats: z.array(z.enum(cdrFormats)).min(1),
  csv: csv.prefault({}),
  xml: z.strictObject({ record: z.string().regex(/^[\w.-]+$/, 'an element name') }).default({ record: 'cdr' }),
  keyValue: z
    .strictObject({ pairs: z.string().min(1).max(3), equals: z.string().min(1).max(3) })
    .default({ pairs: ';', equals: '=' }),
  percentValues: z.boolean().default(false),
  record: path.nullable().default(null),
})

const numbers = z.strictObject({
  country: country.nullable().default(defaultNumberPlan.country),
  strip: z.array(scalar).max(50).default([]),
  international: z
    .array(scalar)
    .max(20)
    .default([...defaultNumberPlan.international]),
  bare: z.enum(['national', 'international']).default(defaultNumberPlan.bare),
  shortDigitsMax: z.number().int().min(0).max(14).default(defaultNumberPlan.shortDigitsMax),
  withheld: z
    .array(scalar.transform((one) => one.toLowerCase()))
    .max(100)
    .default([...defaultNumberPlan.withheld]),
})

const fields = z.strictObject({
  id: text.optional(),
  callId: text.optional(),
  leg: text.optional(),
  kind: text.optional(),
  from: text.optional(),
  to: text.optional(),
  ingress: text.optional(),
  egress: text.optional(),
  start: time.optional(),
  ring: time.optional(),
  answer: time.optional(),
  end: time.optional(),
  ringDuration: duration.optional(),
  talkDuration: duration.optional(),
  callDuration: duration.optional(),
  causeQ850: text.optional(),
  causeSip: text.optional(),
  causeName: text.optional(),
  causeRaw: text.optional(),
})

/** Rows of one call that a switch writes apart. Rows are named; fields then read `row.path`. */
const join = z.strictObject({
  /** Parts of the key: a path each, or a list of paths of which the first with a value is taken. */
  key: z.union([path.transform((one) => [[one]]), z.array(paths).min(1).max(5)]),
  rows: z.record(z.string().regex(/^[a-z][A-Za-z0-9]*$/, 'a name'), condition),
  opens: z.string(),
  closes: z.array(z.string()).min(1),
  /** A row that is a whole call by itself when this holds of it. */
  alone: condition.optional(),
  unclosed: z.enum(['map', 'reject']).default('map'),
  holdCallsMax: z.number().int().min(1).max(1_000_000).default(100_000),
  holdSecondsMax: z.number().int().min(1).max(604_800).default(14_400),
})

const mappingSchema = z.strictObject({
  description: z.string().default(''),
  canonical: z.boolean().default(false),
  timeZone: zone.default('UTC'),
  input,
  numbers: numbers.prefault({}),
  let: z.record(z.string().regex(/^[a-z][A-Za-z0-9]*$/, 'a name'), text).default({}),
  skip: z.array(z.strictObject({ when: condition, reason: z.string().regex(/^[a-z0-9_]+$/) })).default([]),
  join: join.optional(),
  forks: z
    .strictObject({
      holdRecords: z.number().int().min(0).max(100_000),
      callsMax: z.number().int().min(1).max(1_000_000),
    })
    .optional(),
  fields: fields.default({}),
  answered: yesNoRules.default([]),
  /** What the switch's disposition says; a contradiction to the answer time is a flag, not a correction. */
  disposition: yesNoRules.default([]),
  releasedBy: releaseRules.default([{ otherwise: 'byCause' }]),
  attempt: yesNoRules.default([]),
  attributes: z.record(z.string().min(1).max(64), text).default({}),
})

export type SourceMapping = z.infer<typeof mappingSchema>

/** The mapping, or every problem of it as `path: what is allowed`. */
export function parseMapping(tree: unknown): SourceMapping | readonly string[] {
  const parsed = mappingSchema.safeParse(tree)
  if (!parsed.success)
    return parsed.error.issues.map((issue) => `${issue.path.join('.') || 'mapping'}: ${issue.message}`)
  const problems = crossProblems(parsed.data)
  return problems.length > 0 ? problems : parsed.data
}

function crossProblems(mapping: SourceMapping): string[] {
  const problems: string[] = []
  const { join: joined, fields: mapped } = mapping
  if (!mapping.canonical) {
    if (mapped.to === undefined) problems.push('fields.to: the called number is needed')
    if (mapped.start === undefined && mapped.answer === undefined && mapped.end === undefined) {
      problems.push('fields.start: one of start, answer, end is needed')
    }
  }
  if (joined !== undefined) {
    for (const name of [joined.opens, ...joined.closes]) {
      if (!(name in joined.rows)) problems.push(`join: ${name} is none of rows ${Object.keys(joined.rows).join(', ')}`)
    }
  }
  if (Object.keys(mapping.attributes).length > 32) problems.push('attributes: at most 32')
  return problems
}

/** One source, or a list of which the first with a value is taken. */
function listOf<Source extends z.ZodType>(source: Source) {
  return z.union([source.transform((one) => [one]), z.array(source).min(1).max(20)])
}

function compiles(source: string): boolean {
  try {
    new RegExp(source)
    return true
  } catch {
    return false
  }
}

function isZone(name: string): boolean {
  try {
    new TimeZone(name)
    return true
  } catch {
    return false
  }
}

function isFormat(source: string): boolean {
  try {
    new TimePattern(source)
    return true
  } catch {
    return false
  }
}
