/**
 * Legitimate traffic that looks like fraud: diallers, school notifications, taxis that signal with a missed call,
 * delivery drivers, a phone system that retries without end, conferences that dial out, test equipment. All of it is
 * labelled normal. Each function draws what its episode is like and gives how one call of it goes.
 */
import type { CallShape, Parties, Truth } from './cdr-call.ts'
import { clamp, logNormal, logNormalOfMean, normal, uniform, wholeUniform } from './cdr-draws.ts'
import { Habits } from './cdr-habits.ts'
import { digitsOf, freeDigits, pick } from './cdr-number-plan.ts'
import type { HardNegativeKind } from './cdr-scenario.ts'
import { type Order, type Play, type Stage, sendCall } from './cdr-stage.ts'
import { trunk } from './cdr-trunks.ts'

export const hardNegatives: Readonly<Record<HardNegativeKind, (stage: Stage, order: Order) => Play>> = {
  dialler,
  school_notification: schoolNotification,
  taxi_missed_call: taxiMissedCall,
  delivery_driver: deliveryDriver,
  retry_storm: retryStorm,
  conference,
  test_calls: testCalls,
}

/** Companies behind episodes; the first 400 also have ordinary traffic. */
const companies = 4000

function truthOf(order: Order): Truth {
  return { label: 'normal', campaign: order.name, subject: '' }
}

/** Calls faster than its agents are free: some who answer hear nobody. */
function dialler(stage: Stage, order: Order): Play {
  const { random } = order
  const { plan, trunks } = stage
  const habits = new Habits(random, stage.scenario)
  const company = Math.floor(random() * companies)
  const callers = Array.from({ length: wholeUniform(random, [1, 5]) }, (_, line) => plan.company(company + line))
  const ingress = trunk(trunks.access, company)
  const asr = uniform(random, [0.18, 0.35])
  const giveUpS = uniform(random, [14, 26])
  const abandonShare = uniform(random, [0.01, 0.05])
  const talkMeanS = uniform(random, [60, 120])
  return (atUs, sink) => {
    const parties = {
      from: pick(random, callers),
      to: plan.anySubscriber(random),
      ingress,
      egress: trunk(trunks.access, random() * 1e6),
    }
    const talkS = logNormalOfMean(random, talkMeanS, 1.1)
    let shape = habits.machineAttempt(asr, [talkS, talkS], giveUpS)
    if (shape.outcome === 'answered' && random() < abandonShare) {
      shape = { ...shape, talkS: uniform(random, [0.6, 2]), releasedBy: 'caller' }
    }
    sendCall(sink, shape, parties, truthOf(order), atUs)
  }
}

/** One number calls a neighbourhood within minutes with the same recorded message. */
function schoolNotification(stage: Stage, order: Order): Play {
  const { random } = order
  const { plan, trunks } = stage
  const habits = new Habits(random, stage.scenario)
  const from = plan.company(Math.floor(random() * companies))
  const area = Math.floor(random() * plan.subscribers)
  const messageS = uniform(random, [18, 40])
  const giveUpS = uniform(random, [20, 30])
  const asr = uniform(random, [0.5, 0.75])
  return (atUs, sink) => {
    const to = plan.subscriber((area + Math.floor(random() * 5000)) % plan.subscribers)
    const egress = trunk(trunks.access, area)
    const heardS = random() < 0.3 ? messageS * uniform(random, [0.1, 0.9]) : messageS + 0.3 * normal(random)
    const shape = habits.machineAttempt(asr, [heardS, heardS], giveUpS)
    sendCall(sink, shape, { from, to, ingress: egress, egress }, truthOf(order), atUs)
  }
}

/** Two rings and hang up: "your taxi is here". Some passengers answer, some call back. */
function taxiMissedCall(stage: Stage, order: Order): Play {
  const { random } = order
  const { plan, trunks } = stage
  const habits = new Habits(random, stage.scenario)
  const company = Math.floor(random() * companies)
  const from = plan.company(company)
  const ingress = trunk(trunks.access, company)
  const ringMeanS = uniform(random, [3, 8])
  const answeredShare = uniform(random, [0.08, 0.25])
  return (atUs, sink) => {
    const to = plan.anySubscriber(random)
    const parties: Parties = { from, to, ingress, egress: trunk(trunks.access, random() * 1e6) }
    const ringS = clamp(ringMeanS + 0.9 * normal(random), [1.2, 14])
    const shape: CallShape =
      random() < answeredShare
        ? { outcome: 'answered', postDialS: habits.postDialS(false), ringS, talkS: uniform(random, [4, 25]) }
        : { outcome: 'cancel', postDialS: habits.postDialS(false), ringS, talkS: 0 }
    sendCall(sink, shape, parties, truthOf(order), atUs)
    if (shape.outcome === 'answered' || random() > 0.12) return
    const back: Parties = { from: to, to: from, ingress: parties.egress, egress: ingress }
    const backUs = atUs + Math.round(uniform(random, [20, 300]) * 1e6)
    sendCall(sink, habits.attempt(0.9, uniform(random, [8, 60]), false), back, truthOf(order), backUs)
  }
}

/** A handset on the road: one short call after the other, to people who do not know it. */
function deliveryDriver(stage: Stage, order: Order): Play {
  const { random } = order
  const { plan, trunks } = stage
  const habits = new Habits(random, stage.scenario)
  const driver = Math.floor(random() * plan.subscribers)
  const from = plan.subscriber(driver)
  const asr = uniform(random, [0.45, 0.7])
  return (atUs, sink) => {
    const to = plan.subscriber((driver + Math.floor(random() * 40_000)) % plan.subscribers)
    const parties = { from, to, ingress: trunk(trunks.access, driver), egress: trunk(trunks.access, random() * 1e6) }
    const shape = habits.attempt(asr, logNormal(random, Math.log(18), 0.6), false)
    sendCall(sink, shape, parties, truthOf(order), atUs)
  }
}

/** A misconfigured phone system: the same call fails the same way, again and again. */
function retryStorm(stage: Stage, order: Order): Play {
  const { random } = order
  const { plan, trunks } = stage
  const company = Math.floor(random() * companies)
  const from = plan.company(company)
  const called = Array.from({ length: wholeUniform(random, [1, 5]) }, () => plan.anySubscriber(random))
  const outcome = pick(random, ['congestion', 'not_found', 'busy', 'cancel'] as const)
  const postDialS = uniform(random, [0.05, 0.6])
  const ringS = uniform(random, [0.8, 3])
  return (atUs, sink) => {
    const ingress = trunk(trunks.access, company)
    const parties = { from, to: pick(random, called), ingress, egress: trunk(trunks.access, company + 1) }
    const shape: CallShape = {
      outcome,
      postDialS: postDialS * (0.95 + 0.1 * random()),
      ringS: ringS + 0.05 * normal(random),
      talkS: 0,
    }
    sendCall(sink, shape, parties, truthOf(order), atUs)
  }
}

/** A bridge that calls its participants at the same moment and holds them for long. */
function conference(stage: Stage, order: Order): Play {
  const { random } = order
  const { plan, trunks } = stage
  const habits = new Habits(random, stage.scenario)
  const company = Math.floor(random() * companies)
  const from = plan.company(company)
  const lengthS = uniform(random, [900, 4500])
  return (atUs, sink) => {
    const abroad = random() < 0.15
    const to = abroad ? plan.foreigner(Math.floor(random() * 1e6)) : plan.anySubscriber(random)
    const egress = trunk(abroad ? trunks.carrier : trunks.access, random() * 1e6)
    const parties = { from, to, ingress: trunk(trunks.access, company), egress }
    const shape = habits.attempt(0.85, lengthS * uniform(random, [0.6, 1]), abroad)
    sendCall(sink, shape, parties, truthOf(order), atUs)
  }
}

/** Test equipment: the same few numbers call the same few numbers, ring and hang up or answer shortly, evenly. */
function testCalls(stage: Stage, order: Order): Play {
  const { random } = order
  const { plan, trunks } = stage
  const block = pick(random, plan.blocks.rented)
  const front = block.prefix + digitsOf(random, freeDigits(block) - 2)
  const callers = Array.from({ length: wholeUniform(random, [2, 6]) }, (_, index) => front + String(10 + index))
  const called = Array.from({ length: wholeUniform(random, [3, 12]) }, () =>
    plan.company(Math.floor(random() * companies)),
  )
  const ingress = pick(random, trunks.wholesale)
  const ringS = uniform(random, [1.5, 5])
  const talkS = uniform(random, [1, 8])
  const answeredShare = uniform(random, [0.2, 0.9])
  return (atUs, sink) => {
    const parties = { from: pick(random, callers), to: pick(random, called), ingress, egress: trunks.access[0]! }
    const outcome = random() < answeredShare ? 'answered' : 'cancel'
    const postDialS = uniform(random, [0.4, 2])
    const shape: CallShape = {
      outcome,
      postDialS,
      ringS: ringS + 0.05 * normal(random),
      talkS: talkS + 0.05 * random(),
    }
    sendCall(sink, shape, parties, truthOf(order), atUs)
  }
}
