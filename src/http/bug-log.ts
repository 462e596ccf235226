/**
 * Counts exceptions of our own at the wrapper of the server's callbacks and logs so many of them a second: hostile
 * traffic must not fill the disk through one bug. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'

const linesPerSecondMax = 10

export class BugLog {
  readonly #options: { readonly log: Log; readonly counters: Pick<Counters, 'httpBugs'>; readonly clock: Clock }
  #lines = 0
  #second = 0

  constructor(options: { log: Log; counters: Pick<Counters, 'httpBugs'>; clock: Clock }) {
    this.#options = options
  }

  note(thrown: unknown): void {
    const { counters, log, clock } = this.#options
    counters.httpBugs += 1
    const second = Math.floor(clock.steadyMs() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#lines = 0
    }
    this.#lines += 1
    if (this.#lines > linesPerSecondMax) return
    const stack = thrown instanceof Error ? thrown.stack : undefined
    log.error('a server callback threw', { error: messageOf(thrown), stack })
  }
}
