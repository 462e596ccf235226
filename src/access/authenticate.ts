/**
 * Who is asking: `Authorization: Bearer <key or token>`, `Authorization: Basic <user>:<key>` (for switches that can do
 * nothing else), `X-ClickHouse-Key: <key>` (ClickHouse's clients), or the dashboard's session cookie. Never the query
 * string, which ends in logs. Answers an identity or an expected error; never tells apart an unknown key from a wrong,
 * expired or revoked one. Wrong credentials are throttled per address, good ones limited per key. Main thread.
 */

import type { Clock } from '../core/clock.ts'
import { type ErrorCode, OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { ApiKeys } from './api-keys.ts'
import type { FailureThrottle } from './failure-throttle.ts'
import { type JwtVerifier, looksLikeToken } from './jwt.ts'
import type { Origins } from './origins.ts'
import type { RateLimits } from './rate-limits.ts'
import { holds, permits, type Role, type Scope } from './roles.ts'
import { type Sessions, sessionIdOf } from './sessions.ts'

/** What of a request says who is asking; HttpRequest and UpgradeRequest both fit. */
export interface Credentials {
  readonly method?: string
  readonly headers: ReadonlyMap<string, string>
  readonly remoteAddress: string
}

export interface Identity {
  /** For the audit: `key:<id> <name>` or `jwt:<subject>`. */
  readonly actor: string
  readonly role: Role
  readonly scopes: readonly Scope[]
  readonly keyId: string
  readonly via: 'bearer' | 'basic' | 'session'
  /** Wall ms at which the credential ends; null: with its revocation only. */
  readonly expiresAtMs: number | null
}

/** A refusal with what must go into the answer's headers. `wrong`: a credential was presented and did not fit. */
export class AccessRefused extends OperatingError {
  /** Who was refused, where that is known already. */
  readonly identity: Identity | null = null
  readonly retryAfterSeconds: number | undefined
  readonly wrong: boolean

  constructor(code: ErrorCode, detail: string, options: { wrong: boolean; retryAfterMs?: number }) {
    super(code, detail)
    this.wrong = options.wrong
    this.retryAfterSeconds = options.retryAfterMs === undefined ? undefined : Math.ceil(options.retryAfterMs / 1000)
  }

  headers(): Record<string, string> {
    if (this.code === 'unauthenticated') return { 'WWW-Authenticate': 'Bearer realm="voicefw"' }
    if (this.retryAfterSeconds !== undefined) return { 'Retry-After': String(this.retryAfterSeconds) }
    return {}
  }
}

export interface AuthenticatorOptions {
  readonly keys: ApiKeys
  readonly sessions: Sessions
  readonly throttle: FailureThrottle
  readonly limits: RateLimits
  readonly origins: Origins
  /** Null: API keys only. */
  readonly jwt: JwtVerifier | null
  readonly clock: Clock
  readonly counters: Pick<Counters, 'authDenied' | 'authThrottled'>
}

export class Authenticator {
  readonly #options: AuthenticatorOptions

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /** @throws AccessRefused unauthenticated, forbidden or too_many_requests. */
  async identify(request: Credentials): Promise<Identity> {
    const identity = await this.#identityOf(request)
    const waitMs = await this.#options.limits.takeKey(identity.keyId, identity.role === 'ingest')
    if (waitMs > 0) throw new TooFast('this key asks too often', waitMs, identity)
    return identity
  }

  /** For what is open to everybody. @throws AccessRefused too_many_requests */
  async letPass(remoteAddress: string): Promise<void> {
    const waitMs = await this.#options.limits.takeAddress(remoteAddress)
    if (waitMs > 0) throw new TooFast('this address asks too often', waitMs, null)
  }

  /** @throws AccessRefused forbidden */
  require(identity: Identity, needed: Role): void {
    if (permits(identity.role, needed)) return
    throw this.#denied('forbidden', `this needs role ${needed}; the key has role ${identity.role}`, true)
  }

  /** @throws AccessRefused forbidden */
  requireScope(identity: Identity, needed: Scope): void {
    if (holds(identity, needed)) return
    throw this.#denied('forbidden', `this needs scope ${needed}, or role admin`, true)
  }

  /** Whether a credential that was good still is: its key not revoked, its time not over. */
  stands({ keyId, expiresAtMs }: Identity): boolean {
    const { clock, keys } = this.#options
    if (expiresAtMs !== null && expiresAtMs <= clock.wallMs()) return false
    return keyId.startsWith('jwt:') || keys.stands(keyId)
  }

  /** Checks a key or token, also one handed in a body (sign-in). */
  async withCredential(text: string, remoteAddress: string, via: Identity['via']): Promise<Identity> {
    const identity = await this.#verify(text, via)
    if (identity !== undefined) return identity
    const waitMs = this.#options.throttle.fail(remoteAddress)
    if (waitMs === 0) throw this.#denied('unauthenticated', 'the credential is not valid', true)
    this.#options.counters.authThrottled += 1
    throw new TooFast('too many wrong credentials from this address', waitMs, null)
  }

  async #identityOf(request: Credentials): Promise<Identity> {
    const header = request.headers.get('authorization')
    if (header !== undefined) return this.#fromHeader(header, request.remoteAddress)
    const plain = request.headers.get('x-clickhouse-key')
    if (plain !== undefined) return this.withCredential(plain, request.remoteAddress, 'basic')
    const sessionId = sessionIdOf(request.headers.get('cookie'))
    const session = sessionId === undefined ? undefined : this.#options.sessions.find(sessionId)
    if (session === undefined) {
      await this.letPass(request.remoteAddress)
      throw this.#denied('unauthenticated', 'an API key or a signed-in session is needed', false)
    }
    // A page of another site must not act with the cookie; browsers say where a request comes from.
    const site = request.headers.get('sec-fetch-site')
    const changes = request.method !== undefined && request.method !== 'GET'
    const foreign = (site !== undefined && site !== 'same-origin') || !this.#options.origins.permits(request.headers)
    if (changes && foreign) {
      throw this.#denied('forbidden', 'a session may be used from the dashboard itself only', true)
    }
    const { actor, role, scopes, keyId, expiresAtMs } = session
    return { actor, role, scopes, keyId, via: 'session', expiresAtMs }
  }

  async #fromHeader(header: string, remoteAddress: string): Promise<Identity> {
    const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? []
    if (scheme.toLowerCase() === 'bearer') return this.withCredential(value, remoteAddress, 'bearer')
    if (scheme.toLowerCase() === 'basic') {
      const text = Buffer.from(value, 'base64').toString('utf8')
      return this.withCredential(text.slice(text.indexOf(':') + 1), remoteAddress, 'basic')
    }
    return this.withCredential('', remoteAddress, 'bearer')
  }

  async #verify(text: string, via: Identity['via']): Promise<Identity | undefined> {
    const { keys, jwt } = this.#options
    if (jwt !== null && looksLikeToken(text)) {
      const facts = await jwt.verify(text)
      if (facts === undefined) return undefined
      const { subject, role, scopes, expiresAtMs } = facts
      return { actor: `jwt:${subject}`, role, scopes, keyId: `jwt:${subject}`, via, expiresAtMs }
    }
    const record = keys.verify(text)
    if (record === undefined) return undefined
    const { id, name, role, scopes, expiresAt } = record
    const expiresAtMs = expiresAt === null ? null : Date.parse(expiresAt)
    return { actor: `key:${id} ${name}`, role, scopes, keyId: id, via, expiresAtMs }
  }

  #denied(code: 'unauthenticated' | 'forbidden', detail: string, wrong: boolean): AccessRefused {
    this.#options.counters.authDenied += 1
    return new AccessRefused(code, detail, { wrong })
  }
}

/** 429, and who it was when that is known. */
class TooFast extends AccessRefused {
  override readonly identity: Identity | null

  constructor(detail: string, retryAfterMs: number, identity: Identity | null) {
    super('too_many_requests', detail, { wrong: true, retryAfterMs })
    this.identity = identity
  }
}
