/**
 * Local wall time -> UTC by IANA zone, with the two hours a year that are wrong: the one that occurs twice (clocks
 * go back) and the one that never occurs (clocks go forward). Offsets come from the engine's own zone data (Intl)
 * and are remembered per hour. Any thread.
 *
 *   Europe/Berlin 2026-10-25:  01:59 +02:00 | 02:00-02:59 twice: +02:00, then +01:00 | 03:00 +01:00
 *   Europe/Berlin 2026-03-29:  01:59 +01:00 | 02:00-02:59 never                      | 03:00 +02:00
 */

const hourMs = 3_600_000
const dayMs = 86_400_000

/** Offsets remembered per zone; one an hour, so about a decade. Past it the memory starts anew. */
const offsetsMax = 100_000

export interface ZonedTime {
  readonly utcMs: number
  /** The second reading of a time that occurred twice; null otherwise. */
  readonly laterMs: number | null
  readonly kind: 'once' | 'twice' | 'never'
}

export class TimeZone {
  readonly name: string
  readonly #format: Intl.DateTimeFormat | null
  readonly #fixedOffsetMs: number
  #offsets = new Map<number, number>()

  /** An IANA name, `UTC`, or a fixed offset such as `+02:00`. @throws RangeError when there is no such zone. */
  constructor(name: string) {
    this.name = name
    const fixed = parseOffset(name)
    this.#fixedOffsetMs = fixed ?? 0
    const options = {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    } as const
    this.#format = fixed === null ? new Intl.DateTimeFormat('en-US', options) : null
  }

  /** `localMs`: the wall time read as if it were UTC. */
  resolve(localMs: number): ZonedTime {
    if (this.#format === null) return { utcMs: localMs - this.#fixedOffsetMs, laterMs: null, kind: 'once' }
    const before = this.offsetMs(localMs - dayMs)
    const after = this.offsetMs(localMs + dayMs)
    if (before === after) return { utcMs: localMs - before, laterMs: null, kind: 'once' }
    const first = localMs - before
    const second = localMs - after
    const firstHolds = this.offsetMs(first) === before
    const secondHolds = this.offsetMs(second) === after
    if (firstHolds && secondHolds) return { utcMs: first, laterMs: second, kind: 'twice' }
    if (firstHolds) return { utcMs: first, laterMs: null, kind: 'once' }
    if (secondHolds) return { utcMs: second, laterMs: null, kind: 'once' }
    return { utcMs: first, laterMs: null, kind: 'never' }
  }

  /** Local minus UTC at a moment. Transitions fall on whole quarters of an hour in UTC. */
  offsetMs(utcMs: number): number {
    if (this.#format === null) return this.#fixedOffsetMs
    const bucket = Math.floor(utcMs / (hourMs / 4))
    const known = this.#offsets.get(bucket)
    if (known !== undefined) return known
    const atMs = bucket * (hourMs / 4)
    const parts: Record<string, number> = {}
    for (const { type, value } of this.#format.formatToParts(atMs)) parts[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    const offset = Date.UTC(year, month - 1, day, hour, minute, second) - atMs
    if (this.#offsets.size >= offsetsMax) this.#offsets = new Map()
    this.#offsets.set(bucket, offset)
    return offset
  }
}

/** `Z`, `UTC`, `GMT`, `+0200`, `+02:00`, `-5` -> milliseconds; null when it is no fixed offset. */
export function parseOffset(text: string): number | null {
  if (/^(z|utc|gmt|etc\/utc)$/i.test(text)) return 0
  const match = /^([+-])(\d{1,2})(?::?(\d{2}))?$/.exec(text)
  if (match === null) return null
  const ms = (Number(match[2]) * 60 + Number(match[3] ?? 0)) * 60_000
  return match[1] === '-' ? -ms : ms
}
