/**
 * One simulated call attempt: from what happened (outcome, post-dial delay, ring and talk time) to the canonical CDR
 * that a switch would write, with cause, SIP status and release party as they go together. Records equal what the
 * `canonical` source makes of their line. Any thread.
 */
import { type CdrFlag, type CdrRecord, type ReleaseParty, recordId } from '../wire/cdr-record.ts'
import type { CampaignKind } from './cdr-prevalence.ts'

export type Outcome = 'answered' | 'cancel' | 'no_answer' | 'busy' | 'not_found' | 'rejected' | 'congestion'

export interface CallShape {
  readonly outcome: Outcome
  /** From set-up to ringing. */
  readonly postDialS: number
  /** From ringing to answer or end; not there when it never rang. */
  readonly ringS: number
  readonly talkS: number
  /** Only where the outcome does not say it already. */
  readonly releasedBy?: ReleaseParty | undefined
}

/** How the calling number reads. `short` and `impossible` are digits that no subscriber has. */
export type CallerState = 'number' | 'impossible' | 'short' | 'withheld'

export interface Parties {
  readonly from: string
  readonly fromState?: CallerState
  readonly to: string
  readonly ingress: string
  readonly egress: string
}

type Label = 'normal' | CampaignKind

/** What the label file says of a call. */
export interface Truth {
  readonly label: Label
  /** `flash_call-3`; of normal traffic its class or episode: `retail`, `dialler-2`. */
  readonly campaign: string
  /**
   * On whom a case should stand, `range:1499905`; empty for normal traffic. Ranges and destinations are as long as the
   * sender's own: a case on a shorter front covers them.
   */
  readonly subject: string
}

/** A record on its way out, with its truth. `id` is given when it leaves. */
export interface LabelledCdr {
  readonly record: CdrRecord
  readonly truth: Truth
  /** When the switch sends it, microseconds UTC. */
  emitUs: number
  /** What `cdr-dirt.ts` did to it. */
  defect?: string
  /** It went out before; this is the same record again. */
  repeated?: boolean
  /** The line to send where it is not the record's own. */
  line?: string
}

interface Ending {
  readonly q850: number
  readonly sip: number
  readonly releasedBy: ReleaseParty
  readonly rings: boolean
}

/** Q.850 and SIP as RFC 3398 pairs them; a CANCEL clears with 16. */
const endings: Readonly<Record<Outcome, Ending>> = {
  answered: { q850: 16, sip: 200, releasedBy: 'caller', rings: true },
  cancel: { q850: 16, sip: 487, releasedBy: 'caller', rings: true },
  no_answer: { q850: 19, sip: 480, releasedBy: 'network', rings: true },
  busy: { q850: 17, sip: 486, releasedBy: 'callee', rings: false },
  not_found: { q850: 1, sip: 404, releasedBy: 'network', rings: false },
  rejected: { q850: 21, sip: 603, releasedBy: 'callee', rings: true },
  congestion: { q850: 34, sip: 503, releasedBy: 'network', rings: false },
}

/** From set-up to release. */
export function durationUs(shape: CallShape): number {
  const ringS = endings[shape.outcome].rings ? shape.ringS : 0
  const talkS = shape.outcome === 'answered' ? shape.talkS : 0
  return Math.round(shape.postDialS * 1e6) + Math.round(ringS * 1e6) + Math.round(talkS * 1e6)
}

const noAttributes: Readonly<Record<string, string>> = {}
const shortFlags: readonly CdrFlag[] = ['from_short']
const withheldFlags: readonly CdrFlag[] = ['from_withheld']

/** The record without identity; `identify` gives it when the record leaves. */
export function cdrOf(shape: CallShape, parties: Parties, startUs: number): CdrRecord {
  const ending = endings[shape.outcome]
  const { fromState = 'number' } = parties
  const start = Math.round(startUs)
  const ringAt = start + Math.round(shape.postDialS * 1e6)
  const ringUs = ending.rings ? ringAt : undefined
  const ringEnd = ringAt + (ending.rings ? Math.round(shape.ringS * 1e6) : 0)
  const answered = shape.outcome === 'answered'
  const endUs = answered ? ringEnd + Math.round(shape.talkS * 1e6) : ringEnd
  const withheld = fromState === 'withheld'
  return {
    id: '',
    source: 'canonical',
    callId: '',
    leg: 'a',
    kind: 'call',
    startUs: start,
    ringUs,
    answerUs: answered ? ringEnd : null,
    endUs,
    from: withheld ? undefined : parties.from,
    fromRaw: withheld ? 'anonymous' : parties.from,
    fromValid: fromState === 'number',
    to: parties.to,
    toRaw: parties.to,
    toValid: true,
    ingress: parties.ingress,
    egress: parties.egress,
    causeQ850: ending.q850,
    causeSip: ending.sip,
    causeRaw: undefined,
    releasedBy: shape.releasedBy ?? ending.releasedBy,
    ringMs: ringUs === undefined ? undefined : Math.round((ringEnd - ringUs) / 1000),
    talkMs: answered ? Math.round((endUs - ringEnd) / 1000) : 0,
    isAttempt: true,
    attributes: noAttributes,
    flags: fromState === 'short' ? shortFlags : withheld ? withheldFlags : undefined,
  }
}

export function identify(record: CdrRecord, callId: string): void {
  record.callId = callId
  record.id = recordKey(record)
}

/** The id that the `canonical` source would give it. */
export function recordKey({ source, callId, leg, kind }: CdrRecord): string {
  return recordId(source, callId, leg, kind)
}

/**
 * One line of NDJSON. Written by hand because it stands in the path of every record; all texts in it are made here and
 * need no escapes. Ring and talk time are left to the reader, who has them from the times.
 */
export function cdrLine(record: CdrRecord): string {
  let line = `{"id":"${record.id}","callId":"${record.callId}","leg":"${record.leg}","startUs":${record.startUs}`
  if (record.ringUs !== undefined) line += `,"ringUs":${record.ringUs}`
  line += `,"answerUs":${record.answerUs},"endUs":${record.endUs}`
  if (record.from !== undefined) line += `,"from":"${record.from}"`
  if (record.fromRaw !== record.from) line += `,"fromRaw":"${record.fromRaw}"`
  line += `,"fromValid":${record.fromValid},"to":"${record.to}","toValid":${record.toValid}`
  line += `,"ingress":"${record.ingress}","egress":"${record.egress}"`
  line += `,"causeQ850":${record.causeQ850},"causeSip":${record.causeSip},"releasedBy":"${record.releasedBy}"`
  if (!record.isAttempt) line += ',"isAttempt":false'
  if (record.flags !== undefined) line += `,"flags":["${record.flags.join('","')}"]`
  return `${line}}`
}

/** One line of the label file, `id,label,campaign,subject`. */
export function labelLine(id: string, { label, campaign, subject }: Truth): string {
  return `${id},${label},${campaign},${subject}`
}

export const labelHead = 'id,label,campaign,subject'
