/**
 * What is usual on a route at this hour of the day: the mean of that hour on the days before, or, on the first day, of
 * the hours before. Closed hours only, so that a burst is not compared with itself. One slot per key of a route table.
 * Any thread, one owner.
 *
 *   per key: 24 hours x [attempts, answered, short, blink, invalid, domestic, days] + the open hour's six counts
 */
import { grownFloats, grownInts } from './typed-growth.ts'

const hourMs = 3_600_000
const measures = 6
const hourStride = measures + 1
const keyStride = 25 * hourStride
/** Weight of the newest day in an hour's mean, once there are enough days. */
const newestWeight = 0.3

interface CallKind {
  readonly blink: boolean
  readonly fromInvalid: boolean
  readonly domestic: boolean
}

export interface Usual {
  /** Hours (of this time of day, or of any) that the figures rest on; 0: nothing is known. */
  hours: number
  /** Calls an hour. */
  attempts: number
  answered: number
  short: number
  blink: number
  invalid: number
  domestic: number
}

export class RouteBaseline {
  #counts = new Float32Array(0)
  #openHour = new Int32Array(0)

  /** Forgets what a slot held: another key has it now. */
  reset(slot: number, timeMs: number): void {
    if ((slot + 1) * keyStride > this.#counts.length) {
      const slots = Math.max(64, (slot + 1) * 2)
      this.#counts = grownFloats(this.#counts, slots * keyStride)
      this.#openHour = grownInts(this.#openHour, slots)
    }
    this.#counts.fill(0, slot * keyStride, (slot + 1) * keyStride)
    this.#openHour[slot] = Math.floor(timeMs / hourMs)
  }

  add(slot: number, timeMs: number, answered: boolean, short: boolean, of: CallKind): void {
    this.#close(slot, Math.floor(timeMs / hourMs))
    const open = slot * keyStride + 24 * hourStride
    const counts = this.#counts
    counts[open] = counts[open]! + 1
    if (answered) counts[open + 1] = counts[open + 1]! + 1
    if (short) counts[open + 2] = counts[open + 2]! + 1
    if (of.blink) counts[open + 3] = counts[open + 3]! + 1
    if (of.fromInvalid) counts[open + 4] = counts[open + 4]! + 1
    if (of.domestic) counts[open + 5] = counts[open + 5]! + 1
  }

  /** What is usual in the hour of `timeMs`. */
  usual(slot: number, timeMs: number, out: Usual): void {
    const hour = Math.floor(timeMs / hourMs)
    this.#close(slot, hour)
    const start = slot * keyStride
    const same = start + (hour % 24) * hourStride
    if (this.#counts[same + measures]! > 0) {
      this.#write(same, 1, this.#counts[same + measures]!, out)
      return
    }
    let hours = 0
    const sums = [0, 0, 0, 0, 0, 0]
    for (let at = start; at < start + 24 * hourStride; at += hourStride) {
      if (this.#counts[at + measures] === 0) continue
      hours++
      for (let i = 0; i < measures; i++) sums[i] = sums[i]! + this.#counts[at + i]!
    }
    const share = hours === 0 ? 0 : 1 / hours
    out.hours = hours
    out.attempts = sums[0]! * share
    out.answered = sums[1]! * share
    out.short = sums[2]! * share
    out.blink = sums[3]! * share
    out.invalid = sums[4]! * share
    out.domestic = sums[5]! * share
  }

  #write(at: number, factor: number, hours: number, out: Usual): void {
    out.hours = hours
    out.attempts = this.#counts[at]! * factor
    out.answered = this.#counts[at + 1]! * factor
    out.short = this.#counts[at + 2]! * factor
    out.blink = this.#counts[at + 3]! * factor
    out.invalid = this.#counts[at + 4]! * factor
    out.domestic = this.#counts[at + 5]! * factor
  }

  /** Folds the open hour, and quiet hours after it, into the hours of the day. */
  #close(slot: number, hour: number): void {
    const open = this.#openHour[slot]!
    if (hour <= open) return
    const counts = this.#counts
    const start = slot * keyStride
    const last = Math.min(hour, open + 24)
    for (let closing = open; closing < last; closing++) {
      const at = start + (closing % 24) * hourStride
      const days = counts[at + measures]!
      const weight = days === 0 ? 1 : Math.max(newestWeight, 1 / (days + 1))
      for (let i = 0; i < measures; i++) {
        const value = closing === open ? counts[start + 24 * hourStride + i]! : 0
        counts[at + i] = counts[at + i]! + (value - counts[at + i]!) * weight
      }
      counts[at + measures] = days + 1
    }
    counts.fill(0, start + 24 * hourStride, start + 25 * hourStride)
    this.#openHour[slot] = hour
  }
}
