/**
 * Labelled telephone traffic in event time: every part of a scenario played together, records in the order in which
 * switches would send them (when calls end). The same seed gives the same records, byte by byte. Memory holds the
 * orders and the calls that have begun and not ended, `pendingMax` at most. Any thread.
 *
 *   actors, by their next moment          pending records, by the moment they are sent
 *   retail  wholesale  flash_call-3 ...   ------------------------------------------>  next()
 *      `---- step(): calls begin ---------^
 */

import { HourProfile } from './cdr-arrivals.ts'
import { cliSpoof, robocalls, shortAnswerBurst, wangiri } from './cdr-bait-and-bulk.ts'
import { identify, type LabelledCdr } from './cdr-call.ts'
import { logUniform, partSeed } from './cdr-draws.ts'
import { flashCalls } from './cdr-flash-calls.ts'
import { hardNegatives } from './cdr-hard-negatives.ts'
import { type NormalClass, NormalTraffic } from './cdr-normal.ts'
import { NumberPlan } from './cdr-number-plan.ts'
import { drawnDuration, type OrderFigures, planOrders } from './cdr-orders.ts'
import type { Scenario } from './cdr-scenario.ts'
import { loadScenario, type ScenarioChoice } from './cdr-scenario.ts'
import { type Actor, Episode, type Order, type Play, type Sink, type Stage } from './cdr-stage.ts'
import { TimeHeap } from './cdr-time-heap.ts'
import { irsf, pbxHack } from './cdr-toll-fraud.ts'
import { trunksOf } from './cdr-trunks.ts'
import { seededRandom } from './seeded-random.ts'

/** Calls in progress and follow-ups that wait. A call more leaves at once instead, and is counted. */
const pendingMax = 2_000_000

export interface TrafficOptions extends ScenarioChoice {
  readonly seed: number
  /** Attempts in all. */
  readonly attempts: number
  readonly seconds: number
  /** First moment; the scenario's own when left out. */
  readonly startUs?: number | undefined
  readonly pendingMax?: number
}

export class CdrTraffic implements Sink {
  /** Event time from the first moment to the last; calls that begin in it may end later. */
  readonly span: { readonly startUs: number; readonly endUs: number }
  readonly scenario: Scenario
  /** Records that left early because too many were waiting. */
  hurried = 0
  readonly #pending = new TimeHeap<LabelledCdr>()
  readonly #actors = new TimeHeap<Actor>()
  readonly #idPrefix: string
  readonly #pendingMax: number
  #sent = 0

  /** @throws ConfigProblems */
  constructor(options: TrafficOptions) {
    const scenario = loadScenario(options)
    const stage = stageOf(scenario, options)
    this.scenario = scenario
    this.#pendingMax = options.pendingMax ?? pendingMax
    this.span = { startUs: stage.startUs, endUs: stage.endUs }
    // Runs at different times are different calls to whoever receives them.
    const run = options.startUs === undefined ? '' : `${Math.floor(options.startUs / 1000).toString(36)}-`
    this.#idPrefix = `sim-${options.plan}-${options.seed.toString(36)}-${run}`
    for (const actor of actorsOf(stage, options.attempts)) this.#actors.push(actor.nextUs, actor)
  }

  /** The next record; undefined when the last one has been. */
  next(): LabelledCdr | undefined {
    while (this.#actors.firstAt < this.#pending.firstAt) {
      const actor = this.#actors.first!
      actor.step(this)
      this.#actors.moveFirst(actor.nextUs)
    }
    const cdr = this.#pending.pop()
    if (cdr !== undefined) identify(cdr.record, this.#idPrefix + (this.#sent++).toString(36))
    return cdr
  }

  send(cdr: LabelledCdr): void {
    if (this.#pending.size < this.#pendingMax) {
      this.#pending.push(cdr.emitUs, cdr)
      return
    }
    this.hurried++
    cdr.emitUs = this.#pending.firstAt
    this.#pending.push(cdr.emitUs, cdr)
  }
}

function stageOf(scenario: Scenario, options: TrafficOptions): Stage {
  const startUs = options.startUs ?? scenario.startsAtMs * 1000
  const { people, normal, plans } = scenario
  const weights = Object.values(normal).reduce((sum, { weight }) => sum + weight, 0)
  const retailDaily = ((options.attempts / options.seconds) * 86_400 * normal.retail.weight) / weights
  const profiles = new Map(
    Object.entries(scenario.hours).map(([name, hours]) => [
      name,
      new HourProfile(hours, scenario.hours[`${name}Weekend`] ?? hours),
    ]),
  )
  return {
    scenario,
    plan: new NumberPlan(plans[options.plan], people.fill, retailDaily / people.callsPerDay),
    trunks: trunksOf(scenario.trunks),
    startUs,
    endUs: startUs + Math.round(options.seconds * 1e6),
    profile: (name) => profiles.get(name)!,
    random: (part) => seededRandom(partSeed(options.seed, `${options.plan} ${part}`)),
  }
}

/** Waits for its start before it draws anything, so that only running campaigns take memory. */
class Curtain implements Actor {
  nextUs: number
  readonly #open: () => Actor
  #actor: Actor | undefined

  constructor(startUs: number, open: () => Actor) {
    this.nextUs = startUs
    this.#open = open
  }

  step(sink: Sink): void {
    if (this.#actor === undefined) this.#actor = this.#open()
    else this.#actor.step(sink)
    this.nextUs = this.#actor.nextUs
  }
}

function actorsOf(stage: Stage, attempts: number): Actor[] {
  const actors: Actor[] = []
  let ordered = 0
  const add = (kind: string, figures: OrderFigures, open: (order: Order) => Actor) => {
    for (const order of planOrders(stage, kind, figures, attempts)) {
      actors.push(new Curtain(order.startUs, () => open(order)))
      ordered += order.calls
    }
  }
  const episode = (hours: string, play: (stage: Stage, order: Order) => Play) => (order: Order) =>
    new Episode(order, stage.profile(hours), play(stage, order))
  for (const [kind, figures] of Object.entries(stage.scenario.hardNegatives)) {
    const play = hardNegatives[kind as keyof typeof hardNegatives]
    add(kind, { ...figures, durationS: drawnDuration(figures.durationS) }, episode(figures.hours, play))
  }
  const { campaigns } = stage.scenario
  const bulk = { flash_call: flashCalls, wangiri, robocall: robocalls, cli_spoof: cliSpoof } as const
  for (const [kind, play] of Object.entries(bulk)) {
    const figures = campaigns[kind as keyof typeof bulk]
    add(kind, { ...figures, durationS: drawnDuration(figures.durationS) }, episode(figures.hours, play))
  }
  for (const [kind, open] of Object.entries({ irsf, pbx_hack: pbxHack } as const)) {
    const figures = campaigns[kind as 'irsf' | 'pbx_hack']
    const talkS = (figures.talkS[0] + figures.talkS[1]) / 2
    const durationS: OrderFigures['durationS'] = (random, calls) =>
      (calls * talkS) / logUniform(random, figures.concurrent) + figures.testLeadS[1]
    add(kind, { ...figures, durationS }, (order) => open(stage, order))
  }
  const burst = campaigns.short_answer_burst
  const durationS: OrderFigures['durationS'] = (random, calls) => (calls * 60) / logUniform(random, burst.perMinute)
  add('short_answer_burst', { ...burst, durationS }, episode(burst.hours, shortAnswerBurst))
  return [...normalActors(stage, Math.max(0, attempts - ordered)), ...actors]
}

function normalActors(stage: Stage, attempts: number): Actor[] {
  const classes = Object.entries(stage.scenario.normal)
  const weights = classes.reduce((sum, [, { weight }]) => sum + weight, 0)
  return classes
    .filter(([, { weight }]) => weight > 0)
    .map(([name, { weight }]) => new NormalTraffic(stage, name as NormalClass, (attempts * weight) / weights))
}
