/**
 * `POST /v1/erase` {number}: a number is forgotten; answers with the report, 200 when all is done, 202 while it goes
 * on. `GET /v1/erasures/{id}`: the report. The audit knows the erasure's id, never the number. Main thread.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { Audit } from './audit.ts'
import { jsonBody } from './checked-request.ts'
import { json } from './problem.ts'
import { type ApiRoute, route } from './route-table.ts'
import { count, time } from './shapes.ts'

export const eraseBody = z.strictObject({
  number: z.string().regex(/^\+?[1-9]\d{6,14}$/, 'must be E.164: digits with the country code, + before them or not'),
})

const reportShape = z.object({
  id: z.string(),
  at: time,
  numberHash: z.string(),
  state: z.enum(['running', 'rows_gone', 'done', 'failed']),
  problem: z.string().nullable(),
  finishedAt: time.nullable(),
  logs: z.record(z.string(), count),
  tables: z.array(z.object({ table: z.string(), rowsBefore: count, rowsAfter: count })),
  files: z.array(z.object({ file: z.string(), result: z.enum(['changed', 'deleted']) })),
  memory: z.object({ cases: count, liveTracks: count, events: count }),
  recordings: count.nullable(),
  leftInConfiguration: z.array(z.string()),
})

export type ErasureView = z.infer<typeof reportShape>

export interface ErasureResourceOptions {
  readonly erasures: {
    begin(digits: string, askedBy: string): { readonly report: ErasureView; readonly finished: Promise<void> }
    report(id: string): ErasureView | null
  }
  readonly audit: Audit
  /** Resolves once what was audited is on disk. */
  readonly audited: () => Promise<void>
}

/** Longer ones are asked for by their id. */
const answerMsMax = 20_000

export class ErasureResource {
  readonly #options: ErasureResourceOptions

  constructor(options: ErasureResourceOptions) {
    this.#options = options
  }

  async erase(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { erasures, audit, audited } = this.#options
    const { number } = jsonBody(eraseBody, request)
    const { report, finished } = erasures.begin(number.replace('+', ''), identity.actor)
    const subject = `erasure:${report.id}`
    audit.note(request, identity, { action: 'number.erase', result: 'begun', subject })
    await audited()
    const told = finished.then(() => {
      audit.note(request, identity, { action: 'number.erase', result: report.state, subject })
    })
    await Promise.race([told, sleep(answerMsMax, undefined, { ref: false })])
    if (report.state === 'failed') throw new OperatingError('storage_unavailable', `${report.id}: ${report.problem}`)
    return json(report.finishedAt === null ? 202 : 200, report)
  }

  show(request: HttpRequest): HttpAnswer {
    const report = this.#options.erasures.report(request.params['id'] ?? '')
    if (report === null) throw new OperatingError('not_found', 'no erasure of that id')
    return json(200, report)
  }
}

export function erasureRoutes(erasures: ErasureResource): ApiRoute[] {
  return [
    route('POST', '/v1/erase', 'admin', 'Forgets a number: tables, log, cases, memory', {
      body: { schema: eraseBody },
      bodyBytesMax: 4096,
      answers: { 200: reportShape, 202: reportShape },
      problems: ['storage_unavailable', 'spool_full'],
      answer: (request, identity) => erasures.erase(request, identity),
    }),
    route('GET', '/v1/erasures/:id', 'admin', 'What an erasure has found and changed', {
      answers: { 200: reportShape },
      answer: (request) => erasures.show(request),
    }),
  ]
}
