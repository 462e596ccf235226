/**
 * How many requests to one account are under way: so many at once, the rest wait in order, and past `waitingMax` they
 * are refused. Urgent ones (redirect, hang up) have places and a queue of their own, so that a burst of stream starts
 * after a restart does not hold up an action on a call. Main thread.
 */
import { TwilioError } from './twilio-error.ts'

interface Queue {
  readonly atOnce: number
  readonly waiting: (() => void)[]
  running: number
}

export class RequestLane {
  readonly #waitingMax: number
  readonly #urgent: Queue
  readonly #plain: Queue

  constructor(limits: { atOnce: number; urgentAtOnce: number; waitingMax: number }) {
    this.#plain = { atOnce: limits.atOnce, waiting: [], running: 0 }
    this.#urgent = { atOnce: limits.urgentAtOnce, waiting: [], running: 0 }
    this.#waitingMax = limits.waitingMax
  }

  get waiting(): number {
    return this.#urgent.waiting.length + this.#plain.waiting.length
  }

  /** Runs `work` when its turn comes. @throws TwilioError twilio_busy when too many of its kind wait already */
  async run<T>(urgent: boolean, work: () => Promise<T>): Promise<T> {
    const queue = urgent ? this.#urgent : this.#plain
    if (queue.running >= queue.atOnce) {
      if (queue.waiting.length >= this.#waitingMax) {
        throw new TwilioError('twilio_busy', 'too many requests to Twilio wait')
      }
      // Whoever leaves hands its place on.
      await new Promise<void>((resolve) => queue.waiting.push(resolve))
    } else queue.running += 1
    try {
      return await work()
    } finally {
      const next = queue.waiting.shift()
      if (next === undefined) queue.running -= 1
      else next()
    }
  }
}
