/**
 * Gathers a request body in memory, bounded twice: each body by its route's limit, all bodies together by a budget, so
 * that many slow uploads cannot fill the process. Chunks are copied, because the server library takes them back. Main
 * thread.
 */

/** Bytes of all bodies that are being received at a time. */
export class BodyBudget {
  readonly bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** False when the budget is used up; nothing is taken then. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.bytesMax) return false
    this.#bytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}

/** What became of a chunk. */
export type BodyStep = 'more' | 'complete' | 'too_large' | 'over_budget'

/** One body. `release` must be called once when the request is over, however it ended. */
export class BodyCollector {
  readonly #bytesMax: number
  readonly #budget: BodyBudget
  readonly #chunks: Buffer[] = []
  #bytes = 0

  constructor(bytesMax: number, budget: BodyBudget) {
    this.#bytesMax = bytesMax
    this.#budget = budget
  }

  push(chunk: ArrayBuffer, isLast: boolean): BodyStep {
    const bytes = chunk.byteLength
    if (this.#bytes + bytes > this.#bytesMax) return 'too_large'
    if (!this.#budget.take(bytes)) return 'over_budget'
    this.#bytes += bytes
    // Buffer.from(ArrayBuffer) would share memory that is taken back after the callback.
    if (bytes > 0) this.#chunks.push(Buffer.from(new Uint8Array(chunk)))
    return isLast ? 'complete' : 'more'
  }

  body(): Buffer {
    return this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks)
  }

  release(): void {
    this.#budget.give(this.#bytes)
    this.#bytes = 0
    this.#chunks.length = 0
  }
}
