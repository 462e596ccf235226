/**
 * The last windows of one track, for the timeline of a live call. Older ones are in ClickHouse. Typed arrays, allocated
 * once: 13 bytes a window, 1200 windows (10 min of 500 ms hops) = 15.6 KB a track. Main thread.
 *
 *      oldest                    newest
 *   +----+----+----+----+----+----+----+----+
 *   | 8  | 9  | 2  | 3  | 4  | 5  | 6  | 7  |    capacity 8, written 10: next = written % capacity = 2
 *   +----+----+----+----+----+----+----+----+    while written < capacity the oldest is slot 0
 *             ^next
 */
import { hopFlagNames } from '../features/hop.ts'
import type { WindowView } from './verdict-view.ts'

export const windowsKeptMax = 1200

export class WindowHistory {
  readonly #capacity: number
  readonly #startMs: Float32Array
  readonly #endMs: Float32Array
  readonly #score: Float32Array
  readonly #flags: Uint8Array
  #written = 0

  constructor(capacity = windowsKeptMax) {
    this.#capacity = capacity
    this.#startMs = new Float32Array(capacity)
    this.#endMs = new Float32Array(capacity)
    this.#score = new Float32Array(capacity)
    this.#flags = new Uint8Array(capacity)
  }

  /** @param score NaN when the hop was not judged */
  push(startMs: number, endMs: number, score: number, flags: number): void {
    const slot = this.#written % this.#capacity
    this.#startMs[slot] = startMs
    this.#endMs[slot] = endMs
    this.#score[slot] = score
    this.#flags[slot] = flags
    this.#written += 1
  }

  /** The newest `count` windows, oldest first. */
  newest(count = this.#capacity): WindowView[] {
    const available = Math.min(count, this.#written, this.#capacity)
    const views: WindowView[] = []
    for (let index = this.#written - available; index < this.#written; index += 1) {
      const slot = index % this.#capacity
      const score = this.#score[slot] ?? Number.NaN
      views.push({
        startMs: this.#startMs[slot] ?? 0,
        endMs: this.#endMs[slot] ?? 0,
        score: Number.isNaN(score) ? null : roundScore(score),
        flags: hopFlagNames(this.#flags[slot] ?? 0),
      })
    }
    return views
  }
}

/** Scores are shown with four decimals. */
export function roundScore(score: number): number {
  return Math.round(score * 10_000) / 10_000
}
