/**
 * The keys of one kind of subject (numbers, ranges, routes ...) with what each carries beside its panes. A key is
 * known by 64 bits of hash; its text is in the calls that bear it. Bounded: at the cap the key that was quiet longest
 * leaves and is counted. Tables begin small and double. Any thread, one owner.
 *
 *   index:  [ .  s+1  .  s+1 ... ]     open addressing, linear probing, at most half full
 *   slot s: hash | first, last time | panes | last B | destinations seen | tail digits | last call | case flags
 *   age:    oldest <-> ... <-> newest  (a list through `older` and `newer`)
 */

import { grownBytes, grownDoubles, grownInts, grownWords } from './typed-growth.ts'
import { PanePool } from './window-panes.ts'

/** Panes a key holds on average at the cap; when the pool is dry sooner, old keys leave sooner. */
const panesPerKeyMean = 4

export class SubjectKeys {
  readonly keysMax: number
  readonly pool: PanePool
  size = 0
  evicted = 0
  hashLo: Uint32Array
  hashHi: Uint32Array
  firstMs: Float64Array
  lastMs: Float64Array
  lastB: Float64Array
  head: Int32Array
  /** The newest call of this key in the recent calls, -1: none. */
  lastCall: Float64Array
  destinations: Uint32Array
  tailDigits: Uint8Array
  /** Calls since the rules last looked at this key, and how many to wait for. */
  pending: Int32Array
  /** One bit per kind of case that is open on this key; above 16 bits, what it was found to be. */
  caseBits: Int32Array
  #older: Int32Array
  #newer: Int32Array
  #index: Int32Array
  #capacity: number
  #oldest = -1
  #newest = -1
  readonly #onEvict: (slot: number) => void

  constructor(keysMax: number, registers: number, onEvict: (slot: number) => void = () => undefined) {
    this.keysMax = keysMax
    this.pool = new PanePool(keysMax * panesPerKeyMean + 64, registers)
    this.#onEvict = onEvict
    const capacity = Math.min(keysMax, 256)
    this.#capacity = capacity
    this.hashLo = new Uint32Array(capacity)
    this.hashHi = new Uint32Array(capacity)
    this.firstMs = new Float64Array(capacity)
    this.lastMs = new Float64Array(capacity)
    this.lastB = new Float64Array(capacity)
    this.head = new Int32Array(capacity)
    this.lastCall = new Float64Array(capacity)
    this.destinations = new Uint32Array(capacity * 2)
    this.tailDigits = new Uint8Array(capacity * 10)
    this.pending = new Int32Array(capacity)
    this.caseBits = new Int32Array(capacity)
    this.#older = new Int32Array(capacity)
    this.#newer = new Int32Array(capacity)
    this.#index = new Int32Array(indexSize(capacity))
  }

  get capacity(): number {
    return this.#capacity
  }

  /** Bytes of one key without its panes: the slot, and the index at half load. */
  static readonly slotBytes = 4 * 2 + 8 * 4 + 4 + 8 + 10 + 4 * 2 + 4 * 2 + 8 * 2

  /** Bytes that live keys take: their slots and panes. */
  get liveBytes(): number {
    return this.size * SubjectKeys.slotBytes + this.pool.inUse * this.pool.paneBytes
  }

  find(lo: number, hi: number): number {
    const mask = this.#index.length - 1
    for (let at = lo & mask; ; at = (at + 1) & mask) {
      const slot = this.#index[at]! - 1
      if (slot < 0) return -1
      if (this.hashLo[slot] === lo && this.hashHi[slot] === hi) return slot
    }
  }

  /** The slot of a key, made when there is none; it becomes the newest. */
  touch(lo: number, hi: number, nowMs: number): number {
    let slot = this.find(lo, hi)
    if (slot >= 0) {
      if (slot !== this.#newest) {
        this.#unlink(slot)
        this.#linkNewest(slot)
      }
      return slot
    }
    slot = this.#vacant()
    this.hashLo[slot] = lo
    this.hashHi[slot] = hi
    this.firstMs[slot] = nowMs
    this.lastMs[slot] = Number.NEGATIVE_INFINITY
    this.lastB[slot] = 0
    this.head[slot] = -1
    this.lastCall[slot] = -1
    this.destinations.fill(0, slot * 2, slot * 2 + 2)
    this.tailDigits.fill(0, slot * 10, slot * 10 + 10)
    this.pending[slot] = 0
    this.caseBits[slot] = 0
    this.#linkNewest(slot)
    this.#enter(slot)
    return slot
  }

  /** Ages the key's panes to `tick` and gives the open one, making it when `open`. -1: the key has no panes. */
  pane(slot: number, tick: number, open: boolean): number {
    const { pool } = this
    let head = pool.advance(this.head[slot]!, tick)
    if (open && (head < 0 || pool.startTick[head] !== tick)) {
      while (!pool.hasRoom() && this.#oldest !== slot) this.#evictOldest()
      head = pool.open(head, tick)
    }
    this.head[slot] = head
    return head
  }

  #vacant(): number {
    if (this.size < this.#capacity) return this.#fresh()
    if (this.#capacity < this.keysMax) {
      this.#grow()
      return this.#fresh()
    }
    this.#evictOldest()
    return this.#fresh()
  }

  /** Slots that were given back, as a list through `older`. */
  #vacated = -1
  #used = 0

  #fresh(): number {
    this.size++
    if (this.#vacated < 0) return this.#used++
    const slot = this.#vacated
    this.#vacated = this.#older[slot]!
    return slot
  }

  #evictOldest(): void {
    const slot = this.#oldest
    this.#onEvict(slot)
    this.#unlink(slot)
    this.pool.releaseAll(this.head[slot]!)
    this.#leave(slot)
    this.#older[slot] = this.#vacated
    this.#vacated = slot
    this.size--
    this.evicted++
  }

  #enter(slot: number): void {
    const mask = this.#index.length - 1
    let at = this.hashLo[slot]! & mask
    while (this.#index[at] !== 0) at = (at + 1) & mask
    this.#index[at] = slot + 1
  }

  /** Takes a key out of the index and moves later ones of its run back, so that no gap hides them. */
  #leave(slot: number): void {
    const index = this.#index
    const mask = index.length - 1
    let hole = this.hashLo[slot]! & mask
    while (index[hole] !== slot + 1) hole = (hole + 1) & mask
    for (let at = (hole + 1) & mask; index[at] !== 0; at = (at + 1) & mask) {
      const home = this.hashLo[index[at]! - 1]! & mask
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        index[hole] = index[at]!
        hole = at
      }
    }
    index[hole] = 0
  }

  #unlink(slot: number): void {
    const older = this.#older[slot]!
    const newer = this.#newer[slot]!
    if (older >= 0) this.#newer[older] = newer
    else this.#oldest = newer
    if (newer >= 0) this.#older[newer] = older
    else this.#newest = older
  }

  #linkNewest(slot: number): void {
    this.#older[slot] = this.#newest
    this.#newer[slot] = -1
    if (this.#newest >= 0) this.#newer[this.#newest] = slot
    else this.#oldest = slot
    this.#newest = slot
  }

  #grow(): void {
    const capacity = Math.min(this.keysMax, this.#capacity * 2)
    this.#capacity = capacity
    this.hashLo = grownWords(this.hashLo, capacity)
    this.hashHi = grownWords(this.hashHi, capacity)
    this.firstMs = grownDoubles(this.firstMs, capacity)
    this.lastMs = grownDoubles(this.lastMs, capacity)
    this.lastB = grownDoubles(this.lastB, capacity)
    this.head = grownInts(this.head, capacity)
    this.lastCall = grownDoubles(this.lastCall, capacity)
    this.destinations = grownWords(this.destinations, capacity * 2)
    this.tailDigits = grownBytes(this.tailDigits, capacity * 10)
    this.pending = grownInts(this.pending, capacity)
    this.caseBits = grownInts(this.caseBits, capacity)
    this.#older = grownInts(this.#older, capacity)
    this.#newer = grownInts(this.#newer, capacity)
    this.#index = new Int32Array(indexSize(capacity))
    for (let slot = this.#newest; slot >= 0; slot = this.#older[slot]!) this.#enter(slot)
  }
}

/** A power of two, at least twice the keys. */
function indexSize(keys: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(8, keys * 2)))
}
