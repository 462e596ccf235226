/**
 * The canonical CDR: what every switch's record becomes, and the only shape that the log, the windows, the tables
 * and the API know. `absent` means unknown and `answerUs: null` means never answered; the two are not the same. The
 * validator is hand-written because it stands in the path of every record; it copies what it accepts, so nothing
 * else gets through. Any thread.
 *
 *   { "id": "pbx:7f0c…:a:call", "source": "pbx", "callId": "7f0c…", "leg": "a", "kind": "call",
 *     "startUs": 1767225600000000, "answerUs": null, "endUs": 1767225603000000,
 *     "from": "12025550123", "fromRaw": "+12025550123", "fromValid": true, "to": …, "toRaw": …, "toValid": true,
 *     "causeQ850": 16, "causeSip": 487, "releasedBy": "caller", "talkMs": 0, "isAttempt": true, "attributes": {} }
 */

import { isToken } from './number-token.ts'

/** Who ended the call or the attempt. `network`: a switch on the way, a timer, a routing failure. */
export const releaseParties = ['caller', 'callee', 'network', 'unknown'] as const
export type ReleaseParty = (typeof releaseParties)[number]

/** What is odd about a record although it was accepted. The data-quality report counts these per source. */
const cdrFlags = [
  'bad_utf8', // bytes that are no UTF-8; they read as U+FFFD
  'time_ambiguous', // local time that occurred twice (clocks went back); the likelier one was taken
  'time_nonexistent', // local time that never occurred (clocks went forward)
  'clock_unsynchronised', // the switch says that its clock was not set (h323 time with * or .)
  'start_from_answer', // no start time: the answer time stands in
  'start_from_end', // no start and no answer time: the end time stands in
  'answered_zero', // answered, and ended at the same moment
  'answer_disagrees', // the switch's disposition and its answer time contradict one another
  'answer_outside_call', // answer before start or after end
  'ring_outside_call', // ringing before start or after end
  'end_before_start',
  'duration_disagrees', // the switch's own duration is more than 2 s off its times
  'stop_missing', // joined rows: the call began, its end never came
  'forked_leg', // another branch of a call that is counted already
  'from_withheld', // anonymous, restricted, private, empty
  'from_short', // extension or short code: kept as dialled
  'to_short',
] as const
export type CdrFlag = (typeof cdrFlags)[number]

export interface CdrRecord {
  /** Dedup key: source + record's own id + leg + kind. */
  id: string
  source: string
  callId: string
  leg: string
  kind: string
  startUs: number
  ringUs: number | undefined
  /** null: never answered. */
  answerUs: number | null
  endUs: number | undefined
  /** E.164 digits without +, or the digits as dialled when `fromValid` is false; absent when there were none. */
  from: string | undefined
  fromRaw: string
  fromValid: boolean
  to: string | undefined
  toRaw: string
  toValid: boolean
  ingress: string | undefined
  egress: string | undefined
  causeQ850: number | undefined
  causeSip: number | undefined
  causeRaw: string | undefined
  releasedBy: ReleaseParty
  ringMs: number | undefined
  talkMs: number | undefined
  isAttempt: boolean
  attributes: Readonly<Record<string, string>>
  /** Absent when nothing is odd. */
  flags: readonly CdrFlag[] | undefined
}

/** Why a record was not taken: a code, and a detail that names the field. */
export interface RecordProblem {
  readonly code: string
  readonly detail: string
}

/** Limits of a canonical record; longer values are refused (`value_too_long`), never cut. */
export const textLengthMax = 512
const attributesMax = 32

/** 1980-01-01 .. 2100-01-01: outside of it a time is a wrong unit, not a time. */
export const timeUsMin = 315_532_800_000_000
export const timeUsMax = 4_102_444_800_000_000
const spanMsMax = (timeUsMax - timeUsMin) / 1000

const flagNames: ReadonlySet<string> = new Set(cdrFlags)
const partyNames: ReadonlySet<string> = new Set(releaseParties)
const known = new Set(
  (
    'id source callId leg kind startUs ringUs answerUs endUs from fromRaw fromValid to toRaw toValid ingress egress ' +
    'causeQ850 causeSip causeRaw releasedBy ringMs talkMs isAttempt attributes flags'
  ).split(' '),
)

type Fields = Readonly<Record<string, unknown>>

/** Collects the first problem; later checks go on harmlessly. */
class Check {
  problem: RecordProblem | null = null
  readonly #fields: Fields

  constructor(fields: Fields) {
    this.#fields = fields
  }

  fail(name: string, expected: string): undefined {
    const value = this.#fields[name]
    const missing = value === undefined || value === null || value === ''
    const got = missing ? 'nothing' : (JSON.stringify(value) ?? typeof value).slice(0, 60)
    const code = missing ? 'field_missing' : 'field_invalid'
    this.problem ??= { code, detail: `${name}: expected ${expected}, got ${got}` }
    return undefined
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.fail(name, 'a text') ?? ''
  }

  optionalText(name: string): string | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value !== 'string') return this.fail(name, 'a text')
    if (value.length > textLengthMax) {
      this.problem ??= {
        code: 'value_too_long',
        detail: `${name}: ${value.length} characters, at most ${textLengthMax}`,
      }
    }
    return value
  }

  time(name: string): number | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (Number.isInteger(value) && (value as number) >= timeUsMin && (value as number) <= timeUsMax)
      return value as number
    return this.fail(name, 'integer microseconds UTC between 1980 and 2100')
  }

  whole(name: string, least: number, most: number): number | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
    return this.fail(name, `a whole number ${least}..${most}`)
  }

  yesNo(name: string, otherwise: boolean): boolean {
    const value = this.#fields[name]
    if (value === undefined || value === null) return otherwise
    if (typeof value === 'boolean') return value
    this.fail(name, 'true or false')
    return otherwise
  }

  attributes(): Readonly<Record<string, string>> {
    const value = this.#fields['attributes']
    if (value === undefined || value === null) return {}
    if (typeof value !== 'object' || Array.isArray(value)) return this.fail('attributes', 'a map of texts') ?? {}
    const out: Record<string, string> = {}
    const entries = Object.entries(value)
    if (entries.length > attributesMax) this.fail('attributes', `at most ${attributesMax} entries`)
    for (const [key, item] of entries) {
      if (typeof item !== 'string' || item.length > textLengthMax || key.length > 64) {
        return this.fail('attributes', `texts of at most ${textLengthMax} characters`) ?? {}
      }
      out[key] = item
    }
    return out
  }

  flags(): CdrFlag[] | undefined {
    const value = this.#fields['flags']
    if (value === undefined || value === null) return undefined
    if (!Array.isArray(value) || !value.every((flag) => flagNames.has(flag))) return this.fail('flags', 'known flags')
    return value.length === 0 ? undefined : [...value]
  }
}

/**
 * Checks a value that claims to be a canonical CDR. `source` is the door's: a record cannot name another one.
 * What may be left out is filled in: leg `a`, kind `call`, raw numbers, ring and talk times from the times.
 */
export function parseCdr(value: unknown, source: string): CdrRecord | RecordProblem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { code: 'not_a_record', detail: 'expected an object' }
  }
  const fields = value as Fields
  for (const key in fields) {
    if (!known.has(key)) return { code: 'field_unknown', detail: `${key.slice(0, 64)}: no field of a canonical CDR` }
  }
  const check = new Check(fields)
  const startUs = check.time('startUs') ?? check.fail('startUs', 'integer microseconds UTC') ?? 0
  const leg = check.optionalText('leg') ?? 'a'
  const kind = check.optionalText('kind') ?? 'call'
  const callId = check.optionalText('callId') ?? check.text('id')
  const releasedBy = check.optionalText('releasedBy') ?? 'unknown'
  if (!partyNames.has(releasedBy)) check.fail('releasedBy', releaseParties.join(', '))
  const from = number(check, 'from')
  const to = number(check, 'to')
  const record: CdrRecord = {
    id: check.optionalText('id') ?? recordId(source, callId, leg, kind),
    source,
    callId,
    leg,
    kind,
    startUs,
    ringUs: check.time('ringUs'),
    answerUs: check.time('answerUs') ?? null,
    endUs: check.time('endUs'),
    from,
    fromRaw: check.optionalText('fromRaw') ?? from ?? '',
    fromValid: check.yesNo('fromValid', from !== undefined),
    to,
    toRaw: check.optionalText('toRaw') ?? to ?? '',
    toValid: check.yesNo('toValid', to !== undefined),
    ingress: check.optionalText('ingress'),
    egress: check.optionalText('egress'),
    causeQ850: check.whole('causeQ850', 1, 127),
    causeSip: check.whole('causeSip', 100, 699),
    causeRaw: check.optionalText('causeRaw'),
    releasedBy: releasedBy as ReleaseParty,
    ringMs: check.whole('ringMs', 0, spanMsMax),
    talkMs: check.whole('talkMs', 0, spanMsMax),
    isAttempt: check.yesNo('isAttempt', true),
    attributes: check.attributes(),
    flags: check.flags(),
  }
  if (record.toRaw === '') check.fail('to', 'a number')
  if (check.problem !== null) return check.problem
  fillTimes(record)
  return record
}

function number(check: Check, name: 'from' | 'to'): string | undefined {
  const digits = check.optionalText(name)
  if (digits === undefined) return undefined
  if (!/^[0-9*#]{1,32}$/.test(digits) && !isToken(digits)) return check.fail(name, 'digits without +')
  return digits
}

/** The dedup key of CONTRACT 6: source + record's own id + leg + kind. */
export function recordId(source: string, ownId: string, leg: string, kind: string): string {
  return `${source}:${ownId}:${leg}:${kind}`
}

/** Ring and talk time from the times, where the record did not bring its own. A negative one stays unknown. */
export function fillTimes(record: CdrRecord): void {
  if (record.talkMs === undefined) {
    if (record.answerUs === null) record.talkMs = 0
    else record.talkMs = spanMs(record.answerUs, record.endUs)
  }
  record.ringMs ??= spanMs(record.ringUs, record.answerUs ?? record.endUs)
}

function spanMs(fromUs: number | undefined, toUs: number | undefined): number | undefined {
  if (fromUs === undefined || toUs === undefined || toUs < fromUs) return undefined
  return Math.round((toUs - fromUs) / 1000)
}

export function isProblem(outcome: CdrRecord | RecordProblem): outcome is RecordProblem {
  return 'code' in outcome
}
