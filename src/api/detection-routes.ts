/** The URLs of detections over Twilio REST, and their rules; part of the table in routes.ts. Pure. */
import { z } from 'zod'
import { detectionStates } from '../actions/detection.ts'
import { detectionRules } from '../config/schema.ts'
import { type DetectionResource, detectionsQuery, orderBody, rulesBody } from './detections.ts'
import { type ApiRoute, route } from './route-table.ts'
import { count, time } from './shapes.ts'

const bodyBytesMax = 4096

const detectionShape = z.object({
  id: z.string(),
  callSid: z.string(),
  accountSid: z.string(),
  track: z.enum(['inbound', 'outbound']),
  state: z.enum(detectionStates),
  reason: z.string().nullable(),
  detail: z.string().nullable(),
  origin: z.enum(['webhook', 'api']),
  streamSids: z.array(z.string()),
  restarts: count,
  createdAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  verdict: z.looseObject({ label: z.string(), score: z.number().nullable(), updatedAt: time }).nullable(),
})

const rulesShape = z.object({
  revision: count,
  changedAt: z.string().nullable(),
  changedBy: z.string().nullable(),
  overrides: detectionRules,
  configured: z.object({ default: z.boolean(), timeZone: z.string(), rules: detectionRules }),
})

const twilio = ['twilio_unauthenticated', 'twilio_rejected', 'twilio_busy', 'twilio_unavailable'] as const
const ofCalls = ['detection_disabled', 'call_not_answered', 'call_over', 'streams_full', 'conflict'] as const

export function detectionRoutes(detections: DetectionResource): ApiRoute[] {
  const [path, one, rules] = ['/v1/detections', '/v1/detections/:id', '/v1/detections/rules']
  return [
    route('POST', path, 'operator', 'Starts to listen to a live call', {
      body: { schema: orderBody },
      bodyBytesMax,
      answers: { 200: detectionShape, 201: detectionShape },
      problems: [...ofCalls, ...twilio, 'not_found', 'account_unknown', 'capacity_full', 'spool_full'],
      answer: (request, identity) => detections.start(request, identity),
    }),
    route('GET', path, 'viewer', 'Detections, newest first', {
      query: detectionsQuery,
      answers: { 200: z.object({ detections: z.array(detectionShape) }) },
      answer: (request) => detections.list(request),
    }),
    route('GET', rules, 'viewer', 'The rules of which calls are listened to', {
      showsNumbers: true,
      answers: { 200: rulesShape },
      answer: () => detections.rules(),
    }),
    route('PUT', rules, 'operator', 'Lays rules over the configured ones', {
      body: { schema: rulesBody },
      answers: { 200: rulesShape },
      problems: ['conflict', 'spool_full'],
      answer: (request, identity) => detections.replaceRules(request, identity),
    }),
    route('GET', one, 'viewer', 'A detection', {
      answers: { 200: detectionShape },
      answer: (request) => detections.get(request),
    }),
    route('DELETE', one, 'operator', 'Stops to listen', {
      bodyBytesMax,
      answers: { 200: detectionShape },
      problems: [...ofCalls, ...twilio, 'account_unknown', 'spool_full'],
      answer: (request, identity) => detections.stop(request, identity),
    }),
  ]
}
