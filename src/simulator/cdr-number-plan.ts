/**
 * Who has which telephone number in a simulated plan. Numbers are computed from an index, never stored, so a plan of
 * millions of subscribers takes no memory. Subscribers fill their area's blocks in cells of ten thousand, as operators
 * are assigned them, with unassigned numbers in between. Any thread.
 *
 *   block 1290, 11 digits, fill 1/3:   1290 000 0002   1290 000 0003   1290 000 0007 ...
 *   subscriber                         0               1               2
 */
import { hash32 } from './cdr-draws.ts'
import type { NumberBlocks, Scenario } from './cdr-scenario.ts'
import type { Random } from './seeded-random.ts'

export type Block = NumberBlocks[number]

/** Numbers of a cell: consecutive subscribers live in the same one. */
const cellSize = 10_000

export class NumberPlan {
  readonly blocks: Omit<Scenario['plans']['train'], 'campaigns'>
  readonly subscribers: number
  readonly #step: number

  constructor(blocks: Omit<Scenario['plans']['train'], 'campaigns'>, fill: number, subscribersWanted: number) {
    this.blocks = blocks
    this.#step = Math.max(1, Math.floor(1 / fill))
    const room = blocks.home.reduce((sum, block) => sum + 10 ** freeDigits(block), 0)
    this.subscribers = Math.max(1000, Math.min(Math.floor(room / this.#step), Math.round(subscribersWanted)))
  }

  /** E.164 digits of a subscriber at home. */
  subscriber(index: number): string {
    return this.#dense(this.blocks.home, index)
  }

  /** Companies: few, in blocks of their own. */
  company(index: number): string {
    return this.#dense(this.blocks.business, index)
  }

  anySubscriber(random: Random): string {
    return this.subscriber(Math.floor(random() * this.subscribers))
  }

  /** Somebody abroad; one in twenty in a place that is dear to call. The same index is the same person. */
  foreigner(index: number): string {
    const list = hash32(index, 1) % 20 === 0 ? this.blocks.premium : this.blocks.abroad
    // Squared: some countries are called far more often than others.
    const at = Math.floor((hash32(index, 2) / 4294967296) ** 2 * list.length)
    const block = list[at]!
    return numberIn(block, Math.floor((hash32(index, 3) / 4294967296) * 10 ** Math.min(6, freeDigits(block))))
  }

  #dense(list: readonly Block[], index: number): string {
    const cell = Math.floor(index / cellSize)
    const block = list[cell % list.length]!
    const local = Math.floor(cell / list.length) * cellSize + (index % cellSize)
    const step = this.#step
    return numberIn(block, local * step + (step === 1 ? 0 : hash32(index, 77) % step))
  }
}

export function freeDigits(block: Block): number {
  return block.digits - block.prefix.length
}

/** The number at a place of a block; places beyond the block wrap around. */
export function numberIn(block: Block, place: number): string {
  const free = freeDigits(block)
  return block.prefix + String(place % 10 ** free).padStart(free, '0')
}

/** The front of a number within a block, so that `tail` digits are left. */
export function frontIn(random: Random, block: Block, tail: number): string {
  const free = Math.max(0, freeDigits(block) - tail)
  return block.prefix + digitsOf(random, free)
}

/** So many uniform digits. */
export function digitsOf(random: Random, count: number): string {
  return String(Math.floor(random() * 10 ** count))
    .padStart(count, '0')
    .slice(0, count)
}

export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new RangeError('a pick from nothing')
  return item
}
