/**
 * Campaigns that call many people: wangiri (one ring and bait a call back), robocalls (short-lived numbers, machine
 * pace), spoofed callers, and bursts of calls that are answered for a second or two. Each function draws what its
 * campaign is like and gives how one call of it goes.
 */
import type { CallerState, Truth } from './cdr-call.ts'
import {
  clamp,
  logNormalOfMean,
  logUniform,
  normal,
  type Pair,
  uniform,
  WeightedChoice,
  wholeLogUniform,
} from './cdr-draws.ts'
import { Habits } from './cdr-habits.ts'
import { digitsOf, freeDigits, frontIn, numberIn, pick } from './cdr-number-plan.ts'
import { type Order, type Play, type Stage, sendCall } from './cdr-stage.ts'
import { trunk } from './cdr-trunks.ts'
import type { Random } from './seeded-random.ts'

/** B in sequence through a block, A from a dear range; some of the called call back. */
export function wangiri(stage: Stage, order: Order): Play {
  const figures = stage.scenario.campaigns.wangiri
  const { random } = order
  const { trunks, plan } = stage
  const habits = new Habits(random, stage.scenario)
  const front = frontIn(random, pick(random, plan.blocks.premium), 3)
  const callers = Array.from({ length: wholeLogUniform(random, figures.callers) }, () => front + digitsOf(random, 3))
  const block = pick(random, plan.blocks.home)
  const ringMeanS = uniform(random, figures.ringS)
  const answeredShare = uniform(random, figures.answeredShare)
  const skipShare = uniform(random, figures.skipShare)
  const callbackShare = uniform(random, figures.callbackShare)
  const ingress = pick(random, trunks.wholesale)
  const bait: Truth = { label: 'normal', campaign: order.name, subject: '' }
  let place = Math.floor(random() * 10 ** freeDigits(block))
  let called = 0
  return (atUs, sink) => {
    place++
    while (random() < skipShare) place++
    const to = numberIn(block, place)
    const from = callers[called++ % callers.length]!
    const egress = trunk(trunks.access, place / 10_000)
    const ringS = clamp(ringMeanS + 0.25 * normal(random), figures.ringS)
    const postDialS = habits.postDialS(true)
    const answered = random() < answeredShare
    const shape = answered
      ? { outcome: 'answered' as const, postDialS, ringS, talkS: uniform(random, [0.5, 4]) }
      : { outcome: 'cancel' as const, postDialS, ringS, talkS: 0 }
    const truth: Truth = { label: 'wangiri', campaign: order.name, subject: `number:${from}` }
    sendCall(sink, shape, { from, to, ingress, egress }, truth, atUs)
    if (answered || random() >= callbackShare) return
    // The victim's own call is no attack: it is labelled normal, and carries the campaign.
    const talkS = uniform(random, figures.callbackTalkS)
    const backUs = atUs + Math.round(logUniform(random, figures.callbackAfterS) * 1e6)
    const parties = { from: to, to: from, ingress: egress, egress: pick(random, trunks.carrier) }
    sendCall(sink, habits.attempt(0.9, talkS, true), parties, bait, backUs)
  }
}

interface Line {
  from: string
  left: number
}

/** Numbers that a robocaller has in use at a time. */
const linesAtATime = 8

export function robocalls(stage: Stage, order: Order): Play {
  const figures = stage.scenario.campaigns.robocall
  const { random } = order
  const { trunks, plan } = stage
  const { rented, abroad, home } = plan.blocks
  const habits = new Habits(random, stage.scenario)
  const asr = uniform(random, figures.asr)
  const talkMeanS = uniform(random, figures.talkMeanS)
  const talk: Pair = [talkMeanS * 0.3, talkMeanS * 1.7]
  const giveUpS = uniform(random, figures.giveUpS)
  const ingress = pick(random, trunks.wholesale)
  const lines: Line[] = Array.from({ length: linesAtATime }, () => ({ from: '', left: 0 }))
  return (atUs, sink) => {
    const to = plan.anySubscriber(random)
    const line = pick(random, lines)
    if (line.left <= 0) {
      const sameArea = random() < figures.sameAreaShare
      const block = sameArea
        ? home.find(({ prefix }) => to.startsWith(prefix))!
        : pick(random, random() < 0.6 ? home : random() < 0.5 ? rented : abroad)
      line.from = block.prefix + digitsOf(random, freeDigits(block))
      line.left = Math.max(
        1,
        Math.round(logNormalOfMean(random, figures.callsPerNumberMean, figures.callsPerNumberSigma)),
      )
    }
    line.left--
    const parties = { from: line.from, to, ingress, egress: trunk(trunks.access, random() * 1e6) }
    const truth: Truth = { label: 'robocall', campaign: order.name, subject: `number:${line.from}` }
    sendCall(sink, habits.machineAttempt(asr, talk, giveUpS), parties, truth, atUs)
  }
}

/** Calls from abroad that pretend to be somebody at home, or nobody who can exist. */
export function cliSpoof(stage: Stage, order: Order): Play {
  const figures = stage.scenario.campaigns.cli_spoof
  const { random } = order
  const { trunks, plan } = stage
  const habits = new Habits(random, stage.scenario)
  const style = new WeightedChoice(figures.styles).draw(random)
  const asr = uniform(random, figures.asr)
  const ingress = pick(random, trunks.wholesale)
  const bank = plan.company(Math.floor(random() * 400))
  const caller = (): { from: string; fromState: CallerState } => {
    if (style === 'well_known') return { from: bank, fromState: 'number' }
    if (style === 'domestic') return { from: plan.anySubscriber(random), fromState: 'number' }
    const number = plan.anySubscriber(random)
    // Too long or too short for the plan.
    const from = random() < 0.5 ? number + digitsOf(random, 2) : number.slice(0, -wholeOf(random, 1, 3))
    return { from, fromState: 'impossible' }
  }
  const subject = style === 'well_known' ? `number:${bank}` : `route:${ingress}`
  const truth: Truth = { label: 'cli_spoof', campaign: order.name, subject }
  return (atUs, sink) => {
    const parties = {
      ...caller(),
      to: plan.anySubscriber(random),
      ingress,
      egress: trunk(trunks.access, random() * 1e6),
    }
    sendCall(sink, habits.attempt(asr, logUniform(random, figures.talkS), true), parties, truth, atUs)
  }
}

/** One route, one destination: answered for a second or two, a fresh A nearly every time, few B. */
export function shortAnswerBurst(stage: Stage, order: Order): Play {
  const figures = stage.scenario.campaigns.short_answer_burst
  const { random } = order
  const { trunks, plan } = stage
  const { abroad, home, rented } = plan.blocks
  const habits = new Habits(random, stage.scenario)
  const ingress = pick(random, trunks.wholesale)
  const egress = pick(random, trunks.carrier)
  const destination = frontIn(random, pick(random, abroad), 5)
  const called = Array.from(
    { length: wholeLogUniform(random, figures.calledNumbers) },
    () => destination + digitsOf(random, 5),
  )
  const shortShare = uniform(random, figures.shortShare)
  const reuseShare = uniform(random, figures.reuseShare)
  const subject = `route_destination:${ingress}>${destination}`
  const truth: Truth = { label: 'short_answer_burst', campaign: order.name, subject }
  let last = ''
  return (atUs, sink) => {
    if (last === '' || random() >= reuseShare) {
      const block = pick(random, random() < 0.6 ? abroad : random() < 0.5 ? home : rented)
      last = block.prefix + digitsOf(random, freeDigits(block))
    }
    const parties = { from: last, to: pick(random, called), ingress, egress }
    const short = random() < shortShare
    const postDialS = habits.postDialS(true)
    const shape = short
      ? {
          outcome: 'answered' as const,
          postDialS,
          ringS: uniform(random, [0.1, 3]),
          talkS: uniform(random, figures.talkS),
        }
      : habits.attempt(0.2, uniform(random, [5, 60]), true)
    sendCall(sink, shape, parties, truth, atUs)
  }
}

function wholeOf(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1))
}
