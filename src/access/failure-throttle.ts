/**
 * How often one address (IPv6: /64) may present a wrong credential: a token bucket per address, at most so many of
 * them (the one unseen for longest leaves). Only failures cost anything, so a neighbour behind the same proxy with a
 * good key is never locked out; guessing 32 random bytes is hopeless anyway, the throttle keeps guessers out of the
 * logs. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import { subscriberOf } from './rate-limits.ts'

export interface FailureThrottleOptions {
  readonly clock: Clock
  /** Failures in a row before the first refusal. */
  readonly burst: number
  /** One failure is forgiven in this time. */
  readonly refillMs: number
  readonly addressesMax: number
}

interface Bucket {
  tokens: number
  atMs: number
}

export class FailureThrottle {
  readonly #options: FailureThrottleOptions
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: FailureThrottleOptions) {
    this.#options = options
  }

  /** Takes note of a failure. @returns ms until the next one is allowed; 0 when this one was. */
  fail(remoteAddress: string): number {
    const address = subscriberOf(remoteAddress)
    const { clock, burst, refillMs, addressesMax } = this.#options
    const nowMs = clock.steadyMs()
    const known = this.#buckets.get(address) ?? { tokens: burst, atMs: nowMs }
    const tokens = Math.min(burst, known.tokens + (nowMs - known.atMs) / refillMs)
    const allowed = tokens >= 1
    this.#buckets.delete(address)
    this.#buckets.set(address, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs })
    const oldest = this.#buckets.keys().next()
    if (this.#buckets.size > addressesMax && !oldest.done) this.#buckets.delete(oldest.value)
    return allowed ? 0 : Math.ceil((1 - tokens) * refillMs)
  }

  get size(): number {
    return this.#buckets.size
  }
}
