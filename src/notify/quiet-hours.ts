/** Hours in which people are not disturbed, in their own time zone, also when clocks change. Pure. Main thread. */
import { TimeZone } from '../wire/time-zones.ts'
import { type Severity, severities } from './notice.ts'

export interface QuietHoursConfig {
  /** `22:00`, local; quiet from there ... */
  readonly from: string
  /** ... to there, which may be the next day. The same time twice: never quiet. */
  readonly to: string
  /** IANA name. */
  readonly zone: string
  /** What is as severe as this, or more, is told at once all the same. */
  readonly unlessSeverity: Severity
}

const dayMinutes = 1440

export class QuietHours {
  readonly #zone: TimeZone
  readonly #fromMinute: number
  readonly #toMinute: number
  readonly #unless: number

  /** @throws RangeError when there is no such zone */
  constructor(config: QuietHoursConfig) {
    this.#zone = new TimeZone(config.zone)
    this.#fromMinute = minuteOf(config.from)
    this.#toMinute = minuteOf(config.to)
    this.#unless = severities.indexOf(config.unlessSeverity)
  }

  isQuiet(wallMs: number): boolean {
    const localMinute = Math.floor((wallMs + this.#zone.offsetMs(wallMs)) / 60_000)
    const minute = ((localMinute % dayMinutes) + dayMinutes) % dayMinutes
    if (this.#fromMinute <= this.#toMinute) return minute >= this.#fromMinute && minute < this.#toMinute
    return minute >= this.#fromMinute || minute < this.#toMinute
  }

  passes(severity: Severity): boolean {
    return severities.indexOf(severity) >= this.#unless
  }
}

function minuteOf(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))
}
