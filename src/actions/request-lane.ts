/**
 * How many requests to one account are under way: so many at once, the rest wait in order, and past `waitingMax` they
 * are refused. A quarter of the places is kept for urgent ones (redirect, hang up), which also go first, so that a
 * burst of stream starts after a restart does not hold up an action on a call. Main thread.
 */
import { TwilioError } from './twilio-error.ts'

export class RequestLane {
  readonly #atOnce: number
  readonly #plainAtOnce: number
  readonly #waitingMax: number
  readonly #urgent: (() => void)[] = []
  readonly #plain: (() => void)[] = []
  #running = 0
  #plainRunning = 0

  constructor({ atOnce, waitingMax }: { atOnce: number; waitingMax: number }) {
    this.#atOnce = atOnce
    this.#plainAtOnce = Math.max(1, atOnce - Math.ceil(atOnce / 4))
    this.#waitingMax = waitingMax
  }

  get waiting(): number {
    return this.#urgent.length + this.#plain.length
  }

  /** Runs `work` when its turn comes. @throws TwilioError twilio_busy when too many wait already */
  async run<T>(urgent: boolean, work: () => Promise<T>): Promise<T> {
    if (!this.#hasPlace(urgent)) {
      if (this.waiting >= this.#waitingMax) throw new TwilioError('twilio_busy', 'too many requests to Twilio wait')
      // Whoever leaves takes the place for us before it calls.
      await new Promise<void>((resolve) => (urgent ? this.#urgent : this.#plain).push(resolve))
    } else this.#enter(urgent)
    try {
      return await work()
    } finally {
      this.#leave(urgent)
    }
  }

  #hasPlace(urgent: boolean): boolean {
    return this.#running < this.#atOnce && (urgent || this.#plainRunning < this.#plainAtOnce)
  }

  #enter(urgent: boolean): void {
    this.#running += 1
    if (!urgent) this.#plainRunning += 1
  }

  #leave(urgent: boolean): void {
    this.#running -= 1
    if (!urgent) this.#plainRunning -= 1
    for (const [queue, isUrgent] of [
      [this.#urgent, true],
      [this.#plain, false],
    ] as const) {
      while (queue.length > 0 && this.#hasPlace(isUrgent)) {
        this.#enter(isUrgent)
        queue.shift()?.()
      }
    }
  }
}
