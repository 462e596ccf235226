/** The feed with a real worker thread and a real log: what a lost worker and a restart cost, and what they do not. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { CaseBook } from '../../src/decisions/case-book.ts'
import { CaseJournal } from '../../src/decisions/case-journal.ts'
import { ByteBudget, type DurableLog } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { packChunk, unpackChunk } from '../../src/log/row-chunks.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { cdrColumnNames, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { FraudFeed } from '../../src/worker/fraud-feed.ts'
import { call, scenarioStartMs } from '../fakes/call-events.ts'
import { cdrConfig } from '../fakes/fraud.ts'
import { quickWasm } from '../fakes/quick-wasm.ts'
import { eventually, scratchDirectory } from '../fakes/scratch.ts'

quickWasm()

interface Fed {
  readonly feed: FraudFeed
  readonly book: CaseBook
  readonly counters: Counters
  readonly rows: DurableLog
  /** Rows of scores by call and case, how often each was written. */
  readonly scores: Map<string, number>
  readonly disk: { refuses: boolean }
  append(records: readonly CdrRecord[]): Promise<void>
  caughtUp(): Promise<void>
  settled(): Promise<void>
  /** The process goes, with all it had in memory. */
  close(): Promise<void>
}

const latenessMs = 300

function fed(t: TestContext, directory = scratchDirectory(t), scores = new Map<string, number>()): Fed {
  const counters = zeroCounters()
  const logs = LogEnvironment.open({ directory, counters, log: silentLog })
  const rows = logs.log('cdr', new ByteBudget(1e9))
  rows.cursor('kept')
  const book: CaseBook = new CaseBook({
    journal: new CaseJournal(logs.log('cases', new ByteBudget(1e8))),
    clock: systemClock,
    dismissMs: 1e6,
    published: () => undefined,
    stored: () => undefined,
    ruled: (ruling) => feed.ruled(ruling),
    forgotten: () => undefined,
  })
  const disk = { refuses: false }
  const storeScores = async (chunks: readonly Uint8Array[]): Promise<void> => {
    if (disk.refuses) throw new Error('no space left on device')
    for (const key of chunks.flatMap(keysOf)) scores.set(key, (scores.get(key) ?? 0) + 1)
  }
  const cdr = { ...cdrConfig, windows: { ...cdrConfig.windows, latenessMs } }
  const common = { clock: systemClock, log: silentLog, counters, faults: true }
  const feed: FraudFeed = new FraudFeed({ cdr, rows, book, storeScores, ...common })
  book.open()
  feed.start()
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await feed.stop()
    await logs.close()
  }
  t.after(close)
  const append = async (records: readonly CdrRecord[]): Promise<void> => {
    const lines = records.map((each) => encodeCdrRow(each, scenarioStartMs + 86_400_000, false))
    await rows.append([packChunk(cdrColumnNames, lines)])
    feed.arrived()
  }
  const until = (stat: 'lagEntries' | 'unsettledEntries') => () =>
    eventually(() => feed.state() === 'live' && feed.stats()[stat] === 0, 20_000)
  const [caughtUp, settled] = [until('lagEntries'), until('unsettledEntries')]
  return { feed, book, counters, rows, scores, disk, close, append, caughtUp, settled }
}

/** Call and case of each row of a chunk. */
function keysOf(chunk: Uint8Array): string[] {
  const lines = Buffer.from(unpackChunk(chunk)?.lines ?? [])
    .toString()
    .trimEnd()
    .split('\n')
  return lines.map((line) => JSON.parse(line) as string[]).map(([id, , , caseId]) => `${id} ${caseId}`)
}

/** One ring to number after number, a call every 5 s. */
function lures(count: number, fromS = 0): CdrRecord[] {
  return Array.from({ length: count }, (_, n) =>
    call({ from: '2215550001', to: `4915112${30_000 + fromS + n}`, atS: fromS + n * 5, ringS: 3 }),
  )
}

describe('the fraud feed', () => {
  for (const fault of ['throw', 'hang'] as const) {
    it(`puts another in the place of a worker that ${fault}s, with its windows and all calls since`, async (t) => {
      const { feed, book, counters, append, settled, scores } = fed(t)
      await append(lures(50))
      await settled()
      assert.equal(book.liveCount, 0, 'not enough calls yet: only windows know of them')
      feed.fault(fault)
      await append(lures(60, 250))
      await eventually(() => counters.fraudWorkerThrew + counters.fraudWorkerHung === 1, 20_000)
      await settled()
      const [it] = book.live()
      assert.deepEqual([it?.seed.it.kind, it?.seed.it.subject.value], ['wangiri', '2215550001'])
      assert.ok((it?.seed.it.calls ?? 0) >= 100, 'calls of before the loss count')
      assert.ok(scores.size > 10)
      assert.deepEqual([counters.fraudWorkerThrew, counters.fraudWorkerHung], fault === 'throw' ? [1, 0] : [0, 1])
    })
  }

  it('goes on after a restart with the same case, every call counted once, whenever the process went', async (t) => {
    const directory = scratchDirectory(t)
    const scores = new Map<string, number>()
    let ids: string[] = []
    for (let round = 0; round < 4; round++) {
      const now = fed(t, directory, scores)
      await now.append(lures(130, round * 650))
      // Sometimes right after reading, with calls that wait and rows on their way.
      await (round % 2 === 0 ? now.caughtUp() : now.settled())
      await now.close()
      ids = [...new Set([...ids, ...now.book.live().map(({ seed }) => seed.it.id)])]
    }
    const last = fed(t, directory, scores)
    await last.settled()
    assert.equal(ids.length, 1)
    const { it } = last.book.live()[0]?.seed ?? assert.fail('the case lives')
    assert.equal(it.id, ids[0])
    assert.equal(it.calls, 520, 'each call once')
    const underCase = [...scores.keys()].filter((key) => key.endsWith(it.id))
    assert.equal(underCase.length, scores.size)
    assert.ok(scores.size > 350, `${scores.size} of 520 calls came after the case had opened`)
  })

  it('moves its cursor only when the disk has what was found, and keeps trying', async (t) => {
    const { rows, disk, append, caughtUp, settled, scores, feed } = fed(t)
    await append(lures(200))
    await settled()
    const before = rows.cursor('fraud')
    disk.refuses = true
    await append(lures(50, 1000))
    await caughtUp()
    await new Promise((resolve) => setTimeout(resolve, latenessMs + 700))
    assert.equal(rows.cursor('fraud'), before)
    assert.equal(feed.stats().unsettledEntries, 1)
    const known = scores.size
    disk.refuses = false
    await settled()
    assert.ok(scores.size >= known + 50)
  })

  it('answers what the windows hold of a number, and how records would fare in a detector of their own', async (t) => {
    const { feed, append, settled } = fed(t)
    await append(lures(100))
    await settled()
    const windows = (await feed.ask({ of: 'number', digits: '2215550001' })) as Record<string, Record<string, number>>
    assert.deepEqual([windows['1h']?.['attempts'], windows['10m']?.['unanswered']], [100, windows['10m']?.['attempts']])
    assert.equal(await feed.ask({ of: 'number', digits: '4930123456' }), null)
    const lines = lures(200).map(({ id, startUs, ringUs, answerUs, endUs, from, to, releasedBy }) =>
      JSON.stringify({ id, callId: id, startUs, ringUs, answerUs, endUs, from, to, releasedBy }),
    )
    const body = Buffer.from([...lines, '{"id":"no times"}'].join('\n'))
    const scored = (await feed.ask({ of: 'score', body: new Uint8Array(body), format: 'ndjson' })) as {
      records: number
      rejected: unknown[]
      cases: { kind: string }[]
      calls: { cases: string[]; intended: string }[]
    }
    assert.deepEqual([scored.records, scored.rejected.length, scored.cases[0]?.kind], [200, 1, 'wangiri'])
    assert.deepEqual(scored.calls.at(-1)?.cases, ['wangiri'])
    assert.equal(scored.calls.at(-1)?.intended, 'block')
  })
})
