/**
 * How late the simulator itself was, message by message: a histogram of fixed size, so that a load run can say whether
 * its own figures deserve belief. Resolution 0.1 ms up to 1 s; what is later counts as 1 s. Adding allocates nothing.
 */
const bucketsPerMs = 10
const bucketCount = 1000 * bucketsPerMs + 1

export class Lateness {
  readonly #buckets = new Uint32Array(bucketCount)
  #count = 0
  #maxMs = 0

  /** `times` messages went out `lateMs` after they were due. */
  add(lateMs: number, times: number): void {
    const bucket = Math.min(bucketCount - 1, Math.max(0, Math.floor(lateMs * bucketsPerMs)))
    this.#buckets[bucket]! += times
    this.#count += times
    if (times > 0 && lateMs > this.#maxMs) this.#maxMs = lateMs
  }

  /** Upper edge of the bucket that holds the given share of all messages; 0 when there are none. */
  percentileMs(share: number): number {
    const wanted = Math.ceil(this.#count * share)
    let seen = 0
    for (let bucket = 0; bucket < bucketCount && wanted > 0; bucket++) {
      seen += this.#buckets[bucket]!
      if (seen >= wanted) return (bucket + 1) / bucketsPerMs
    }
    return 0
  }

  get maxMs(): number {
    return this.#maxMs
  }
}
