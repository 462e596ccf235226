/** How cases, actions, subjects, causes and defects of records are said to people. Pure: no DOM. Browser. */

import type { FraudAction } from '../config/schema.ts'
import type { Subject } from '../decisions/case-subjects.ts'
import type { CaseView } from '../decisions/case-view.ts'
import type { CaseState } from '../decisions/cases.ts'
import type { CaseKind } from '../decisions/fraud-signal.ts'
import type { CdrView } from '../storage/fraud-reports.ts'
import { showNumber } from './wording.ts'

export const kindWords: Readonly<Record<CaseKind, { readonly name: string; readonly meaning: string }>> = {
  flash_call: {
    name: 'Flash calls',
    meaning: 'Attempts that end before anybody can answer: the calling number itself is the message.',
  },
  wangiri: {
    name: 'Wangiri',
    meaning: 'One short ring at many numbers, so that people call back a costly number.',
  },
  irsf: { name: 'Toll fraud (IRSF)', meaning: 'Long calls to destinations that pay the caller a share.' },
  robocall: { name: 'Robocalls', meaning: 'Many short calls by a machine; most are not answered or soon left.' },
  pbx_hack: { name: 'Hacked PBX', meaning: 'A customer’s line makes costly calls as it never did before.' },
  cli_spoof: {
    name: 'Spoofed numbers',
    meaning: 'Calling numbers that cannot exist, more than is usual on the route.',
  },
  short_answer_burst: {
    name: 'Short answers',
    meaning: 'Many calls that are answered and over within 3 s: false answers, or codes read by a machine.',
  },
  anomaly: { name: 'Anomaly', meaning: 'A route that behaves unlike its own hours; no rule has a name for it.' },
}

/** A kind that this page does not know is said by its own name. */
export function kindName(kind: string): string {
  return (kindWords as Readonly<Record<string, { readonly name: string }>>)[kind]?.name ?? kind
}

export const stateWords: Readonly<Record<CaseState, { readonly name: string; readonly meaning: string }>> = {
  open: { name: 'Open', meaning: 'Evidence still comes.' },
  cooled: { name: 'Cooled', meaning: 'No new evidence for a while; closes by itself if none comes.' },
  closed: { name: 'Closed', meaning: 'Over: by itself, or by a person.' },
  merged: { name: 'Merged', meaning: 'A broader case took this one in.' },
}

/** What a person reads first: the verdict if somebody gave one, else the state. */
export function standing({ state, verdict }: Pick<CaseView, 'state' | 'verdict'>): string {
  if (verdict === null) return stateWords[state].name
  const said = verdict === 'confirmed' ? 'Confirmed' : 'Dismissed'
  return verdict === 'dismissed' ? said : `${said} · ${stateWords[state].name.toLowerCase()}`
}

export const actionWords: Readonly<Record<FraudAction, string>> = {
  allow: 'Allow',
  label: 'Label',
  challenge: 'Challenge',
  divert: 'Divert',
  block: 'Block',
}

/** From nothing done to most. */
export const actionOrder: readonly FraudAction[] = ['allow', 'label', 'challenge', 'divert', 'block']

const subjectWords: Readonly<Record<Subject['type'], string>> = {
  number: 'number',
  called_number: 'called number',
  range: 'range',
  route: 'route',
  route_destination: 'destination',
}

export function subjectType({ type }: Subject): string {
  return subjectWords[type] ?? type
}

/** Numbers are people's: only their end is shown unless asked for. Ranges and routes are nobody's. */
export function subjectValue({ type, value }: Subject, clear: boolean): string {
  if (type === 'number' || type === 'called_number') return showNumber(value, clear)
  if (type === 'range') return `${value}…`
  if (type !== 'route_destination') return value
  const [route = '', prefix = ''] = value.split('>')
  return `${prefix}… via ${route}`
}

export function subjectText(subject: Subject, clear: boolean): string {
  return `${subjectType(subject)} ${subjectValue(subject, clear)}`
}

/** The number whose page tells more about the subject, if it is one. */
export function numberOf({ type, value }: Subject): string | null {
  return type === 'number' || type === 'called_number' ? value : null
}

/** `40 s`, `12 min`, `3 h`, `2 d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

/** `8` as it is, `12,345` with separators. */
export function countText(count: number): string {
  return Math.round(count).toLocaleString('en')
}

const causes: Readonly<Record<number, string>> = {
  1: 'number not assigned',
  16: 'normal clearing',
  17: 'busy',
  18: 'no response',
  19: 'no answer',
  20: 'subscriber absent',
  21: 'rejected',
  27: 'out of order',
  28: 'number incomplete',
  31: 'normal',
  34: 'no circuit',
  38: 'network out of order',
  41: 'temporary failure',
  42: 'congestion',
  88: 'incompatible',
  102: 'timer expired',
}

/** `16 normal clearing`, `487 SIP`, or a dash. */
export function causeText({ causeQ850, causeSip }: Pick<CdrView, 'causeQ850' | 'causeSip'>): string {
  if (causeQ850 !== null) return causes[causeQ850] === undefined ? `${causeQ850}` : `${causeQ850} ${causes[causeQ850]}`
  return causeSip === null ? '–' : `SIP ${causeSip}`
}

const defects: Readonly<Record<string, string>> = {
  duplicate: 'sent before; counted once',
  late: 'came long after the call',
  from_future: 'times ahead of this clock',
  out_of_order: 'out of order',
  sequence_gap: 'missing in the source’s sequence',
  talk_impossible: 'talk longer than a day',
  released_by_unknown: 'who released is not told',
  bad_utf8: 'bytes that are no UTF-8',
  time_ambiguous: 'local time that came twice (clocks went back)',
  time_nonexistent: 'local time that never was (clocks went forward)',
  clock_unsynchronised: 'the switch’s clock was not set',
  start_from_answer: 'no start time; answer time taken',
  start_from_end: 'no start time; end time taken',
  answered_zero: 'answered, and over at the same moment',
  answer_disagrees: 'answer time and disposition disagree',
  answer_outside_call: 'answer outside the call',
  ring_outside_call: 'ringing outside the call',
  end_before_start: 'ends before it starts',
  duration_disagrees: 'duration disagrees with the times',
  stop_missing: 'the end of the call never came',
  forked_leg: 'another branch of a counted call',
  from_withheld: 'calling number withheld',
  from_short: 'calling number is a short number',
  to_short: 'called number is a short number',
}

/** `rejected:field_missing` says what became of it and why; everything else is a known oddity or its own name. */
export function defectText(defect: string): string {
  const [fate, why] = defect.split(':')
  if (why !== undefined) return `${fate}: ${why.replaceAll('_', ' ')}`
  return defects[defect] ?? defect.replaceAll('_', ' ')
}
