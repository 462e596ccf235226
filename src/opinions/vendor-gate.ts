/**
 * Whether a vendor may be asked now: a budget per hour, for it costs money, and a breaker, for one that fails must not
 * be asked on every call. After an open time one trial decides whether it closes. Pure: time comes in. Main thread.
 *
 *   closed --3 failures, or one that says so--> open 60 s, 120 s ... 10 min --> one trial --well--> closed
 *                payment, auth: open 1 h                                          '--failed--> open, longer
 */
import type { OpinionFailure } from './opinion.ts'

const hourMs = 3_600_000
const failuresMax = 3
const openFirstMs = 60_000
const openMostMs = 600_000
/** Until somebody has paid or changed the key. */
const openForPeopleMs = hourMs

export class VendorGate {
  readonly #perHourMax: number
  /** Steady times of the last hour's asks, oldest first; never more than perHourMax. */
  readonly #asked: number[] = []
  #failures = 0
  #opened = 0
  #openUntilMs = Number.NEGATIVE_INFINITY
  #state: 'closed' | 'open' | 'trial' = 'closed'

  constructor(perHourMax: number) {
    this.#perHourMax = perHourMax
  }

  /** Takes one ask from the budget. False: not now. */
  admit(nowMs: number): boolean {
    while (this.#asked[0] !== undefined && this.#asked[0] <= nowMs - hourMs) this.#asked.shift()
    if (this.#state === 'trial') return false
    if (this.#state === 'open' && nowMs < this.#openUntilMs) return false
    if (this.#asked.length >= this.#perHourMax) return false
    if (this.#state === 'open') this.#state = 'trial'
    this.#asked.push(nowMs)
    return true
  }

  succeeded(): void {
    this.#state = 'closed'
    this.#failures = 0
    this.#opened = 0
  }

  /** The ask came to nothing, but the vendor is not to blame: it was not needed any more. */
  withdrawn(): void {
    if (this.#state === 'trial') this.#state = 'open'
  }

  failed({ reason, afterMs }: Pick<OpinionFailure, 'reason' | 'afterMs'>, nowMs: number): void {
    this.#failures += 1
    const forPeople = reason === 'payment' || reason === 'auth'
    const opens = forPeople || reason === 'rate' || this.#state === 'trial' || this.#failures >= failuresMax
    if (!opens) return
    const ownMs = Math.min(openMostMs, openFirstMs * 2 ** this.#opened)
    const pauseMs = forPeople ? openForPeopleMs : Math.max(ownMs, Math.min(afterMs ?? 0, hourMs))
    this.#state = 'open'
    this.#opened += 1
    this.#openUntilMs = nowMs + pauseMs
  }

  /** Asks left in this hour, whatever the breaker says. */
  left(nowMs: number): number {
    return this.#perHourMax - this.#asked.filter((atMs) => atMs > nowMs - hourMs).length
  }
}
