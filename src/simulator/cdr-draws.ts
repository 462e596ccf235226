/**
 * Random figures of telephone traffic from a uniform generator: holding times, weighted choices, and a hash for
 * numbers that must come out the same without being stored. Pure; any thread.
 */
import type { Random } from './seeded-random.ts'

export type Pair = readonly [low: number, high: number]

export function uniform(random: Random, [low, high]: Pair): number {
  return low + (high - low) * random()
}

/** Uniform in the logarithm: every decade is as likely. A zero low counts as a hundredth of the high. */
export function logUniform(random: Random, [low, high]: Pair): number {
  const from = Math.max(low, high / 100, 1e-9)
  return low >= high ? high : Math.min(high, from * (high / from) ** random())
}

export function wholeLogUniform(random: Random, pair: Pair): number {
  return Math.max(1, Math.round(logUniform(random, pair)))
}

export function wholeUniform(random: Random, [low, high]: Pair): number {
  return Math.floor(low + (high - low + 1) * random())
}

/** Standard normal (Box-Muller, one of the two). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Log-normal by the parameters of its logarithm. */
export function logNormal(random: Random, mu: number, sigma: number): number {
  return Math.exp(mu + sigma * normal(random))
}

/** Log-normal with the given mean. */
export function logNormalOfMean(random: Random, mean: number, sigma: number): number {
  return mean * Math.exp(sigma * normal(random) - (sigma * sigma) / 2)
}

export function clamp(value: number, [low, high]: Pair): number {
  return value < low ? low : value > high ? high : value
}

/** A choice by weight, drawn in constant memory; weights of zero are never chosen. */
export class WeightedChoice<Name extends string> {
  readonly #names: readonly Name[]
  readonly #upTo: readonly number[]

  constructor(weights: Readonly<Partial<Record<Name, number>>>) {
    const entries = (Object.entries(weights) as [Name, number][]).filter(([, weight]) => weight > 0)
    let sum = 0
    this.#names = entries.map(([name]) => name)
    this.#upTo = entries.map(([, weight]) => (sum += weight))
  }

  draw(random: Random): Name {
    const at = random() * (this.#upTo.at(-1) ?? 0)
    for (let index = 0; index < this.#names.length - 1; index++) {
      if (at < this.#upTo[index]!) return this.#names[index]!
    }
    const last = this.#names.at(-1)
    if (last === undefined) throw new RangeError('a choice of nothing')
    return last
  }
}

/** 32 bits that look random, the same for the same pair (murmur3's finaliser over both). */
export function hash32(a: number, b: number): number {
  let mixed = Math.imul(a ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(b + 0x9e3779b9, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** A seed for a part of the traffic, so that parts do not draw from one another's sequence. */
export function partSeed(seed: number, part: string): number {
  let hashed = hash32(seed, part.length)
  for (let index = 0; index < part.length; index++) hashed = hash32(hashed, part.charCodeAt(index))
  return hashed
}
