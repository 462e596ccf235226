/** Models side by side, over fake pools: who judges what, what is stopped when, how a candidate joins. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { unfamiliarBit } from '../../src/features/hop.ts'
import type { VoiceModel } from '../../src/inference/model-file.ts'
import type { ScoredHop } from '../../src/inference/scored-hop.ts'
import { generationsMax, type TrackPool, VoiceGenerations } from '../../src/worker/voice-generations.ts'
import { type ShadowPair, VoiceShadow } from '../../src/worker/voice-shadow.ts'
import { tinyManifest } from '../fakes/tiny-model.ts'

const onnx = Buffer.from('not looked at')
const modelOf = (version: string): VoiceModel => ({
  manifest: { ...tinyManifest(Buffer.from(version)), version },
  onnx,
})

/** Each frame closes a hop, which is judged when the test says so. */
class FakePool implements TrackPool {
  readonly tracks = new Set<number>()
  stopped = false
  spare = true
  busyMs = 0
  flags = 0
  #hop: (hop: ScoredHop) => void = () => {}
  #closed: (trackId: number) => void = () => {}
  #waiting: (() => void)[] = []
  readonly #llr: number

  constructor(llr: number) {
    this.#llr = llr
  }
  onHop(listener: (hop: ScoredHop) => void): void {
    this.#hop = listener
  }
  onClosed(listener: (trackId: number) => void): void {
    this.#closed = listener
  }
  ready(): boolean {
    return !this.stopped
  }
  open(trackId: number): boolean {
    this.tracks.add(trackId)
    return !this.stopped
  }
  frame(trackId: number, mediaMs: number): boolean {
    assert.ok(this.tracks.has(trackId) && !this.stopped)
    const times = { windowStartMs: 0, hopStartMs: mediaMs, hopEndMs: mediaMs + 500, enteredMs: 0 }
    const rest = { hopSpeechMs: 500, windowSpeechMs: 500, flags: this.flags, filledMs: 0, lostMs: 0, duplicates: 0 }
    this.#waiting.push(() => this.#hop({ trackId, ...times, llr: this.#llr, ...rest }))
    return true
  }
  close(trackId: number): void {
    this.tracks.delete(trackId)
    this.#waiting.push(() => this.#closed(trackId))
  }
  judge(): void {
    for (const tell of this.#waiting.splice(0)) tell()
  }
  async drain(): Promise<void> {
    this.judge()
  }
  async stop(): Promise<void> {
    this.stopped = true
  }
  stats() {
    return { tracks: this.tracks.size, spare: this.spare, seats: [seatOf(this.tracks.size, this.busyMs)] }
  }
  keepSpare(kept: boolean): void {
    this.spare = kept
  }
  fault(): void {}
}

const seatOf = (tracks: number, busyMs: number) => ({
  ...{ ready: true, tracks, ringUsedBytes: 0, framesRefused: 0, ticks: 0, busyMs, tickMsMax: 0 },
})

async function house() {
  const pools = new Map<string, FakePool>()
  const generations = await VoiceGenerations.start(
    {
      callsMax: 4,
      async startPool({ manifest: { version } }) {
        if (version === 'broken') throw new OperatingError('model_invalid', 'does not load')
        const pool = new FakePool(version === '1' ? 2 : -2)
        pools.set(version, pool)
        return pool
      },
    },
    modelOf('1'),
  )
  const hops: [trackId: number, atMs: number, model: string][] = []
  const closed: number[] = []
  generations.onHop((hop, model) => hops.push([hop.trackId, hop.hopStartMs, model]))
  generations.onClosed((trackId) => closed.push(trackId))
  const judge = () => {
    for (const pool of pools.values()) pool.judge()
  }
  const swap = async (version: string) => (await generations.prepare(modelOf(version))).commit()
  const frame = (trackId: number, atMs: number) => generations.frame(trackId, atMs, onnx, 0, 1, 0)
  return { generations, pools, hops, closed, judge, swap, frame }
}

describe('voice models side by side', () => {
  it('a track stays with its model over a swap, new ones go to the new; every hop names who judged it', async () => {
    const { generations, hops, judge, swap, frame } = await house()
    generations.open(7)
    frame(7, 0)
    await swap('2')
    frame(7, 500)
    generations.open(8)
    frame(8, 0)
    judge()
    assert.deepEqual(hops, [
      [7, 0, 'voice/1'],
      [7, 500, 'voice/1'],
      [8, 0, 'voice/2'],
    ])
    assert.equal(generations.modelOf(7).manifest.version, '1')
    assert.deepEqual(
      [...generations.tracks()],
      [
        ['voice/1', 1],
        ['voice/2', 1],
      ],
    )
  })

  it('an older pool ends after its last track told its last hop, not before', async () => {
    const { generations, pools, hops, closed, judge, swap, frame } = await house()
    generations.open(7)
    await swap('2')
    assert.equal(pools.get('1')?.spare, false)
    frame(7, 0)
    generations.close(7)
    assert.equal(pools.get('1')?.stopped, false)
    judge()
    assert.deepEqual([hops.length, closed], [1, [7]])
    assert.equal(pools.get('1')?.stopped, true)
    assert.deepEqual([...generations.tracks()], [['voice/2', 0]])
  })

  it('a model that does not load changes nothing', async () => {
    const { generations, hops, judge, frame } = await house()
    await assert.rejects(generations.prepare(modelOf('broken')), /does not load/)
    generations.open(7)
    frame(7, 0)
    judge()
    assert.deepEqual(hops, [[7, 0, 'voice/1']])
  })

  it('a rollback while older calls live goes back to their pool, without loading anything', async () => {
    const { generations, pools, swap } = await house()
    const first = pools.get('1')
    generations.open(7)
    await swap('2')
    await swap('1')
    assert.equal(pools.get('1'), first)
    assert.equal(generations.current.manifest.version, '1')
    assert.equal(pools.get('2')?.stopped, true, 'it had no track')
  })

  it(`at most ${generationsMax} live at a time: a further one is refused until an older one has ended`, async () => {
    const { generations, judge, swap } = await house()
    for (const version of ['2', '3']) {
      generations.open(Number(version))
      await swap(version)
    }
    generations.open(9)
    await assert.rejects(swap('4'), (thrown) => thrown instanceof OperatingError && thrown.code === 'capacity_full')
    generations.close(2)
    judge()
    await swap('4')
  })

  it('callsMax counts the tracks of all models', async () => {
    const { generations, swap } = await house()
    for (const trackId of [1, 2, 3]) generations.open(trackId)
    await swap('2')
    assert.deepEqual([generations.open(4), generations.open(5)], [true, false])
  })
})

describe('a candidate in shadow', () => {
  async function shadowed(cpuShareMax = 0.1) {
    const { generations, judge, frame } = await house()
    const clock = new ManualClock()
    const pool = new FakePool(1)
    const pairs: ShadowPair[] = []
    const counters = zeroCounters()
    const shadow = new VoiceShadow({
      active: { label: 'voice/1', thresholds: { upper: 0.8, lower: 0.2 } },
      candidate: { label: 'voice/2', thresholds: { upper: 0.8, lower: 0.2 } },
      ...{ pool, counters, cpuShareMax, clock },
      aboutOf: (trackId) => ({ callSid: `CA${trackId}`, track: 'inbound' }),
      compared: (pair) => pairs.push(pair),
    })
    generations.shadow(shadow)
    return { generations, judge, frame, pool, shadow, pairs, counters, clock }
  }

  it('judges the same hops, whoever is first, and the two are compared', async () => {
    const { generations, judge, frame, pool, shadow, pairs } = await shadowed()
    generations.open(7)
    frame(7, 0)
    pool.judge()
    judge()
    frame(7, 500)
    judge()
    pool.judge()
    assert.deepEqual(
      pairs.map(({ trackId, hopEndMs }) => [trackId, hopEndMs]),
      [
        [7, 500],
        [7, 1000],
      ],
    )
    const { judged, share, agreement } = shadow.view()
    // 1 / (1 + e^-2) = 0.8808 is synthetic, 1 / (1 + e^-1) = 0.7311 is between.
    assert.deepEqual([judged, share, agreement.labelAgreement, agreement.meanDifference], [2, 1, 0, -0.1497])
  })

  it('is compared only where both know the kind of audio', async () => {
    const { generations, judge, frame, pool, shadow, pairs } = await shadowed()
    generations.open(7)
    pool.flags = unfamiliarBit
    frame(7, 0)
    pool.flags = 0
    frame(7, 500)
    judge()
    pool.judge()
    assert.deepEqual([pairs.map(({ hopEndMs }) => hopEndMs), shadow.view().judged], [[1000], 2])
  })

  it('keeps to its budget: tracks are let go, and none is taken until it is idle again', async () => {
    const { generations, judge, frame, pool, shadow, clock } = await shadowed(0.1)
    for (const trackId of [1, 2, 3, 4]) generations.open(trackId)
    assert.equal(pool.tracks.size, 4)
    pool.busyMs = 800
    clock.advance(1000)
    shadow.tick()
    assert.ok(pool.tracks.size < 4, `${pool.tracks.size}`)
    frame(4, 0)
    frame(1, 0)
    judge()
    pool.judge()
    const { share, cpuShare, cpuShareMax } = shadow.view()
    assert.ok(cpuShare > cpuShareMax)
    assert.equal(share, 0.5, 'one of two hops was judged by both')
    generations.close(4)
    generations.open(5)
    assert.equal(pool.tracks.has(5), false)
  })

  it('whose worker is lost is out, with the reason; the active model goes on', async () => {
    const { generations, judge, frame, pool, shadow, counters, pairs } = await shadowed()
    generations.open(7)
    counters.workerThrew = 1
    shadow.tick()
    assert.equal(pool.stopped, true)
    assert.match(shadow.view().problem ?? '', /worker threw/)
    frame(7, 0)
    judge()
    assert.equal(pairs.length, 0)
    generations.open(8)
    assert.equal(shadow.view().state, 'failed')
  })
})
