/** Decisions of the policy as rows of `actions`, and back. Pure; main thread. */
import type { ActionKind } from '../config/actions-schema.ts'
import type { ActionEvidence, ActionRecord, ActionState } from '../decisions/action-record.ts'
import type { TrackName } from '../ingest/track.ts'
import { rowOf } from './tables.ts'

/** @param version larger replaces smaller for the same id */
export function actionRow(record: ActionRecord, runId: string, version: number): readonly unknown[] {
  const { evidence, latencyMs, result } = record
  return rowOf('actions', {
    id: record.id,
    call_sid: record.callSid,
    account_sid: record.accountSid,
    track: record.track,
    run_id: runId,
    rule: record.rule,
    action: record.action,
    note: record.note ?? '',
    shadow: record.shadow,
    state: record.state,
    decided_at: record.decidedAtMs,
    label: evidence.verdict.label,
    score: evidence.verdict.score ?? 0,
    has_score: evidence.verdict.score !== null,
    confidence: evidence.verdict.confidence,
    risk: evidence.risk.score,
    model: evidence.model.name,
    model_sha256: evidence.model.sha256,
    latency_ms: latencyMs ?? 0,
    has_latency: latencyMs !== null,
    result_code: result?.code ?? '',
    result_text: result?.text ?? '',
    undone_at: record.undoneAtMs ?? 0,
    undone_by: record.undoneBy ?? '',
    evidence_json: JSON.stringify(evidence),
    version,
  })
}

/** A stored row; a redirect of a call that left memory cannot be led back. Null: not one that we wrote. */
export function recordOfRow(row: Readonly<Record<string, unknown>>): ActionRecord | null {
  const evidence = evidenceOf(row['evidence_json'])
  if (evidence === null) return null
  const text = (column: string): string => String(row[column] ?? '')
  const [resultCode, undoneBy, note] = [text('result_code'), text('undone_by'), text('note')]
  return {
    id: text('id'),
    callSid: text('call_sid'),
    accountSid: text('account_sid'),
    track: text('track') as TrackName,
    rule: text('rule'),
    action: text('action') as ActionKind,
    note: note === '' ? null : note,
    shadow: row['shadow'] === 1,
    decidedAtMs: Date.parse(text('decided_at')),
    evidence,
    hasWayBack: false,
    state: text('state') as ActionState,
    latencyMs: row['has_latency'] === 1 ? Number(row['latency_ms']) : null,
    result: resultCode === '' ? null : { code: resultCode, text: text('result_text') },
    undoneAtMs: undoneBy === '' ? null : Date.parse(text('undone_at')),
    undoneBy: undoneBy === '' ? null : undoneBy,
  }
}

function evidenceOf(json: unknown): ActionEvidence | null {
  try {
    const value: unknown = JSON.parse(String(json))
    return typeof value === 'object' && value !== null && 'risk' in value ? (value as ActionEvidence) : null
  } catch {
    return null
  }
}
