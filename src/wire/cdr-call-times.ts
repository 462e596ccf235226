/**
 * The four times of a call (start, ring, answer, end) from a mapping: read from the first path that has one, or
 * reckoned from another time and a duration. Local times that occurred twice are settled together: by the switch's
 * own duration when it gives one, else so that nothing happens before the start. Any thread.
 */
import type { DurationSource, SourceMapping, TimeName, TimeSource } from './cdr-mapping-schema.ts'
import type { RecordProblem } from './cdr-record.ts'
import { type ReadTime, readDurationUs, readTime, TimePattern } from './cdr-times.ts'
import { compileCondition, compilePath, type Getter, type Reading, type ReadOptions } from './cdr-values.ts'
import { TimeZone } from './time-zones.ts'

export interface CallTimes {
  start: ReadTime | undefined
  ring: ReadTime | undefined
  answer: ReadTime | undefined
  end: ReadTime | undefined
}

type Outcome = ReadTime | RecordProblem | undefined
type Resolve = (name: TimeName) => Outcome
type TimeReader = (reading: Reading, resolve: Resolve) => Outcome
export type DurationReader = (reading: Reading) => number | RecordProblem | undefined

const names: readonly TimeName[] = ['start', 'ring', 'answer', 'end']

export function compileTimes(
  mapping: SourceMapping,
  options: ReadOptions,
): (reading: Reading) => CallTimes | RecordProblem {
  const zone = new TimeZone(mapping.timeZone)
  const readers = {} as Record<TimeName, TimeReader | null>
  for (const name of names) {
    const sources = mapping.fields[name]
    readers[name] = sources === undefined ? null : compileTime(name, sources, zone, options)
  }
  const callDuration = compileDuration('callDuration', mapping.fields.callDuration ?? [], options)
  return (reading) => {
    const known = {} as Record<TimeName, Outcome>
    const pending = new Set<TimeName>()
    let problem: RecordProblem | undefined
    const resolve: Resolve = (name) => {
      if (name in known) return known[name]
      // start reckoned from end and end from start: neither is known.
      if (pending.has(name)) return undefined
      pending.add(name)
      const outcome = readers[name]?.(reading, resolve)
      pending.delete(name)
      if (outcome !== undefined && 'code' in outcome) problem ??= outcome
      known[name] = outcome
      return outcome
    }
    for (const name of names) resolve(name)
    if (problem !== undefined) return problem
    const times = known as unknown as CallTimes
    if (isAmbiguous(times)) settle(times, callDuration(reading))
    return times
  }
}

export function compileDuration(
  field: string,
  sources: readonly DurationSource[],
  options: ReadOptions,
): DurationReader {
  const readers = sources.map((source) => {
    const when = 'when' in source && source.when !== undefined ? compileCondition(source.when, options) : null
    const paths = source.from.map((path) => ({ path, getter: compilePath(path, options) }))
    return { when, paths, unit: source.unit }
  })
  return (reading) => {
    for (const { when, paths, unit } of readers) {
      if (when !== null && !when(reading)) continue
      for (const { path, getter } of paths) {
        const text = getter(reading)
        if (text === undefined) continue
        const us = readDurationUs(text, unit)
        if (us !== null) return us
        return { code: 'duration_unreadable', detail: `${field}: ${path} is ${shown(text)}, no duration` }
      }
    }
    return undefined
  }
}

function compileTime(name: TimeName, sources: readonly TimeSource[], zone: TimeZone, options: ReadOptions): TimeReader {
  const readers = sources.map((source): TimeReader => {
    const reader = 'from' in source ? compileRead(name, source, zone, options) : compileReckoned(name, source, options)
    const when = 'when' in source && source.when !== undefined ? compileCondition(source.when, options) : null
    return when === null ? reader : (reading, resolve) => (when(reading) ? reader(reading, resolve) : undefined)
  })
  return (reading, resolve) => {
    for (const reader of readers) {
      const outcome = reader(reading, resolve)
      if (outcome !== undefined) return outcome
    }
    return undefined
  }
}

type ReadSource = Extract<TimeSource, { from: string[] }>

function compileRead(name: TimeName, source: ReadSource, zone: TimeZone, options: ReadOptions): TimeReader {
  const paths: { path: string; getter: Getter }[] = source.from.map((path) => ({
    path,
    getter: compilePath(path, options),
  }))
  const own = 'zone' in source && source.zone !== undefined ? new TimeZone(source.zone) : zone
  const pattern = 'format' in source && source.format !== undefined ? new TimePattern(source.format) : null
  return (reading) => {
    for (const { path, getter } of paths) {
      const text = getter(reading)
      if (text === undefined) continue
      const time = readTime(text, source.unit, own, pattern)
      if (typeof time === 'object') return time
      if (typeof time === 'string') {
        const code = time.startsWith('lies') ? 'time_out_of_range' : 'time_unreadable'
        return { code, detail: `${name}: ${path} is ${shown(text)}: ${time}` }
      }
    }
    return undefined
  }
}

function compileReckoned(name: TimeName, source: Exclude<TimeSource, ReadSource>, options: ReadOptions): TimeReader {
  const base = 'after' in source ? source.after : source.before
  const sign = 'after' in source ? 1 : -1
  const duration = compileDuration(name, 'after' in source ? source.plus : source.minus, options)
  return (reading, resolve) => {
    const from = resolve(base)
    if (from === undefined || 'code' in from) return undefined
    const us = duration(reading)
    if (us === undefined || typeof us !== 'number') return us
    const laterUs = from.laterUs === null ? null : from.laterUs + sign * us
    return { us: from.us + sign * us, laterUs, kind: from.kind, unsynchronised: from.unsynchronised }
  }
}

/** A value in a rejection: short, and never the whole of something that may be a number of a person. */
function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}

function isAmbiguous(times: CallTimes): boolean {
  return names.some((name) => times[name] !== undefined && times[name].laterUs !== null)
}

function readings(time: ReadTime | undefined): number[] {
  if (time === undefined) return []
  return time.laterUs === null ? [time.us] : [time.us, time.laterUs]
}

/** Picks one reading each. Prefers the pair whose distance is the switch's duration, else the earliest sound order. */
function settle(times: CallTimes, durationUs: number | RecordProblem | undefined): void {
  const wanted = typeof durationUs === 'number' ? durationUs : null
  let best: { start: number; end: number; error: number } | null = null
  for (const start of readings(times.start)) {
    for (const end of readings(times.end)) {
      const error = wanted === null ? (end < start ? 1 : 0) : Math.abs(end - start - wanted)
      if (best === null || error < best.error) best = { start, end, error }
    }
  }
  if (best !== null) {
    take(times, 'start', best.start)
    take(times, 'end', best.end)
  }
  const startUs = times.start?.us ?? 0
  for (const name of ['ring', 'answer'] as const) {
    const choice = readings(times[name]).find((us) => us >= startUs)
    if (choice !== undefined) take(times, name, choice)
  }
}

function take(times: CallTimes, name: TimeName, us: number): void {
  const time = times[name]
  if (time !== undefined) times[name] = { ...time, us }
}
