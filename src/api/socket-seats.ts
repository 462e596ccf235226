/**
 * Counts the sockets and event streams of each key and address, and refuses one too many. A seat is taken when it is
 * asked for, not when it opens, so that many who ask at once do not get in together; who then does not come gives it
 * back. Who holds one is asked again every second whether his credential still stands: a revoked key's sockets and
 * streams end with it. Wraps a socket's route: whoever opened it is kept beside the route's own state. Main thread.
 */
import { AccessRefused, type Identity } from '../access/authenticate.ts'
import { subscriberOf } from '../access/rate-limits.ts'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpStream, SocketRoute, UpgradeRequest } from '../http/exchange.ts'

interface Seat {
  readonly inner: unknown
  /** `end` closes what was opened. */
  readonly open: (end: () => void) => void
  /** Gives it back; may be called twice. */
  readonly leave: () => void
}

/** Who decides over a socket. */
export interface Doorkeeper {
  /** Answers who opens it, or rejects with why not. */
  readonly mayOpen: (request: UpgradeRequest) => Promise<Identity>
  /** Told of one who might, had he not so many already. */
  readonly refused: (request: UpgradeRequest, identity: Identity, thrown: unknown) => void
}

export interface SeatsOptions {
  readonly limits: { readonly socketsPerKey: number; readonly socketsPerAddress: number }
  readonly counters: Pick<Counters, 'socketsRefusedLimit' | 'socketsClosedRevoked'>
  /** Whether a credential that was good still is. */
  readonly stands: (identity: Identity) => boolean
}

/** How often those who sit are asked whether they still may, ms. */
const standsMs = 1000

/** ms that a handshake may take between our answer and the open socket; then the seat is free again. */
const openWaitMs = 10_000

/** A refused socket is asked to wait so long, s. */
const retryAfterS = 10

export class SocketSeats {
  readonly #options: SeatsOptions
  readonly #taken = new Map<string, number>()
  readonly #open = new Map<object, { readonly identity: Identity; readonly end: () => void }>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: SeatsOptions) {
    this.#options = options
  }

  counted(route: SocketRoute<unknown>, { mayOpen, refused }: Doorkeeper): SocketRoute<unknown> {
    const inner = (state: unknown): unknown => (state as Seat).inner
    return {
      ...route,
      upgrade: async (request) => {
        try {
          const identity = await mayOpen(request)
          const { open, leave } = this.#take(identity, request.remoteAddress, (thrown) =>
            refused(request, identity, thrown),
          )
          const verdict = await route.upgrade(request)
          if ('accept' in verdict) return { accept: { inner: verdict.accept, open, leave } satisfies Seat }
          leave()
          return verdict
        } catch (thrown) {
          if (!(thrown instanceof OperatingError)) throw thrown
          const headers = thrown instanceof AccessRefused ? thrown.headers() : {}
          return { refuse: thrown.code, detail: thrown.message, headers }
        }
      },
      open: (socket, state) => {
        ;(state as Seat).open(() => socket.close(1008, 'the credential is no longer valid'))
        route.open(socket, inner(state))
      },
      message: (socket, state, bytes, isBinary) => route.message(socket, inner(state), bytes, isBinary),
      close: (socket, state, code) => {
        ;(state as Seat).leave()
        route.close(socket, inner(state), code)
      },
    }
  }

  /** A stream of events stays like a socket, and counts like one. @throws AccessRefused too_many_requests */
  stream(answer: HttpStream, identity: Identity, remoteAddress: string): HttpStream {
    const seat = this.#take(identity, remoteAddress)
    return {
      ...answer,
      open: (writer) => {
        seat.open(() => writer.end())
        const left = answer.open(writer)
        return () => {
          seat.leave()
          left()
        }
      },
    }
  }

  #take(identity: Identity, remoteAddress: string, refused?: (thrown: unknown) => void): Omit<Seat, 'inner'> {
    const { limits, counters } = this.#options
    const [key, address] = [`key ${identity.keyId}`, `address ${subscriberOf(remoteAddress)}`]
    const taken = (holder: string): number => this.#taken.get(holder) ?? 0
    if (taken(key) >= limits.socketsPerKey || taken(address) >= limits.socketsPerAddress) {
      counters.socketsRefusedLimit += 1
      const refusal = { wrong: true, retryAfterMs: retryAfterS * 1000 }
      const thrown = new AccessRefused('too_many_requests', 'too many sockets of this key or address', refusal)
      refused?.(thrown)
      throw thrown
    }
    const count = (change: number): void => {
      for (const holder of [key, address]) this.#count(holder, change)
    }
    const me = {}
    let isTaken = true
    const leave = (): void => {
      clearTimeout(waiting)
      this.#open.delete(me)
      if (isTaken) count(-1)
      isTaken = false
    }
    count(1)
    const waiting = setTimeout(leave, openWaitMs).unref()
    const open = (end: () => void): void => {
      clearTimeout(waiting)
      this.#open.set(me, { identity, end })
      this.#timer ??= setInterval(() => this.#askAgain(), standsMs).unref()
    }
    return { open, leave }
  }

  #askAgain(): void {
    for (const [me, { identity, end }] of this.#open) {
      if (this.#options.stands(identity)) continue
      this.#open.delete(me)
      this.#options.counters.socketsClosedRevoked += 1
      end()
    }
    if (this.#open.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #count(holder: string, change: number): void {
    const count = (this.#taken.get(holder) ?? 0) + change
    if (count > 0) this.#taken.set(holder, count)
    else this.#taken.delete(holder)
  }
}
