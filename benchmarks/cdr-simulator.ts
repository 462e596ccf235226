/**
 * Simulated CDRs per second of one thread: traffic alone, and with lines and labels as `simulate cdr` writes them. The
 * baseline is JSON.stringify of the same records, which any generator that writes NDJSON would have to pay.
 */
import { cdrLine, type LabelledCdr, labelLine } from '../src/simulator/cdr-call.ts'
import { DirtyTraffic } from '../src/simulator/cdr-dirt.ts'
import { CdrTraffic } from '../src/simulator/cdr-traffic.ts'
import type { BenchmarkRow } from './row.ts'

const attempts = 100_000
/** Passes of which the fastest counts: other work on the machine only slows a pass. */
const passes = 3

interface Source {
  next(): LabelledCdr | undefined
}

export async function run(): Promise<BenchmarkRow[]> {
  const kept: object[] = []
  for (const { record } of recordsOf(traffic())) kept.push(record)
  const stringify = rate(() => {
    let bytes = 0
    for (const record of kept) bytes += JSON.stringify(record).length
    return bytes > 0 ? kept.length : 0
  })
  const alone = rate(() => count(traffic(), () => undefined))
  const written = rate(() => count(traffic(), ({ record, truth }) => [cdrLine(record), labelLine(record.id, truth)]))
  const dirty = rate(() => {
    const source = traffic()
    return count(new DirtyTraffic(source, source.scenario.dirt, 1), ({ line, record }) => line ?? cdrLine(record))
  })
  return [
    { name: 'simulated CDRs: traffic', value: alone, unit: 'records/s' },
    {
      name: 'simulated CDRs: traffic + lines + labels',
      value: written,
      unit: 'records/s',
      baseline: { name: 'JSON.stringify', value: stringify },
      budget: { must: 50_000, aim: 100_000 },
    },
    { name: 'simulated CDRs: dirty traffic + lines', value: dirty, unit: 'records/s' },
  ]
}

function traffic(): CdrTraffic {
  return new CdrTraffic({ plan: 'train', seed: 1, attempts, seconds: 3600 })
}

function* recordsOf(source: Source): Generator<LabelledCdr> {
  for (let cdr = source.next(); cdr !== undefined; cdr = source.next()) yield cdr
}

function count(source: Source, use: (cdr: LabelledCdr) => unknown): number {
  let records = 0
  let seen = 0
  for (let cdr = source.next(); cdr !== undefined; cdr = source.next()) {
    if (use(cdr) !== null) seen++
    records++
  }
  return Math.min(records, seen)
}

/** Records per second of the fastest pass. */
function rate(pass: () => number): number {
  let best = 0
  for (let turn = 0; turn < passes; turn++) {
    const startMs = performance.now()
    const records = pass()
    best = Math.max(best, (records / (performance.now() - startMs)) * 1000)
  }
  return Math.round(best)
}
