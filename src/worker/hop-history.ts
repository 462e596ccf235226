/**
 * The last speech hops of every track, as the model wants them: embeddings with the share of speech each was made from.
 * One typed array for all tracks, allocated once; a slot is a small ring of `hops` entries. Worker thread.
 *
 *     slot s   [ e2 | e3 | e1 ]   next = 2: the oldest is overwritten next
 *     copied   [ e1 | e2 | e3 ]   oldest first, newest last
 *     a slot with one entry is copied as   [ 0 | 0 | e1 ]   with weights 0, 0, w1
 */
import assert from 'node:assert/strict'

export class HopHistory {
  readonly #hops: number
  readonly #size: number
  readonly #embeddings: Float32Array
  readonly #weights: Float32Array
  readonly #startMs: Float64Array
  readonly #speechMs: Float32Array
  readonly #next: Uint8Array
  readonly #filled: Uint8Array
  readonly #free: number[] = []

  constructor({ slots, hops, embeddingSize }: { slots: number; hops: number; embeddingSize: number }) {
    assert(hops >= 1 && hops <= 255)
    this.#hops = hops
    this.#size = embeddingSize
    this.#embeddings = new Float32Array(slots * hops * embeddingSize)
    this.#weights = new Float32Array(slots * hops)
    this.#startMs = new Float64Array(slots * hops)
    this.#speechMs = new Float32Array(slots * hops)
    this.#next = new Uint8Array(slots)
    this.#filled = new Uint8Array(slots)
    for (let slot = slots - 1; slot >= 0; slot -= 1) this.#free.push(slot)
  }

  /** An empty slot. Running out of them is a bug of the caller. */
  open(): number {
    const slot = this.#free.pop()
    assert(slot !== undefined, 'no history slot left')
    this.clear(slot)
    return slot
  }

  close(slot: number): void {
    this.#free.push(slot)
  }

  /** Forgets the slot's hops: a new window begins. */
  clear(slot: number): void {
    this.#next[slot] = 0
    this.#filled[slot] = 0
  }

  /** Adds the newest hop, over the oldest when the slot is full. The embedding is `source[from, from + size)`. */
  add(slot: number, source: Float32Array, from: number, weight: number, startMs: number, speechMs: number): void {
    const next = this.#next[slot]!
    const entry = slot * this.#hops + next
    for (let i = 0; i < this.#size; i += 1) this.#embeddings[entry * this.#size + i] = source[from + i]!
    this.#weights[entry] = weight
    this.#startMs[entry] = startMs
    this.#speechMs[entry] = speechMs
    this.#next[slot] = next + 1 === this.#hops ? 0 : next + 1
    if (this.#filled[slot]! < this.#hops) this.#filled[slot] = this.#filled[slot]! + 1
  }

  /** Writes the slot as row `row` of the model's `history` and `historyWeight`. */
  copy(slot: number, history: Float32Array, historyWeight: Float32Array, row: number): void {
    const missing = this.#hops - this.#filled[slot]!
    for (let k = 0; k < this.#hops; k += 1) {
      const target = row * this.#hops + k
      const entry = k < missing ? -1 : this.#entry(slot, k - missing)
      historyWeight[target] = entry < 0 ? 0 : this.#weights[entry]!
      for (let i = 0; i < this.#size; i += 1) {
        history[target * this.#size + i] = entry < 0 ? 0 : this.#embeddings[entry * this.#size + i]!
      }
    }
  }

  /** Media time at which the slot's oldest hop began, or `otherwise` when it is empty. */
  oldestStartMs(slot: number, otherwise: number): number {
    return this.#filled[slot] === 0 ? otherwise : this.#startMs[this.#entry(slot, 0)]!
  }

  /** Speech in all hops of the slot. */
  speechMs(slot: number): number {
    let sum = 0
    for (let age = 0; age < this.#filled[slot]!; age += 1) sum += this.#speechMs[this.#entry(slot, age)]!
    return sum
  }

  /** Index of the slot's entry number `age`, 0 = oldest. */
  #entry(slot: number, age: number): number {
    const first = this.#filled[slot] === this.#hops ? this.#next[slot]! : 0
    return slot * this.#hops + ((first + age) % this.#hops)
  }
}
