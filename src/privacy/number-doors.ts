/**
 * Where numbers enter: what a door hands on is free of clear numbers in mode `tokens`, and untouched in mode `clear`.
 * A number becomes its token; texts beside it (raw spellings, attributes, ids made of the number, words about a bad
 * record) lose every run of digits that could be one. Main thread.
 */
import { OperatingError } from '../core/errors.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import { isToken, tokenMark } from '../wire/number-token.ts'
import { isE164, userPart } from '../wire/numbers.ts'
import { clearNumbers, type NumberNames } from './number-vault.ts'

/** Digits in a row, however they are grouped, that may be a phone number. */
const digitRun = /\+?\d(?:[\s().\-/]{0,2}\d){6,}/g
const hiddenRun = '***'
/** The end of a number by which it is found in an id, whatever stands before. */
const tailDigits = 7
/** Counters and names of switches: data quality reads them, and no number stands there. */
const plainAttributes: ReadonlySet<string> = new Set(['sequence', 'node'])

export interface NumberDoors {
  /** Mode `tokens`. */
  readonly hides: boolean
  readonly names: NumberNames
  /** A party of a call, as Twilio writes it: `+12025550123`, `sip:...`, `client:anna`. Stored if there is room. */
  party(raw: string): string
  /** A party that is only asked about. */
  asked(raw: string): string
  /** Text that a person searches by: a whole number by its name, a part of one as it is. */
  searched(text: string): string
  /** A call record on its way in; the same object. */
  record(record: CdrRecord): CdrRecord
  /** Words about something that came from outside. */
  words(text: string): string
  /** Lists of number prefixes: whole numbers by name, ranges by what their tokens begin with. */
  prefixes(list: readonly string[]): string[]
  /** The same for lists where a prefix ends in `*`. */
  patterns(list: readonly string[]): string[]
}

/** Mode `clear`. */
export const openDoors: NumberDoors = {
  hides: false,
  names: clearNumbers,
  party: (raw) => raw,
  asked: (raw) => raw,
  searched: (text) => text,
  record: (record) => record,
  words: (text) => text,
  prefixes: (list) => [...list],
  patterns: (list) => [...list],
}

export interface HidingNames extends NumberNames {
  rangeName(digits: string): string
}

/** Mode `tokens`. */
export function hidingDoors(names: HidingNames): NumberDoors {
  const stored = (number: string): string => names.token(number)
  const asked = (number: string): string => names.nameOf(number)
  return {
    hides: true,
    names,
    party: (raw) => {
      const name = named(raw, (number) => storedIfPossible(names, number))
      // Asked for now, so that it is on disk before the rows that will bear it; a failure is made good by the next one.
      names.flush().catch(() => undefined)
      return name
    },
    asked: (raw) => named(raw, asked),
    searched: (text) => searched(text, asked),
    record: (record) => hideIn(record, stored),
    words: withoutNumbers,
    prefixes: (list) => [...new Set(list.flatMap((prefix) => prefixNames(prefix, names)))],
    patterns: (list) => [...new Set(list.flatMap((pattern) => patternNames(pattern, names)))],
  }
}

/** A call goes on although the vault is full: its number has the same name, which nobody can undo then. */
function storedIfPossible(names: NumberNames, number: string): string {
  try {
    return names.token(number)
  } catch (thrown) {
    if (thrown instanceof OperatingError && thrown.code === 'spool_full') return names.nameOf(number)
    throw thrown
  }
}

/** The text without every run of digits that may be a phone number. */
export function withoutNumbers(text: string): string {
  // Most texts of records are shorter than any number.
  return text.length < tailDigits ? text : text.replace(digitRun, hiddenRun)
}

function named(raw: string, nameOf: (number: string) => string): string {
  if (isToken(raw)) return raw
  const digits = userPart(raw)
    .replace(/^(?:\+|00)/, '')
    .replace(/[\s().\-/]/g, '')
  if (/^[0-9*#]{1,32}$/.test(digits)) {
    const name = nameOf(digits)
    return name === digits ? raw : name
  }
  return withoutNumbers(raw)
}

function searched(text: string, nameOf: (number: string) => string): string {
  const digits = text.replace(/^\+/, '').replace(/[\s().\-/]/g, '')
  return isE164(digits) ? nameOf(digits) : text
}

function prefixNames(prefix: string, names: HidingNames): string[] {
  if (prefix.includes(tokenMark)) return [prefix]
  // A whole number is one, although longer ones might begin with it.
  if (isE164(prefix)) return [names.nameOf(prefix)]
  // A range of a thousand is told by the group in its tokens; of narrower ones tokens tell nothing.
  return prefix.length > 4 ? [prefix, names.rangeName(prefix)] : [prefix]
}

function patternNames(pattern: string, names: HidingNames): string[] {
  const prefix = pattern.endsWith('*') ? pattern.slice(0, -1) : ''
  if (/^\d{5,}$/.test(prefix)) return [pattern, `${names.rangeName(prefix)}*`]
  return /^\d+$/.test(pattern) ? [names.nameOf(pattern)] : [pattern]
}

function hideIn(record: CdrRecord, nameOf: (number: string) => string): CdrRecord {
  const tails: [tail: string, name: string][] = []
  const side = (number: string | undefined, raw: string): [string | undefined, string] => {
    if (number === undefined) return [undefined, isToken(raw) ? raw : withoutNumbers(raw)]
    const name = nameOf(number)
    if (name === number) return [number, withoutNumbers(raw)]
    tails.push([number.slice(-tailDigits), name])
    return [name, name]
  }
  ;[record.from, record.fromRaw] = side(record.from, record.fromRaw)
  ;[record.to, record.toRaw] = side(record.to, record.toRaw)
  const clean = (text: string): string => withoutTails(text, tails)
  record.id = clean(record.id)
  record.callId = clean(record.callId)
  record.leg = clean(record.leg)
  if (record.ingress !== undefined) record.ingress = clean(record.ingress)
  if (record.egress !== undefined) record.egress = clean(record.egress)
  if (record.causeRaw !== undefined) record.causeRaw = withoutNumbers(clean(record.causeRaw))
  record.attributes = attributesOf(record.attributes, tails)
  return record
}

/** Ids and routes keep their digits, but not those of the record's own numbers. */
function withoutTails(text: string, tails: readonly (readonly [string, string])[]): string {
  let out = text
  for (const [tail, name] of tails) {
    if (!out.includes(tail)) continue
    // The whole run goes, so that no national or international spelling of the number is left.
    out = out.replace(/\+?\d+/g, (run) => (run.includes(tail) ? name : run))
  }
  return out
}

function attributesOf(
  attributes: CdrRecord['attributes'],
  tails: readonly (readonly [string, string])[],
): Record<string, string> {
  const out: Record<string, string> = {}
  for (const key in attributes) {
    const value = attributes[key] ?? ''
    out[key] = plainAttributes.has(key) ? withoutTails(value, tails) : withoutNumbers(withoutTails(value, tails))
  }
  return out
}
