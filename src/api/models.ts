/**
 * `GET /v1/models`: what judges, its versions, what is tried beside it and what drifts; `POST
 * /v1/models/{name}/activate` {version}, `/rollback`, `/candidate` {version | null}: changes it, without a live call
 * noticing. A change is on disk in the audit before it is answered, a refused one too. Main thread.
 */
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { ModelView } from '../worker/model-view.ts'
import type { Audit } from './audit.ts'
import { jsonBody } from './checked-request.ts'
import { json } from './problem.ts'

const version = z.string().min(1).max(100)
export const activateBody = z.strictObject({ version })
export const candidateBody = z.strictObject({ version: version.nullable() })

/** The part of the watch over models that we show. */
export interface ModelsShown {
  views(): ModelView[]
  /** @throws OperatingError not_found, conflict, model_refused, capacity_full */
  activate(name: string, version: string): Promise<ModelView>
  rollback(name: string): Promise<ModelView>
  setCandidate(name: string, version: string | null): Promise<ModelView>
}

export interface ModelsResourceOptions {
  readonly models: ModelsShown
  readonly audit: Audit
  /** Resolves once what was audited is on disk. */
  readonly audited: () => Promise<void>
}

export class ModelsResource {
  readonly #options: ModelsResourceOptions

  constructor(options: ModelsResourceOptions) {
    this.#options = options
  }

  list(): HttpAnswer {
    return json(200, { models: this.#options.models.views() })
  }

  activate(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const body = jsonBody(activateBody, request)
    return this.#change(request, identity, 'activate', body.version, (models, name) =>
      models.activate(name, body.version),
    )
  }

  rollback(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    return this.#change(request, identity, 'rollback', null, (models, name) => models.rollback(name))
  }

  candidate(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const body = jsonBody(candidateBody, request)
    return this.#change(request, identity, 'candidate', body.version, (models, name) =>
      models.setCandidate(name, body.version),
    )
  }

  async #change(
    request: HttpRequest,
    identity: Identity,
    act: string,
    asked: string | null,
    change: (models: ModelsShown, name: string) => Promise<ModelView>,
  ): Promise<HttpAnswer> {
    const { models, audit, audited } = this.#options
    const name = request.params['name'] ?? ''
    const of = (result: string, detail: string) => ({
      action: `model.${act}`,
      result,
      subject: `model:${name}`,
      detail,
    })
    try {
      const view = await change(models, name)
      const detail = `serving ${view.serving}, candidate ${view.candidate ?? 'none'}`
      audit.note(request, identity, of('ok', detail))
      await audited()
      return json(200, view)
    } catch (thrown) {
      const why = thrown instanceof OperatingError ? `${thrown.code}: ${thrown.message}` : 'internal'
      audit.note(request, identity, of('refused', `version ${asked ?? 'before'}: ${why}`))
      throw thrown
    }
  }
}
