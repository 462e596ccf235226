/** What scores flash calls in the worker: swaps between batches, a candidate within its budget, counts for drift. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import type { FlashCallScorer } from '../../src/decisions/flash-call-rule.ts'
import { FlashQueue } from '../../src/decisions/flash-queue.ts'
import { feature, featureCount } from '../../src/features/call-features.ts'
import { kindOf } from '../../src/features/call-windows.ts'
import { DriftMemories } from '../../src/watch/drift-memories.ts'
import { FlashCallSeat, type FlashPair } from '../../src/watch/flash-call-seat.ts'
import { FlashScoring, flashPairStride } from '../../src/worker/flash-scoring.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyFlashModel } from '../fakes/tiny-flash-model.ts'

/** Says the same of everything, and takes so long for it. */
function says(score: number, clock?: ManualClock, tookMs = 0): FlashCallScorer {
  return {
    trained: { scoreMin: 0.5 },
    async scores(_, count) {
      clock?.advance(tookMs)
      return new Float32Array(count).fill(score)
    },
  }
}

/** A row of an on-looking key: a range of four digits, over ten minutes. */
function rows(count: number): Float32Array {
  const features = new Float32Array(count * featureCount)
  for (let row = 0; row < count; row++) {
    features[row * featureCount + feature.keyKind] = kindOf.range4
    features[row * featureCount + feature.windowLevel] = 1
    features[row * featureCount + feature.blinkShare] = 0.9
  }
  return features
}

const one = { name: 'flash_call/1', scorer: says(0.75) }
const two = { name: 'flash_call/2', scorer: says(0.25) }

function scoring(cpuShareMax = 0.1, clock = new ManualClock()) {
  return new FlashScoring(one, { cpuShareMax, steadyMs: () => clock.steadyMs() })
}

describe('the scoring of flash calls', () => {
  it('a look that waits over a swap is judged by the new model, by its threshold, and names it', async () => {
    const it = scoring()
    const queue = new FlashQueue(it, 0.99)
    const signal = { kind: 'flash_call', score: 0, calls: 1, level: 1, marks: 0, reasons: [] } as const
    const look = { keyKind: 1, event: {}, slots: new Int32Array(7), firstSeenMs: 0, evidence: [], signal } as never
    const found: unknown[] = []
    const judge = async () => {
      const candidates = [{ sighting: look, features: rows(1) }]
      queue.add({ key: { slot: 0, hashLo: 0, hashHi: 0 }, candidates, otherwise: null })
      await queue.judge((_, sighting) => {
        found.push([sighting.signal.score, sighting.signal.model])
        return null
      })
    }
    await judge()
    it.use(two)
    await judge()
    it.use({ name: 'rule', scorer: { scores: async () => Float32Array.of(0.995) } })
    await judge()
    assert.deepEqual(found, [
      [0.75, 'flash_call/1'],
      [Math.fround(0.995), 'rule'],
    ])
  })

  it('a candidate judges the same rows; both scores are told with the kind of key and the window', async () => {
    const it = scoring()
    it.shadow(two)
    await it.scores(rows(2), 2)
    const told = it.take()
    assert.deepEqual([told.model, told.candidate, told.judged], ['flash_call/1', 'flash_call/2', 2])
    const pair = [0.75, 0.25, kindOf.range4, 1]
    assert.deepEqual([...told.pairs], [...pair, ...pair])
    assert.equal(told.counts?.[48], 2, '0.75 lies in bin 48 of 64')
    assert.deepEqual([it.take().judged, it.take().counts], [0, null])
  })

  it('keeps to its budget of time, and catches up when time has passed', async () => {
    const clock = new ManualClock()
    const it = scoring(0.1, clock)
    it.shadow({ name: 'flash_call/slow', scorer: says(0.5, clock, 300) })
    const compared = async () => {
      await it.scores(rows(1), 1)
      return it.take().pairs.length / flashPairStride
    }
    assert.deepEqual([await compared(), await compared()], [1, 0], '300 of 200 saved ms are spent')
    clock.advance(2000)
    assert.deepEqual([await compared(), await compared()], [1, 0])
  })

  it('one that throws is out, with its reason; scores go on', async () => {
    const it = scoring()
    const broken: FlashCallScorer = { scores: async () => Promise.reject(new Error('no memory')) }
    it.shadow({ name: 'flash_call/9', scorer: broken })
    assert.deepEqual([...(await it.scores(rows(1), 1))], [0.75])
    const { problem, candidate } = it.take()
    assert.deepEqual([problem, candidate], ['no memory', null])
  })

  it('while windows are rebuilt nothing is compared or counted', async () => {
    const it = scoring()
    it.shadow(two)
    it.muted = true
    assert.deepEqual([...(await it.scores(rows(1), 1))], [0.75])
    assert.deepEqual([it.take().judged, it.take().pairs.length], [0, 0])
  })
})

describe('the seat of the flash-call model', () => {
  it('gathers agreement and drift of what the worker tells, and begins anew after a swap', async (t) => {
    const directory = scratchDirectory(t)
    const dir = writeTinyFlashModel(directory)
    const { models } = loadConfig({ env: {} })
    const drifts = new DriftMemories({ path: `${directory}/drift.json`, config: models.drift, log: silentLog })
    const pairs: FlashPair[] = []
    const did: string[] = []
    const feed = {
      loadModel: async () => void did.push('load'),
      useModel: (_: string, label: string) => void did.push(`use ${label}`),
      tryModel: async (folder: string | null) => void did.push(`try ${folder === null ? 'none' : 'tiny'}`),
    }
    const clock = new ManualClock()
    const compared = (_: unknown, told: readonly FlashPair[]) => void pairs.push(...told)
    const seat = new FlashCallSeat({
      config: models,
      dir: null,
      scoreMin: 0.7,
      feed: () => feed,
      drifts,
      clock,
      compared,
    })
    assert.equal(seat.serving(), 'rule')
    await seat.tryBeside(dir)
    const scored = { counts: null, candidate: 'flash_call/tiny', candidateBusyMs: 5, problem: null }
    const floats = Float32Array.of(0.75, 0.25, kindOf.route, 2)
    seat.scored({ ...scored, model: 'rule', judged: 4, pairs: floats })
    assert.deepEqual(pairs, [{ activeScore: 0.75, candidateScore: 0.25, subject: 'route 1h' }])
    const { shadow } = seat.facts()
    assert.deepEqual([shadow?.share, shadow?.agreement.labelAgreement], [0.25, 0])
    ;(await seat.prepare(dir)).commit()
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(did, ['try tiny', 'load', 'use flash_call/tiny', 'try none'])
    assert.deepEqual([seat.serving(), seat.facts().shadow], ['flash_call/tiny', null])
    const counts = new Uint32Array(6 * 64).fill(1)
    seat.scored({
      ...scored,
      candidate: null,
      model: 'flash_call/tiny',
      judged: 64,
      counts,
      pairs: new Float32Array(0),
    })
    assert.equal(seat.facts().drift?.days[0]?.samples, 64)
    seat.scored({ ...scored, candidate: null, model: 'rule', judged: 64, counts, pairs: new Float32Array(0) })
    assert.equal(seat.facts().drift?.days[0]?.samples, 64, 'what another one judged is not counted')
  })
})
