/**
 * `POST /v1/score/cdr`: canonical records through a detector of their own, in event time, nothing stored: which cases
 * they would open, and what each call falls under once all have been seen. Fraud worker, beside the live one.
 */
import { randomUUID } from 'node:crypto'
import type { CdrConfig } from '../config/schema.ts'
import type { FraudCase } from '../decisions/cases.ts'
import type { FlashCallScorer } from '../decisions/flash-call-rule.ts'
import { FraudDetector } from '../decisions/fraud-detector.ts'
import { FraudPolicy } from '../decisions/fraud-policy.ts'
import { loadSource } from '../ingest/cdr-sources.ts'
import { createRecordDecoder } from '../wire/cdr-decode.ts'
import { CdrSource } from '../wire/cdr-source.ts'
import type { NumberPlaces } from '../wire/number-places.ts'

/** Records of one request. */
export const scoredRecordsMax = 10_000

export interface ScoredCdrs {
  readonly records: number
  readonly rejected: readonly { readonly index: number; readonly code: string; readonly detail: string }[]
  readonly cases: readonly FraudCase[]
  readonly calls: readonly { readonly id: string; readonly cases: readonly string[]; readonly intended: string }[]
}

/** @throws Error with what is wrong with the request */
export async function scoreRecords(
  body: Uint8Array,
  format: 'json' | 'ndjson',
  cdr: CdrConfig,
  scorer: FlashCallScorer,
  places?: NumberPlaces,
): Promise<ScoredCdrs> {
  const cases: FraudCase[] = []
  const calls: ScoredCdrs['calls'][number][] = []
  const rejected: ScoredCdrs['rejected'][number][] = []
  const policy = new FraudPolicy(cdr.policy)
  let records = 0
  const detector = new FraudDetector({
    config: { ...cdr, windows: { ...cdr.windows, recentCallsMax: scoredRecordsMax } },
    scorer,
    places,
    reorder: { latenessMs: Number.POSITIVE_INFINITY, heldMax: scoredRecordsMax },
    newCaseId: randomUUID,
    onCase: (change, it) => {
      if (change === 'opened') cases.push(it)
    },
    onCall: ({ id, from, route, startMs }, under) => {
      const inTime = under.filter((each) => each.openedMs <= startMs)
      const intended = policy.decide(inTime, from, route, startMs)?.intended ?? 'allow'
      calls.push({ id, cases: under.map((each) => each.kind), intended })
    },
  })
  const { name, mapping } = loadSource('canonical')
  const source = new CdrSource(name, mapping, {
    cdr(record) {
      if (++records <= scoredRecordsMax) detector.record(record)
    },
    rejected: ({ index, code, detail }) =>
      void (rejected.length < scoredRecordsMax && rejected.push({ index, code, detail })),
    skipped: () => undefined,
  })
  const decoder = createRecordDecoder(format, source.decodeOptions)
  decoder.push(body, source)
  decoder.end(source)
  source.end()
  if (records > scoredRecordsMax) throw new Error(`${records} records; at most ${scoredRecordsMax} at a time`)
  await detector.flush()
  const found = cases.filter((each) => each.state !== 'merged')
  return { records, rejected, cases: found, calls }
}
