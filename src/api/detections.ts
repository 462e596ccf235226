/**
 * `POST /v1/detections` {callSid, accountSid?, track?} starts to listen to a live call, `GET` lists and shows,
 * `DELETE` stops; `GET` and `PUT /v1/detections/rules` are the rules of which calls are listened to. Whatever changes
 * something leaves an audit row, refused or not. Main thread.
 */
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import { detectionStates } from '../actions/detection.ts'
import type { Detections } from '../actions/detections.ts'
import type { RuleOverrides } from '../actions/rule-overrides.ts'
import { detectionRules, type VoiceConfig } from '../config/schema.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { Audit } from './audit.ts'
import { parseQuery } from './calls.ts'
import { jsonBody } from './checked-request.ts'
import { json } from './problem.ts'

export interface DetectionResourceOptions {
  readonly detections: Pick<Detections, 'start' | 'stop' | 'find' | 'list' | 'view'>
  readonly overrides: Pick<RuleOverrides, 'state' | 'replace'>
  /** The configured rules, shown beside the overrides. */
  readonly configured: VoiceConfig['enabled']
  readonly audit: Audit
}

const tracks = {
  inbound: 'inbound',
  inbound_track: 'inbound',
  outbound: 'outbound',
  outbound_track: 'outbound',
} as const

export const orderBody = z.strictObject({
  callSid: z.string().regex(/^CA[0-9a-fA-F]{32}$/, 'a call SID: CA and 32 hexadecimal digits'),
  accountSid: z
    .string()
    .regex(/^AC[0-9a-fA-F]{32}$/, 'an account SID: AC and 32 hexadecimal digits')
    .optional(),
  track: z.enum(['inbound', 'inbound_track', 'outbound', 'outbound_track']).optional(),
})

export const rulesBody = z.strictObject({ revision: z.number().int().min(0), rules: detectionRules })

export const detectionsQuery = z.strictObject({
  state: z.enum(detectionStates).optional(),
  callSid: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

export class DetectionResource {
  readonly #options: DetectionResourceOptions

  constructor(options: DetectionResourceOptions) {
    this.#options = options
  }

  start(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { detections } = this.#options
    const { callSid, accountSid, track } = jsonBody(orderBody, request)
    return this.#audited(request, identity, 'detection.start', async () => {
      const order = { callSid, accountSid, track: track === undefined ? undefined : tracks[track] }
      const { detection, isNew } = await detections.start(order)
      const answer = json(isNew ? 201 : 200, detections.view(detection), {
        Location: `/v1/detections/${detection.id}`,
      })
      return { answer, result: isNew ? 'started' : 'known', detail: detection.id }
    })
  }

  list(request: HttpRequest): HttpAnswer {
    const { detections } = this.#options
    const found = detections.list(parseQuery(detectionsQuery, request.query))
    return json(200, { detections: found.map((detection) => detections.view(detection)) })
  }

  get(request: HttpRequest): HttpAnswer {
    const { detections } = this.#options
    return json(200, detections.view(detections.find(request.params['id'] ?? '')))
  }

  stop(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { detections } = this.#options
    return this.#audited(request, identity, 'detection.stop', async () => {
      const detection = await detections.stop(request.params['id'] ?? '')
      return { answer: json(200, detections.view(detection)), result: detection.state, detail: detection.callSid }
    })
  }

  rules(): HttpAnswer {
    const { configured, overrides } = this.#options
    const { rules, ...change } = overrides.state
    return json(200, { ...change, overrides: rules, configured })
  }

  replaceRules(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { rules, revision } = jsonBody(rulesBody, request)
    return this.#audited(request, identity, 'detection.rules', async () => {
      const state = this.#options.overrides.replace(rules, revision, identity.actor)
      return { answer: this.rules(), result: 'ok', detail: `revision ${state.revision}, ${rules.length} rules` }
    })
  }

  async #audited(
    request: HttpRequest,
    identity: Identity,
    action: string,
    work: () => Promise<{ answer: HttpAnswer; result: string; detail: string }>,
  ): Promise<HttpAnswer> {
    const { audit } = this.#options
    try {
      const { answer, result, detail } = await work()
      audit.note(request, identity, { action, result, detail })
      return answer
    } catch (thrown) {
      const result = thrown instanceof OperatingError ? thrown.code : 'internal'
      audit.note(request, identity, { action, result })
      throw thrown
    }
  }
}
