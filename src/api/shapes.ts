/**
 * What the routes answer, as schemas for the document. A test holds them against what the server really says. Pure.
 */
import { z } from 'zod'
import { labels } from '../decisions/verdict-view.ts'

export const time = z.iso.datetime()
export const count = z.number().int().min(0)
export const reason = z.object({ code: z.string(), text: z.string() })
const check = z.object({ state: z.enum(['ok', 'degraded', 'failed']), detail: z.string().optional() })

export const aliveShape = z.object({ status: z.literal('ok'), version: z.string() })

export const readyShape = z.object({
  status: z.enum(['ready', 'degraded', 'not_ready']),
  version: z.string(),
  checks: z.record(z.string(), check),
})

export const statusShape = readyShape.extend({
  model: z.string().nullable(),
  thresholds: z.object({ synthetic: z.number(), human: z.number() }).nullable(),
  at: time,
})

const figure = z.number().nullable()

/** Beside the verdict, no part of its score. */
export const signalsShape = z.object({
  responses: count,
  responseLatencyMsMedian: figure,
  responseLatencyMsSpread: figure,
  comparedPhrases: count,
  repeatedPhrases: count,
  phraseLikenessMax: z.number(),
  pauses: count,
  pauseFloorDbfs: figure,
  pauseFloorSpreadDb: figure,
  pauseFloorJumpDb: figure,
  digitalSilenceShare: figure,
})

const verdict = z.object({
  track: z.string(),
  label: z.enum(labels),
  score: z.number().min(0).max(1).nullable(),
  confidence: z.number().min(0).max(1),
  provisional: z.boolean(),
  netSpeechMs: count,
  audioMs: count,
  gapMs: count,
  lostMs: count,
  duplicates: count,
  reasons: z.array(reason),
  signals: signalsShape.optional(),
  model: z.string(),
  updatedAtMs: z.number(),
})

const call = z.object({
  callSid: z.string(),
  accountSid: z.string(),
  from: z.string(),
  to: z.string(),
  direction: z.string(),
  state: z.enum(['live', 'ended', 'interrupted']),
  startedAt: time,
  endedAt: time.nullable(),
  endReason: z.string().nullable(),
})

const span = z.object({ startMs: z.number(), endMs: z.number() })

/** What the policy did or would have done; its evidence has fields of its own. */
export const actionShape = z.looseObject({
  id: z.string(),
  callSid: z.string(),
  track: z.string(),
  rule: z.string(),
  action: z.string(),
  shadow: z.boolean(),
  state: z.string(),
  text: z.string(),
  decidedAt: time,
  result: reason.nullable(),
  canUndo: z.boolean(),
})

export const handsOffShape = z.object({ by: z.string(), at: time, note: z.string().nullable() })

export const callShape = call.extend({
  actions: z.array(actionShape),
  risk: z.looseObject({ score: z.number(), logOdds: z.number() }).nullable(),
  handsOff: handsOffShape.nullable(),
  tracks: z.array(
    verdict.extend({
      windows: z.array(span.extend({ score: z.number().nullable(), flags: z.array(z.string()) })),
      gaps: z.array(span),
    }),
  ),
})

export const callListShape = z.object({
  calls: z.array(call.extend({ tracks: z.array(verdict.extend({ lastWindows: z.array(z.number().nullable()) })) })),
  next: z.string().nullable(),
  partial: z.string().optional(),
})

/** Each report has fields of its own beside its span. */
export const reportShape = z.looseObject({ from: time, to: time })

export const rejectedRecord = z.object({ index: count, code: z.string(), detail: z.string() })

export const cdrAnswerShape = z.object({
  accepted: count,
  duplicates: count,
  rejected: z.array(rejectedRecord),
  skipped: count.optional(),
})

export const whoShape = z.object({
  actor: z.string().nullable(),
  role: z.string().nullable(),
  via: z.string().nullable(),
})

export const signedInShape = z.object({ actor: z.string(), role: z.string(), expiresAt: time })
export const signedOutShape = z.object({ signedOut: z.boolean() })
export const revokedShape = z.object({ revoked: z.string() })

/** OpenAPI's own schema is not repeated here. */
export const openApiShape = z.looseObject({ openapi: z.literal('3.1.0') })

/** RFC 9457, with our code and whether trying again helps. */
export const problemShape = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  retryable: z.boolean(),
})

/** `POST` and `WS /v1/cdr`: the mapping that reads the records. */
export const cdrQuery = z.object({ source: z.string().max(100).optional() })
