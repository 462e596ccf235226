/**
 * A question that the page asks its server again and again. One at a time: whoever wants it asked while one is under
 * way gets another after it, so that an old answer never lies on a newer one. What failed is tried again soon, with
 * pauses that double up to the regular one. Browser.
 */

export interface AskingTimes {
  /** From an answer to the next question that nobody asked for. */
  readonly regularMs: number
  /** Between two questions, however often they are wished for. */
  readonly leastMs: number
  /** From a first failure to the next question. */
  readonly retryMs: number
}

/** So many events come together that it is worth waiting for the rest of them. */
const soonMs = 150

export class Asking {
  readonly #ask: () => Promise<void>
  readonly #times: AskingTimes
  #timer: ReturnType<typeof setTimeout> | undefined
  #state: 'new' | 'under way' | 'waiting' | 'stopped' = 'new'
  /** Somebody waits for the next one: it comes as soon as it may. */
  #isWanted = false
  #failures = 0
  #askedAtMs = Number.NEGATIVE_INFINITY

  /** @param ask rejects when there is no answer */
  constructor(ask: () => Promise<void>, times: AskingTimes) {
    this.#ask = ask
    this.#times = times
  }

  start(): void {
    if (this.#state === 'new') void this.#now()
  }

  /** Something happened that only an answer tells. */
  soon(): void {
    if (this.#isWanted) return
    this.#isWanted = true
    if (this.#state === 'waiting') this.#wait(this.#soonestMs())
  }

  /** For good. */
  stop(): void {
    this.#state = 'stopped'
    clearTimeout(this.#timer)
  }

  async #now(): Promise<void> {
    this.#state = 'under way'
    this.#isWanted = false
    this.#askedAtMs = performance.now()
    const isAnswered = await this.#ask().then(
      () => true,
      () => false,
    )
    if (this.#isStopped()) return
    this.#failures = isAnswered ? 0 : this.#failures + 1
    this.#state = 'waiting'
    this.#wait(this.#isWanted ? this.#soonestMs() : this.#pauseMs())
  }

  #isStopped(): boolean {
    return this.#state === 'stopped'
  }

  #soonestMs(): number {
    return Math.max(soonMs, this.#askedAtMs + this.#times.leastMs - performance.now())
  }

  #pauseMs(): number {
    const { regularMs, retryMs } = this.#times
    return this.#failures === 0 ? regularMs : Math.min(regularMs, retryMs * 2 ** (this.#failures - 1))
  }

  #wait(forMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#now(), forMs)
  }
}
