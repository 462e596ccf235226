/**
 * The last calls, so that a case that opens can show the calls that led to it. A ring of ids; through it run the
 * chains of every key, newest first. Bounded: chains end where the ring has been written over. Any thread, one owner.
 *
 *   ring:   [ id | marks | previous call of this number, range, ... ] x callsMax, call n at n mod callsMax
 */
export const callMarks = {
  blink: 1,
  short: 2,
  long: 4,
  invalid: 8,
  answered: 16,
  quiet: 32,
  suspect: 64,
  /** Of a number at home, on a route that brings calls from abroad. */
  homeAbroad: 128,
  /** Long, to another country. */
  toll: 256,
} as const

export class RecentCalls {
  readonly #callsMax: number
  readonly #chains: number
  readonly #ids: string[]
  readonly #marks: Uint16Array
  readonly #timeMs: Float64Array
  readonly #previous: Float64Array
  /** The number of the next call. */
  next = 0
  /** Time of the oldest call that `ids` told last. */
  oldestMs = 0

  constructor(callsMax: number, chains: number) {
    this.#callsMax = callsMax
    this.#chains = chains
    this.#ids = new Array<string>(callsMax).fill('')
    this.#marks = new Uint16Array(callsMax)
    this.#timeMs = new Float64Array(callsMax)
    this.#previous = new Float64Array(callsMax * chains).fill(-1)
  }

  /** @returns the call's number; its chains are linked by `link`. */
  add(id: string, timeMs: number, marks: number): number {
    const call = this.next++
    const at = call % this.#callsMax
    this.#ids[at] = id
    this.#marks[at] = marks
    this.#timeMs[at] = timeMs
    this.#previous.fill(-1, at * this.#chains, (at + 1) * this.#chains)
    return call
  }

  link(call: number, chain: number, previous: number): void {
    this.#previous[(call % this.#callsMax) * this.#chains + chain] = previous
  }

  /**
   * Ids of the newest calls of a chain that bear one of `marks` (0: all) and came at or after `sinceMs`, newest first.
   */
  ids(from: number, chain: number, marks: number, sinceMs: number, idsMax: number): string[] {
    const out: string[] = []
    let steps = 4 * idsMax
    for (let call = from; call >= 0 && call >= this.next - this.#callsMax && steps-- > 0; ) {
      const at = call % this.#callsMax
      if (this.#timeMs[at]! < sinceMs || out.length >= idsMax) break
      if (marks === 0 || (this.#marks[at]! & marks) !== 0) {
        out.push(this.#ids[at]!)
        this.oldestMs = this.#timeMs[at]!
      }
      call = this.#previous[at * this.#chains + chain]!
    }
    return out
  }
}
