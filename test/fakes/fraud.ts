/** Cases without a worker, a disk or ClickHouse, for tests of the API over them. */
import type { Audit } from '../../src/api/audit.ts'
import { FraudCases } from '../../src/api/fraud-cases.ts'
import { FraudQuestions } from '../../src/api/fraud-questions.ts'
import type { FraudParts } from '../../src/api/fraud-routes.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Clock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { type BookChange, CaseBook, type Ruling } from '../../src/decisions/case-book.ts'
import type { BookedCase } from '../../src/decisions/case-journal.ts'
import { type CaseView, caseView } from '../../src/decisions/case-view.ts'
import type { CaseSeed, FraudCase } from '../../src/decisions/cases.ts'
import { FraudPolicy } from '../../src/decisions/fraud-policy.ts'
import { LiveDecisions } from '../../src/decisions/live-decisions.ts'

export const cdrConfig = loadConfig({ env: {} }).cdr

/** A wangiri case of one number, as it opened; times in event time. */
export function seed(id: string, nowMs: number, over: Partial<FraudCase> = {}): CaseSeed {
  const it: FraudCase = {
    id,
    kind: 'wangiri',
    subject: { type: 'number', value: '2215550001' },
    state: 'open',
    score: 0.97,
    calls: 150,
    reasons: [{ code: 'missed', text: '97 % of 150 attempts within 10 min given up while ringing' }],
    evidence: ['pbx:1:a:call'],
    firstSeenMs: nowMs - 600_000,
    openedMs: nowMs - 300_000,
    lastSeenMs: nowMs,
    mergedInto: null,
    absorbed: 0,
    verdict: null,
    ...over,
  }
  return { it, keyKind: 0, broader: ['range:2215550'], signalCalls: it.calls, reasonCalls: it.calls, asOfMs: nowMs }
}

export interface FakeFraud {
  readonly book: CaseBook
  readonly decisions: LiveDecisions
  readonly published: { readonly change: BookChange; readonly id: string }[]
  readonly stored: BookedCase[]
  readonly ruled: Ruling[]
  readonly written: BookedCase[]
  /** What storage has beyond memory. */
  readonly past: CaseView[]
  parts(audit: Audit): FraudParts
}

export function fakeFraud(clock: Clock, policy = cdrConfig.policy): FakeFraud {
  const log = { published: [], stored: [], ruled: [], written: [], past: [] } as Pick<
    FakeFraud,
    'published' | 'stored' | 'ruled' | 'written' | 'past'
  >
  const write = async (states: readonly BookedCase[]): Promise<void> => void log.written.push(...states)
  const book = new CaseBook({
    journal: { read: () => [], write, compact: write, isLarge: false },
    clock,
    dismissMs: cdrConfig.cases.dismissMs,
    published: (change, { seed: { it } }) => log.published.push({ change, id: it.id }),
    stored: (booked) => log.stored.push(booked),
    ruled: (ruling) => log.ruled.push(ruling),
    forgotten: () => undefined,
  })
  const rules = new FraudPolicy(policy)
  const counters = zeroCounters()
  const decisions = new LiveDecisions({ book, policy: rules, destinationDigits: 5, clock, counters })
  const view = (booked: BookedCase): CaseView => caseView(booked, rules, clock.wallMs())
  const traffic = { attempts: 0, answered: 0, unanswered: 0, short: 0, blink: 0, others: 0, talkMs: 0 }
  const reports = {
    calls: async () => [],
    series: async () => ({ stepSeconds: 60, points: [] }),
    scores: async () => ({ calls: 0, actions: {} }),
    number: async () => ({ asCaller: traffic, asCalled: traffic, recent: [] }),
  }
  const past = {
    list: async () => log.past,
    get: async (id: string) => log.past.find((each) => each.id === id),
  }
  const asked = { windowsOf: async () => null, score: async () => ({}), asked: (number: string) => number }
  return {
    ...log,
    book,
    decisions,
    parts: (audit) => ({
      cases: new FraudCases({ book, view, past, reports, audit }),
      questions: new FraudQuestions({ decisions, book, view, past, reports, clock, ...asked }),
      scoreBytesMax: 100_000,
    }),
  }
}
