/**
 * The policy on live calls: which rules fire for a track after a hop. A track climbs: a rule fires once its conditions
 * have all held for `dwellMs` of media time without a break, and at most once per (call, track), over however many
 * streams and detections. What is then done (shadow, one REST action a call) is not decided here. Pure: time comes in
 * with the look; the memory of a track is a `Climb`, kept by whoever keeps the call. Main thread.
 *
 *   hop        1    2    3    4    5    6    7
 *   label      ?    S    S    h    S    S    S        S: the conditions hold
 *   dwell      -    0    0.5  -    0    0.5  1.0 s    dwellMs 1000: fires at hop 7, never again
 */
import type { ActionsConfig, ExceptionConfig, RuleConfig } from '../config/actions-schema.ts'
import type { CallFacts, TrackName } from '../ingest/track.ts'
import { type Condition, conditionsOf, type PolicyLook, whoConditions } from './policy-conditions.ts'

/** What a track of a call has behind it. */
export class Climb {
  /** Rules that fired. */
  readonly fired = new Set<string>()
  /** Rule -> media time since when its conditions hold. */
  readonly sinceMs = new Map<string, number>()
  /** The detection whose media time that is. */
  trackId = 0
}

/** A rule that fires now. */
export interface Firing {
  readonly rule: RuleConfig
  /** Media time that its conditions have held. */
  readonly heldMs: number
  /** What it asked and what was there, in words. */
  readonly conditions: readonly string[]
}

/** A voice that is a machine by right. */
export interface Exception {
  readonly name: string
  readonly why: ExceptionConfig['why']
  /** Media time from which it no longer counts; null: the whole call. */
  readonly untilMs: number | null
}

interface CompiledRule {
  readonly rule: RuleConfig
  readonly conditions: readonly Condition[]
}

interface CompiledException {
  readonly exception: Exception
  readonly conditions: readonly Condition[]
}

export class VoicePolicy {
  readonly #rules: readonly CompiledRule[]
  readonly #exceptions: readonly CompiledException[]

  constructor({ rules, exceptions }: Pick<ActionsConfig, 'rules' | 'exceptions'>) {
    this.#rules = rules.map((rule) => ({ rule, conditions: conditionsOf(rule.when) }))
    this.#exceptions = exceptions.map(({ name, why, firstMs, ...who }) => ({
      exception: { name, why, untilMs: firstMs ?? null },
      conditions: whoConditions(who),
    }))
  }

  /** The rules that fire now, in the order of the configuration. */
  step(climb: Climb, trackId: number, look: PolicyLook): Firing[] {
    if (climb.trackId !== trackId) {
      // Another detection of the same call and track: its media time begins anew, what was done stays done.
      climb.trackId = trackId
      climb.sinceMs.clear()
    }
    const firings: Firing[] = []
    for (const { rule, conditions } of this.#rules) {
      if (climb.fired.has(rule.name)) continue
      if (!conditions.every((condition) => condition.holds(look))) {
        climb.sinceMs.delete(rule.name)
        continue
      }
      const sinceMs = climb.sinceMs.get(rule.name) ?? look.mediaMs
      climb.sinceMs.set(rule.name, sinceMs)
      const heldMs = look.mediaMs - sinceMs
      const { dwellMs } = rule.when
      if (heldMs < (dwellMs ?? 0)) continue
      climb.fired.add(rule.name)
      climb.sinceMs.delete(rule.name)
      const dwell = dwellMs === undefined ? [] : [`held for ${inSeconds(heldMs)}, at least ${inSeconds(dwellMs)}`]
      firings.push({ rule, heldMs, conditions: [...conditions.map((condition) => condition.words(look)), ...dwell] })
    }
    return firings
  }

  /** The exception that a track of a call falls under when it begins: the one that counts longest. */
  exceptionFor(call: CallFacts, track: TrackName, nowMs: number): Exception | null {
    const look = startOf(call, track, nowMs)
    let found: Exception | null = null
    for (const { exception, conditions } of this.#exceptions) {
      if (!conditions.every((condition) => condition.holds(look))) continue
      if (exception.untilMs === null) return exception
      if (found === null || exception.untilMs > (found.untilMs ?? 0)) found = exception
    }
    return found
  }
}

/** A track before anything was heard: all that exceptions look at. */
function startOf(call: CallFacts, track: TrackName, nowMs: number): PolicyLook {
  const risk = { score: 0.5, logOdds: 0, parts: [] }
  const said = { label: 'insufficient_speech', score: null, confidence: 0 } as const
  const heard = { ...said, netSpeechMs: 0, mediaMs: 0, repeatedPhrases: 0 }
  return { call, track, nowMs, ...heard, risk: () => risk, cases: () => [] }
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
