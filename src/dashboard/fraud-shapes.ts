/** What the API tells of fraud cases, numbers, traffic and the quality of records, as the page reads it. Browser. */
import type { CaseKind, Reason } from '../decisions/fraud-signal.ts'

export const caseStates = ['open', 'cooled', 'closed', 'merged'] as const
export type CaseState = (typeof caseStates)[number]
export type CaseVerdict = 'confirmed' | 'dismissed'
export type FraudAction = 'allow' | 'label' | 'challenge' | 'divert' | 'block'
export type CaseDecision = 'confirm' | 'dismiss' | 'close'

export interface CaseSubject {
  readonly type: 'number' | 'range' | 'route' | 'route_destination' | 'called_number'
  readonly value: string
}

/** Times are ISO 8601. */
export interface CaseView {
  readonly id: string
  readonly kind: CaseKind
  readonly subject: CaseSubject
  readonly state: CaseState
  readonly verdict: CaseVerdict | null
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

/** Data of a `case` event. */
export interface CaseEvent {
  readonly change: 'opened' | 'strengthened' | 'cooled' | 'closed' | 'merged' | 'confirmed' | 'dismissed'
  readonly case: CaseView
}

/** A call record as lists of evidence tell it; null: the switch did not say. */
export interface CdrView {
  readonly id: string
  readonly source: string
  readonly startAt: string
  readonly from: string | null
  readonly to: string | null
  readonly ingress: string | null
  readonly egress: string | null
  readonly answered: boolean
  readonly ringMs: number | null
  readonly talkMs: number | null
  readonly causeQ850: number | null
  readonly causeSip: number | null
  readonly releasedBy: string
}

interface CasePoint {
  readonly at: string
  readonly attempts: number
  readonly answered: number
  readonly unanswered: number
  readonly short: number
  readonly blink: number
}

export interface CaseSeries {
  readonly stepSeconds: number
  readonly points: readonly CasePoint[]
}

export interface CaseDetail extends CaseView {
  readonly cdrs: readonly CdrView[]
  readonly series: CaseSeries
  readonly scores: { readonly calls: number; readonly actions: Readonly<Partial<Record<FraudAction, number>>> }
}

export interface CasePage {
  readonly cases: readonly CaseView[]
  readonly next?: string | null
}

/** Figures of one window or span; which ones there are is the server's to say. */
export type Figures = Readonly<Record<string, number | null>>

export interface NumberView {
  readonly number: string
  readonly cases: readonly CaseView[]
  readonly windows: Readonly<Record<string, Figures>>
  readonly asCaller: Figures
  readonly asCalled: Figures
  readonly recent: readonly CdrView[]
}

/** Attempts and what became of them; ratios are null where there is nothing to divide by. */
export interface TrafficFigures {
  readonly attempts: number
  readonly answered: number
  readonly unanswered: number
  readonly cancelled: number
  readonly busy: number
  readonly short: number
  readonly asr: number | null
  readonly acdMs: number | null
  readonly shortShare: number | null
}

export interface RouteTraffic extends TrafficFigures {
  readonly ingress: string
  readonly egress: string
}

export interface TrafficAnswer {
  readonly from: string
  readonly to: string
  readonly stepSeconds: number
  readonly points: readonly (TrafficFigures & { readonly at: string })[]
  readonly routes: readonly RouteTraffic[]
}

export interface SourceQuality {
  readonly source: string
  readonly records: number
  readonly duplicates: number
  readonly rejected: number
  readonly skipped: number
  readonly defects: readonly {
    readonly defect: string
    readonly count: number
    readonly examples: readonly { readonly at: string; readonly record: string; readonly detail: string }[]
  }[]
}

export interface QualityAnswer {
  readonly from: string
  readonly to: string
  readonly sources: readonly SourceQuality[]
}
