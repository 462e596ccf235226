/**
 * Which calls are listened to: rules of the configuration (`detection.voice.enabled`) and, before them, rules that an
 * operator laid over at run time. The first rule that fits decides, else the default. A rule fits when everything it
 * names fits: called or calling number, account, direction, day and hour. Pure, any thread.
 */
import type { DetectionRule, VoiceConfig } from '../config/schema.ts'

export interface RuledCall {
  readonly accountSid: string
  readonly from: string
  readonly to: string
  readonly direction: string
}

export interface RuleDecision {
  readonly listen: boolean
  /** Name of the rule, or `default`. */
  readonly rule: string
}

export class DetectionRules {
  readonly #config: VoiceConfig['enabled']
  readonly #time: Intl.DateTimeFormat
  #overrides: readonly DetectionRule[] = []

  constructor(config: VoiceConfig['enabled']) {
    this.#config = config
    this.#time = new Intl.DateTimeFormat('en-GB', {
      timeZone: config.timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
  }

  /** What an operator laid over; looked at first. */
  override(rules: readonly DetectionRule[]): void {
    this.#overrides = rules
  }

  decide(call: RuledCall, wallMs: number): RuleDecision {
    const moment = this.#moment(wallMs)
    for (const rule of [...this.#overrides, ...this.#config.rules]) {
      if (fits(rule, call, moment, wallMs)) return { listen: rule.listen, rule: rule.name }
    }
    return { listen: this.#config.default, rule: 'default' }
  }

  #moment(wallMs: number): Moment {
    const parts = Object.fromEntries(this.#time.formatToParts(wallMs).map(({ type, value }) => [type, value]))
    const minute = Number(parts['hour']) * 60 + Number(parts['minute'])
    return { day: days.indexOf((parts['weekday'] ?? '').slice(0, 3).toLowerCase()), minute }
  }
}

const days: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

interface Moment {
  /** 0 is Monday. */
  readonly day: number
  readonly minute: number
}

function fits(rule: DetectionRule, call: RuledCall, moment: Moment, wallMs: number): boolean {
  if (rule.until !== undefined && wallMs >= Date.parse(rule.until)) return false
  if (rule.accounts !== undefined && !rule.accounts.includes(call.accountSid)) return false
  if (rule.direction !== undefined && !call.direction.startsWith(rule.direction)) return false
  if (rule.to !== undefined && !begins(call.to, rule.to)) return false
  if (rule.from !== undefined && !begins(call.from, rule.from)) return false
  return isInHours(rule, moment)
}

/** `+12025550100` begins with `1202`. What is no number (`client:anna`, hidden) begins with nothing. */
function begins(number: string, prefixes: readonly string[]): boolean {
  const digits = number.replace(/^\+/, '')
  return prefixes.some((prefix) => digits.startsWith(prefix))
}

/** Hours may run over midnight: they belong to the day on which they begin. */
function isInHours({ days: onDays, hours }: DetectionRule, { day, minute }: Moment): boolean {
  const isDay = (index: number): boolean => onDays === undefined || onDays.some((name) => days[index] === name)
  if (hours === undefined) return isDay(day)
  const [from = 0, to = 0] = hours.split('-').map((text) => {
    const [hour = 0, past = 0] = text.split(':').map(Number)
    return hour * 60 + past
  })
  if (from <= to) return isDay(day) && minute >= from && minute < to
  return minute >= from ? isDay(day) : minute < to && isDay((day + 6) % 7)
}
