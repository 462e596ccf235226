/**
 * Dashboard sign-ins: a random opaque id in a cookie, everything else in memory, so a restart signs everybody out. A
 * session ends with its time, by signing out, when its key is revoked, or as the oldest when there are too many. Ids
 * are kept as SHA-256, so neither a memory dump nor lookup timing gives one away. Main thread.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import type { Role, Scope } from './roles.ts'

export interface Session {
  readonly actor: string
  readonly role: Role
  readonly scopes: readonly Scope[]
  /** The API key (or token's subject) it was opened with. */
  readonly keyId: string
  /** Wall time, ms. */
  readonly expiresAtMs: number
}

/** Who signs in; a credential that ends takes its session along. */
export interface SignedIn {
  readonly actor: string
  readonly role: Role
  readonly keyId: string
  readonly scopes?: readonly Scope[]
  readonly expiresAtMs?: number | null
}

export interface SessionsOptions {
  readonly ttlMs: number
  readonly sessionsMax: number
  /** Whether the page is served over https: then the cookie is never sent in clear. */
  readonly secure: boolean
  readonly clock: Clock
  readonly random: (bytes: number) => Buffer
  /** Whether the key of that id still stands. */
  readonly keyStands: (keyId: string) => boolean
  readonly counters: Pick<Counters, 'sessionsEvicted'>
}

const sessionCookie = 'voicefw_session'

export class Sessions {
  readonly #options: SessionsOptions
  /** In order of opening, so the first is the oldest. */
  readonly #sessions = new Map<string, Session>()

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** @returns the session's id for the cookie. */
  open(who: SignedIn): { id: string; session: Session } {
    const { clock, ttlMs, sessionsMax, random, counters } = this.#options
    for (const [hash, session] of this.#sessions) {
      const expired = session.expiresAtMs <= clock.wallMs()
      if (!expired && this.#sessions.size < sessionsMax) break
      this.#sessions.delete(hash)
      if (!expired) counters.sessionsEvicted += 1
    }
    const id = random(32).toString('base64url')
    const { actor, role, keyId, scopes = [], expiresAtMs = null } = who
    const latestMs = clock.wallMs() + ttlMs
    const session = { actor, role, keyId, scopes, expiresAtMs: Math.min(latestMs, expiresAtMs ?? latestMs) }
    this.#sessions.set(hashOf(id), session)
    return { id, session }
  }

  find(id: string): Session | undefined {
    const session = this.#sessions.get(hashOf(id))
    if (session === undefined) return undefined
    if (session.expiresAtMs > this.#options.clock.wallMs() && this.#options.keyStands(session.keyId)) return session
    this.#sessions.delete(hashOf(id))
    return undefined
  }

  close(id: string): void {
    this.#sessions.delete(hashOf(id))
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Set-Cookie that signs in, or signs out when `id` is null. */
  cookie(id: string | null): string {
    const ageSeconds = id === null ? 0 : Math.floor(this.#options.ttlMs / 1000)
    const secure = this.#options.secure ? '; Secure' : ''
    return `${sessionCookie}=${id ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${ageSeconds}${secure}`
  }
}

/** The session id in a Cookie header, if there is one. */
export function sessionIdOf(cookieHeader: string | undefined): string | undefined {
  for (const part of cookieHeader?.split(/[;,]/) ?? []) {
    const at = part.indexOf('=')
    if (at > 0 && part.slice(0, at).trim() === sessionCookie) return part.slice(at + 1).trim()
  }
  return undefined
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url')
}
