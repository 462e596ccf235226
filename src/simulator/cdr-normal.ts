/**
 * Ordinary traffic: households, wholesale, call centres. Calls are generated in order of their end: the ends of calls
 * that begin at random are as random, so no call in progress has to be remembered. A part of the unanswered is
 * followed by a second try or by a call back, as people do. One actor a class.
 */
import { Arrivals } from './cdr-arrivals.ts'
import { type CallShape, cdrOf, durationUs, type Parties, type Truth } from './cdr-call.ts'
import { hash32, logUniform, type Pair } from './cdr-draws.ts'
import { Habits } from './cdr-habits.ts'
import type { Scenario } from './cdr-scenario.ts'
import type { Actor, Sink, Stage } from './cdr-stage.ts'
import { trunk } from './cdr-trunks.ts'
import type { Random } from './seeded-random.ts'

export type NormalClass = keyof Scenario['normal']

/** Share of delays, uniform in the logarithm, after which a moment of the span still lies in the span. */
function fittingShare([low, high]: Pair, spanS: number): number {
  const steps = 64
  const from = Math.max(low, high / 100)
  let sum = 0
  for (let step = 0; step < steps; step++) {
    const delayS = from * (high / from) ** ((step + 0.5) / steps)
    sum += Math.max(0, 1 - delayS / spanS)
  }
  return sum / steps
}

/** People one calls again and again; the first ones most. */
const contacts = 40

export class NormalTraffic implements Actor {
  nextUs: number
  readonly #name: NormalClass
  readonly #figures: Scenario['normal'][NormalClass]
  readonly #stage: Stage
  readonly #random: Random
  readonly #habits: Habits
  readonly #arrivals: Arrivals
  readonly #truth: Truth

  constructor(stage: Stage, name: NormalClass, count: number) {
    this.#name = name
    this.#figures = stage.scenario.normal[name]
    this.#stage = stage
    this.#random = stage.random(`normal ${name}`)
    this.#habits = new Habits(this.#random, stage.scenario)
    this.#truth = { label: 'normal', campaign: name, subject: '' }
    // Second tries and calls back are calls too: they come out of the same count.
    const calls = count / (1 + this.#followShare())
    const profile = stage.profile(this.#figures.hours)
    this.#arrivals = new Arrivals(this.#random, profile, calls, stage.startUs, stage.endUs)
    this.nextUs = this.#arrivals.next()
  }

  step(sink: Sink): void {
    const random = this.#random
    const abroad = random() < this.#figures.abroadShare
    const parties = this.#parties(abroad)
    const { asr, holdingS, shortShare } = this.#figures
    const shape = this.#habits.attempt(asr, this.#habits.holdingS(holdingS, shortShare), abroad)
    const startUs = this.nextUs - durationUs(shape)
    sink.send({ record: cdrOf(shape, parties, startUs), truth: this.#truth, emitUs: this.nextUs })
    if (shape.outcome !== 'answered') this.#follow(sink, shape, parties, abroad)
    this.nextUs = this.#arrivals.next()
  }

  /** Follow-ups per first call. */
  #followShare(): number {
    const { redialShare, redialS, returnShare, returnS } = this.#stage.scenario.people
    const spanS = (this.#stage.endUs - this.#stage.startUs) / 1e6
    const { cancel = 0, no_answer = 0, busy = 0, ...others } = this.#stage.scenario.failures
    const missed = cancel + no_answer
    const all = missed + busy + Object.values(others).reduce((sum, each) => sum + each, 0)
    const failed = 1 - this.#figures.asr
    const back = this.#name === 'retail' ? ((returnShare * missed) / all) * fittingShare(returnS, spanS) : 0
    const again = ((redialShare * (missed + busy)) / all) * fittingShare(redialS, spanS)
    return failed * (again + back * (1 - redialShare))
  }

  #follow(sink: Sink, shape: CallShape, parties: Parties, abroad: boolean): void {
    const { redialShare, redialS, returnShare, returnS } = this.#stage.scenario.people
    const random = this.#random
    const missed = shape.outcome === 'cancel' || shape.outcome === 'no_answer'
    if (!missed && shape.outcome !== 'busy') return
    if (random() < redialShare) this.#second(sink, parties, logUniform(random, redialS), abroad)
    else if (missed && this.#name === 'retail' && random() < returnShare && parties.fromState !== 'withheld') {
      const { trunks } = this.#stage
      const back: Parties = {
        from: parties.to,
        to: parties.from,
        ingress: trunk(abroad ? trunks.carrier : trunks.access, hash32(Number(parties.to) | 0, 5)),
        egress: trunk(trunks.access, hash32(Number(parties.from) | 0, 5)),
      }
      this.#second(sink, back, logUniform(random, returnS), abroad)
    }
  }

  #second(sink: Sink, parties: Parties, afterS: number, abroad: boolean): void {
    const { holdingS, shortShare, asr } = this.#figures
    const shape = this.#habits.attempt(asr, this.#habits.holdingS(holdingS, shortShare), abroad)
    const startUs = this.nextUs + Math.round(afterS * 1e6)
    if (startUs > this.#stage.endUs) return
    const record = cdrOf(shape, parties, startUs)
    sink.send({ record, truth: this.#truth, emitUs: startUs + durationUs(shape) })
  }

  #parties(abroad: boolean): Parties {
    const random = this.#random
    const { plan, trunks, scenario } = this.#stage
    if (this.#name === 'wholesale') return this.#transit()
    if (this.#name === 'call_centre') {
      // Two in three calls go out, the others come in.
      const company = plan.company(Math.floor(random() ** 2 * 400))
      const person = plan.anySubscriber(random)
      const desk = trunk(trunks.access, hash32(Number(company) | 0, 9))
      const line = trunk(trunks.access, Math.floor(random() * 1e6))
      if (random() < 0.67) return { from: company, to: person, ingress: desk, egress: line }
      return { from: person, to: company, ingress: line, egress: desk }
    }
    // Some people call far more than others.
    const caller = Math.floor(random() ** 1.7 * plan.subscribers)
    const contact = Math.floor(random() ** 3 * contacts)
    const to = abroad
      ? plan.foreigner(hash32(caller, contact % 3))
      : plan.subscriber(hash32(caller, 100 + contact) % plan.subscribers)
    return {
      from: plan.subscriber(caller),
      ...(random() < scenario.people.withheldShare ? { fromState: 'withheld' as const } : {}),
      to,
      ingress: trunk(trunks.access, caller),
      egress: trunk(abroad ? trunks.carrier : trunks.access, hash32(caller, contact)),
    }
  }

  /** From anywhere to anywhere, many callers, some busy numbers among the called. */
  #transit(): Parties {
    const random = this.#random
    const { plan, trunks, scenario } = this.#stage
    const people = plan.subscribers * 2
    const from = plan.foreigner(Math.floor(random() ** 1.5 * people))
    const home = random() < 0.4
    const to = home ? plan.anySubscriber(random) : plan.foreigner(people + Math.floor(random() ** 1.5 * people))
    return {
      from,
      ...(random() < scenario.people.withheldShare ? { fromState: 'withheld' as const } : {}),
      to,
      ingress: trunk(trunks.wholesale, random() ** 1.5 * trunks.wholesale.length),
      egress: trunk(home ? trunks.access : trunks.carrier, random() * 1e6),
    }
  }
}
