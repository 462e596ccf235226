/** Calls as short scenarios write them: a caller, a called number, when, and how it went. */
import type { CdrRecord, ReleaseParty } from '../../src/wire/cdr-record.ts'

export interface CallSketch {
  readonly from: string
  readonly to: string
  /** Seconds after the start of the scenario. */
  readonly atS: number
  readonly ringS?: number
  /** Seconds of talk; absent: not answered. */
  readonly talkS?: number
  readonly releasedBy?: ReleaseParty
  readonly sip?: number
  readonly route?: string
  readonly fromValid?: boolean
}

/** Tuesday 2026-01-06, 10:00 UTC. */
export const scenarioStartMs = Date.UTC(2026, 0, 6, 10)

let made = 0

export function call(sketch: CallSketch): CdrRecord {
  const { from, to, atS, ringS = 8, talkS, releasedBy = 'caller', sip, route = 'trunk-a', fromValid = true } = sketch
  const startUs = Math.round((scenarioStartMs + atS * 1000) * 1000)
  const ringUs = startUs + 1_500_000
  const overUs = ringUs + Math.round(ringS * 1e6)
  made += 1
  return {
    id: `test:${made}:a:call`,
    source: 'test',
    callId: String(made),
    leg: 'a',
    kind: 'call',
    startUs,
    ringUs: sip !== undefined && sip >= 500 ? undefined : ringUs,
    answerUs: talkS === undefined ? null : overUs,
    endUs: talkS === undefined ? overUs : overUs + Math.round(talkS * 1e6),
    from,
    fromRaw: from,
    fromValid,
    to,
    toRaw: to,
    toValid: true,
    ingress: route,
    egress: undefined,
    causeQ850: undefined,
    causeSip: sip,
    causeRaw: undefined,
    releasedBy,
    ringMs: sip !== undefined && sip >= 500 ? undefined : Math.round(ringS * 1000),
    talkMs: talkS === undefined ? 0 : Math.round(talkS * 1000),
    isAttempt: true,
    attributes: {},
    flags: undefined,
  }
}
