/** The worker's work without its thread: what is told of rows, when, and that a restart goes on where a run stopped. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { CaseSeed } from '../../src/decisions/cases.ts'
import { flashCallRule } from '../../src/decisions/flash-call-rule.ts'
import { packChunk, unpackChunk } from '../../src/log/row-chunks.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { cdrColumnNames, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { FlashScoring } from '../../src/worker/flash-scoring.ts'
import { FraudLoop } from '../../src/worker/fraud-loop.ts'
import type { FraudDone, Quiet } from '../../src/worker/fraud-protocol.ts'
import { call } from '../fakes/call-events.ts'
import { cdrConfig } from '../fakes/fraud.ts'

const latenessMs = 10_000
const receivedMs = Date.UTC(2026, 5, 1)

interface Rig {
  readonly loop: FraudLoop
  /** Wall time. */
  nowMs: number
  /** Rows as entries of the log, a chunk each, from `fromSeq` on. */
  take(entries: readonly (readonly CdrRecord[])[], fromSeq: number, muted?: boolean): Promise<FraudDone>
  pass(ms: number, toSeq: number): Promise<FraudDone>
}

function rig(name = 'a', seeds: readonly CaseSeed[] = [], quiet: readonly Quiet[] = []): Rig {
  let ids = 0
  const loop = new FraudLoop({
    cdr: { ...cdrConfig, windows: { ...cdrConfig.windows, latenessMs } },
    scorer: new FlashScoring({ name: 'rule', scorer: flashCallRule }, { cpuShareMax: 0, steadyMs: () => 0 }),
    newCaseId: () => `${name}-${++ids}`,
    wallMs: () => made.nowMs,
    steadyMs: () => made.nowMs,
    beat: () => undefined,
  })
  const take: Rig['take'] = (entries, fromSeq, muted = false) => {
    const chunks = entries.map((records) =>
      packChunk(
        cdrColumnNames,
        records.map((each) => encodeCdrRow(each, receivedMs, false)),
      ),
    )
    let at = 0
    const ends = chunks.map((chunk) => {
      at += chunk.length
      return at
    })
    return loop.take({ bytes: Buffer.concat(chunks), ends, toSeq: fromSeq + entries.length, muted })
  }
  const pass: Rig['pass'] = (ms, toSeq) => {
    made.nowMs += ms
    return loop.take({ bytes: new Uint8Array(0), ends: [], toSeq, muted: false })
  }
  const made: Rig = { loop, nowMs: 1_800_000_000_000, take, pass }
  loop.begin(seeds, quiet)
  return made
}

/** One ring to number after number, a call every 5 s. */
function lures(count: number, fromS = 0, from = '2215550001'): CdrRecord[] {
  return Array.from({ length: count }, (_, n) =>
    call({ from, to: `4915112${30_000 + n}`, atS: fromS + n * 5, ringS: 3 + (n % 3) }),
  )
}

function linesOf(done: FraudDone): unknown[][] {
  return done.scores.flatMap((chunk) => {
    const text = Buffer.from(unpackChunk(chunk)?.lines ?? []).toString('utf8')
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown[])
  })
}

describe('the fraud worker', () => {
  it('passes an entry only when none of its calls waits, by event time or by the clock on the wall', async () => {
    const { take, pass } = rig()
    assert.equal((await take([lures(1, 0), lures(1, 5)], 10)).doneSeq, 0)
    const later = await take([lures(1, 16)], 12)
    assert.deepEqual([later.doneSeq, later.counts.held], [12, 1], 'more than 10 s older than the newest')
    const [early, soon] = [await pass(latenessMs - 1, 13), await pass(1, 13)]
    assert.deepEqual([early.doneSeq, early.waits], [12, true])
    assert.deepEqual([soon.doneSeq, soon.waits, soon.counts.held], [13, false, 0])
  })

  it('tells of a case when it opens and of its growth once a second; every call under it leaves a row', async () => {
    const { take, pass } = rig()
    const opened = await take([lures(200)], 1)
    assert.deepEqual(
      opened.changes.map(({ change, seed: { it } }) => [change, it.id, it.subject.value]),
      [['opened', 'a-1', '2215550001']],
    )
    const scores = linesOf(opened)
    assert.ok(scores.length > 20)
    assert.ok(scores.every(([, source, , id, kind]) => source === 'test' && id === 'a-1' && kind === 'wangiri'))
    assert.equal((await take([lures(20, 1000)], 2)).changes.length, 0, 'told a moment ago')
    const grown = await pass(1000, 3)
    assert.deepEqual(
      grown.changes.map(({ change }) => change),
      ['strengthened'],
    )
  })

  it('counts a row and an entry that it cannot read, and goes on', async () => {
    const { loop } = rig()
    const bad = packChunk(cdrColumnNames, ['["half a row"\n', encodeCdrRow(lures(1)[0] as CdrRecord, 0, false)])
    const bytes = Buffer.concat([bad, Buffer.from('no chunk')])
    const done = await loop.take({ bytes, ends: [bad.length, bytes.length], toSeq: 3, muted: false })
    assert.deepEqual([done.counts.unreadable, done.counts.held], [2, 1])
  })

  it('takes a call that ends in the future as one that came now', async () => {
    const { take } = rig()
    const ahead = call({ from: '12025550123', to: '442079460123', atS: 40 * 365 * 86_400 })
    const done = await take([[ahead, ...lures(1)]], 1)
    assert.deepEqual([done.counts.ahead, done.counts.late], [1, 1], 'as of its arrival the other one is old')
  })

  it('tells nothing of muted rows but how they differ from the cases it began with', async () => {
    const first = rig('a')
    const { changes } = await first.take([lures(200)], 1)
    const seeds = changes.map(({ seed }) => seed)

    const second = rig('b', seeds)
    const muted = await second.take([lures(200), lures(200, 400, '3545550002')], 1, true)
    assert.deepEqual([muted.changes, muted.scoreRows], [[], 0])
    const live = await second.take([], 3)
    assert.deepEqual(
      live.changes.map(({ change, seed }) => [change, seed.it.id]),
      [
        ['strengthened', 'a-1'],
        ['opened', 'b-1'],
      ],
      'the known case has the calls that waited when it was told; the one that no journal knew is news',
    )
  })

  it('lets a case cool and close by the clock on the wall while no calls come, also one of a former run', async () => {
    const first = rig('a')
    const { changes } = await first.take([lures(200)], 1)
    const second = rig('b', [changes[0]?.seed as CaseSeed])
    await second.take([], 1)
    for (const { pass } of [first, second]) {
      await pass(2000, 2)
      const cooled = await pass(cdrConfig.cases.coolMs, 2)
      const closed = await pass(cdrConfig.cases.closeMs, 2)
      assert.deepEqual(
        [cooled, closed].map((done) => done.changes.map(({ change, seed }) => `${change} ${seed.it.id}`)),
        [['cooled a-1'], ['closed a-1']],
      )
    }
  })

  it('keeps a subject quiet that a person dismissed, in rows that it reads again and in new ones', async () => {
    const ended = (await rig().take([lures(200)], 1)).changes[0]?.seed as CaseSeed
    const quiet = { seed: { ...ended, it: { ...ended.it, state: 'closed' as const } } }
    const untilMs = Number(lures(1)[0]?.startUs) / 1000 + 3_600_000
    const { take } = rig('a', [], [{ ...quiet, untilMs }])
    assert.deepEqual((await take([lures(300)], 1, true)).changes, [])
    assert.deepEqual((await take([lures(200, 1500)], 2)).changes, [])
    const after = await take([lures(200, 4000)], 3)
    assert.deepEqual(
      after.changes.map(({ change }) => change),
      ['opened'],
    )
  })

  it('ends a case that a person ended, and takes one back', async () => {
    const { loop, take, pass } = rig()
    const seed = (await take([lures(200)], 1)).changes[0]?.seed as CaseSeed
    const over = { ...seed, it: { ...seed.it, state: 'closed' as const } }
    const quiet = { seed: over, untilMs: Number.MAX_SAFE_INTEGER }
    loop.decided({ kind: 'decided', id: 'a-1', verdict: 'dismissed', quiet, ends: true, restore: null })
    assert.deepEqual([linesOf(await take([lures(20, 1020)], 2)), (await pass(2000, 3)).changes], [[], []])
    const restored = { ...seed, it: { ...seed.it, verdict: 'confirmed' as const } }
    const open = { ...quiet, untilMs: 0 }
    loop.decided({ kind: 'decided', id: 'a-1', verdict: 'confirmed', quiet: open, ends: false, restore: restored })
    assert.ok(linesOf(await take([lures(20, 1200)], 4)).length > 5)
  })

  it('stopped anywhere and begun again it has the same cases, with the same calls in them', async () => {
    const records = [...lures(260), ...lures(240, 300, '3545550002')].sort((a, b) => a.startUs - b.startUs)
    const entries = Array.from({ length: 50 }, (_, n) => records.slice(n * 10, n * 10 + 10))
    const summary = (seeds: Iterable<CaseSeed>) =>
      [...seeds].map(({ it }) => [it.subject.value, it.calls, it.lastSeenMs, it.score]).sort()
    const latest = (seeds: Map<string, CaseSeed>, done: FraudDone) => {
      for (const { seed } of done.changes) seeds.set(seed.it.id, seed)
    }
    const run = async (cut: number): Promise<{ story: unknown; ids: number }> => {
      const seeds = new Map<string, CaseSeed>()
      const first = rig('a')
      let doneSeq = 1
      for (let n = 0; n < cut; n++) {
        first.nowMs += 300
        const done = await first.take([entries[n] ?? []], n + 1)
        latest(seeds, done)
        doneSeq = Math.max(doneSeq, done.doneSeq)
      }
      const second = cut === 0 ? first : rig('b', [...seeds.values()])
      if (cut > 0) await second.take(entries.slice(0, doneSeq - 1), 1, true)
      latest(seeds, await second.take(entries.slice(doneSeq - 1), doneSeq))
      latest(seeds, await second.pass(60_000, 51))
      latest(seeds, await second.pass(2000, 51))
      return { story: summary(seeds.values()), ids: seeds.size }
    }
    const whole = await run(0)
    assert.equal(whole.ids, 2)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 49 }), async (cut) => assert.deepEqual(await run(cut), whole)),
      { numRuns: 20 },
    )
  })
})
