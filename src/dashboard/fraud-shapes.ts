/** What the API tells of fraud cases, numbers, traffic and the quality of records: the server's own types. Browser. */
import type { BookChange } from '../decisions/case-book.ts'
import type { CaseView } from '../decisions/case-view.ts'
import type { SourceQuality, TrafficReport } from '../storage/cdr-reports.ts'
import type { CaseScores, CdrView, FraudReport, NumberTraffic, SubjectSeries } from '../storage/fraud-reports.ts'
import type { NumberWindows } from '../worker/fraud-protocol.ts'

/** Data of a `case` event. */
export interface CaseEvent {
  readonly change: BookChange
  readonly case: CaseView
}

/** Set when storage does not answer: what stands in it is missing. */
interface Partly {
  readonly partial?: string
}

export interface CaseDetail extends CaseView, Partly {
  readonly cdrs: readonly CdrView[]
  readonly series: SubjectSeries
  readonly scores: CaseScores
}

export interface CasePage extends Partly {
  readonly cases: readonly CaseView[]
  /** Cursor of the page after this one. */
  readonly next?: string | null
}

export interface NumberView extends Partly {
  readonly number: string
  readonly cases: readonly CaseView[]
  /** null: it did not call within the last day. */
  readonly windows: NumberWindows | null
  readonly asCaller: NumberTraffic | null
  readonly asCalled: NumberTraffic | null
  readonly recent: readonly CdrView[]
}

interface OverSpan {
  readonly from: string
  readonly to: string
}

export interface TrafficAnswer extends OverSpan, TrafficReport {
  readonly stepSeconds: number
}

export type RouteTraffic = TrafficReport['routes'][number]

export interface QualityAnswer extends OverSpan {
  readonly sources: readonly SourceQuality[]
}

export interface FraudAnswer extends OverSpan, FraudReport {
  readonly stepSeconds: number
}
