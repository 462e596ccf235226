/**
 * `GET /v1/analytics/{report}?from&to&step`: reports over a span of time. `from` and `to` are ISO 8601 or ms since
 * the epoch (default: the last hour of traffic, seven days of selfcheck, the last day of the others), `step` is
 * seconds. Here: `overview`, `verdicts` and `latency` of listened-to calls, `traffic` and `quality` of call records,
 * `fraud`, and `selfcheck`: whether the counts of records agree with one another. Main thread.
 */
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { CdrReports } from '../storage/cdr-reports.ts'
import type { CdrSelfCheck } from '../storage/cdr-self-check.ts'
import type { FraudReports } from '../storage/fraud-reports.ts'
import type { Span } from '../storage/report-span.ts'
import type { VoiceReports } from '../storage/voice-reports.ts'
import { json } from './problem.ts'

export interface AnalyticsOptions {
  readonly reports: Pick<CdrReports, 'traffic' | 'quality'>
  readonly selfCheck: Pick<CdrSelfCheck, 'check'>
  readonly fraud: Pick<FraudReports, 'report'>
  readonly voice: Pick<VoiceReports, 'overview' | 'verdicts' | 'latency'>
  readonly clock: Clock
}

const dayMs = 86_400_000
const reportNames = ['overview', 'verdicts', 'latency', 'traffic', 'quality', 'fraud', 'selfcheck']
/** Points of one answer. */
const pointsMax = 2000
const spanMsMax = 400 * dayMs

const text = z.string().max(128).optional()
export const analyticsQuery = z.strictObject({
  from: text,
  to: text,
  step: z.coerce.number().int().min(60).max(86_400).optional(),
  source: text,
  ingress: text,
  egress: text,
})

export class Analytics {
  readonly #options: AnalyticsOptions

  constructor(options: AnalyticsOptions) {
    this.#options = options
  }

  /** @throws OperatingError bad_request, not_found, storage_unavailable */
  async report(request: HttpRequest): Promise<HttpAnswer> {
    const name = request.params['report']
    if (name === 'traffic') return this.#traffic(request)
    if (name === 'quality') return this.#quality(request)
    if (name === 'selfcheck') return this.#selfCheck(request)
    if (name === 'fraud') return this.#fraud(request)
    if (name === 'overview' || name === 'verdicts' || name === 'latency') return this.#voice(name, request)
    throw new OperatingError('not_found', `no such report; there are ${reportNames.join(', ')}`)
  }

  async #traffic(request: HttpRequest): Promise<HttpAnswer> {
    const query = parsed(request.query)
    const span = this.#span(query, 3_600_000)
    const { source, ingress, egress } = query
    const report = await this.#options.reports.traffic(span, { source, ingress, egress })
    return json(200, { ...told(span), stepSeconds: span.stepSeconds, ...report })
  }

  async #quality(request: HttpRequest): Promise<HttpAnswer> {
    const query = parsed(request.query)
    const span = this.#span(query, dayMs)
    return json(200, { ...told(span), sources: await this.#options.reports.quality(span, query.source) })
  }

  async #selfCheck(request: HttpRequest): Promise<HttpAnswer> {
    const span = this.#span(parsed(request.query), 7 * dayMs)
    return json(200, { ...told(span), ...(await this.#options.selfCheck.check(span)) })
  }

  async #fraud(request: HttpRequest): Promise<HttpAnswer> {
    const span = this.#span(parsed(request.query), dayMs)
    const report = await this.#options.fraud.report(span)
    return json(200, { ...told(span), stepSeconds: span.stepSeconds, ...report })
  }

  async #voice(name: 'overview' | 'verdicts' | 'latency', request: HttpRequest): Promise<HttpAnswer> {
    const span = this.#span(parsed(request.query), dayMs)
    const report = await this.#options.voice[name](span)
    return json(200, { ...told(span), stepSeconds: span.stepSeconds, ...report })
  }

  #span(query: z.infer<typeof analyticsQuery>, defaultMs: number): Span {
    const toMs = momentOf('to', query.to) ?? this.#options.clock.wallMs()
    const fromMs = momentOf('from', query.from) ?? toMs - defaultMs
    if (fromMs >= toMs || toMs - fromMs > spanMsMax) {
      throw new OperatingError('bad_request', 'from must lie before to, by at most 400 days')
    }
    const leastSeconds = Math.ceil((toMs - fromMs) / 1000 / pointsMax)
    const stepSeconds = query.step ?? Math.max(60, Math.ceil((leastSeconds * 10) / 60) * 60)
    if (stepSeconds < leastSeconds) {
      throw new OperatingError('bad_request', `step: at least ${leastSeconds} s over this span`)
    }
    return { fromMs, toMs, stepSeconds }
  }
}

function told({ fromMs, toMs }: Span): { from: string; to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}

function parsed(query: string): z.infer<typeof analyticsQuery> {
  const result = analyticsQuery.safeParse(Object.fromEntries(new URLSearchParams(query)))
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new OperatingError('bad_request', problems.join('; '))
}

function momentOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined
  const ms = /^\d{1,15}$/.test(value) ? Number(value) : Date.parse(value)
  if (!Number.isFinite(ms)) throw new OperatingError('bad_request', `${name}: ISO 8601, or ms since the epoch`)
  return ms
}
