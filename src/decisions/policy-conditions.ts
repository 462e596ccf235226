/**
 * The conditions of a rule, compiled once: each answers whether it holds and, for the trace of a decision, says in
 * words what it asked and what was there. No phone number enters those words. Pure, any thread.
 */
import { type RuleConfig, weekdays } from '../config/actions-schema.ts'
import type { CallFacts, TrackName } from '../ingest/track.ts'
import { defaultNumberPlan } from '../wire/numbers.ts'
import { TimeZone } from '../wire/time-zones.ts'
import type { CallRisk, KnownCase } from './call-risk.ts'
import type { Label } from './verdict-view.ts'

/** What rules look at: one track after one hop. */
export interface PolicyLook {
  readonly call: CallFacts
  readonly track: TrackName
  readonly label: Label
  readonly score: number | null
  readonly confidence: number
  readonly netSpeechMs: number
  /** Phrases that were the sound of an earlier one again. */
  readonly repeatedPhrases: number
  /** Media time of the end of the hop. */
  readonly mediaMs: number
  /** Wall time. */
  readonly nowMs: number
  /** Asked for only by rules that need them. */
  readonly risk: () => CallRisk
  readonly cases: () => readonly KnownCase[]
}

export interface Condition {
  holds(look: PolicyLook): boolean
  /** `confidence 0.91, at least 0.7` */
  words(look: PolicyLook): string
}

type Who = Pick<RuleConfig['when'], 'track' | 'direction' | 'from' | 'notFrom' | 'to' | 'notTo' | 'time'>

/** Everything of a rule but its dwell. */
export function conditionsOf(when: RuleConfig['when']): Condition[] {
  const { label, confidenceMin, scoreMin, riskMin, netSpeechMsMin, repeatedPhrasesMin, caseKinds, stirVerstat } = when
  const out: Condition[] = []
  if (label !== undefined) {
    const wanted: readonly Label[] = typeof label === 'string' ? [label] : label
    out.push({ holds: (look) => wanted.includes(look.label), words: (look) => `label ${look.label}` })
  }
  if (confidenceMin !== undefined) out.push(atLeast('confidence', confidenceMin, (look) => look.confidence))
  if (scoreMin !== undefined) out.push(atLeast('score', scoreMin, (look) => look.score ?? -1))
  if (netSpeechMsMin !== undefined) {
    out.push({
      holds: (look) => look.netSpeechMs >= netSpeechMsMin,
      words: (look) => `${seconds(look.netSpeechMs)} of speech, at least ${seconds(netSpeechMsMin)}`,
    })
  }
  if (repeatedPhrasesMin !== undefined) {
    out.push({
      holds: (look) => look.repeatedPhrases >= repeatedPhrasesMin,
      words: (look) => `${look.repeatedPhrases} repeated phrases, at least ${repeatedPhrasesMin}`,
    })
  }
  out.push(...whoConditions(when))
  if (stirVerstat !== undefined) {
    const said = (look: PolicyLook): string => look.call.stirVerstat || 'none'
    out.push({
      holds: (look) => stirVerstat.some((pattern) => fits(said(look), pattern)),
      words: (look) => `StirVerstat ${said(look)}`,
    })
  }
  // Last: these look further than the track.
  if (caseKinds !== undefined) {
    const found = (look: PolicyLook) =>
      look.cases().find(({ kind, state }) => state === 'open' && isIn(kind, caseKinds))
    out.push({
      holds: (look) => found(look) !== undefined,
      words: (look) => `open ${found(look)?.kind ?? ''} case on the caller's ${found(look)?.subject.type ?? ''}`,
    })
  }
  if (riskMin !== undefined) out.push(atLeast('risk', riskMin, (look) => look.risk().score))
  return out
}

/** Which calls and tracks; shared by rules and exceptions. */
export function whoConditions({ track, direction, from, notFrom, to, notTo, time }: Who): Condition[] {
  const out: Condition[] = []
  if (track !== undefined) {
    out.push({ holds: (look) => look.track === track, words: () => `${track} track` })
  }
  if (direction !== undefined) {
    const isOutbound = direction === 'outbound'
    out.push({
      holds: (look) => look.call.direction.startsWith('outbound') === isOutbound,
      words: () => `${direction} call`,
    })
  }
  if (from !== undefined) out.push(listed(from, true, 'caller', (look) => look.call.from))
  if (notFrom !== undefined) out.push(listed(notFrom, false, 'caller', (look) => look.call.from))
  if (to !== undefined) out.push(listed(to, true, 'called number', (look) => look.call.to))
  if (notTo !== undefined) out.push(listed(notTo, false, 'called number', (look) => look.call.to))
  if (time !== undefined) {
    const hours = new OpeningHours(time)
    out.push({ holds: (look) => hours.holds(look.nowMs), words: () => hours.words })
  }
  return out
}

function atLeast(name: string, min: number, read: (look: PolicyLook) => number): Condition {
  return {
    holds: (look) => read(look) >= min,
    words: (look) => `${name} ${shown(read(look), min)}, at least ${min}`,
  }
}

/** Two digits, more where two would make a value seem to miss, or just reach, its limit. */
function shown(value: number, min: number): string {
  return Math.abs(value - min) < 0.005 ? value.toFixed(4) : value.toFixed(2)
}

function listed(
  patterns: readonly string[],
  isIn: boolean,
  who: string,
  read: (look: PolicyLook) => string,
): Condition {
  const list = new NumberList(patterns)
  return {
    holds: (look) => list.has(read(look)) === isIn,
    words: () => `${who} is ${isIn ? '' : 'not '}on the list`,
  }
}

function isIn(text: string, list: readonly string[]): boolean {
  return list.includes(text)
}

function fits(text: string, pattern: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** Numbers, prefixes (`4930*`), `anonymous`, `client:NAME`. One look-up per length of prefix, however many. */
export class NumberList {
  readonly #exact = new Set<string>()
  readonly #prefixes = new Map<number, Set<string>>()

  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (!pattern.endsWith('*')) {
        this.#exact.add(pattern)
        continue
      }
      const prefix = pattern.slice(0, -1)
      const known = this.#prefixes.get(prefix.length)
      if (known === undefined) this.#prefixes.set(prefix.length, new Set([prefix]))
      else known.add(prefix)
    }
  }

  /** @param raw as Twilio writes it: `+12025550123`, `anonymous`, `client:alice` */
  has(raw: string): boolean {
    const number = plainNumber(raw)
    if (this.#exact.has(number)) return true
    for (const [length, prefixes] of this.#prefixes) if (prefixes.has(number.slice(0, length))) return true
    return false
  }
}

/** Digits without +; `anonymous` for a withheld number in any of its spellings; anything else as it is. */
export function plainNumber(raw: string): string {
  const text = raw.trim()
  if (text === '' || defaultNumberPlan.withheld.includes(text.toLowerCase())) return 'anonymous'
  return /^\+\d+$/.test(text) ? text.slice(1) : text
}

/** Times of day and days of the week in a zone. Hours that pass midnight belong to the day they begin on. */
class OpeningHours {
  readonly words: string
  readonly #zone: TimeZone
  readonly #days: ReadonlySet<string> | null
  readonly #fromMinute: number
  readonly #toMinute: number

  constructor({ between, days, zone }: NonNullable<Who['time']>) {
    this.words = ['local time', between, days?.join(' '), zone].filter((part) => part !== undefined).join(' ')
    this.#zone = new TimeZone(zone)
    this.#days = days === undefined ? null : new Set(days)
    const [from = 0, to = 0] = (between ?? '00:00-00:00').split('-').map(minuteOf)
    this.#fromMinute = from
    this.#toMinute = to
  }

  holds(nowMs: number): boolean {
    const local = new Date(nowMs + this.#zone.offsetMs(nowMs))
    const minute = local.getUTCHours() * 60 + local.getUTCMinutes()
    const wraps = this.#toMinute <= this.#fromMinute
    const late = minute >= this.#fromMinute
    const early = minute < this.#toMinute
    if (wraps ? !late && !early : !late || !early) return false
    const day = (local.getUTCDay() + (wraps && !late ? 6 : 0)) % 7
    return this.#days === null || this.#days.has(weekdays[day] ?? '')
  }
}

function minuteOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number)
  return hours * 60 + minutes
}
