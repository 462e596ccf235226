/**
 * What is usual on a route at this hour of the day: the mean of that hour on the days before, or, on the first day, of
 * the hours before. Closed hours only, so that a burst is not compared with itself. One slot per key of a route table.
 * Any thread, one owner.
 *
 *   per key: 24 hours x [attempts, answered, short, blink, invalid, domestic, suspect, days] + the open hour's counts
 */
import { grownFloats, grownInts } from './typed-growth.ts'

const hourMs = 3_600_000
const measures = 7
const hourStride = measures + 1
const keyStride = 25 * hourStride
/** Weight of the newest day in an hour's mean, once there are enough days. */
const newestWeight = 0.3

interface CallKind {
  readonly blink: boolean
  readonly fromInvalid: boolean
  readonly domestic: boolean
}

/** Counts of an hour, by place. */
const place = { attempts: 0, answered: 1, short: 2, blink: 3, invalid: 4, domestic: 5, suspect: 6 } as const

export interface Usual {
  /** Hours (of this time of day, or of any) that the figures rest on; 0: nothing is known. */
  hours: number
  /** Calls an hour. */
  attempts: number
  answered: number
  short: number
  blink: number
  /** These two without blinks. */
  invalid: number
  domestic: number
  /** Of numbers that were marked as suspect. */
  suspect: number
  /** Of the hour before this one: what foretells a morning's rise. */
  lastAttempts: number
  lastBlink: number
}

export class RouteBaseline {
  #counts = new Float32Array(0)
  #openHour = new Int32Array(0)
  readonly #sums = new Float64Array(measures)

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

  add(slot: number, timeMs: number, answered: boolean, short: boolean, suspect: boolean, of: CallKind): void {
    this.#close(slot, Math.floor(timeMs / hourMs))
    const open = slot * keyStride + 24 * hourStride
    this.#bump(open + place.attempts)
    if (answered) this.#bump(open + place.answered)
    if (short) this.#bump(open + place.short)
    if (suspect) this.#bump(open + place.suspect)
    if (of.blink) this.#bump(open + place.blink)
    else {
      if (of.fromInvalid) this.#bump(open + place.invalid)
      if (of.domestic) this.#bump(open + place.domestic)
    }
  }

  #bump(at: number): void {
    this.#counts[at] = this.#counts[at]! + 1
  }

  /** What is usual in the hour of `timeMs`. */
  usual(slot: number, timeMs: number, out: Usual): void {
    const hour = Math.floor(timeMs / hourMs)
    this.#close(slot, hour)
    const start = slot * keyStride
    const before = start + ((hour + 23) % 24) * hourStride
    out.lastAttempts = this.#counts[before + place.attempts]!
    out.lastBlink = this.#counts[before + place.blink]!
    const same = start + (hour % 24) * hourStride
    if (this.#counts[same + measures]! > 0) {
      this.#write(this.#counts, same, 1, this.#counts[same + measures]!, out)
      return
    }
    let hours = 0
    const sums = this.#sums.fill(0)
    for (let at = start; at < start + 24 * hourStride; at += hourStride) {
      if (this.#counts[at + measures] === 0) continue
      hours++
      for (let i = 0; i < measures; i++) sums[i] = sums[i]! + this.#counts[at + i]!
    }
    this.#write(sums, 0, hours === 0 ? 0 : 1 / hours, hours, out)
  }

  #write(counts: Float32Array | Float64Array, at: number, factor: number, hours: number, out: Usual): void {
    out.hours = hours
    out.attempts = counts[at + place.attempts]! * factor
    out.answered = counts[at + place.answered]! * factor
    out.short = counts[at + place.short]! * factor
    out.blink = counts[at + place.blink]! * factor
    out.invalid = counts[at + place.invalid]! * factor
    out.domestic = counts[at + place.domestic]! * factor
    out.suspect = counts[at + place.suspect]! * factor
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
