/**
 * `GET /v1/keys`, `POST /v1/keys` {name, role, scopes?, expiresAt?}, `DELETE /v1/keys/{id}`: API keys, for admins. The
 * key itself is in the answer that makes it and nowhere else. Each change is on disk in the audit before it is
 * answered. Main thread.
 */
import { z } from 'zod'
import type { ApiKeys, KeyFacts } from '../access/api-keys.ts'
import type { Identity } from '../access/authenticate.ts'
import { roles, scopes } from '../access/roles.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { Audit } from './audit.ts'
import { checkedQuery, jsonBody } from './checked-request.ts'
import { json } from './problem.ts'

export const newKeyBody = z.strictObject({
  name: z.string().trim().min(1).max(100),
  role: z.enum(roles),
  scopes: z.array(z.enum(scopes)).max(scopes.length).optional(),
  expiresAt: z.iso.datetime().nullable().optional(),
})

/** `search`: part of a name, or the beginning of a key or id, as one is found in a log or a configuration. */
export const keysQuery = z.strictObject({ search: z.string().max(100).optional() })

export const keyShape = z.object({
  id: z.string(),
  prefix: z.string(),
  name: z.string(),
  role: z.enum(roles),
  scopes: z.array(z.enum(scopes)),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
})
export const keyListShape = z.object({ keys: z.array(keyShape) })
export const newKeyShape = z.object({ id: z.string(), key: z.string() })

export interface KeysResourceOptions {
  readonly keys: ApiKeys
  readonly audit: Audit
  /** Resolves once what was audited is on disk. */
  readonly audited: () => Promise<void>
}

export class KeysResource {
  readonly #options: KeysResourceOptions

  constructor(options: KeysResourceOptions) {
    this.#options = options
  }

  list(request: HttpRequest): HttpAnswer {
    const { search } = checkedQuery(keysQuery, request.query)
    return json(200, { keys: this.#options.keys.list().filter((key) => search === undefined || fits(key, search)) })
  }

  async create(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { keys, audit, audited } = this.#options
    const { name, role, scopes: held, expiresAt } = jsonBody(newKeyBody, request)
    const made = keys.create(role, name, { scopes: held ?? [], expiresAt: expiresAt ?? null })
    const detail = [`role ${role}`, ...(held ?? []).map((scope) => `scope ${scope}`), `expires ${expiresAt ?? 'never'}`]
    const subject = `key:${made.id}`
    audit.note(request, identity, { action: 'key.create', result: 'ok', subject, detail: detail.join(', ') })
    await audited()
    return json(201, made)
  }

  async revoke(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { keys, audit, audited } = this.#options
    const id = request.params['id'] ?? ''
    if (!/^[0-9a-f]{12}$/.test(id) || !keys.revoke(id)) throw new OperatingError('not_found', 'no key has that id')
    audit.note(request, identity, { action: 'key.revoke', result: 'ok', subject: `key:${id}` })
    await audited()
    return json(200, { revoked: id })
  }
}

function fits(key: KeyFacts, search: string): boolean {
  // Of a whole key only the part that is no secret is looked at.
  const prefix = search.slice(0, key.prefix.length)
  return key.name.toLowerCase().includes(search.toLowerCase()) || key.prefix.startsWith(prefix) || key.id === search
}
