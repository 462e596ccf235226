/** The URLs of models; part of the table in routes.ts. Pure. */
import { z } from 'zod'
import { scoreLabels } from '../inference/agreement.ts'
import { activateBody, candidateBody, type ModelsResource } from './models.ts'
import { type ApiRoute, route } from './route-table.ts'
import { count, time } from './shapes.ts'

const share = z.number().min(0).max(1)
const byLabel = z.record(z.enum(scoreLabels), z.record(z.enum(scoreLabels), count))

const agreementShape = z.object({
  compared: count,
  labelAgreement: share.nullable(),
  meanDifference: z.number().nullable(),
  meanAbsoluteDifference: z.number().nullable(),
  labels: byLabel,
})

const shadowShape = z.object({
  candidate: z.string(),
  active: z.string(),
  state: z.enum(['running', 'failed']),
  problem: z.string().nullable(),
  since: time,
  judged: count,
  share: z.number().min(0).nullable(),
  cpuShare: z.number().min(0),
  cpuShareMax: z.number().min(0),
  agreement: agreementShape,
})

const driftStates = z.enum(['steady', 'moved', 'shifted', 'unknown'])

const driftShape = z.object({
  model: z.string(),
  reference: z.object({
    from: z.enum(['manifest', 'first_days']),
    state: z.enum(['gathering', 'complete']),
    days: count,
    samples: count,
  }),
  quantities: z.array(z.object({ name: z.string(), about: z.string() })),
  days: z.array(
    z.object({
      day: z.string(),
      samples: count,
      state: driftStates,
      psi: z.record(z.string(), z.number().nullable()),
    }),
  ),
})

const versionShape = z.object({
  version: z.string(),
  sha256: z.string().nullable(),
  parameters: count.nullable(),
  thresholds: z.record(z.string(), z.number()).nullable(),
  problem: z.string().nullable(),
})

export const modelShape = z.object({
  name: z.string(),
  kind: z.enum(['voice', 'flash_call']),
  serving: z.string(),
  active: z.string().nullable(),
  previous: z.string().nullable(),
  candidate: z.string().nullable(),
  state: z.enum(['ok', 'swapping', 'refused']),
  problem: z.string().nullable(),
  lastSwap: z.object({ at: time, from: z.string(), to: z.string() }).nullable(),
  versions: z.array(versionShape),
  tracks: z.record(z.string(), count).nullable(),
  shadow: shadowShape.nullable(),
  drift: driftShape.nullable(),
})

const problems = ['conflict', 'model_refused', 'capacity_full', 'config_invalid', 'spool_full'] as const
const bodyBytesMax = 4096

export function modelRoutes(models: ModelsResource): ApiRoute[] {
  const path = '/v1/models'
  return [
    route('GET', path, 'viewer', 'Models: versions, what judges, what is tried beside it, what drifts', {
      answers: { 200: z.object({ models: z.array(modelShape) }) },
      answer: () => models.list(),
    }),
    route('POST', `${path}/:name/activate`, 'admin', 'Another version judges from now on; live calls keep theirs', {
      body: { schema: activateBody },
      bodyBytesMax,
      answers: { 200: modelShape },
      problems,
      answer: (request, identity) => models.activate(request, identity),
    }),
    route('POST', `${path}/:name/rollback`, 'admin', 'The version before the active one judges again', {
      bodyBytesMax,
      answers: { 200: modelShape },
      problems,
      answer: (request, identity) => models.rollback(request, identity),
    }),
    route('POST', `${path}/:name/candidate`, 'admin', 'Tries a version beside the active one, or none', {
      body: { schema: candidateBody },
      bodyBytesMax,
      answers: { 200: modelShape },
      problems,
      answer: (request, identity) => models.candidate(request, identity),
    }),
  ]
}
