/**
 * A queue by time (binary heap): whoever is due first comes first, of equals whoever came first, so that runs repeat
 * exactly. Times and turns stand in arrays of numbers beside the items. Any thread.
 *
 *            0             at[i] <= at[2i + 1], at[2i + 2]
 *          /   \
 *         1     2
 *        / \   / \
 *       3   4 5   6
 */
export class TimeHeap<T> {
  readonly #at: number[] = []
  readonly #turn: number[] = []
  readonly #items: T[] = []
  #turns = 0

  get size(): number {
    return this.#items.length
  }

  /** When the first is due; Infinity when there is none. */
  get firstAt(): number {
    return this.#at[0] ?? Number.POSITIVE_INFINITY
  }

  get first(): T | undefined {
    return this.#items[0]
  }

  push(at: number, item: T): void {
    this.#rise(this.#items.length, at, this.#turns++, item)
  }

  pop(): T | undefined {
    const item = this.#items[0]
    this.#dropFirst()
    return item
  }

  /** Gives the first a new time; Infinity takes it out. */
  moveFirst(at: number): void {
    if (at === Number.POSITIVE_INFINITY) this.#dropFirst()
    else this.#sink(at, this.#turns++, this.#items[0]!)
  }

  #dropFirst(): void {
    const item = this.#items.pop()
    const at = this.#at.pop()
    const turn = this.#turn.pop()
    if (this.#items.length > 0 && item !== undefined && at !== undefined && turn !== undefined)
      this.#sink(at, turn, item)
  }

  #before(at: number, turn: number, place: number): boolean {
    const there = this.#at[place]!
    return at < there || (at === there && turn < this.#turn[place]!)
  }

  #put(place: number, at: number, turn: number, item: T): void {
    this.#at[place] = at
    this.#turn[place] = turn
    this.#items[place] = item
  }

  #rise(from: number, at: number, turn: number, item: T): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#before(at, turn, parent)) break
      this.#put(place, this.#at[parent]!, this.#turn[parent]!, this.#items[parent]!)
      place = parent
    }
    this.#put(place, at, turn, item)
  }

  #sink(at: number, turn: number, item: T): void {
    const size = this.#items.length
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= size) break
      if (child + 1 < size && this.#before(this.#at[child + 1]!, this.#turn[child + 1]!, child)) child++
      if (this.#before(at, turn, child)) break
      this.#put(place, this.#at[child]!, this.#turn[child]!, this.#items[child]!)
      place = child
    }
    this.#put(place, at, turn, item)
  }
}
