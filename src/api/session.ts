/**
 * `POST /v1/session` {key} signs the dashboard in and sets the cookie, `GET` says who is signed in, `DELETE` signs out.
 * Every sign-in, refused sign-in and sign-out leaves an audit row. Main thread.
 */
import { z } from 'zod'
import { AccessRefused, type Authenticator } from '../access/authenticate.ts'
import { type Sessions, sessionIdOf } from '../access/sessions.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { Audit } from './audit.ts'
import { jsonBody } from './checked-request.ts'
import { json } from './problem.ts'

/** An API key, or a token of the identity provider. */
export const signInBody = z.strictObject({ key: z.string().min(1).max(8192) })

const noWho = { actor: null, role: null, via: null } as const

export interface SessionResourceOptions {
  readonly authenticator: Authenticator
  readonly sessions: Sessions
  readonly audit: Audit
}

export class SessionResource {
  readonly #options: SessionResourceOptions

  constructor(options: SessionResourceOptions) {
    this.#options = options
  }

  async signIn(request: HttpRequest): Promise<HttpAnswer> {
    const { authenticator, sessions, audit } = this.#options
    const { key } = jsonBody(signInBody, request)
    const identity = await authenticator.withCredential(key.trim(), request.remoteAddress, 'session')
    if (identity.role === 'ingest') {
      throw new AccessRefused('forbidden', 'a key of role ingest cannot sign in', { wrong: true })
    }
    const { id, session } = sessions.open(identity)
    audit.note(request, identity, { action: 'session.open', result: 'ok' })
    const expiresAt = new Date(session.expiresAtMs).toISOString()
    return json(200, { actor: session.actor, role: session.role, expiresAt }, { 'Set-Cookie': sessions.cookie(id) })
  }

  /** Open to everybody, so that the page can ask without an error: nobody is an answer, a wrong credential is not. */
  async show(request: HttpRequest): Promise<HttpAnswer> {
    const { headers } = request
    const nobody = !headers.has('authorization') && sessionIdOf(headers.get('cookie')) === undefined
    if (nobody) return json(200, noWho)
    try {
      const { actor, role, via } = await this.#options.authenticator.identify(request)
      return json(200, { actor, role, via })
    } catch (thrown) {
      if (thrown instanceof AccessRefused && !thrown.wrong) return json(200, noWho)
      throw thrown
    }
  }

  signOut(request: HttpRequest): HttpAnswer {
    const { sessions, audit } = this.#options
    const id = sessionIdOf(request.headers.get('cookie'))
    const session = id === undefined ? undefined : sessions.find(id)
    if (id !== undefined && session !== undefined) {
      sessions.close(id)
      audit.note(request, session, { action: 'session.close', result: 'ok' })
    }
    return { ...json(200, { signedOut: session !== undefined }, { 'Set-Cookie': sessions.cookie(null) }) }
  }
}
