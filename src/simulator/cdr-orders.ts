/**
 * Which campaigns and episodes there will be: drawn up before the traffic begins, from the share that each kind shall
 * have of all attempts. Sizes are drawn until the share is reached, the last one is cut to fit, so counts are exact.
 * Any thread.
 */
import { logUniform, type Pair, wholeLogUniform } from './cdr-draws.ts'
import type { Order, Stage } from './cdr-stage.ts'
import type { Random } from './seeded-random.ts'

/** Orders of one kind; beyond that the campaigns grow instead, so that memory stays bounded. */
export const ordersMax = 2000

/** Part of the whole time that one order takes at most. */
const spanShareMax = 0.9

export interface OrderFigures {
  readonly share: number
  readonly calls: Pair
  readonly hours: string
  /** How long an order of so many calls lasts. */
  durationS(random: Random, calls: number): number
}

export function planOrders(stage: Stage, kind: string, figures: OrderFigures, attempts: number): Order[] {
  const random = stage.random(`orders ${kind}`)
  const wanted = Math.round(figures.share * attempts)
  const [low, high] = figures.calls
  const meanCalls = low >= high ? high : (high - low) / Math.log(high / Math.max(low, 1))
  const growth = Math.max(1, wanted / (meanCalls * ordersMax))
  const orders: Order[] = []
  for (let left = wanted; left > 0; ) {
    // Short runs see several campaigns too: none takes more than a third, unless it would be too small to be one.
    const drawn = Math.round(wholeLogUniform(random, figures.calls) * growth)
    let calls = Math.min(left, drawn, Math.max(low, Math.ceil(wanted / 3)))
    // A rest too small for a campaign of its own joins this one.
    if (left - calls < Math.min(low, wanted / 10)) calls = left
    left -= calls
    const name = `${kind}-${orders.length + 1}`
    orders.push({ name, calls, ...timesOf(stage, random, figures, calls), random: stage.random(name) })
  }
  return orders.sort((a, b) => a.startUs - b.startUs)
}

function timesOf(
  stage: Stage,
  random: Random,
  figures: OrderFigures,
  calls: number,
): { startUs: number; endUs: number } {
  const spanUs = stage.endUs - stage.startUs
  const durationUs = Math.min(figures.durationS(random, calls) * 1e6, spanUs * spanShareMax)
  const latestUs = stage.endUs - durationUs
  const profile = stage.profile(figures.hours)
  const mass = profile.mass(stage.startUs, latestUs)
  const startUs = Math.floor(profile.advance(stage.startUs, mass * random(), latestUs))
  return { startUs, endUs: Math.floor(startUs + durationUs) }
}

/** An order's length drawn from a range. */
export function drawnDuration(durationS: Pair): (random: Random) => number {
  return (random) => logUniform(random, durationS)
}
