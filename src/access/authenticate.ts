/**
 * Who is asking: `Authorization: Bearer <key>`, `Authorization: Basic <user>:<key>` (for switches that can do nothing
 * else), or the dashboard's session cookie. Answers an identity or an expected error; never tells apart an unknown key
 * from a wrong or revoked one. Wrong credentials are throttled per address. Main thread.
 */
import { type ErrorCode, OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { ApiKeys } from './api-keys.ts'
import type { FailureThrottle } from './failure-throttle.ts'
import { permits, type Role } from './roles.ts'
import { type Sessions, sessionIdOf } from './sessions.ts'

/** What of a request says who is asking; HttpRequest and UpgradeRequest both fit. */
export interface Credentials {
  readonly method?: string
  readonly headers: ReadonlyMap<string, string>
  readonly remoteAddress: string
}

export interface Identity {
  /** For the audit: `key:<id> <name>`. */
  readonly actor: string
  readonly role: Role
  readonly keyId: string
  readonly via: 'bearer' | 'basic' | 'session'
}

/** A refusal with what must go into the answer's headers. `wrong`: a credential was presented and did not fit. */
export class AccessRefused extends OperatingError {
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
  readonly counters: Pick<Counters, 'authDenied' | 'authThrottled'>
}

export class Authenticator {
  readonly #options: AuthenticatorOptions

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /** @throws AccessRefused unauthenticated, forbidden or too_many_requests. */
  authenticate(request: Credentials): Identity {
    const header = request.headers.get('authorization')
    if (header !== undefined) return this.#fromHeader(header, request.remoteAddress)
    const sessionId = sessionIdOf(request.headers.get('cookie'))
    const session = sessionId === undefined ? undefined : this.#options.sessions.find(sessionId)
    if (session === undefined)
      throw this.#denied('unauthenticated', 'an API key or a signed-in session is needed', false)
    // A page of another site must not act with the cookie; browsers say where a request comes from.
    const site = request.headers.get('sec-fetch-site')
    const changes = request.method !== undefined && request.method !== 'GET'
    if (changes && site !== undefined && site !== 'same-origin') {
      throw this.#denied('forbidden', 'a session may be used from the dashboard itself only', true)
    }
    return { actor: session.actor, role: session.role, keyId: session.keyId, via: 'session' }
  }

  /** Authenticates and checks the role. */
  authorize(request: Credentials, needed: Role): Identity {
    const identity = this.authenticate(request)
    this.require(identity, needed)
    return identity
  }

  require(identity: Identity, needed: Role): void {
    if (permits(identity.role, needed)) return
    throw this.#denied('forbidden', `this needs role ${needed}; the key has role ${identity.role}`, true)
  }

  /** Checks a key handed in a body (sign-in). */
  withKey(key: string, remoteAddress: string, via: Identity['via']): Identity {
    const facts = this.#options.keys.verify(key)
    if (facts !== undefined) {
      return { actor: `key:${facts.id} ${facts.name}`, role: facts.role, keyId: facts.id, via }
    }
    const waitMs = this.#options.throttle.fail(remoteAddress)
    if (waitMs === 0) throw this.#denied('unauthenticated', 'the credential is not valid', true)
    this.#options.counters.authThrottled += 1
    throw new AccessRefused('too_many_requests', 'too many wrong credentials from this address', {
      wrong: true,
      retryAfterMs: waitMs,
    })
  }

  #fromHeader(header: string, remoteAddress: string): Identity {
    const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? []
    if (scheme.toLowerCase() === 'bearer') return this.withKey(value, remoteAddress, 'bearer')
    if (scheme.toLowerCase() === 'basic') {
      const text = Buffer.from(value, 'base64').toString('utf8')
      return this.withKey(text.slice(text.indexOf(':') + 1), remoteAddress, 'basic')
    }
    return this.withKey('', remoteAddress, 'bearer')
  }

  #denied(code: 'unauthenticated' | 'forbidden', detail: string, wrong: boolean): AccessRefused {
    this.#options.counters.authDenied += 1
    return new AccessRefused(code, detail, { wrong })
  }
}
