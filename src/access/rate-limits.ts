/**
 * How much one key may ask, and how much one address may ask that brings no good credential (the only importer of
 * rate-limiter-flexible). Fixed windows in memory: an entry lives as long as its window, so there are never more of
 * them than requests in one. An address is an IPv4 address or an IPv6 /64, which is what one subscriber gets. Main
 * thread.
 */
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { LimitsConfig } from '../config/schema.ts'
import type { Counters } from '../core/metrics.ts'

export interface RateLimitsOptions {
  readonly limits: Pick<LimitsConfig, 'perKey' | 'perIngestKey' | 'perAddress'>
  readonly counters: Pick<Counters, 'authLimited'>
}

export class RateLimits {
  readonly #perKey: RateLimiterMemory
  readonly #perIngestKey: RateLimiterMemory
  readonly #perAddress: RateLimiterMemory
  readonly #counters: Pick<Counters, 'authLimited'>

  constructor({ limits, counters }: RateLimitsOptions) {
    this.#perKey = windowOf(limits.perKey)
    this.#perIngestKey = windowOf(limits.perIngestKey)
    this.#perAddress = windowOf(limits.perAddress)
    this.#counters = counters
  }

  /** @returns ms to wait; 0 when the request may go on. */
  takeKey(keyId: string, isIngest: boolean): Promise<number> {
    return this.#take(isIngest ? this.#perIngestKey : this.#perKey, keyId)
  }

  /** @returns ms to wait; 0 when the request may go on. */
  takeAddress(address: string): Promise<number> {
    return this.#take(this.#perAddress, subscriberOf(address))
  }

  async #take(limiter: RateLimiterMemory, key: string): Promise<number> {
    try {
      await limiter.consume(key)
      return 0
    } catch (refusal) {
      // The library rejects with a result, not an error.
      if (refusal instanceof Error) throw refusal
      this.#counters.authLimited += 1
      return Math.max(1, (refusal as { msBeforeNext: number }).msBeforeNext)
    }
  }
}

function windowOf({ requests, windowS }: { requests: number; windowS: number }): RateLimiterMemory {
  return new RateLimiterMemory({ points: requests, duration: windowS })
}

/** `2001:0db8:0000:0001:...` -> its first four groups; an IPv4 address, also a mapped one, as it is. */
export function subscriberOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const groups = address.split(':')
  const isMapped =
    groups.length === 8 && groups.slice(0, 5).every((group) => /^0+$/.test(group)) && groups[5] === 'ffff'
  return isMapped ? address : groups.slice(0, 4).join(':')
}
