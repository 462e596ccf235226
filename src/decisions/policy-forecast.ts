/**
 * What a policy would have done, hour by hour, before anybody turns it on: alerts, calls under each action, who would
 * have been blocked and how many of those calls were real conversations. Only calls that began after their case had
 * opened count: nobody can stop an earlier one. Bounded in hours and subjects. Any thread.
 */
import { type FraudAction, fraudActions } from '../config/schema.ts'
import type { CallEvent } from '../features/call-event.ts'
import { subjectKey } from './case-subjects.ts'
import type { FraudCase } from './cases.ts'
import type { FraudPolicy } from './fraud-policy.ts'
import type { CaseKind } from './fraud-signal.ts'

const hourMs = 3_600_000
/** A year and a bit of hours; later ones are added to the last. */
const hoursMax = 10_000
const subjectsMax = 20_000
/** An answered call that talks so long is most likely a conversation. */
export const conversationS = 30

export interface HourForecast {
  readonly hourMs: number
  attempts: number
  /** Cases opened, those that a broader one took in left out. */
  alerts: number
  readonly actions: Record<FraudAction, number>
}

export interface Stopped {
  readonly subject: string
  readonly kind: CaseKind
  readonly action: FraudAction
  /** Calls that began while the action was on. */
  calls: number
  /** Of them, answered ones that talked long: people we would have annoyed. */
  conversations: number
}

export class PolicyForecast {
  readonly hours = new Map<number, HourForecast>()
  readonly touched = new Map<string, Stopped>()
  readonly #policy: FraudPolicy

  constructor(policy: FraudPolicy) {
    this.#policy = policy
  }

  hour(timeMs: number): HourForecast {
    const start = Math.floor(timeMs / hourMs) * hourMs
    const known = this.hours.get(start)
    if (known !== undefined) return known
    if (this.hours.size >= hoursMax) return [...this.hours.values()].at(-1)!
    const actions = Object.fromEntries(fraudActions.map((action) => [action, 0])) as Record<FraudAction, number>
    const made: HourForecast = { hourMs: start, attempts: 0, alerts: 0, actions }
    this.hours.set(start, made)
    return made
  }

  call(event: CallEvent, cases: readonly FraudCase[]): void {
    const hour = this.hour(event.timeMs)
    hour.attempts++
    const inTime = cases.length === 0 ? cases : cases.filter((each) => each.openedMs <= event.startMs)
    const decision = inTime.length === 0 ? null : this.#policy.decide(inTime, event.from, event.route, event.startMs)
    if (decision === null) {
      hour.actions.allow++
      return
    }
    hour.actions[decision.intended]++
    const by = inTime.find((each) => each.id === decision.caseId)
    if (by === undefined || decision.intended === 'allow') return
    const key = `${by.kind} ${subjectKey(by.subject)} ${decision.intended}`
    let stopped = this.touched.get(key)
    if (stopped === undefined) {
      if (this.touched.size >= subjectsMax) return
      stopped = {
        subject: subjectKey(by.subject),
        kind: by.kind,
        action: decision.intended,
        calls: 0,
        conversations: 0,
      }
      this.touched.set(key, stopped)
    }
    stopped.calls++
    if (event.answered && event.talkS >= conversationS) stopped.conversations++
  }

  /** Subjects by how many of their calls an action would have met, most first. */
  under(action: FraudAction): Stopped[] {
    return [...this.touched.values()].filter((each) => each.action === action).sort((a, b) => b.calls - a.calls)
  }
}

/** Worst first: sure and large before unsure and small; an anomaly has no name and weighs half. */
export function severity(it: FraudCase): number {
  return it.score * (1 + Math.log10(1 + it.calls)) * (it.kind === 'anomaly' ? 0.5 : 1)
}
