/**
 * Times and durations as switches write them -> integer microseconds. Numbers are read from their digits, not through
 * floating point, so 1335310195.513823 stays exact; their magnitude tells seconds, milliseconds, microseconds or
 * nanoseconds unless the mapping declares the unit. 0, empty and `0000-00-00` mean never. Any thread.
 *
 *   1767225600 · 1767225600123 · 1767225600123456 · 1335310195.513823        epoch
 *   2026-03-01 10:00:00 · 2026-03-01T10:00:00.5Z · 2016-09-12T13:53:52.110+0200 · 20160419210005.247
 *   Tue, 28 Apr 2026 21:51:18 +0000 · *10:00:00.123 UTC Sun Mar 1 2026 (h323, * = clock not set)
 */
import { timeUsMax, timeUsMin } from './cdr-record.ts'
import { parseOffset, type TimeZone } from './time-zones.ts'

export type TimeUnit = 'auto' | 's' | 'ms' | 'us' | 'ns' | 'text'

export interface ReadTime {
  readonly us: number
  /** The other reading of a local time that occurred twice. */
  readonly laterUs: number | null
  readonly kind: 'once' | 'twice' | 'never'
  readonly unsynchronised: boolean
}

/** undefined: never (0, empty). A string: what is wrong with it. */
export type TimeOutcome = ReadTime | undefined | string

const unitDigits: Readonly<Record<string, number>> = { s: 6, ms: 3, us: 0, ns: -3 }

/**
 * Reads `text` in `unit`; a wall time without zone is in `zone`. `pattern` reads what ISO and RFC forms do not
 * cover.
 */
export function readTime(text: string, unit: TimeUnit, zone: TimeZone, pattern: TimePattern | null): TimeOutcome {
  const trimmed = text.trim()
  if (isNever(trimmed)) return undefined
  if (pattern !== null) {
    const wall = pattern.read(trimmed)
    return wall === null ? `does not read as ${pattern.format}` : resolve(wall, zone)
  }
  if (unit !== 'text' && /^\d+(\.\d*)?$/.test(trimmed)) {
    // 14 digits are yyyyMMddHHmmss, whatever the fraction; 8 are yyyyMMdd.
    const whole = trimmed.indexOf('.') < 0 ? trimmed.length : trimmed.indexOf('.')
    if (unit !== 'auto' || whole !== 14) return once(readEpoch(trimmed, unit))
  }
  const wall = readWallTime(trimmed)
  return wall === null ? 'is no time that can be read; declare its format' : resolve(wall, zone)
}

function isNever(text: string): boolean {
  return text === '' || /^[0\-:.\sT]*$/.test(text) || /^(null|none|never|n\/a|nan)$/i.test(text)
}

function once(us: number | string): TimeOutcome {
  if (typeof us === 'string') return us
  return inRange({ us, laterUs: null, kind: 'once', unsynchronised: false })
}

function inRange(time: ReadTime): TimeOutcome {
  if (time.us >= timeUsMin && time.us <= timeUsMax) return time
  return 'lies before 1980 or after 2100: is its unit right?'
}

/** Digits -> microseconds without floating point; below a microsecond it rounds down. */
export function readEpoch(text: string, unit: TimeUnit): number | string {
  const point = text.indexOf('.')
  const whole = point < 0 ? text : text.slice(0, point)
  const digits = whole.replace(/^0+/, '').length
  let scale = unitDigits[unit]
  if (scale === undefined) {
    if (digits <= 11) scale = 6
    else if (digits <= 14) scale = 3
    else if (digits <= 17) scale = 0
    else scale = -3
  }
  const fraction = point < 0 ? '' : text.slice(point + 1)
  const shifted = scale >= 0 ? whole + fraction.slice(0, scale).padEnd(scale, '0') : whole.slice(0, scale) || '0'
  const us = Number(shifted)
  return Number.isSafeInteger(us) ? us : 'is too large for a time'
}

/** A wall time: milliseconds as if UTC, microseconds beyond them, and the offset if the text has one. */
interface WallTime {
  readonly localMs: number
  readonly extraUs: number
  readonly offsetMs: number | null
  readonly unsynchronised: boolean
}

function resolve(wall: WallTime, zone: TimeZone): TimeOutcome {
  if (Number.isNaN(wall.localMs)) return 'is no date of the calendar'
  const { unsynchronised, extraUs } = wall
  if (wall.offsetMs !== null) {
    return inRange({ us: (wall.localMs - wall.offsetMs) * 1000 + extraUs, laterUs: null, kind: 'once', unsynchronised })
  }
  const { utcMs, laterMs, kind } = zone.resolve(wall.localMs)
  const laterUs = laterMs === null ? null : laterMs * 1000 + extraUs
  return inRange({ us: utcMs * 1000 + extraUs, laterUs, kind, unsynchronised })
}

const months: readonly string[] = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')

const isoDate = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})/.source
const isoClock = /(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?/.source
const isoLike = new RegExp(`${isoDate}${isoClock}${/\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$/.source}`, 'i')
const compact = /^(\d{4})(\d{2})(\d{2})T?(\d{2})(\d{2})(\d{2})(?:\.(\d+))?\s*(Z|[+-]\d{4})?$/
const mailDate = /^(?:[a-z]+,?\s+)?(\d{1,2})[\s-]([a-z]{3})[a-z]*[\s-](\d{4})/.source
const mailClock = /\s+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?/.source
const rfc2822 = new RegExp(`${mailDate}${mailClock}${/\s*([+-]\d{2}:?\d{2}|Z|UTC|GMT|Etc\/UTC)?$/.source}`, 'i')
const h323Clock = /^([*.]?)(\d{2}):(\d{2}):(\d{2})\.(\d{1,6})\s+([A-Za-z+\-\d:/]+)/.source
const h323 = new RegExp(`${h323Clock}${/\s+[a-z]{3}\s+([a-z]{3})\s+(\d{1,2})\s+(\d{4})$/.source}`, 'i')

/** Day first: nobody writes dots the other way. With slashes the order is anybody's guess and must be declared. */
const dotted = /^(\d{1,2})\.(\d{1,2})\.(\d{4})\s+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?$/

function readWallTime(text: string): WallTime | null {
  const iso = isoLike.exec(text) ?? compact.exec(text)
  if (iso !== null) {
    const [, year, month, day, hour, minute, second, fraction, zone] = iso
    return wallTime([year, month, day, hour, minute, second], fraction, zone, false)
  }
  const mail = rfc2822.exec(text)
  if (mail !== null) {
    const [, day, name, year, hour, minute, second, fraction, zone] = mail
    return wallTime([year, monthNumber(name), day, hour, minute, second], fraction, zone, false)
  }
  const european = dotted.exec(text)
  if (european !== null) {
    const [, day, month, year, hour, minute, second, fraction] = european
    return wallTime([year, month, day, hour, minute, second], fraction, undefined, false)
  }
  const cisco = h323.exec(text)
  if (cisco === null) return null
  const [, mark, hour, minute, second, fraction, zone, name, day, year] = cisco
  // A zone by its letters other than UTC is ambiguous (CST); then the mapping's zone decides.
  return wallTime([year, monthNumber(name), day, hour, minute, second], fraction, zone, mark !== '')
}

function monthNumber(name: string | undefined): string {
  return String(months.indexOf((name ?? '').toLowerCase()) + 1)
}

type Text = string | undefined

function wallTime(fields: readonly Text[], fraction: Text, zone: Text, unsynchronised: boolean): WallTime {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = fields.map((field) => Number(field ?? 0))
  const micros = Number((fraction ?? '').slice(0, 6).padEnd(6, '0'))
  const millis = Math.floor(micros / 1000)
  const localMs = Date.UTC(year, month - 1, day, hour, minute, second, millis)
  const date = new Date(localMs)
  // Date.UTC rolls 31 February over; a leap second 60 may roll.
  const sound = date.getUTCMonth() === month - 1 && date.getUTCDate() >= day && hour < 24 && minute < 60 && second <= 60
  const offsetMs = zone === undefined ? null : parseOffset(zone)
  return { localMs: sound ? localMs : Number.NaN, extraUs: micros - millis * 1000, offsetMs, unsynchronised }
}

/**
 * A declared format: `dd/MM/yyyy HH:mm:ss`. Tokens: yyyy yy MM M dd d MMM HH H hh h mm ss S (fraction) a (AM/PM)
 * Z (offset); everything else stands for itself, a space for any white space.
 */
export class TimePattern {
  readonly format: string
  readonly #pattern: RegExp
  readonly #tokens: string[] = []

  /** @throws RangeError when a part is neither token nor punctuation. */
  constructor(format: string) {
    this.format = format
    const body = format.replace(/yyyy|yy|MMM|MM|M|dd|d|HH|H|hh|h|mm|ss|S+|a|Z|\s+|[^\w\s]|\w/g, (part) => {
      const source = tokenSource(part)
      if (source !== null) this.#tokens.push(part)
      else if (/\s/.test(part)) return '\\s+'
      else if (/\w/.test(part) && part !== 'T') throw new RangeError(`"${part}" in time format "${format}" is no token`)
      return source ?? `\\${part}`.replace('\\T', 'T')
    })
    this.#pattern = new RegExp(`^${body}$`, 'i')
  }

  read(text: string): WallTime | null {
    const match = this.#pattern.exec(text)
    if (match === null) return null
    const fields: Text[] = ['1970', '1', '1', '0', '0', '0']
    let fraction: Text
    let zone: Text
    let half = ''
    for (const [position, token] of this.#tokens.entries()) {
      const value = match[position + 1]
      if (token === 'yyyy') fields[0] = value
      else if (token === 'yy') fields[0] = `20${value}`
      else if (token === 'MMM') fields[1] = monthNumber(value)
      else if (token[0] === 'M') fields[1] = value
      else if (token[0] === 'd') fields[2] = value
      else if (token[0] === 'H' || token[0] === 'h') fields[3] = value
      else if (token === 'mm') fields[4] = value
      else if (token === 'ss') fields[5] = value
      else if (token[0] === 'S') fraction = value
      else if (token === 'a') half = (value ?? '').toLowerCase()
      else zone = value
    }
    if (half !== '') fields[3] = String((Number(fields[3]) % 12) + (half === 'pm' ? 12 : 0))
    return wallTime(fields, fraction, zone, false)
  }
}

function tokenSource(part: string): string | null {
  if (part === 'yyyy') return '(\\d{4})'
  if (part === 'MMM') return '([a-z]{3})'
  if (part === 'a') return '(am|pm)'
  if (part === 'Z') return '(Z|UTC|[+-]\\d{2}:?\\d{2})'
  if (/^S+$/.test(part)) return '(\\d{1,9})'
  if (/^(yy|MM|dd|HH|hh|mm|ss)$/.test(part)) return '(\\d{2})'
  return /^[MdHh]$/.test(part) ? '(\\d{1,2})' : null
}

/** `42`, `42.5`, `00:01:42`, `1:42.250` -> microseconds; null when it is no duration. */
export function readDurationUs(text: string, unit: 's' | 'ms' | 'us'): number | null {
  const trimmed = text.trim()
  const clock = /^(?:(\d+):)?(\d{1,2}):(\d{2})(?:\.(\d{1,6}))?$/.exec(trimmed)
  if (clock !== null) {
    const [, hours = '0', minutes, seconds, fraction = ''] = clock
    const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)
    return whole * 1_000_000 + Number(fraction.padEnd(6, '0'))
  }
  if (!/^\d+(\.\d*)?$/.test(trimmed)) return null
  const us = readEpoch(trimmed, unit)
  return typeof us === 'number' ? us : null
}
