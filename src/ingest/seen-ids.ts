/**
 * Which record ids have been taken: a set of 95-bit keyed fingerprints in typed arrays, 12 bytes a place, that
 * remembers between half of and all of `idsMax` ids and forgets the oldest half at once. Two different ids are taken
 * for one with a chance below 1e-21 a record. Bounded: about 50 bytes an id at worst, 24 at best. Main thread.
 *
 *   younger  64 tables of 3 x u32 a place, chosen by the first bits; each grows by itself, so that no growing takes
 * long
 *   older    the same, read only; dropped when the younger is full, which then becomes the older
 */

const tableCount = 64
const placesMin = 256
/** A table is made twice as large when more than this share of its places is used. */
const fullShare = 0.7
const wordsAPlace = 3
/** First word of a place: 0 is free, 2 was used once; fingerprints are odd. */
const removed = 2

class Table {
  words = new Uint32Array(placesMin * wordsAPlace)
  used = 0
  count = 0

  /** Word position of the fingerprint, or -1 - (position where it could stand). */
  find(a: number, b: number, c: number): number {
    const { words } = this
    const mask = words.length / wordsAPlace - 1
    for (let place = b & mask; ; place = (place + 1) & mask) {
      const at = place * wordsAPlace
      const word = words[at]!
      if (word === 0) return -1 - at
      if (word === a && words[at + 1] === b && words[at + 2] === c) return at
    }
  }

  put(at: number, a: number, b: number, c: number): void {
    this.words[at] = a
    this.words[at + 1] = b
    this.words[at + 2] = c
    this.used += 1
    this.count += 1
    if (this.used > (this.words.length / wordsAPlace) * fullShare) this.#grow()
  }

  remove(at: number): void {
    this.words[at] = removed
    this.count -= 1
  }

  #grow(): void {
    const old = this.words
    this.words = new Uint32Array(old.length * 2)
    this.used = this.count
    for (let at = 0; at < old.length; at += wordsAPlace) {
      const [a, b, c] = [old[at]!, old[at + 1]!, old[at + 2]!]
      if ((a & 1) === 0) continue
      const place = -1 - this.find(a, b, c)
      this.words[place] = a
      this.words[place + 1] = b
      this.words[place + 2] = c
    }
  }
}

function freshTables(): Table[] {
  return Array.from({ length: tableCount }, () => new Table())
}

export interface SeenIdsOptions {
  readonly idsMax: number
  /** A number that nobody outside knows; another one at every start. */
  readonly seed: number
}

export class SeenIds {
  readonly #generationMax: number
  readonly #seed: number
  #younger = freshTables()
  #older = freshTables()
  #youngerCount = 0
  #olderCount = 0
  /** Arrival of the first id of each generation, wall ms. */
  #youngerSinceMs = Number.POSITIVE_INFINITY
  #olderSinceMs = Number.POSITIVE_INFINITY
  #a = 0
  #b = 0
  #c = 0

  constructor(options: SeenIdsOptions) {
    this.#generationMax = Math.max(1, Math.ceil(options.idsMax / 2))
    this.#seed = options.seed | 0
  }

  get size(): number {
    return this.#youngerCount + this.#olderCount
  }

  /** Ids that arrived since are remembered, all of them. Infinity while there are none. */
  sinceMs(): number {
    return Math.min(this.#olderSinceMs, this.#youngerSinceMs)
  }

  /** False: it is known already. */
  add(id: string, receivedMs: number): boolean {
    this.#hash(id)
    const { a, b, c } = { a: this.#a, b: this.#b, c: this.#c }
    const index = c >>> 26
    if (this.#olderCount > 0 && this.#older[index]!.find(a, b, c) >= 0) return false
    const at = this.#younger[index]!.find(a, b, c)
    if (at >= 0) return false
    if (this.#youngerCount >= this.#generationMax) this.#turnOver()
    const table = this.#younger[index]!
    table.put(-1 - table.find(a, b, c), a, b, c)
    this.#youngerCount += 1
    this.#youngerSinceMs = Math.min(this.#youngerSinceMs, receivedMs)
    return true
  }

  /** Takes back an id that was added and did not become durable. */
  remove(id: string): void {
    this.#hash(id)
    for (const tables of [this.#younger, this.#older]) {
      const table = tables[this.#c >>> 26]!
      const at = table.find(this.#a, this.#b, this.#c)
      if (at < 0) continue
      table.remove(at)
      if (tables === this.#younger) this.#youngerCount -= 1
      else this.#olderCount -= 1
      return
    }
  }

  #turnOver(): void {
    this.#older = this.#younger
    this.#olderCount = this.#youngerCount
    this.#olderSinceMs = this.#youngerSinceMs
    this.#younger = freshTables()
    this.#youngerCount = 0
    this.#youngerSinceMs = Number.POSITIVE_INFINITY
  }

  /** Three lanes of MurmurHash3's mixing over pairs of UTF-16 units. */
  #hash(id: string): void {
    const { length } = id
    let a = this.#seed ^ length
    let b = this.#seed ^ 0x9e3779b9
    let c = this.#seed ^ 0x7f4a7c15
    for (let at = 0; at < length; at += 2) {
      const pair = id.charCodeAt(at) | ((at + 1 < length ? id.charCodeAt(at + 1) : 0x10000) << 16)
      a = Math.imul(rotated(a ^ Math.imul(rotated(Math.imul(pair, 0xcc9e2d51), 15), 0x1b873593), 13), 5) + 0xe6546b64
      b = Math.imul(rotated(b ^ Math.imul(rotated(Math.imul(pair, 0x239b961b), 16), 0xab0e9789), 19), 5) + 0x561ccd1b
      c = Math.imul(rotated(c ^ Math.imul(rotated(Math.imul(pair, 0x38b34ae5), 17), 0xa1e38b93), 15), 5) + 0x0bcaa747
    }
    a = mixed(a + b)
    b = mixed(b + c)
    c = mixed(c + a)
    this.#a = (a | 1) >>> 0
    this.#b = (b ^ a) >>> 0
    this.#c = c >>> 0
  }
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function mixed(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
