import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { zeroCounters } from '../../src/core/metrics.ts'
import { hopFlag, unfamiliarBit } from '../../src/features/hop.ts'
import { isEvidence, type ScoredHop } from '../../src/inference/scored-hop.ts'
import { type Detector, VoicePipeline } from '../../src/worker/voice-pipeline.ts'
import { FakeFrontEnd } from '../fakes/front-end.ts'
import { tinyShape } from '../fakes/tiny-model.ts'

/**
 * A detector that can be read: embedding = the hop's feature value, three times; logit = that value + 1000 x the sum of
 * the values in the history. A hop of bytes 3 after hops of bytes 1 and 2 scores 3003.
 */
class FakeDetector implements Detector {
  readonly row = { features: 52 * 60, speech: 50, historyHops: 3, embedding: 3 }
  readonly batchMax = 4
  readonly inputs = {
    features: new Float32Array(4 * 52 * 60),
    speech: new Float32Array(4 * 50),
    history: new Float32Array(4 * 9),
    historyWeight: new Float32Array(4 * 3),
  }
  readonly embedding = new Float32Array(4 * 3)
  readonly logit = new Float32Array(4)
  /** Bytes from 240 on are unfamiliar. */
  readonly novelty = new Float32Array(4)
  readonly batches: number[] = []

  async run(count: number): Promise<void> {
    this.batches.push(count)
    await Promise.resolve()
    for (let r = 0; r < count; r += 1) {
      const value = this.inputs.features[r * this.row.features] ?? Number.NaN
      let past = 0
      for (let k = 0; k < 3; k += 1) past += this.inputs.history[r * 9 + k * 3] ?? Number.NaN
      this.embedding.fill(value, r * 3, r * 3 + 3)
      this.logit[r] = value + 1000 * past
      this.novelty[r] = value / 239
    }
  }
}

function bench(tracksMax = 4) {
  const frontEnd = new FakeFrontEnd(tinyShape, tracksMax)
  const detector = new FakeDetector()
  const counters = zeroCounters()
  const pipeline = new VoicePipeline({ frontEnd, detector, hopMs: 500, gapFillMsMax: 100, tracksMax, counters })
  const hops: ScoredHop[] = []
  return {
    frontEnd,
    detector,
    counters,
    pipeline,
    hops,
    /** A frame of `ms` milliseconds whose samples all are `byte`. */
    frame(trackId: number, mediaMs: number, byte: number, ms = 20, enteredMs = 0) {
      const text = Buffer.from(`<${Buffer.alloc(ms * 8, byte).toString('base64')}>`)
      pipeline.frame(trackId, mediaMs, text, 1, text.length - 1, enteredMs)
    },
    async tick(): Promise<ScoredHop[]> {
      const from = hops.length
      await pipeline.tick((hop) => hops.push(hop))
      return hops.slice(from)
    },
  }
}

describe('the voice pipeline', () => {
  it('scores each 500 ms hop once, with the hops before it as history', async () => {
    const { pipeline, frame, tick, detector } = bench()
    pipeline.open(9)
    for (let n = 0; n < 100; n += 1) frame(9, 40 + n * 20, 1 + Math.floor(n / 25), 20, n)
    const hops = await tick()
    assert.deepEqual(
      hops.map(({ llr, hopStartMs, hopEndMs, windowStartMs, enteredMs }) => [
        llr,
        hopStartMs,
        hopEndMs,
        windowStartMs,
        enteredMs,
      ]),
      [
        [1, 40, 540, 40, 24],
        [1002, 540, 1040, 40, 49],
        [3003, 1040, 1540, 40, 74],
        [6004, 1540, 2040, 40, 99],
      ],
    )
    assert.deepEqual(
      hops.map(({ hopSpeechMs, windowSpeechMs }) => [hopSpeechMs, windowSpeechMs]),
      [
        [500, 500],
        [500, 1000],
        [500, 1500],
        [500, 2000],
      ],
    )
    assert.deepEqual(detector.batches, [1, 1, 1, 1])
    assert.deepEqual(await tick(), [])
  })

  it('slides the window: the oldest hop leaves when it is full', async () => {
    const { pipeline, frame, tick } = bench()
    pipeline.open(1)
    for (let hop = 0; hop < 5; hop += 1) frame(1, hop * 500, hop + 1, 500)
    const last = (await tick()).at(-1)
    assert.equal(last?.llr, 5 + 1000 * (2 + 3 + 4))
    assert.equal(last?.windowStartMs, 500)
  })

  it('judges the hops of all tracks together, in batches no larger than the model allows', async () => {
    const { pipeline, frame, tick, detector, counters } = bench(10)
    for (let id = 0; id < 10; id += 1) pipeline.open(id)
    for (let id = 0; id < 10; id += 1) frame(id, 0, id + 1, 1000)
    const hops = await tick()
    assert.deepEqual(detector.batches, [4, 4, 2, 4, 4, 2])
    assert.equal(counters.inferenceRuns, 6)
    assert.equal(counters.hopsScored, 20)
    for (let id = 0; id < 10; id += 1) {
      const llrs = hops.filter((hop) => hop.trackId === id).map((hop) => hop.llr)
      assert.deepEqual(llrs, [id + 1, (id + 1) * 1001])
    }
  })

  it('does not score silence or tones, and keeps them out of the history', async () => {
    const { pipeline, frame, tick, detector, counters } = bench()
    pipeline.open(1)
    for (const [hop, byte] of [5, 0, 254, 7].entries()) frame(1, hop * 500, byte, 500)
    const hops = await tick()
    assert.deepEqual(
      hops.map(({ llr, flags, hopSpeechMs }) => [llr, flags, hopSpeechMs]),
      [
        [5, 0, 500],
        [Number.NaN, 0, 0],
        [Number.NaN, hopFlag.tone, 500],
        [5007, 0, 500],
      ],
    )
    assert.deepEqual(detector.batches, [1, 1])
    assert.equal(counters.hopsClosed, 4)
    assert.equal(counters.hopsScored, 2)
  })

  it('marks a hop that is unfamiliar to the model; it is scored, and in the history', async () => {
    const { pipeline, frame, tick, counters } = bench()
    pipeline.open(1)
    for (const [hop, byte] of [239, 240, 7].entries()) frame(1, hop * 500, byte, 500)
    const hops = await tick()
    assert.deepEqual(
      hops.map((hop) => [hop.llr, hop.flags, isEvidence(hop)]),
      [
        [239, 0, true],
        [239_240, unfamiliarBit, false],
        [479_007, 0, true],
      ],
    )
    assert.equal(counters.hopsScored, 3)
    assert.equal(counters.hopsUnfamiliar, 1)
  })

  it('does not score a hop with less than 100 ms of speech', async () => {
    const { pipeline, frame, tick } = bench()
    pipeline.open(1)
    frame(1, 0, 3, 90)
    frame(1, 90, 0, 410)
    frame(1, 500, 3, 100)
    frame(1, 600, 0, 400)
    assert.deepEqual(
      (await tick()).map(({ llr }) => Number.isNaN(llr)),
      [true, false],
    )
  })

  it('fills a small loss with silence that is flagged and counted', async () => {
    const { pipeline, frame, tick, counters, frontEnd } = bench()
    pipeline.open(1)
    for (let n = 0; n < 25; n += 1) if (n !== 3 && n !== 4) frame(1, n * 20, 9)
    const [hop] = await tick()
    assert.deepEqual([hop?.filledMs, hop?.flags, hop?.lostMs, hop?.hopEndMs], [40, hopFlag.gap, 0, 500])
    assert.equal(frontEnd.filledSamples, 320)
    assert.equal(counters.audioFilledMs, 40)
    assert.equal(counters.audioLostMs, 0)
  })

  it('starts a new window after a large loss: the open hop and the history are forgotten', async () => {
    const { pipeline, frame, tick, counters, frontEnd } = bench()
    pipeline.open(1)
    frame(1, 0, 1, 700)
    frame(1, 3700, 2, 500)
    frame(1, 4200, 3, 500)
    const hops = await tick()
    assert.deepEqual(
      hops.map(({ llr, hopStartMs, windowStartMs, lostMs }) => [llr, hopStartMs, windowStartMs, lostMs]),
      [
        [1, 0, 0, 0],
        [2, 3700, 3700, 3000],
        [2003, 4200, 3700, 0],
      ],
    )
    assert.equal(counters.audioLostMs, 3000)
    assert.equal(frontEnd.resets, 2)
  })

  it('drops duplicates and regressions, counts them and tells them with the next hop', async () => {
    const { pipeline, frame, tick, counters } = bench()
    pipeline.open(1)
    for (let n = 0; n < 25; n += 1) {
      frame(1, n * 20, 6)
      if (n === 5) frame(1, n * 20, 200)
      if (n === 9) frame(1, 20, 200)
    }
    const [hop] = await tick()
    assert.deepEqual([hop?.llr, hop?.duplicates, hop?.hopEndMs], [6, 2, 500])
    assert.equal(counters.audioDuplicate, 1)
    assert.equal(counters.audioRegressed, 1)
  })

  it('counts text that is not base64; its time then shows as a gap', async () => {
    const { pipeline, frame, tick, counters } = bench()
    pipeline.open(1)
    frame(1, 0, 4, 240)
    pipeline.frame(1, 240, Buffer.from('%%%%'), 0, 4, 0)
    frame(1, 260, 4, 240)
    const [hop] = await tick()
    assert.equal(counters.audioUndecodable, 1)
    assert.equal(hop?.filledMs, 20)
  })

  it('lets an enormous timestamp cost nothing', async () => {
    const { pipeline, frame, tick, counters, frontEnd } = bench()
    pipeline.open(1)
    for (let n = 0; n < 25; n += 1) {
      frame(1, n * 20, 8)
      frame(1, [1e15, -1e15, Number.NaN, Number.MAX_VALUE][n % 4] ?? 0, 8)
    }
    const [hop] = await tick()
    assert.deepEqual([hop?.llr, hop?.hopEndMs, hop?.lostMs], [8, 500, 0])
    assert.equal(counters.audioStray, 25)
    assert.equal(frontEnd.filledSamples, 0)
  })

  it('still judges the closed hops of a track that ended before the tick', async () => {
    const { pipeline, frame, tick, frontEnd } = bench(1)
    pipeline.open(1)
    frame(1, 0, 1, 1000)
    pipeline.close(1)
    pipeline.open(2)
    frame(2, 0, 50, 500)
    assert.deepEqual(
      (await tick()).map(({ trackId, llr }) => [trackId, llr]),
      [
        [1, 1],
        [2, 50],
        [1, 1001],
      ],
    )
    assert.equal(frontEnd.openSlots, 1)
  })

  it('says when it is full and has room again after the tick', async () => {
    const { pipeline, frame, tick } = bench()
    pipeline.open(1)
    let seconds = 0
    for (; !pipeline.full; seconds += 1) frame(1, seconds * 1000, 1, 1000)
    assert.ok(pipeline.due >= 250 && pipeline.due <= 256, `${pipeline.due} hops due`)
    assert.throws(() => frame(1, seconds * 1000, 1), { name: 'AssertionError' })
    assert.equal((await tick()).length, seconds * 2)
    assert.equal(pipeline.full, false)
  })

  it('opens and closes ten thousand tracks in the room of four', async () => {
    const { pipeline, frame, tick, frontEnd } = bench(4)
    for (let id = 0; id < 10_000; id += 1) {
      pipeline.open(id)
      if (id % 100 === 0) frame(id, 0, 1, 500)
      pipeline.close(id)
      if (id % 1000 === 0) await tick()
    }
    assert.equal(pipeline.tracks, 0)
    assert.equal(frontEnd.openSlots, 0)
  })

  it('tells a loss that comes so often that no hop ever closes', async () => {
    const { pipeline, frame, tick } = bench()
    pipeline.open(1)
    // 380 ms of every 500 ms arrive, 120 ms never do: more than is filled, so each time a new window begins.
    for (let at = 0; at < 5000; at += 500) for (let ms = 0; ms < 380; ms += 20) frame(1, at + ms, 7)
    const hops = await tick()
    assert.ok(hops.every(({ llr, flags }) => Number.isNaN(llr) && flags === hopFlag.gap))
    const lostMs = hops.reduce((sum, hop) => sum + hop.lostMs, 0)
    assert.ok(lostMs >= 7 * 120 && lostMs <= 9 * 120, `${lostMs} ms told of ${9 * 120}`)
  })
})
