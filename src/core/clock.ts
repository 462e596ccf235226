/**
 * The only place that reads a clock. Everything else takes a `Clock`, so tests can hold time still. Any thread.
 */

export interface Clock {
  /** Wall time, ms since the Unix epoch, UTC. For stamps that people and tables see. */
  wallMs(): number
  /**
   * Monotonic time in ms with sub-millisecond fraction; origin is arbitrary. For durations, timeouts and grace
   * periods.
   */
  steadyMs(): number
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  steadyMs: () => performance.now(),
}

/** A clock that moves only when told to. Both readings start at the given values. */
export class ManualClock implements Clock {
  #wallMs: number
  #steadyMs = 0

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs
  }

  wallMs(): number {
    return this.#wallMs
  }

  steadyMs(): number {
    return this.#steadyMs
  }

  advance(ms: number): void {
    this.#wallMs += ms
    this.#steadyMs += ms
  }
}
