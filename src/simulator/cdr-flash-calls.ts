/**
 * Flash-call campaigns: a short ring, then CANCEL; the code stands in the calling number. Per campaign one way to
 * carry the code, one pace of the machine, one route. Some handsets reject, a few people are too quick and answer, and
 * some campaigns speak the code instead (answered calls of constant length).
 *
 *   pool        14991230417   own numbers of a few ranges, the last four digits are the code
 *   own_range   14991230417   one range, all of its numbers in use
 *   scattered   14930917204   code digits here and there in a made-up number
 *   pin         90417         the bare code
 */
import type { CallerState, CallShape, Truth } from './cdr-call.ts'
import { clamp, hash32, normal, uniform, WeightedChoice, wholeLogUniform, wholeUniform } from './cdr-draws.ts'
import { Habits } from './cdr-habits.ts'
import { digitsOf, freeDigits, frontIn, pick } from './cdr-number-plan.ts'
import { type Order, type Play, type Sink, type Stage, sendCall } from './cdr-stage.ts'
import { trunk } from './cdr-trunks.ts'
import type { Random } from './seeded-random.ts'

interface Caller {
  readonly from: string
  readonly state: CallerState
  readonly subject: string
}

/** Digits of the code at the end of A. */
const codeDigits = 4
/** Calls that one subscriber gets for one sign-up. */
const callsPerSubscriberMax = 3

export function flashCalls(stage: Stage, order: Order): Play {
  const figures = stage.scenario.campaigns.flash_call
  const { random } = order
  const { plan, trunks } = stage
  const habits = new Habits(random, stage.scenario)
  const ingresses = Array.from({ length: wholeUniform(random, [1, 2]) }, () => pick(random, trunks.wholesale))
  const caller = callerOf(stage, order, ingresses[0]!)
  const shapeOf = machineOf(stage, random, habits)
  const resendShare = uniform(random, figures.resendShare)

  function call(sink: Sink, to: string, atUs: number): void {
    const { from, state, subject } = caller()
    const parties = {
      from,
      fromState: state,
      to,
      ingress: pick(random, ingresses),
      egress: trunk(trunks.access, random() * 1e6),
    }
    const truth: Truth = { label: 'flash_call', campaign: order.name, subject }
    sendCall(sink, shapeOf(), parties, truth, atUs)
  }

  return (atUs, sink, take) => {
    const to = plan.anySubscriber(random)
    let whenUs = atUs
    call(sink, to, whenUs)
    for (let sent = 1; sent < callsPerSubscriberMax && random() < resendShare && take(); sent++) {
      whenUs += Math.round(uniform(random, figures.resendS) * 1e6)
      call(sink, to, whenUs)
    }
  }
}

/** What happens to each call of a campaign. */
function machineOf(stage: Stage, random: Random, habits: Habits): () => CallShape {
  const figures = stage.scenario.campaigns.flash_call
  const ringMeanS = uniform(random, figures.ringMeanS)
  const ringSdS = uniform(random, figures.ringSdS)
  const rejectShare = uniform(random, figures.calleeRejectShare)
  const answerShare = uniform(random, figures.accidentalAnswerShare)
  if (random() < figures.answeredCampaignShare) return spokenCode(stage, random, habits)
  return () => {
    const ringS = clamp(ringMeanS + ringSdS * normal(random), figures.ringS)
    const postDialS = habits.postDialS(true)
    const dice = random()
    if (dice < rejectShare) return { outcome: 'rejected', postDialS, ringS: ringS * (0.4 + 0.6 * random()), talkS: 0 }
    if (dice < rejectShare + answerShare) {
      return { outcome: 'answered', postDialS, ringS, talkS: uniform(random, [0.3, 1.9]), releasedBy: 'caller' }
    }
    return { outcome: 'cancel', postDialS, ringS, talkS: 0 }
  }
}

function spokenCode(stage: Stage, random: Random, habits: Habits): () => CallShape {
  const talkS = uniform(random, stage.scenario.campaigns.flash_call.answeredTalkS)
  const giveUpS = uniform(random, [20, 28])
  return () => {
    const postDialS = habits.postDialS(true)
    if (random() < 0.7) {
      // Some hang up before the code has been said twice.
      const heardS = random() < 0.25 ? talkS * uniform(random, [0.4, 0.9]) : talkS + 0.4 * normal(random)
      const releasedBy = heardS < talkS * 0.95 ? 'callee' : 'caller'
      return { outcome: 'answered', postDialS, ringS: habits.answerRingS(), talkS: Math.max(2, heardS), releasedBy }
    }
    if (random() < 0.7) return { outcome: 'cancel', postDialS, ringS: giveUpS, talkS: 0 }
    return habits.failure(random() < 0.5 ? 'busy' : 'rejected', true)
  }
}

function callerOf(stage: Stage, order: Order, ingress: string): () => Caller {
  const figures = stage.scenario.campaigns.flash_call
  const { random } = order
  const { rented, abroad, pins } = stage.plan.blocks
  const style = new WeightedChoice(figures.styles).draw(random)
  if (style === 'pin') {
    const digits = wholeUniform(random, [4, 6])
    const subject = `route:${ingress}`
    return () => ({
      from: pins[Math.floor(random() * pins.length)] + digitsOf(random, digits - 1),
      state: 'short',
      subject,
    })
  }
  if (style === 'own_range') {
    const tail = wholeUniform(random, [codeDigits, codeDigits + 1])
    const front = frontIn(random, pick(random, rented), tail)
    const subject = `range:${front}`
    return () => ({ from: front + digitsOf(random, tail), state: 'number', subject })
  }
  if (style === 'scattered') return scatteredCaller(stage, order, ingress)
  const poolSize = wholeLogUniform(random, figures.poolSize)
  const fronts = Array.from({ length: wholeUniform(random, figures.prefixes) }, () =>
    frontIn(random, pick(random, random() < 0.7 ? rented : abroad), codeDigits),
  )
  const salt = Math.floor(random() * 4294967296)
  return () => {
    const member = Math.floor(random() * poolSize)
    const front = fronts[member % fronts.length]!
    const tail = String(hash32(salt, member) % 10 ** codeDigits).padStart(codeDigits, '0')
    return { from: front + tail, state: 'number', subject: `range:${front}` }
  }
}

function scatteredCaller(stage: Stage, order: Order, ingress: string): () => Caller {
  const { random } = order
  const block = pick(random, stage.plan.blocks.rented)
  const made = (block.prefix + digitsOf(random, freeDigits(block))).split('')
  const places = made.map((_, at) => at).slice(block.prefix.length)
  while (places.length > 5) places.splice(Math.floor(random() * places.length), 1)
  const subject = `route:${ingress}`
  return () => {
    for (const place of places) made[place] = String(Math.floor(random() * 10))
    const valid = random() < stage.scenario.campaigns.flash_call.scatteredValidShare
    return { from: made.join(''), state: valid ? 'number' : 'impossible', subject }
  }
}
