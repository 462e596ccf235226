/** A case as a row of table `cases`. Main thread. */
import type { BookedCase } from '../decisions/case-journal.ts'
import { severity } from '../decisions/policy-forecast.ts'
import { featureNames } from '../features/call-features.ts'
import { rowOf } from './tables.ts'

export function caseRow({ seed, decidedBy, decidedMs, note, version }: BookedCase): readonly unknown[] {
  const { it } = seed
  return rowOf('cases', {
    id: it.id,
    kind: it.kind,
    subject_type: it.subject.type,
    subject_value: it.subject.value,
    state: it.state,
    verdict: it.verdict ?? '',
    score: it.score,
    severity: severity(it),
    calls: Math.round(it.calls),
    reasons_json: JSON.stringify(it.reasons),
    evidence_json: JSON.stringify(it.evidence),
    first_seen_at: it.firstSeenMs,
    opened_at: it.openedMs,
    last_seen_at: it.lastSeenMs,
    merged_into: it.mergedInto ?? '',
    absorbed: it.absorbed,
    decided_by: decidedBy ?? '',
    decided_at: decidedMs ?? 0,
    note: note ?? '',
    version,
    features_json: JSON.stringify(named(it.features ?? [])),
  })
}

/** By name: another version may make other features, or in another order. */
function named(features: readonly number[]): Record<string, number> {
  return Object.fromEntries(features.map((value, at) => [featureNames[at] ?? String(at), value]))
}
