/** The URLs of number fraud: cases, decisions before a call, numbers, scoring; part of the table in routes.ts. Pure. */
import { z } from 'zod'
import { fraudActions } from '../config/schema.ts'
import { caseActions } from '../decisions/case-book.ts'
import { caseStates } from '../decisions/cases.ts'
import { caseKinds } from '../decisions/fraud-signal.ts'
import { clearNumbersQuery } from './clear-numbers.ts'
import { casesQuery, type FraudCases, noteBody } from './fraud-cases.ts'
import { callBody, type FraudQuestions } from './fraud-questions.ts'
import { type ApiRoute, route } from './route-table.ts'
import { count, reason, rejectedRecord, time } from './shapes.ts'

export interface FraudParts {
  readonly cases: FraudCases
  readonly questions: FraudQuestions
  /** Of `POST /v1/score/cdr`. */
  readonly scoreBytesMax: number
}

const bodyBytesMax = 16_384
const action = z.enum(fraudActions)
/** Something that is not known now is missing; this code says why. */
const partial = z.string().optional()

const caseShape = z.object({
  id: z.string(),
  kind: z.enum(caseKinds),
  subject: z.object({ type: z.string(), value: z.string() }),
  state: z.enum(caseStates),
  verdict: z.enum(['confirmed', 'dismissed']).nullable(),
  score: z.number(),
  severity: z.number(),
  calls: count,
  reasons: z.array(reason),
  evidence: z.array(z.string()),
  firstSeenAt: time,
  openedAt: time,
  lastSeenAt: time,
  mergedInto: z.string().nullable(),
  absorbed: count,
  action: z.object({ intended: action, effective: action, shadow: z.boolean(), expiresAt: time.nullable() }),
  decidedBy: z.string().nullable(),
  decidedAt: time.nullable(),
  note: z.string().nullable(),
})

const cdrShape = z.looseObject({ id: z.string(), source: z.string(), startAt: time, answered: z.boolean() })

const caseDetailShape = caseShape.extend({
  cdrs: z.array(cdrShape),
  series: z.object({ stepSeconds: count, points: z.array(z.looseObject({ at: time, attempts: count })) }),
  scores: z.object({ calls: count, actions: z.record(z.string(), count) }),
  partial,
})

const caseListShape = z.object({ cases: z.array(caseShape), next: z.string().optional(), partial })

const decisionShape = z.object({
  action,
  reasons: z.array(reason),
  caseId: z.string().optional(),
  ttlMs: count,
  intended: action,
  shadow: z.boolean(),
})

const traffic = z.looseObject({ attempts: count, answered: count }).nullable()

const numberShape = z.object({
  number: z.string(),
  cases: z.array(caseShape),
  windows: z.unknown().meta({ description: 'Counts by width of window, as caller; null: none' }),
  asCaller: traffic,
  asCalled: traffic,
  recent: z.array(cdrShape),
  partial,
})

const scoredShape = z.object({
  records: count,
  rejected: z.array(rejectedRecord),
  cases: z.array(caseShape),
  calls: z.array(z.object({ id: z.string(), cases: z.array(z.enum(caseKinds)), intended: action })),
})

const stored = ['storage_unavailable', 'storage_rejected'] as const

export function fraudRoutes({ cases, questions, scoreBytesMax }: FraudParts): ApiRoute[] {
  return [
    route('GET', '/v1/cases', 'viewer', 'Cases: live ones, worst first; then those that are over', {
      showsNumbers: true,
      reveals: true,
      query: casesQuery,
      answers: { 200: caseListShape },
      problems: stored,
      answer: (request) => cases.list(request),
    }),
    route('GET', '/v1/cases/:id', 'viewer', 'A case with its evidence', {
      showsNumbers: true,
      reveals: true,
      query: z.strictObject(clearNumbersQuery),
      answers: { 200: caseDetailShape },
      problems: stored,
      answer: (request) => cases.get(request),
    }),
    ...caseActions.map((act) =>
      route('POST', `/v1/cases/:id/${act}`, 'operator', `What an analyst finds: ${act}`, {
        body: { schema: noteBody, isOptional: true },
        bodyBytesMax,
        answers: { 200: caseShape },
        problems: ['conflict', 'spool_full'],
        answer: (request, identity) => cases.act(request, identity, act),
      }),
    ),
    route('POST', '/v1/decisions', 'ingest', 'What to do with a call that is to be set up', {
      body: { schema: callBody },
      bodyBytesMax,
      answers: { 200: decisionShape },
      answer: (request) => questions.decide(request),
    }),
    route('GET', '/v1/numbers/:e164', 'viewer', 'What is known of a number', {
      showsNumbers: true,
      reveals: true,
      query: z.strictObject(clearNumbersQuery),
      answers: { 200: numberShape },
      problems: [...stored, 'capacity_full'],
      answer: (request) => questions.number(request),
    }),
    route('POST', '/v1/score/cdr', 'viewer', 'Call records through a fresh detector; nothing is stored', {
      body: { mediaTypes: ['application/json', 'application/x-ndjson'] },
      bodyBytesMax: scoreBytesMax,
      answers: { 200: scoredShape },
      problems: ['worker_lost', 'capacity_full'],
      answer: (request) => questions.score(request),
    }),
  ]
}
