/**
 * What a call that falls under an open case was worth, as one row of table `cdr_scores`: JSONCompactEachRow text, made
 * in the fraud worker and carried as it is to the spool and to ClickHouse. The same call under the same case gives the
 * same key, so a row that is made again replaces itself. Any thread.
 *
 *   ["pbx:7f0c:a:call","pbx",1767225600000000,"c2f0...","wangiri",0.9731,1,"block","allow",1767225612345,""]\n
 */

export interface CdrScore {
  /** Of the record. */
  readonly id: string
  readonly source: string
  /** ms since the epoch. */
  readonly startMs: number
  readonly caseId: string
  readonly kind: string
  readonly score: number
  /** The call is one of those that the case is about. */
  readonly ofKind: boolean
  readonly intended: string
  readonly effective: string
  readonly scoredMs: number
  /** Who gave the case its score: `flash_call/1`, `rule`; empty: the rules of the kind. */
  readonly model: string
}

/** Columns in the order of a row. */
export const cdrScoreColumns = [
  'id',
  'source',
  'start_at',
  'case_id',
  'kind',
  'score',
  'of_kind',
  'intended',
  'effective',
  'scored_at',
  'model',
] as const

export const cdrScoreColumnNames = cdrScoreColumns.join(',')

/** One line with its newline. */
export function encodeCdrScore(it: CdrScore): string {
  const startUs = Math.round(it.startMs * 1000)
  const score = Math.round(it.score * 10_000) / 10_000
  const row = [it.id, it.source, startUs, it.caseId, it.kind, score, it.ofKind ? 1 : 0]
  return `${JSON.stringify([...row, it.intended, it.effective, it.scoredMs, it.model])}\n`
}
