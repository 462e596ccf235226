/** A case as the API, events and the page tell it: times ISO 8601, the action as it stands now. Any thread. */
import type { FraudAction } from '../config/schema.ts'
import type { BookedCase } from './case-journal.ts'
import type { Subject } from './case-subjects.ts'
import type { CaseState, FraudCase, Verdict } from './cases.ts'
import type { FraudPolicy } from './fraud-policy.ts'
import type { CaseKind, Reason } from './fraud-signal.ts'
import { severity } from './policy-forecast.ts'

export interface CaseView {
  readonly id: string
  readonly kind: CaseKind
  readonly subject: Subject
  readonly state: CaseState
  readonly verdict: Verdict | null
  readonly score: number
  readonly severity: number
  readonly calls: number
  readonly reasons: readonly Reason[]
  readonly evidence: readonly string[]
  readonly firstSeenAt: string
  readonly openedAt: string
  readonly lastSeenAt: string
  readonly mergedInto: string | null
  readonly absorbed: number
  readonly action: {
    readonly intended: FraudAction
    readonly effective: FraudAction
    readonly shadow: boolean
    readonly expiresAt: string | null
  }
  readonly decidedBy: string | null
  readonly decidedAt: string | null
  readonly note: string | null
}

export function caseView(booked: BookedCase, policy: FraudPolicy, nowMs: number): CaseView {
  const { it } = booked.seed
  const { decidedBy, decidedMs, note } = booked
  return { ...factsOf(it, policy, nowMs), decidedBy, decidedAt: decidedMs === null ? null : iso(decidedMs), note }
}

/** Of a case that nobody has decided on. */
export function undecidedView(it: FraudCase, policy: FraudPolicy, nowMs: number): CaseView {
  return { ...factsOf(it, policy, nowMs), decidedBy: null, decidedAt: null, note: null }
}

function factsOf(
  it: FraudCase,
  policy: FraudPolicy,
  nowMs: number,
): Omit<CaseView, 'decidedBy' | 'decidedAt' | 'note'> {
  const { intended, effective, shadow, expiresMs } = policy.ofCase(it, nowMs)
  return {
    id: it.id,
    kind: it.kind,
    subject: it.subject,
    state: it.state,
    verdict: it.verdict,
    score: Number(it.score.toFixed(4)),
    severity: Number(severity(it).toFixed(4)),
    calls: it.calls,
    reasons: it.reasons,
    evidence: it.evidence,
    firstSeenAt: iso(it.firstSeenMs),
    openedAt: iso(it.openedMs),
    lastSeenAt: iso(it.lastSeenMs),
    mergedInto: it.mergedInto,
    absorbed: it.absorbed,
    action: { intended, effective, shadow, expiresAt: expiresMs === null ? null : iso(expiresMs) },
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
