/** Cases that have left memory, read from table `cases` as the API tells them. Main thread. */

import type { Subject } from '../decisions/case-subjects.ts'
import type { CaseView } from '../decisions/case-view.ts'
import { type CaseState, caseStates, type Verdict } from '../decisions/cases.ts'
import { type CaseKind, caseKinds, type Reason } from '../decisions/fraud-signal.ts'
import type { Store } from './store.ts'

export interface PastCaseFilter {
  readonly states: readonly CaseState[]
  readonly kind?: CaseKind | undefined
  readonly verdict?: Verdict | 'none' | undefined
  /** Value of the subject. */
  readonly subject?: string | undefined
  /** Only cases that stand after this one: seen last before it, or then and of a smaller id. */
  readonly after?: { readonly lastSeenMs: number; readonly id: string } | undefined
  readonly limit: number
}

type Answer = Record<string, unknown>

export class PastCases {
  readonly #store: Pick<Store, 'query'>

  constructor(store: Pick<Store, 'query'>) {
    this.#store = store
  }

  /** By when they were seen last, newest first. */
  async list({ states, kind, verdict, subject, after, limit }: PastCaseFilter): Promise<CaseView[]> {
    const conditions = [`state IN ('${states.filter((state) => caseStates.includes(state)).join("', '")}')`]
    const parameters: Record<string, string | number> = { limit }
    if (kind !== undefined) conditions.push(`kind = '${caseKinds[caseKinds.indexOf(kind)]}'`)
    if (verdict !== undefined) {
      conditions.push('verdict = {verdict:String}')
      parameters['verdict'] = verdict === 'none' ? '' : verdict
    }
    if (subject !== undefined) {
      conditions.push('subject_value = {subject:String}')
      parameters['subject'] = subject
    }
    if (after !== undefined) {
      conditions.push('(toUnixTimestamp64Milli(last_seen_at), id) < ({seen:Int64}, {id:String})')
      parameters['seen'] = Math.floor(after.lastSeenMs)
      parameters['id'] = after.id
    }
    const rows = await this.#store.query(
      `SELECT * FROM cases FINAL WHERE ${conditions.join(' AND ')} ORDER BY last_seen_at DESC, id DESC
       LIMIT {limit:UInt32}`,
      parameters,
    )
    return rows.map(viewOf)
  }

  async get(id: string): Promise<CaseView | undefined> {
    const [row] = await this.#store.query('SELECT * FROM cases FINAL WHERE id = {id:String} LIMIT 1', { id })
    return row === undefined ? undefined : viewOf(row)
  }
}

function viewOf(row: Answer): CaseView {
  const text = (name: string): string => String(row[name])
  const time = (name: string): string => new Date(text(name)).toISOString()
  return {
    id: text('id'),
    kind: text('kind') as CaseKind,
    subject: { type: text('subject_type') as Subject['type'], value: text('subject_value') },
    state: text('state') as CaseState,
    verdict: (text('verdict') || null) as Verdict | null,
    score: Number(Number(row['score']).toFixed(4)),
    severity: Number(Number(row['severity']).toFixed(4)),
    calls: Number(row['calls']),
    reasons: JSON.parse(text('reasons_json')) as Reason[],
    evidence: JSON.parse(text('evidence_json')) as string[],
    firstSeenAt: time('first_seen_at'),
    openedAt: time('opened_at'),
    lastSeenAt: time('last_seen_at'),
    mergedInto: text('merged_into') || null,
    absorbed: Number(row['absorbed']),
    // What left memory acts on nothing.
    action: { intended: 'allow', effective: 'allow', shadow: false, expiresAt: null },
    decidedBy: text('decided_by') || null,
    decidedAt: text('decided_by') === '' ? null : time('decided_at'),
    note: text('note') || null,
  }
}
