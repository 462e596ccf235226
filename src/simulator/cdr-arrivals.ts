/**
 * When calls begin: exactly N moments of a stretch of time, one after the other, spread by a profile of the hours of
 * the day. The next moment is drawn from what is left (the least of n uniform points), so nothing is stored and
 * nothing is left over. Times are microseconds since 1970 UTC. Any thread.
 */
import type { Random } from './seeded-random.ts'

const hourUs = 3_600_000_000

/** Relative attempts in each hour, by working day and weekend. */
export class HourProfile {
  readonly #week: Float64Array

  constructor(workday: readonly number[], weekend: readonly number[] = workday) {
    this.#week = new Float64Array(168)
    for (let hour = 0; hour < 168; hour++) {
      this.#week[hour] = (hour < 120 ? workday : weekend)[hour % 24]!
    }
  }

  /** 1970-01-01 was a Thursday; hour 0 is Monday's first. */
  at(timeUs: number): number {
    return this.#week[(Math.floor(timeUs / hourUs) + 72) % 168]!
  }

  /** Area under the profile. */
  mass(fromUs: number, toUs: number): number {
    let sum = 0
    for (let at = fromUs; at < toUs; ) {
      const next = Math.min(toUs, (Math.floor(at / hourUs) + 1) * hourUs)
      sum += this.at(at) * (next - at)
      at = next
    }
    return sum
  }

  /** The moment by which so much area has passed since `fromUs`, `toUs` at the latest. */
  advance(fromUs: number, mass: number, toUs: number): number {
    let left = mass
    for (let at = fromUs; at < toUs; ) {
      const next = Math.min(toUs, (Math.floor(at / hourUs) + 1) * hourUs)
      const here = this.at(at)
      if (here * (next - at) >= left && here > 0) return at + left / here
      left -= here * (next - at)
      at = next
    }
    return toUs
  }
}

export class Arrivals {
  readonly #random: Random
  readonly #profile: HourProfile
  readonly #endUs: number
  #atUs: number
  #massLeft: number
  #left: number

  constructor(random: Random, profile: HourProfile, count: number, startUs: number, endUs: number) {
    const mass = profile.mass(startUs, endUs)
    this.#random = random
    this.#profile = profile
    this.#left = Math.max(0, Math.round(count))
    this.#atUs = startUs
    this.#endUs = endUs
    this.#massLeft = mass
  }

  /** Takes one out of the count; false when none is left. Those to come spread over the time that is left. */
  take(): boolean {
    if (this.#left <= 0) return false
    this.#left--
    return true
  }

  /** The next moment, Infinity when all have been. */
  next(): number {
    if (this.#left <= 0) return Number.POSITIVE_INFINITY
    const part = -Math.expm1(Math.log(1 - this.#random()) / this.#left)
    const mass = this.#massLeft * part
    this.#left--
    this.#massLeft -= mass
    this.#atUs = this.#profile.advance(this.#atUs, mass, this.#endUs)
    return Math.floor(this.#atUs)
  }
}
