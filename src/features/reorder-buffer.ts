/**
 * Puts calls into the order of event time before they reach the windows. A call waits until the newest time seen is
 * `latenessMs` ahead of it, so anything that is out of order by less gives the same windows as if it had come in order;
 * equal times go by id. A call later than that is handed to `late` instead: old news must not look like a burst of now.
 * Bounded: with `heldMax` waiting, the oldest goes on at once. Any thread, one owner.
 *
 *   heap:  oldest at [0], children of i at 2i+1 and 2i+2
 */
import type { CallEvent } from './call-event.ts'

export interface ReorderLimits {
  /** How far event times may be out of order, ms; Infinity: bounded by `heldMax` alone (files). */
  readonly latenessMs: number
  readonly heldMax: number
}

export class ReorderBuffer {
  readonly #limits: ReorderLimits
  readonly #next: (event: CallEvent) => void
  readonly #late: (event: CallEvent) => void
  readonly #heap: CallEvent[] = []
  #newestMs = Number.NEGATIVE_INFINITY
  #releasedMs = Number.NEGATIVE_INFINITY

  constructor(limits: ReorderLimits, next: (event: CallEvent) => void, late: (event: CallEvent) => void) {
    this.#limits = limits
    this.#next = next
    this.#late = late
  }

  get held(): number {
    return this.#heap.length
  }

  /** The newest time of an event seen so far. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** The time of the oldest event that waits; Infinity: none does. */
  get oldestHeldMs(): number {
    return this.#heap[0]?.timeMs ?? Number.POSITIVE_INFINITY
  }

  push(event: CallEvent): void {
    const { latenessMs, heldMax } = this.#limits
    if (event.timeMs < this.#newestMs - latenessMs || event.timeMs < this.#releasedMs) {
      this.#late(event)
      return
    }
    if (event.timeMs > this.#newestMs) this.#newestMs = event.timeMs
    this.#rise(event)
    while (this.#heap.length > 0) {
      const oldest = this.#heap[0]!
      if (this.#heap.length <= heldMax && oldest.timeMs >= this.#newestMs - latenessMs) break
      this.#release(oldest)
    }
  }

  /** Lets everything go, in order: the input is at its end. */
  flush(): void {
    this.releaseUpTo(Number.POSITIVE_INFINITY)
  }

  /** Lets go what is not newer than `timeMs`, in order: it has waited long enough by another clock. */
  releaseUpTo(timeMs: number): void {
    while (this.#heap.length > 0 && this.#heap[0]!.timeMs <= timeMs) this.#release(this.#heap[0]!)
  }

  #release(oldest: CallEvent): void {
    this.#releasedMs = oldest.timeMs
    this.#sink()
    this.#next(oldest)
  }

  #rise(event: CallEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(event, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = event
  }

  #sink(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: CallEvent, b: CallEvent): boolean {
  return a.timeMs !== b.timeMs ? a.timeMs < b.timeMs : a.id < b.id
}
