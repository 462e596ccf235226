/**
 * Counts the sockets of each key and address, and refuses one too many. Wraps a socket's route: whoever opened it is
 * kept beside the route's own state until it closes. Main thread.
 */
import { AccessRefused, type Identity } from '../access/authenticate.ts'
import { subscriberOf } from '../access/rate-limits.ts'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { SocketRoute, UpgradeRequest } from '../http/exchange.ts'

interface Seat {
  readonly inner: unknown
  readonly holders: readonly string[]
}

/** A refused socket is asked to wait so long, s. */
const retryAfterS = 10

export class SocketSeats {
  readonly #limits: { readonly socketsPerKey: number; readonly socketsPerAddress: number }
  readonly #counters: Pick<Counters, 'socketsRefusedLimit'>
  readonly #taken = new Map<string, number>()

  constructor(
    limits: { readonly socketsPerKey: number; readonly socketsPerAddress: number },
    counters: Pick<Counters, 'socketsRefusedLimit'>,
  ) {
    this.#limits = limits
    this.#counters = counters
  }

  /** `mayOpen` answers who opens it, or rejects with why not. */
  counted(route: SocketRoute<unknown>, mayOpen: (request: UpgradeRequest) => Promise<Identity>): SocketRoute<unknown> {
    const inner = (state: unknown): unknown => (state as Seat).inner
    return {
      ...route,
      upgrade: async (request) => {
        try {
          const identity = await mayOpen(request)
          const holders = this.#holdersOf(identity, request.remoteAddress)
          const verdict = await route.upgrade(request)
          return 'refuse' in verdict ? verdict : { accept: { inner: verdict.accept, holders } satisfies Seat }
        } catch (thrown) {
          if (!(thrown instanceof OperatingError)) throw thrown
          const headers = thrown instanceof AccessRefused ? thrown.headers() : {}
          return { refuse: thrown.code, detail: thrown.message, headers }
        }
      },
      open: (socket, state) => {
        this.#count(state as Seat, 1)
        route.open(socket, inner(state))
      },
      message: (socket, state, bytes, isBinary) => route.message(socket, inner(state), bytes, isBinary),
      close: (socket, state, code) => {
        this.#count(state as Seat, -1)
        route.close(socket, inner(state), code)
      },
    }
  }

  #holdersOf(identity: Identity, remoteAddress: string): string[] {
    const key = `key ${identity.keyId}`
    const address = `address ${subscriberOf(remoteAddress)}`
    const { socketsPerKey, socketsPerAddress } = this.#limits
    if ((this.#taken.get(key) ?? 0) < socketsPerKey && (this.#taken.get(address) ?? 0) < socketsPerAddress) {
      return [key, address]
    }
    this.#counters.socketsRefusedLimit += 1
    const retryAfterMs = retryAfterS * 1000
    throw new AccessRefused('too_many_requests', 'too many sockets of this key or address', {
      wrong: true,
      retryAfterMs,
    })
  }

  #count(seat: Seat, change: number): void {
    for (const holder of seat.holders) {
      const count = (this.#taken.get(holder) ?? 0) + change
      if (count > 0) this.#taken.set(holder, count)
      else this.#taken.delete(holder)
    }
  }
}
