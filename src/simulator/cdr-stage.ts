/**
 * What all parts of the simulated traffic share: the stage they play on, and how they are called. An actor knows when
 * it next has something to do; the traffic calls whoever is next, so parts never wait for one another. Any thread.
 */
import { Arrivals, type HourProfile } from './cdr-arrivals.ts'
import { type CallShape, cdrOf, durationUs, type LabelledCdr, type Parties, type Truth } from './cdr-call.ts'
import type { NumberPlan } from './cdr-number-plan.ts'
import type { Scenario } from './cdr-scenario.ts'
import type { Trunks } from './cdr-trunks.ts'
import type { Random } from './seeded-random.ts'

/** Something that calls. `nextUs`: when it next has something; Infinity: never again. */
export interface Actor {
  readonly nextUs: number
  /** Does what is due at `nextUs` and moves it. */
  step(sink: Sink): void
}

export interface Sink {
  send(cdr: LabelledCdr): void
}

/** What every part of the traffic is made from. */
export interface Stage {
  readonly scenario: Scenario
  readonly plan: NumberPlan
  readonly trunks: Trunks
  readonly startUs: number
  readonly endUs: number
  profile(name: string): HourProfile
  random(part: string): Random
}

/** One campaign or episode as it was planned. */
export interface Order {
  /** `flash_call-3` */
  readonly name: string
  /** Attempts in all, resends and test calls among them. */
  readonly calls: number
  readonly startUs: number
  readonly endUs: number
  readonly random: Random
}

/** Plays one call at a moment. `take` asks for one attempt more out of the same count; false: none is left. */
export type Play = (atUs: number, sink: Sink, take: () => boolean) => void

/** An order played call by call, its moments spread by a profile. */
export class Episode implements Actor {
  nextUs: number
  readonly #arrivals: Arrivals
  readonly #play: Play
  readonly #take = () => this.#arrivals.take()

  constructor(order: Order, profile: HourProfile, play: Play) {
    this.#arrivals = new Arrivals(order.random, profile, order.calls, order.startUs, order.endUs)
    this.#play = play
    this.nextUs = this.#arrivals.next()
  }

  step(sink: Sink): void {
    this.#play(this.nextUs, sink, this.#take)
    this.nextUs = this.#arrivals.next()
  }
}

/** Sends a call that begins at a moment; its record comes when it ends. */
export function sendCall(sink: Sink, shape: CallShape, parties: Parties, truth: Truth, startUs: number): void {
  sink.send({ record: cdrOf(shape, parties, startUs), truth, emitUs: Math.round(startUs) + durationUs(shape) })
}
