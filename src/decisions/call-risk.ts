/**
 * A call's risk: what the voice says, joined with what signalling says of the call: StirVerstat, open cases on the
 * caller's number, range and route, and what the caller's call records were like. Sources are added as log-odds
 * (independent evidence multiplies odds), each with its weight in words and numbers; signalling together is bounded,
 * so that the voice has the last word. The weights are judged, not learned (configs/default.yaml). Risk says what
 * speaks for a synthetic or fraudulent call; it never says who is calling. Pure, any thread.
 *
 *   voice 0.94            +2.75   odds x15.7
 *   robocall case, open   +1.44   odds x4.2       score 0.9 of weight 1.6
 *   attestation A         -0.70   odds x0.50
 *                         -----
 *   risk 0.97             +3.49   odds 33 : 1
 */
import type { RiskConfig } from '../config/actions-schema.ts'
import type { Subject } from './case-subjects.ts'
import type { CaseKind } from './fraud-signal.ts'

/** A case that a call falls under. */
export interface KnownCase {
  readonly id: string
  readonly kind: CaseKind
  readonly subject: Subject
  readonly state: 'open' | 'cooled' | 'closed' | 'merged'
  /** 0..1 */
  readonly score: number
  /** What a person said of it. */
  readonly verdict: 'confirmed' | 'dismissed' | null
}

/** The caller's call records. */
export interface CallerHistory {
  /** How far back was looked, days. */
  readonly days: number
  readonly attempts: number
  readonly answered: number
  /** Of answered calls, ms in all. */
  readonly talkMs: number
  readonly distinctCalled: number
}

export interface Signalling {
  /** As Twilio says it, or empty. */
  readonly stirVerstat: string
  readonly cases: readonly KnownCase[]
  /** Null: not known (yet). */
  readonly history: CallerHistory | null
}

export interface RiskPart {
  readonly code: string
  readonly text: string
  /** Natural log of the factor on the odds. */
  readonly logOdds: number
}

export interface CallRisk {
  /** 0..1 */
  readonly score: number
  /** The sum of the parts. */
  readonly logOdds: number
  readonly parts: readonly RiskPart[]
}

/** The voice alone is never surer than odds of 1000 : 1. */
const voiceOddsMax = 1000
/** A cooled case counts half, one that a person confirmed half as much again. */
const cooledShare = 0.5
const confirmedShare = 1.5
/** A talker: so many answered calls, at least this share of all, so long on average. */
const talker = { answeredMin: 5, answeredShareMin: 0.5, talkMeanMsMin: 60_000 }
/** A dialler: so many calls to so many numbers, at most this share answered. */
const dialler = { attemptsMin: 50, distinctCalledMin: 30, answeredShareMax: 0.35 }

/** @param score of the voice, or null before anything was judged */
export function callRisk(score: number | null, signalling: Signalling, weights: RiskConfig): CallRisk {
  const { stirVerstat, cases, history } = signalling
  const told = [stirPart(stirVerstat, weights), ...caseParts(cases, weights), historyPart(history, weights)]
  const sum = told.reduce((total, part) => total + part.logOdds, 0)
  const max = weights.signallingMax
  const parts = [voicePart(score), ...told]
  if (Math.abs(sum) > max) {
    const text = `signalling together counts ${signed(Math.sign(sum) * max)} at most`
    parts.push({ code: 'signalling_bounded', text, logOdds: round(Math.sign(sum) * max - sum) })
  }
  const logOdds = parts.reduce((total, part) => total + part.logOdds, 0)
  return { score: round(1 / (1 + Math.exp(-logOdds))), logOdds: round(logOdds), parts }
}

function voicePart(score: number | null): RiskPart {
  if (score === null) return { code: 'voice', text: 'no speech was judged yet', logOdds: 0 }
  const bound = Math.log(voiceOddsMax)
  const logOdds = Math.max(-bound, Math.min(bound, Math.log(score / (1 - score))))
  return part('voice', `the voice scores ${score.toFixed(2)}`, logOdds)
}

function stirPart(stirVerstat: string, { stir }: RiskConfig): RiskPart {
  const grade = /^TN-Validation-Passed-([ABC])/.exec(stirVerstat)?.[1]
  if (grade === 'A')
    return part('stir_passed_a', 'the carrier vouches for caller and number (attestation A)', stir.passedA)
  if (grade === 'B') return part('stir_passed_b', 'the carrier knows the caller, not the number (B)', stir.passedB)
  if (grade === 'C') return part('stir_passed_c', 'a gateway let the call in and vouches for nothing (C)', stir.passedC)
  if (stirVerstat.startsWith('TN-Validation-Failed')) {
    return part('stir_failed', "the caller's number failed validation", stir.failed)
  }
  return part('stir_none', 'nobody attests the number', stir.none)
}

/** The strongest case of each kind. */
function caseParts(cases: readonly KnownCase[], weights: RiskConfig): RiskPart[] {
  const strongest = new Map<CaseKind, RiskPart>()
  for (const known of cases) {
    const found = casePart(known, weights)
    const before = strongest.get(known.kind)
    if (found === null || (before !== undefined && Math.abs(before.logOdds) >= Math.abs(found.logOdds))) continue
    strongest.set(known.kind, found)
  }
  return [...strongest.values()]
}

function casePart({ kind, subject, state, score, verdict }: KnownCase, weights: RiskConfig): RiskPart | null {
  if ((state !== 'open' && state !== 'cooled') || verdict === 'dismissed') return null
  const place = placeOf(subject)
  if (place === null) return null
  const share = weights.subjects[place] * (state === 'cooled' ? cooledShare : 1)
  const logOdds = weights.cases[kind] * share * score * (verdict === 'confirmed' ? confirmedShare : 1)
  const sure = verdict === 'confirmed' ? ', confirmed by a person' : ''
  const text = `${state} ${kind} case on the caller's ${place}, score ${score.toFixed(2)}${sure}`
  return part(`case_${kind}`, text, logOdds)
}

/** Cases on called numbers say nothing about who calls them. */
function placeOf({ type }: Subject): 'number' | 'range' | 'route' | null {
  if (type === 'number' || type === 'range') return type
  return type === 'called_number' ? null : 'route'
}

function historyPart(history: CallerHistory | null, { history: weights }: RiskConfig): RiskPart {
  if (history === null) return { code: 'history_unknown', text: "the caller's records were not looked up", logOdds: 0 }
  const { days, attempts, answered, talkMs, distinctCalled } = history
  const share = attempts === 0 ? 0 : answered / attempts
  const calls = `${attempts} calls in ${days} days, ${Math.round(share * 100)} % answered`
  if (attempts === 0) return { code: 'history_none', text: `no call records of the caller in ${days} days`, logOdds: 0 }
  const { attemptsMin, distinctCalledMin, answeredShareMax } = dialler
  if (attempts >= attemptsMin && distinctCalled >= distinctCalledMin && share <= answeredShareMax) {
    return part('history_dialler', `${calls}, to ${distinctCalled} numbers`, weights.dialler)
  }
  const meanMs = answered === 0 ? 0 : talkMs / answered
  if (answered >= talker.answeredMin && share >= talker.answeredShareMin && meanMs >= talker.talkMeanMsMin) {
    return part('history_talker', `${calls}, ${Math.round(meanMs / 1000)} s each`, weights.talker)
  }
  return { code: 'history_plain', text: `${calls}: nothing speaks either way`, logOdds: 0 }
}

/** The words end in what it does to the odds. */
function part(code: string, text: string, logOdds: number): RiskPart {
  const factor = Math.exp(logOdds)
  return {
    code,
    text: `${text}: odds x${factor >= 10 ? factor.toFixed(0) : factor.toFixed(2)}`,
    logOdds: round(logOdds),
  }
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${value.toFixed(2)}`
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
