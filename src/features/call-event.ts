/**
 * A call as the windows see it: the few numbers of a canonical CDR that features are made of. Event time is when the
 * call was over, because that is when a switch can tell of it; a call without an end counts at its answer or start.
 * Any thread.
 */
import type { CdrRecord } from '../wire/cdr-record.ts'

export interface CallEvent {
  readonly id: string
  readonly source: string
  /** Event time: the end of the call, ms since the epoch. */
  readonly timeMs: number
  readonly startMs: number
  /** Digits, or '' when withheld or absent. */
  readonly from: string
  readonly to: string
  readonly route: string
  readonly answered: boolean
  readonly fromInvalid: boolean
  /** Both numbers are whole ones, of different country codes. */
  readonly foreign: boolean
  /** Both are whole ones of the same country code. */
  readonly domestic: boolean
  readonly releasedByCaller: boolean
  readonly releasedByCallee: boolean
  readonly networkFailed: boolean
  /** Over before anybody could answer: rang at most 5 s (at most 8 s from setup to end when ringing is not told). */
  readonly blink: boolean
  /** Seconds; NaN when the switch did not tell. */
  readonly ringS: number
  /** Start to end of an attempt that was not answered, seconds; NaN for answered calls and when there is no end. */
  readonly holdS: number
  readonly talkS: number
}

/** Q.850 causes of a network, a route or a number that is not there: nobody's phone rang. */
const networkCauses: ReadonlySet<number> = new Set([
  1, 2, 3, 5, 25, 27, 28, 34, 38, 41, 42, 44, 47, 58, 63, 88, 102, 127,
])

/** An attempt was cancelled by its caller: said so, or a SIP 487. */
function cancelled(record: CdrRecord): boolean {
  return record.releasedBy === 'caller' || (record.releasedBy === 'unknown' && record.causeSip === 487)
}

/**
 * SIP answers of the called party: busy, declined, unwanted. A 6xx is no failure of the network as a 5xx is: the called
 * party was reached (RFC 3261 21.6: 600 busy everywhere, 603 decline; RFC 8197: 607 unwanted).
 */
const calleeAnswers: ReadonlySet<number> = new Set([486, 600, 603, 607])
/** Of 6xx, what is none: no such user anywhere, nothing acceptable, refused by a machine on the way (RFC 8688). */
const networkAnswers: ReadonlySet<number> = new Set([404, 604, 606, 608])

function rejected(record: CdrRecord): boolean {
  if (record.releasedBy !== 'unknown') return record.releasedBy === 'callee'
  return record.causeQ850 === 17 || record.causeQ850 === 21 || calleeAnswers.has(record.causeSip ?? 0)
}

function failedInNetwork({ causeQ850: cause, causeSip: sip = 0 }: CdrRecord): boolean {
  if (cause !== undefined && networkCauses.has(cause)) return true
  return networkAnswers.has(sip) || (sip >= 500 && sip < 600)
}

const blinkRingS = 5
const blinkHoldS = 8
/** Shorter than this nothing rang: the attempt failed. */
const blinkLeastS = 0.3

/** The line was engaged: as long as no ring is told, nobody's phone rang. */
function busy(record: CdrRecord): boolean {
  return record.causeQ850 === 17 || record.causeSip === 486 || record.causeSip === 600
}

/** Someone must have ended it, or a ring be told: an unanswered record with neither may be any failure. */
function isBlink(record: CdrRecord, ringS: number, holdS: number): boolean {
  if (ringS >= 0) return ringS <= blinkRingS && holdS <= 4 * blinkHoldS
  if (busy(record)) return false
  return holdS >= blinkLeastS && holdS <= blinkHoldS && (cancelled(record) || rejected(record))
}

/** Country codes of two digits (ITU-T E.164); 1 and 7 have one, all others three. */
const twoDigitCodes: ReadonlySet<string> = new Set(
  (
    '20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 ' +
    '90 91 92 93 94 95 98'
  ).split(' '),
)

function countryOf(digits: string): string {
  if (digits[0] === '1' || digits[0] === '7') return digits.slice(0, 1)
  const two = digits.slice(0, 2)
  return twoDigitCodes.has(two) ? two : digits.slice(0, 3)
}

export function callEventOf(record: CdrRecord): CallEvent {
  const startMs = record.startUs / 1000
  const answered = record.answerUs !== null
  const talkS = answered ? Math.max(0, record.talkMs ?? 0) / 1000 : 0
  const endMs = record.endUs === undefined ? Math.max(startMs, (record.answerUs ?? 0) / 1000 + talkS * 1000) : 0
  const timeMs = record.endUs === undefined ? endMs : Math.max(startMs, record.endUs / 1000)
  const failed = !answered && failedInNetwork(record)
  const ringMs = record.ringMs ?? (answered ? ((record.answerUs ?? 0) - record.startUs) / 1000 : Number.NaN)
  const ringS = ringMs >= 0 ? ringMs / 1000 : Number.NaN
  const holdS = answered || record.endUs === undefined ? Number.NaN : (timeMs - startMs) / 1000
  const whole = record.fromValid && record.toValid
  const alike = countryOf(record.from ?? '') === countryOf(record.to ?? '')
  return {
    id: record.id,
    source: record.source,
    timeMs,
    startMs,
    from: record.from ?? '',
    to: record.to ?? record.toRaw,
    route: record.ingress ?? record.egress ?? record.source,
    answered,
    // Withheld is a right of the caller, an impossible number is not.
    fromInvalid: !record.fromValid && record.from !== undefined,
    foreign: whole && !alike,
    domestic: whole && alike,
    releasedByCaller: cancelled(record),
    releasedByCallee: rejected(record),
    networkFailed: failed,
    blink: !answered && !failed && isBlink(record, ringS, holdS),
    ringS,
    holdS,
    talkS,
  }
}
