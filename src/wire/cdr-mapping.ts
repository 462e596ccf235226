/**
 * A source mapping at work: one raw record in, one canonical CDR out, or the code and field why not. Compiled once per
 * source. It keeps no state between records, so the same record always gives the same CDR and the same id; rows that
 * belong together are joined before (cdr-join.ts). Any thread.
 */
import { createHash } from 'node:crypto'
import { causeOfName, q850OfSip, readQ850, readSip, releaseOfCause } from './causes.ts'
import { type CallTimes, compileDuration, compileTimes } from './cdr-call-times.ts'
import type { SourceMapping } from './cdr-mapping-schema.ts'
import type { RawRecord } from './cdr-raw.ts'
import {
  type CdrFlag,
  type CdrRecord,
  fillTimes,
  isProblem,
  parseCdr,
  type RecordProblem,
  type ReleaseParty,
  recordId,
  textLengthMax,
} from './cdr-record.ts'
import {
  compileCondition,
  compileRules,
  compileText,
  type Getter,
  type Reading,
  type ReadOptions,
  splitPath,
  type Test,
  walk,
} from './cdr-values.ts'
import { NumberReader } from './numbers.ts'

/** The switch's own duration may differ by so much from its times: they are rounded to seconds, each its own way. */
const durationToleranceUs = 2_000_000

type TextField = 'id' | 'callId' | 'leg' | 'kind' | 'from' | 'to' | 'ingress' | 'egress'
type CauseField = 'causeQ850' | 'causeSip' | 'causeName' | 'causeRaw'

export class RecordMapper {
  readonly source: string
  readonly #mapping: SourceMapping
  readonly #numbers: NumberReader
  readonly #recordSteps: (string | number)[] | null
  readonly #skips: { test: Test; reason: string }[]
  readonly #lets: { name: string; getter: Getter }[]
  readonly #texts: Record<TextField | CauseField, Getter | null>
  readonly #times: (reading: Reading) => CallTimes | RecordProblem
  readonly #durations: Record<'ringDuration' | 'talkDuration' | 'callDuration', ReturnType<typeof compileDuration>>
  readonly #rules: Record<'answered' | 'disposition' | 'releasedBy' | 'attempt', Getter>
  readonly #attributes: { name: string; getter: Getter }[]

  constructor(source: string, mapping: SourceMapping) {
    const options: ReadOptions = { foldNames: mapping.input.csv.foldNames, percentValues: mapping.input.percentValues }
    const { fields } = mapping
    this.source = source
    this.#mapping = mapping
    this.#numbers = new NumberReader(mapping.numbers)
    this.#recordSteps = mapping.input.record === null ? null : splitPath(mapping.input.record)
    this.#skips = mapping.skip.map(({ when, reason }) => ({ test: compileCondition(when, options), reason }))
    this.#lets = named(mapping.let, options)
    const text = (name: TextField | CauseField) =>
      fields[name] === undefined ? null : compileText(fields[name], options)
    this.#texts = {
      id: text('id'),
      callId: text('callId'),
      leg: text('leg'),
      kind: text('kind'),
      from: text('from'),
      to: text('to'),
      ingress: text('ingress'),
      egress: text('egress'),
      causeQ850: text('causeQ850'),
      causeSip: text('causeSip'),
      causeName: text('causeName'),
      causeRaw: text('causeRaw'),
    }
    this.#times = compileTimes(mapping, options)
    const duration = (name: 'ringDuration' | 'talkDuration' | 'callDuration') =>
      compileDuration(name, fields[name] ?? [], options)
    this.#durations = {
      ringDuration: duration('ringDuration'),
      talkDuration: duration('talkDuration'),
      callDuration: duration('callDuration'),
    }
    this.#rules = {
      answered: compileRules(mapping.answered, options),
      disposition: compileRules(mapping.disposition, options),
      releasedBy: compileRules(mapping.releasedBy, options),
      attempt: compileRules(mapping.attempt, options),
    }
    this.#attributes = named(mapping.attributes, options)
  }

  /** Where paths begin. `whole`: the record is a joined one, `input.record` has been applied to its rows already. */
  read(raw: RawRecord, whole: boolean): Reading {
    const inner = this.#recordSteps === null || whole ? undefined : walk(raw.fields, this.#recordSteps)
    const reading: Reading = { raw, root: inner ?? raw.fields, variables: Object.create(null) }
    for (const { name, getter } of this.#lets) reading.variables[name] = getter(reading)
    return reading
  }

  /** Why the record is no call, or null. */
  skipReason(reading: Reading): string | null {
    for (const { test, reason } of this.#skips) if (test(reading)) return reason
    return null
  }

  map(reading: Reading): CdrRecord | RecordProblem {
    const { raw } = reading
    if (typeof raw.fields !== 'object' || raw.fields === null) {
      return {
        code: 'not_a_record',
        detail: `expected an object, got ${raw.fields === null ? 'null' : typeof raw.fields}`,
      }
    }
    if (this.#mapping.canonical) return withFlag(parseCdr(reading.root, this.source), raw.badUtf8)
    const times = this.#times(reading)
    if ('code' in times) return times
    const record = this.#begin(reading, times)
    if (isProblem(record)) return record
    const flags: CdrFlag[] = raw.badUtf8 ? ['bad_utf8'] : []
    this.#setNumbers(record, reading, flags)
    const problem = this.#setTimes(record, reading, times, flags) ?? tooLong(record)
    if (problem !== undefined) return problem
    if (record.toRaw === '') return { code: 'field_missing', detail: `to: ${this.#paths('to')}` }
    this.#setCauses(record, reading)
    this.#setVerdicts(record, reading, flags)
    if (flags.length > 0) record.flags = flags
    return record
  }

  /** Identity, and the time that stands for the start. */
  #begin(reading: Reading, times: CallTimes): CdrRecord | RecordProblem {
    const first = times.start ?? times.answer ?? times.end
    if (first === undefined) return { code: 'field_missing', detail: `start: ${this.#paths('start')}` }
    const leg = this.#text('leg', reading) ?? 'a'
    const kind = this.#text('kind', reading) ?? 'call'
    const ownId = this.#text('id', reading) ?? `#${rowHash(reading)}`
    reading.variables['leg'] = leg
    reading.variables['kind'] = kind
    return {
      id: recordId(this.source, ownId, leg, kind),
      source: this.source,
      callId: this.#text('callId', reading) ?? ownId,
      leg,
      kind,
      startUs: first.us,
      ringUs: times.ring?.us,
      answerUs: times.answer?.us ?? null,
      endUs: times.end?.us,
      from: undefined,
      fromRaw: this.#text('from', reading) ?? '',
      fromValid: false,
      to: undefined,
      toRaw: this.#text('to', reading) ?? '',
      toValid: false,
      ingress: this.#text('ingress', reading),
      egress: this.#text('egress', reading),
      causeQ850: undefined,
      causeSip: undefined,
      causeRaw: undefined,
      releasedBy: 'unknown',
      ringMs: undefined,
      talkMs: undefined,
      isAttempt: true,
      attributes: this.#readAttributes(reading),
      flags: undefined,
    }
  }

  #setNumbers(record: CdrRecord, reading: Reading, flags: CdrFlag[]): void {
    const from = this.#numbers.read(record.fromRaw)
    const to = this.#numbers.read(record.toRaw)
    record.from = from.digits
    record.fromValid = from.valid
    record.to = to.digits
    record.toValid = to.valid
    if (from.state === 'withheld') flags.push('from_withheld')
    if (from.state === 'short') flags.push('from_short')
    if (to.state === 'short') flags.push('to_short')
    reading.variables['fromState'] = from.state
    reading.variables['toState'] = to.state
  }

  #setTimes(record: CdrRecord, reading: Reading, times: CallTimes, flags: CdrFlag[]): RecordProblem | undefined {
    const answered = this.#rules.answered(reading)
    if (answered === 'no') record.answerUs = null
    const all = [times.start, times.ring, times.answer, times.end]
    if (all.some((time) => time?.kind === 'twice')) flags.push('time_ambiguous')
    if (all.some((time) => time?.kind === 'never')) flags.push('time_nonexistent')
    if (all.some((time) => time?.unsynchronised)) flags.push('clock_unsynchronised')
    if (times.start === undefined) flags.push(times.answer === undefined ? 'start_from_end' : 'start_from_answer')
    const { startUs, answerUs, endUs, ringUs } = record
    if (endUs !== undefined && endUs < startUs) flags.push('end_before_start')
    if (answerUs !== null && (answerUs < startUs || answerUs > (endUs ?? answerUs))) flags.push('answer_outside_call')
    if (ringUs !== undefined && (ringUs < startUs || ringUs > (endUs ?? ringUs))) flags.push('ring_outside_call')
    if (answerUs !== null && answerUs === endUs) flags.push('answered_zero')
    const disposition = this.#rules.disposition(reading)
    if (
      (answered === 'yes' && answerUs === null) ||
      (disposition !== undefined && (disposition === 'yes') !== (answerUs !== null))
    ) {
      flags.push('answer_disagrees')
    }
    reading.variables['answered'] = answerUs === null ? 'no' : 'yes'
    return this.#setDurations(record, reading, times, flags)
  }

  #setDurations(record: CdrRecord, reading: Reading, times: CallTimes, flags: CdrFlag[]): RecordProblem | undefined {
    const ring = this.#durations.ringDuration(reading)
    const talk = this.#durations.talkDuration(reading)
    const call = this.#durations.callDuration(reading)
    for (const us of [ring, talk, call]) if (typeof us === 'object') return us
    if (typeof ring === 'number') record.ringMs = Math.round(ring / 1000)
    fillTimes(record)
    const fromTimes = record.answerUs === null ? undefined : record.talkMs
    if (typeof talk === 'number' && record.answerUs !== null) {
      if (fromTimes === undefined) record.talkMs = Math.round(talk / 1000)
      else if (Math.abs(talk - fromTimes * 1000) > durationToleranceUs) flags.push('duration_disagrees')
    }
    const span = times.start !== undefined && record.endUs !== undefined ? record.endUs - record.startUs : undefined
    if (typeof call === 'number' && span !== undefined && !flags.includes('duration_disagrees')) {
      if (Math.abs(call - span) > durationToleranceUs) flags.push('duration_disagrees')
    }
    return undefined
  }

  /** What the switch said stays; what it did not say comes from its cause name, then from RFC 3398. */
  #setCauses(record: CdrRecord, reading: Reading): void {
    const q850 = this.#text('causeQ850', reading)
    const sip = this.#text('causeSip', reading)
    const name = this.#text('causeName', reading)
    const byName = name === undefined ? undefined : causeOfName(name)
    record.causeSip = (sip === undefined ? undefined : readSip(sip)) ?? byName?.sip
    const said = q850 === undefined ? undefined : readQ850(q850)
    record.causeQ850 = said ?? byName?.q850 ?? (record.causeSip === undefined ? undefined : q850OfSip(record.causeSip))
    record.causeRaw = this.#text('causeRaw', reading) ?? name ?? sip ?? q850
    reading.variables['causeSip'] = record.causeSip === undefined ? undefined : String(record.causeSip)
    reading.variables['causeQ850'] = record.causeQ850 === undefined ? undefined : String(record.causeQ850)
  }

  #setVerdicts(record: CdrRecord, reading: Reading, flags: CdrFlag[]): void {
    const released = this.#rules.releasedBy(reading) ?? 'unknown'
    record.releasedBy = released === 'byCause' ? byCause(record) : (released as ReleaseParty)
    record.isAttempt = this.#rules.attempt(reading) !== 'no'
    if (!record.isAttempt && record.leg !== 'a' && !flags.includes('forked_leg')) flags.push('forked_leg')
  }

  #text(name: TextField | CauseField, reading: Reading): string | undefined {
    return this.#texts[name]?.(reading)
  }

  #readAttributes(reading: Reading): Record<string, string> {
    const out: Record<string, string> = {}
    for (const { name, getter } of this.#attributes) {
      const text = getter(reading)
      // Attributes are for people: a longer one is cut rather than its record refused.
      if (text !== undefined) out[name] = text.length > textLengthMax ? text.slice(0, textLengthMax) : text
    }
    return out
  }

  /** The paths of a field, for the person who reads the rejection. */
  #paths(name: 'start' | 'to'): string {
    const sources = this.#mapping.fields[name] ?? []
    const paths = sources.flatMap((source) => ('from' in source ? source.from : []))
    return paths.length === 1 ? `${paths[0]} has no value` : `none of ${paths.join(', ')} has a value`
  }
}

function named(sources: SourceMapping['attributes'], options: ReadOptions): { name: string; getter: Getter }[] {
  return Object.entries(sources).map(([name, source]) => ({ name, getter: compileText(source, options) }))
}

function withFlag(outcome: CdrRecord | RecordProblem, badUtf8: boolean): CdrRecord | RecordProblem {
  if (badUtf8 && !isProblem(outcome)) outcome.flags = [...new Set<CdrFlag>([...(outcome.flags ?? []), 'bad_utf8'])]
  return outcome
}

/** An answered call ends normally by either side: its cause alone tells nothing, unless it is a failure. */
function byCause(record: CdrRecord): ReleaseParty {
  if (record.answerUs === null) return releaseOfCause(record.causeSip, record.causeQ850) ?? 'unknown'
  return record.causeQ850 !== undefined && record.causeQ850 >= 34 ? 'network' : 'unknown'
}

function tooLong(record: CdrRecord): RecordProblem | undefined {
  for (const name of ['id', 'callId', 'leg', 'kind', 'fromRaw', 'toRaw', 'ingress', 'egress'] as const) {
    const length = record[name]?.length ?? 0
    if (length > textLengthMax)
      return { code: 'value_too_long', detail: `${name}: ${length} characters, at most ${textLengthMax}` }
  }
  return undefined
}

/** A record without an id of its own is known by its contents: sent again, it is the same record. */
function rowHash(reading: Reading): string {
  return createHash('sha256').update(JSON.stringify(reading.raw.fields)).digest('hex').slice(0, 32)
}
