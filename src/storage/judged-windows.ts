/**
 * Windows that opened flash-call cases which a person confirmed or dismissed: what a model can learn from. Only
 * windows that have every feature asked for; the newest verdicts first. Main thread.
 */
import type { Store } from './store.ts'

export interface JudgedWindow {
  readonly caseId: string
  readonly isCampaign: boolean
  /** Windows of one subject tell much the same. */
  readonly subject: string
  /** In the order that was asked for. */
  readonly features: readonly number[]
}

export interface JudgedWindows {
  readonly windows: readonly JudgedWindow[]
  /** Judged cases whose window was not stored, or by a version with other features. */
  readonly without: number
}

export async function judgedWindows(
  store: Pick<Store, 'query'>,
  names: readonly string[],
  windowsMax: number,
): Promise<JudgedWindows> {
  const rows = await store.query(
    `SELECT id, verdict, subject_type, subject_value, features_json FROM cases FINAL
     WHERE kind = 'flash_call' AND verdict IN ('confirmed', 'dismissed') AND state != 'merged'
     ORDER BY decided_at DESC, id LIMIT {most:UInt32}`,
    { most: windowsMax },
  )
  const windows: JudgedWindow[] = []
  for (const row of rows) {
    const values = JSON.parse(String(row['features_json'] || '{}')) as Record<string, unknown>
    const features = names.map((name) => values[name])
    if (!features.every((value): value is number => typeof value === 'number')) continue
    const subject = `${row['subject_type']}:${row['subject_value']}`
    windows.push({ caseId: String(row['id']), isCampaign: row['verdict'] === 'confirmed', subject, features })
  }
  return { windows, without: rows.length - windows.length }
}
