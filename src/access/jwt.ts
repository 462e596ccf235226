/**
 * Tokens of an identity provider (the only importer of jose, with its tests). What is accepted is fixed by the
 * configuration alone: the algorithms, the issuer, the audience and the keys; nothing in a token's own header points
 * to a key (`jwk`, `jku`, `x5u` are not looked at), and `none` is no algorithm. exp, iat and sub must be there. Keys
 * come from a JWKS file, read again when it changes, or a JWKS URL, asked again for a key id that is not known yet (at
 * most twice a minute). Main thread.
 */
import { readFileSync } from 'node:fs'
import { createLocalJWKSet, createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose'
import type { JwtConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { stampOf } from '../core/whole-file.ts'
import { type Role, type Scope, scopes } from './roles.ts'

/** Who a token speaks for. */
export interface TokenFacts {
  readonly subject: string
  readonly role: Role
  readonly scopes: readonly Scope[]
  /** Wall ms. */
  readonly expiresAtMs: number
}

/** How often it is looked whether the key file changed. */
const fileStatMs = 1000
/** Between two requests to the JWKS URL for a key id that is not known. */
const fetchCooldownMs = 30_000
const fetchTimeoutMs = 5000
/** Fetched keys are asked for again after so long: a key that was withdrawn there ends here. */
const keysAgeMaxMs = 600_000
/** Longer ones are not looked at. */
const tokenCharsMax = 8192

/** Of several roles in a token the one that reaches furthest counts. */
const byReach: readonly Role[] = ['admin', 'operator', 'viewer', 'ingest']

type FindKey = ReturnType<typeof createLocalJWKSet> | ReturnType<typeof createRemoteJWKSet>

export class JwtVerifier {
  readonly #config: JwtConfig
  readonly #clock: Clock
  readonly #keys: () => Uint8Array | FindKey

  /** @throws OperatingError config_invalid when the key file cannot be used */
  constructor(config: JwtConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
    this.#keys = keySource(config, clock)
  }

  /** Undefined for whatever is not a token that holds here and now; why is nobody's business. */
  async verify(token: string): Promise<TokenFacts | undefined> {
    if (token.length > tokenCharsMax) return undefined
    const { algorithms, issuer, audience, clockSkewS, ageMaxS } = this.#config
    const options = {
      algorithms: [...algorithms],
      issuer,
      audience,
      clockTolerance: clockSkewS,
      maxTokenAge: ageMaxS,
      requiredClaims: ['exp', 'iat', 'sub'],
      currentDate: new Date(this.#clock.wallMs()),
    }
    try {
      const keys = this.#keys()
      const { payload } =
        keys instanceof Uint8Array ? await jwtVerify(token, keys, options) : await jwtVerify(token, keys, options)
      return this.#factsOf(payload)
    } catch {
      return undefined
    }
  }

  #factsOf(payload: JWTPayload): TokenFacts | undefined {
    const { roleClaim, scopeClaim } = this.#config
    const claimed = wordsOf(payload[roleClaim])
    const role = byReach.find((name) => claimed.includes(name))
    if (role === undefined || payload.sub === undefined || payload.sub === '' || payload.exp === undefined) {
      return undefined
    }
    const held = wordsOf(payload[scopeClaim])
    return {
      subject: payload.sub.slice(0, 100),
      role,
      scopes: scopes.filter((scope) => held.includes(scope)),
      expiresAtMs: payload.exp * 1000,
    }
  }
}

/** A token looks like one: three parts, the first is a JSON object in base64url. */
export function looksLikeToken(text: string): boolean {
  return /^eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/.test(text)
}

/** A claim as words: a list of texts, or one text with spaces (RFC 8693 `scope`). */
function wordsOf(claim: unknown): string[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim.filter((word): word is string => typeof word === 'string') : []
}

function keySource(config: JwtConfig, clock: Clock): () => Uint8Array | FindKey {
  const { secret, jwksFile, jwksUrl } = config
  if (secret !== null) {
    const key = new TextEncoder().encode(secret)
    return () => key
  }
  if (jwksUrl !== null) {
    const remote = createRemoteJWKSet(new URL(jwksUrl), {
      cooldownDuration: fetchCooldownMs,
      timeoutDuration: fetchTimeoutMs,
      cacheMaxAge: keysAgeMaxMs,
    })
    return () => remote
  }
  const file = new KeyFile(jwksFile ?? '', clock)
  file.keys()
  return () => file.keys()
}

/** A JWKS file; while a new content cannot be read, no token holds. */
class KeyFile {
  readonly #path: string
  readonly #clock: Clock
  #keys: ReturnType<typeof createLocalJWKSet> | undefined
  #fingerprint = ''
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  keys(): ReturnType<typeof createLocalJWKSet> {
    const steadyMs = this.#clock.steadyMs()
    if (this.#keys === undefined || steadyMs - this.#lookedAtMs >= fileStatMs) {
      this.#lookedAtMs = steadyMs
      const fingerprint = stampOf(this.#path)
      if (fingerprint !== this.#fingerprint) {
        this.#fingerprint = fingerprint
        this.#keys = this.#read()
      }
    }
    if (this.#keys === undefined) throw new OperatingError('config_invalid', 'auth.jwt.jwksFile holds no keys')
    return this.#keys
  }

  #read(): ReturnType<typeof createLocalJWKSet> {
    this.#keys = undefined
    try {
      return createLocalJWKSet(JSON.parse(readFileSync(this.#path, 'utf8')))
    } catch (cause) {
      throw new OperatingError('config_invalid', `auth.jwt.jwksFile: ${messageOf(cause)}`, { cause })
    }
  }
}
