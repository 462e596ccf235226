/**
 * Toll fraud: long calls to ranges that are dear to call, many at a time, at night and at weekends, after a few short
 * test calls to the same ranges. IRSF uses stolen lines; a hacked PBX is one company's line that telephones normally
 * by day.
 *
 *   test calls      lead          main: `concurrent` calls at a time
 *   | |  |     |                 ========================
 *   start ---------------------- start + lead ------------- end
 */
import { Arrivals } from './cdr-arrivals.ts'
import type { CallShape, Parties, Truth } from './cdr-call.ts'
import { type Pair, uniform, wholeUniform } from './cdr-draws.ts'
import { Habits } from './cdr-habits.ts'
import { digitsOf, frontIn, pick } from './cdr-number-plan.ts'
import { type Actor, type Order, type Sink, type Stage, sendCall } from './cdr-stage.ts'
import { trunk } from './cdr-trunks.ts'

interface Line {
  readonly from: string
  readonly ingress: string
}

interface Raid {
  readonly label: 'irsf' | 'pbx_hack'
  readonly lines: readonly Line[]
  /** Test calls find their way at once, or mostly do not. */
  readonly testAsr: number
  readonly figures: { ranges: Pair; talkS: Pair; testCalls: Pair; testLeadS: Pair; asr: Pair; hours: string }
}

/** Tail of a called range: a thousand numbers. */
const rangeTail = 3

class TollFraud implements Actor {
  nextUs: number
  readonly #stage: Stage
  readonly #order: Order
  readonly #raid: Raid
  readonly #habits: Habits
  readonly #fronts: readonly string[]
  readonly #asr: number
  #tests: number
  #arrivals: Arrivals | undefined

  constructor(stage: Stage, order: Order, raid: Raid) {
    const { random } = order
    const { ranges, asr, testCalls } = raid.figures
    this.#stage = stage
    this.#order = order
    this.#raid = raid
    this.#habits = new Habits(random, stage.scenario)
    const blocks = stage.plan.blocks.premium
    this.#fronts = Array.from({ length: wholeUniform(random, ranges) }, () =>
      frontIn(random, pick(random, blocks), rangeTail),
    )
    this.#asr = uniform(random, asr)
    this.#tests = Math.min(wholeUniform(random, testCalls), Math.floor(order.calls / 4))
    this.nextUs = order.startUs
  }

  step(sink: Sink): void {
    if (this.#arrivals === undefined) this.#arrivals = this.#begin(sink)
    else this.#call(sink, this.nextUs, this.#mainCall())
    this.nextUs = this.#arrivals.next()
  }

  /** Test calls at once (they come out when they end), then the moments of the main part. */
  #begin(sink: Sink): Arrivals {
    const { random, startUs, endUs, calls } = this.#order
    const leadUs = Math.min(uniform(random, this.#raid.figures.testLeadS) * 1e6, (endUs - startUs) * 0.4)
    for (let test = 0; test < this.#tests; test++) {
      this.#call(sink, Math.round(startUs + leadUs * 0.8 * random()), this.#testCall())
    }
    const profile = this.#stage.profile(this.#raid.figures.hours)
    return new Arrivals(random, profile, calls - this.#tests, Math.round(startUs + leadUs), endUs)
  }

  #testCall(): CallShape {
    const { random } = this.#order
    if (random() < this.#raid.testAsr) return this.#habits.answered(uniform(random, [3, 30]), true)
    return this.#habits.failure(random() < 0.6 ? 'not_found' : 'rejected', true)
  }

  #mainCall(): CallShape {
    const { random } = this.#order
    return this.#habits.attempt(this.#asr, uniform(random, this.#raid.figures.talkS), true)
  }

  #call(sink: Sink, atUs: number, shape: CallShape): void {
    const { random, name } = this.#order
    const { from, ingress } = pick(random, this.#raid.lines)
    const to = pick(random, this.#fronts) + digitsOf(random, rangeTail)
    const parties: Parties = { from, to, ingress, egress: pick(random, this.#stage.trunks.carrier) }
    const truth: Truth = { label: this.#raid.label, campaign: name, subject: `number:${from}` }
    sendCall(sink, shape, parties, truth, atUs)
  }
}

export function irsf(stage: Stage, order: Order): Actor {
  const { random } = order
  const figures = stage.scenario.campaigns.irsf
  const lines = Array.from({ length: wholeUniform(random, figures.callers) }, () => {
    const caller = Math.floor(random() * stage.plan.subscribers)
    return { from: stage.plan.subscriber(caller), ingress: trunk(stage.trunks.access, caller) }
  })
  return new TollFraud(stage, order, { label: 'irsf', lines, testAsr: 0.8, figures })
}

export function pbxHack(stage: Stage, order: Order): Actor {
  const company = Math.floor(order.random() * 400)
  const line = { from: stage.plan.company(company), ingress: trunk(stage.trunks.access, company) }
  const figures = stage.scenario.campaigns.pbx_hack
  return new TollFraud(stage, order, { label: 'pbx_hack', lines: [line], testAsr: 0.3, figures })
}
