/**
 * One-time tokens for stream URLs. A token is 192 random bits, stands for one call as a signed webhook (or our own REST
 * request) described it, and opens one socket once. Bounded: past `tokensMax` the oldest leaves. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import { type CallFacts, eraseInCall } from './track.ts'

/** 24 bytes are 32 characters of base64url: safe in a path, nothing to escape. */
const tokenBytes = 24

export interface StreamTokensOptions {
  readonly clock: Clock
  /** ms that a token waits for its socket. */
  readonly tokenTtlMs: number
  readonly tokensMax: number
  /** Bytes nobody can guess, e.g. `randomBytes` of node:crypto. */
  readonly random: (bytes: number) => Uint8Array
  readonly counters: { tokensEvicted: number }
}

export class StreamTokens {
  readonly #options: StreamTokensOptions
  /** In the order of issue; since all live equally long, also in the order of expiry. */
  readonly #waiting = new Map<string, { readonly facts: CallFacts; readonly expiresAtMs: number }>()

  constructor(options: StreamTokensOptions) {
    this.#options = options
  }

  /** Tokens waiting for their socket. */
  get size(): number {
    return this.#waiting.size
  }

  issue(facts: CallFacts): string {
    const { clock, counters, random, tokenTtlMs, tokensMax } = this.#options
    const token = Buffer.from(random(tokenBytes)).toString('base64url')
    this.#waiting.set(token, { facts, expiresAtMs: clock.steadyMs() + tokenTtlMs })
    if (this.#waiting.size > tokensMax) {
      const [oldest] = this.#waiting.keys()
      if (oldest !== undefined) this.#waiting.delete(oldest)
      counters.tokensEvicted += 1
    }
    return token
  }

  /** The call of a token that may still be used. */
  peek(token: string): CallFacts | null {
    const waiting = this.#waiting.get(token)
    return waiting !== undefined && this.#options.clock.steadyMs() < waiting.expiresAtMs ? waiting.facts : null
  }

  /** Uses a token up. */
  take(token: string): CallFacts | null {
    const facts = this.peek(token)
    this.#waiting.delete(token)
    return facts
  }

  erase(spellings: NumberSpellings): void {
    for (const { facts } of this.#waiting.values()) eraseInCall(facts, spellings)
  }

  /** Forgets what has expired. */
  tick(): void {
    const now = this.#options.clock.steadyMs()
    for (const [token, { expiresAtMs }] of this.#waiting) {
      if (now < expiresAtMs) return
      this.#waiting.delete(token)
    }
  }
}
