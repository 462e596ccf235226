/**
 * Number fraud, live: the log of call records feeds the fraud worker; what it finds is kept in the case book, told,
 * stored, and asked for before calls are set up. Main thread.
 */
import type { Audit } from '../api/audit.ts'
import { FraudCases } from '../api/fraud-cases.ts'
import { FraudQuestions } from '../api/fraud-questions.ts'
import type { FraudParts } from '../api/fraud-routes.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import { CaseBook } from '../decisions/case-book.ts'
import { type BookedCase, CaseJournal } from '../decisions/case-journal.ts'
import { type CaseView, caseView, undecidedView } from '../decisions/case-view.ts'
import { FraudPolicy } from '../decisions/fraud-policy.ts'
import { LiveDecisions } from '../decisions/live-decisions.ts'
import { ByteBudget } from '../log/durable-log.ts'
import type { EventBus } from '../notify/event-bus.ts'
import { scoredBody } from '../privacy/scored-body.ts'
import { caseRow } from '../storage/case-rows.ts'
import { FraudReports } from '../storage/fraud-reports.ts'
import { PastCases } from '../storage/past-cases.ts'
import { FraudFeed } from '../worker/fraud-feed.ts'
import type { ScoredCdrs } from '../worker/fraud-score.ts'
import type { Models } from './models.ts'
import type { Storage } from './storage.ts'

/** States of cases on disk; live ones and the newest that are over, a few times. */
const journalBytesMax = 268_435_456

export interface Fraud {
  readonly book: CaseBook
  readonly feed: FraudFeed
  readonly policy: FraudPolicy
  readonly decisions: LiveDecisions
}

type FraudApiRooms = Pick<FraudRooms, 'config' | 'clock' | 'storage'> & { readonly fraud: Fraud }

export interface FraudRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly bus: EventBus
  readonly storage: Storage
  readonly faults: boolean
  readonly models: Pick<Models, 'folders' | 'flashCall'>
}

export function openFraud({ config, log, clock, metrics, bus, storage, faults, models }: FraudRooms): Fraud {
  const { counters } = metrics
  const { records, logs, writer } = storage
  const { cdr } = config
  const policy = new FraudPolicy(cdr.policy)
  const book: CaseBook = new CaseBook({
    journal: new CaseJournal(logs.log('cases', new ByteBudget(journalBytesMax))),
    clock,
    dismissMs: cdr.cases.dismissMs,
    published(change, booked) {
      if (change === 'opened') counters.casesOpened += 1
      bus.publish('case', { change, case: caseView(booked, policy, clock.wallMs()) })
    },
    stored: (booked) => void writer.write('cases', caseRow(booked)),
    ruled: (ruling) => feed.ruled(ruling),
    forgotten: () => {
      counters.casesForgotten += 1
    },
  })
  const feed: FraudFeed = new FraudFeed({
    cdr,
    flashCall: models.folders,
    flashCallScored: (scored) => models.flashCall.scored(scored),
    candidateLost: (why) => models.flashCall.lost(why),
    placeKey: storage.privacy.vault?.placeKey ?? null,
    rows: records.intake.rows,
    book,
    storeScores: (chunks, rows) => records.storeScores(chunks, rows),
    clock,
    log,
    counters,
    faults,
  })
  const cases = book.open()
  if (cases > 0) log.info('cases of a former run go on', { cases })
  records.arrivals.add(() => feed.arrived())
  feed.start()
  metrics.gauge('fraud_lag_entries', 'Entries of the log that the fraud worker has not read', () => {
    return feed.stats().lagEntries
  })
  metrics.gauge('fraud_unsettled_entries', 'Entries of the log whose calls are not all judged and written', () => {
    return feed.stats().unsettledEntries
  })
  metrics.gauge('fraud_worker_busy_milliseconds', 'Time the fraud worker spent computing', () => feed.stats().busyMs)
  metrics.gauge('fraud_held_calls', 'Calls that wait for earlier ones', () => feed.stats().held)
  metrics.gauge('keys_live', 'Numbers, ranges and routes with sliding windows', () => feed.stats().keys)
  metrics.gauge('cases_live', 'Cases open or cooled', () => book.liveCount)
  const { destinationDigits } = cdr.keys
  const decisions = new LiveDecisions({ book, policy, destinationDigits, clock, counters })
  return { book, feed, policy, decisions }
}

/** The API over it. */
export function fraudParts({ config, clock, storage, fraud }: FraudApiRooms, audit: Audit): FraudParts {
  const { book, feed, policy, decisions } = fraud
  const past = new PastCases(storage.store)
  const reports = new FraudReports(storage.store)
  const view = (booked: BookedCase): CaseView => caseView(booked, policy, clock.wallMs())
  const score = async (body: Uint8Array, format: 'json' | 'ndjson'): Promise<object> => {
    const named = scoredBody(storage.privacy.doors, body, format)
    const scored = (await feed.ask({ of: 'score', body: named, format })) as ScoredCdrs
    return { ...scored, cases: scored.cases.map((it) => undecidedView(it, policy, clock.wallMs())) }
  }
  return {
    cases: new FraudCases({ book, view, past, reports, audit }),
    questions: new FraudQuestions({
      decisions,
      book,
      view,
      past,
      reports,
      windowsOf: (digits) => feed.ask({ of: 'number', digits }),
      score,
      asked: storage.privacy.doors.asked,
      clock,
    }),
    scoreBytesMax: config.cdr.doors.bodyBytesMax,
  }
}

export function fraudCheck({ feed }: Fraud): { state: 'ok' | 'degraded'; detail: string } {
  const state = feed.state()
  const { lagEntries, scorer } = feed.stats()
  if (state === 'live') return { state: 'ok', detail: `flash calls by ${scorer}` }
  const detail =
    state === 'starting' ? 'the fraud worker is starting' : `rebuilding windows, ${lagEntries} entries left`
  return { state: 'degraded', detail }
}
