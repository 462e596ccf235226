/**
 * One timer for all streams: a wheel of 20 slots of 1 ms, turned once in 20 ms. Every stream stands in one slot and is
 * called once a turn. The schedule is absolute (slot k is due at start + k ms), so a late turn is caught up and nothing
 * drifts; how late each call was goes into `Lateness`. One thread, main.
 *
 *        slot 0   slot 1   slot 2  ...  slot 19 │ slot 0 ...
 *        s0 s20   s1 s21   s2      ...  s19     │ s0 s20
 *        ▲ due at start + turn x 20 ms + slot
 *
 * A new stream goes to the emptiest slot, so N streams spread evenly over the 20 ms like calls that began at any time.
 */
import type { Clock } from '../core/clock.ts'
import type { Lateness } from './lateness.ts'

/** What stands in a slot. `tick` is called once per frame; false: done, take me out. */
export interface PacedStream {
  tick(): boolean
}

export const frameMs = 20
const slotCount = 20
const slotMs = frameMs / slotCount

export class PacingWheel {
  readonly #slots: PacedStream[][] = Array.from({ length: slotCount }, () => [])
  readonly #clock: Clock
  readonly #lateness: Lateness
  #startMs = 0
  /** Slots turned since the start; the next one due is this one modulo slotCount. */
  #turned = 0
  #timer: NodeJS.Timeout | undefined
  #size = 0

  constructor(options: { clock: Clock; lateness: Lateness }) {
    this.#clock = options.clock
    this.#lateness = options.lateness
  }

  get size(): number {
    return this.#size
  }

  add(stream: PacedStream): void {
    let slot = 0
    for (let other = 1; other < slotCount; other++) {
      if (this.#slots[other]!.length < this.#slots[slot]!.length) slot = other
    }
    this.#slots[slot]!.push(stream)
    this.#size++
    if (this.#timer === undefined) this.#begin()
  }

  /** Stops calling anybody. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const slot of this.#slots) slot.length = 0
    this.#size = 0
  }

  #begin(): void {
    this.#startMs = this.#clock.steadyMs()
    this.#turned = 0
    this.#sleep()
  }

  #sleep(): void {
    if (this.#size === 0) {
      this.#timer = undefined
      return
    }
    let ahead = 0
    while (ahead < slotCount - 1 && this.#slots[(this.#turned + ahead) % slotCount]!.length === 0) ahead++
    const dueMs = this.#startMs + (this.#turned + ahead) * slotMs
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, dueMs - this.#clock.steadyMs()))
  }

  #wake(): void {
    // A stream may be added or the wheel stopped from inside a tick.
    for (let due = this.#dueMs(); due <= this.#clock.steadyMs() && this.#size > 0; due = this.#dueMs()) {
      const slot = this.#slots[this.#turned % slotCount]!
      this.#turned++
      if (slot.length > 0) this.#turnSlot(slot, due)
    }
    this.#sleep()
  }

  #dueMs(): number {
    return this.#startMs + this.#turned * slotMs
  }

  #turnSlot(slot: PacedStream[], dueMs: number): void {
    this.#lateness.add(this.#clock.steadyMs() - dueMs, slot.length)
    let kept = 0
    const called = slot.length
    for (let at = 0; at < called; at++) {
      const stream = slot[at]!
      if (stream.tick()) slot[kept++] = stream
      else this.#size--
    }
    slot.splice(kept, called - kept)
  }
}
