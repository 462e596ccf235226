/**
 * What is done to a call because of an open case: by the case's kind, for a limited time after its last evidence,
 * never to numbers and routes on the allow-lists, and in shadow mode only said. Weak cases get a label at most, unless
 * a person confirmed them. Any thread.
 */
import type { FraudAction, FraudPolicyConfig } from '../config/schema.ts'
import type { FraudCase } from './cases.ts'

export interface Decision {
  /** What is done now: `allow` in shadow mode. */
  readonly action: FraudAction
  /** What would be done without shadow mode. */
  readonly intended: FraudAction
  readonly caseId: string
  readonly reasons: readonly string[]
  /** How long the answer holds. */
  readonly ttlMs: number
}

/** A case's action; nothing is done any more when `expiresMs` is null. */
export interface CaseAction {
  readonly intended: FraudAction
  readonly effective: FraudAction
  readonly shadow: boolean
  readonly expiresMs: number | null
}

const strength: Readonly<Record<FraudAction, number>> = { allow: 0, label: 1, challenge: 2, divert: 3, block: 4 }

export class FraudPolicy {
  readonly #policy: FraudPolicyConfig

  constructor(policy: FraudPolicyConfig) {
    this.#policy = policy
  }

  /** The strongest of what the cases ask for; null: nothing is known against the call. */
  decide(cases: readonly FraudCase[], from: string, route: string, nowMs: number): Decision | null {
    let found: Decision | null = null
    for (const each of cases) {
      const decision = this.#forCase(each, from, route, nowMs)
      if (decision === null) continue
      if (found === null || strength[decision.intended] > strength[found.intended]) found = decision
    }
    return found
  }

  /** What a case asks for by itself, whoever its next calls are of. */
  ofCase(it: FraudCase, nowMs: number): CaseAction {
    const { type, value } = it.subject
    const from = type === 'number' || type === 'range' ? value : ''
    const route = type === 'route' ? value : type === 'route_destination' ? value.slice(0, value.lastIndexOf('>')) : ''
    const decision = this.#forCase(it, from, route, nowMs)
    const { shadow, ttlMs } = this.#policy
    if (decision === null) return { intended: 'allow', effective: 'allow', shadow, expiresMs: null }
    return { intended: decision.intended, effective: decision.action, shadow, expiresMs: it.lastSeenMs + ttlMs }
  }

  get shadow(): boolean {
    return this.#policy.shadow
  }

  #forCase(it: FraudCase, from: string, route: string, nowMs: number): Decision | null {
    const { actions, scoreMin, shadow, ttlMs, allowNumbers, allowRoutes } = this.#policy
    const leftMs = it.lastSeenMs + ttlMs - nowMs
    if (leftMs <= 0 || it.state === 'closed' || it.state === 'merged') return null
    const spared = allowRoutes.includes(route) || allowNumbers.some((prefix) => from.startsWith(prefix))
    let intended: FraudAction = spared ? 'allow' : actions[it.kind]
    if (it.score < scoreMin && it.verdict !== 'confirmed' && strength[intended] > strength.label) intended = 'label'
    const reasons = spared ? ['on the allow-list'] : it.reasons.map((reason) => reason.text)
    return { action: shadow ? 'allow' : intended, intended, caseId: it.id, reasons, ttlMs: leftMs }
  }
}
