import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { hopFlag } from '../../src/features/hop.ts'
import type { ScoredHop } from '../../src/inference/scored-hop.ts'
import { VoicePool } from '../../src/worker/pool.ts'
import { quickWasm } from '../fakes/quick-wasm.ts'
import { tinyManifest, tinyOnnx } from '../fakes/tiny-model.ts'
import { voiceLike } from '../fakes/voice-like.ts'

quickWasm()

const onnx = tinyOnnx()
const model = { manifest: tinyManifest(onnx), onnx }
const config = {
  workers: 1,
  callsMax: 1000,
  ringBytes: 8_388_608,
  tickMs: 20,
  gapFillMsMax: 100,
  workerHungMs: 500,
}

const pools: VoicePool[] = []

async function started(changes: Partial<typeof config> = {}) {
  const counters = zeroCounters()
  const pool = await VoicePool.start({
    config: { ...config, ...changes },
    model,
    counters,
    clock: systemClock,
    log: silentLog,
    faults: true,
  })
  pools.push(pool)
  const hops: ScoredHop[] = []
  const closed: number[] = []
  pool.onHop((hop) => hops.push(hop))
  pool.onClosed((trackId) => closed.push(trackId))
  return { pool, counters, hops, closed }
}

/** Twilio's payload of frame `n` of 20 ms, in the middle of a message. */
function message(n: number): { bytes: Buffer; start: number; end: number } {
  const text = `{"payload":"${voiceLike(n * 160, 160).toString('base64')}"}`
  return { bytes: Buffer.from(text), start: 12, end: text.length - 2 }
}

function play(pool: VoicePool, trackId: number, from: number, to: number): number {
  let taken = 0
  for (let n = from; n < to; n += 1) {
    const { bytes, start, end } = message(n)
    if (pool.frame(trackId, n * 20, bytes, start, end, performance.now())) taken += 1
  }
  return taken
}

async function until(what: string, met: () => boolean, limitMs = 10_000): Promise<number> {
  const beganMs = systemClock.steadyMs()
  while (!met()) {
    assert.ok(systemClock.steadyMs() - beganMs < limitMs, `${what}: not within ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return systemClock.steadyMs() - beganMs
}

const ofTrack = (hops: readonly ScoredHop[], trackId: number) => hops.filter((hop) => hop.trackId === trackId)

describe('the voice pool', { concurrency: false }, () => {
  after(async () => {
    await Promise.all(pools.map((pool) => pool.stop()))
  })

  it('turns the frames of many tracks into scored hops, and drains', async () => {
    const { pool, counters, hops } = await started()
    assert.equal(pool.ready(), true)
    for (const trackId of [1, 2, 3]) assert.equal(pool.open(trackId), true)
    for (const trackId of [1, 2, 3]) assert.equal(play(pool, trackId, 0, 100), 100)
    await pool.drain()
    for (const trackId of [1, 2, 3]) {
      const own = ofTrack(hops, trackId)
      assert.deepEqual(
        own.map(({ hopEndMs }) => hopEndMs),
        [500, 1000, 1500, 2000],
      )
      assert.ok(own.some(({ llr }) => Number.isFinite(llr)))
    }
    assert.equal(counters.hopsClosed, 12)
    assert.equal(pool.open(4), false, 'a draining pool admits nobody')
    await pool.stop()
  })

  it('admits callsMax tracks, spread over the workers, and another when one is closed', async () => {
    const { pool } = await started({ workers: 2, callsMax: 5 })
    for (let id = 1; id <= 5; id += 1) assert.equal(pool.open(id), true)
    assert.equal(pool.open(6), false)
    assert.deepEqual(
      pool.stats().seats.map(({ tracks }) => tracks),
      [3, 2],
    )
    pool.close(2)
    assert.equal(pool.open(6), true)
    assert.equal(play(pool, 2, 0, 1), 0, 'a closed track takes no frame')
    await pool.stop()
  })

  for (const [fault, counter] of [
    ['throw', 'workerThrew'],
    ['hang', 'workerHung'],
  ] as const) {
    it(`goes on within 2 s with a gap when a worker is made to ${fault}; other tracks notice nothing`, async () => {
      const { pool, counters, hops } = await started({ workers: 2 })
      for (const trackId of [1, 2]) pool.open(trackId)
      for (const trackId of [1, 2]) play(pool, trackId, 0, 55)
      await until('first hops', () => ofTrack(hops, 1).length === 2 && ofTrack(hops, 2).length === 2)
      await until('spare', () => pool.stats().spare)
      pool.fault(0, fault)
      let n = 55
      const tookMs = await until('track 1 goes on', () => {
        for (const trackId of [1, 2]) play(pool, trackId, n, n + 1)
        n += 1
        return ofTrack(hops, 1).length > 2
      })
      assert.ok(tookMs < 2000, `${tookMs} ms`)
      await pool.drain()
      assert.equal(counters[counter], 1)
      const [, second, third] = ofTrack(hops, 1)
      assert.equal(second?.hopEndMs, 1000)
      assert.ok((third?.hopStartMs ?? 0) >= 1000, 'its clock goes on')
      assert.equal(third?.lostMs, (third?.hopStartMs ?? 0) - 1000, 'and what was lost is counted')
      const ends = ofTrack(hops, 2).map(({ hopEndMs }) => hopEndMs)
      assert.deepEqual(
        ends,
        ends.map((_, hop) => (hop + 1) * 500),
      )
      assert.equal(ends.length, Math.floor(n / 25), 'track 2 lost nothing')
      await pool.stop()
    })
  }

  it('replaces worker after worker', async () => {
    const { pool, counters, hops } = await started()
    pool.open(1)
    for (let round = 1; round <= 3; round += 1) {
      const before = hops.length
      pool.fault(0, 'throw')
      await until('replaced', () => counters.workerThrew === round && pool.ready())
      play(pool, 1, round * 1000, round * 1000 + 50)
      await until('hops', () => hops.length >= before + 2)
    }
    await pool.stop()
  })

  it('makes a gap of the frames that a full ring refused', async () => {
    const { pool, hops, counters } = await started({ callsMax: 4, ringBytes: 16_384, tickMs: 1000, workerHungMs: 5000 })
    pool.open(1)
    await until('opened', () => pool.stats().seats[0]?.ringUsedBytes === 0)
    const taken = play(pool, 1, 0, 100)
    assert.ok(taken > 40 && taken < 70, `${taken} frames in 16 KiB`)
    assert.equal(pool.stats().seats[0]?.framesRefused, 100 - taken)
    await until('the ring is read', () => pool.stats().seats[0]?.ringUsedBytes === 0)
    play(pool, 1, 103, 130)
    await pool.drain()
    const lost = ofTrack(hops, 1).at(-1)
    assert.equal(lost?.hopStartMs, 103 * 20)
    assert.equal(lost?.lostMs, (103 - taken) * 20)
    assert.equal(counters.audioLostMs, (103 - taken) * 20)
    await pool.stop()
  })

  it('tells once that a closed track is finished, after its last hop', async () => {
    const { pool, hops } = await started()
    const told: string[] = []
    pool.onHop((hop) => told.push(`hop ${hop.hopEndMs}`))
    pool.onClosed((trackId) => told.push(`closed ${trackId}`))
    pool.open(1)
    play(pool, 1, 0, 50)
    pool.close(1)
    assert.deepEqual(told, [])
    await pool.drain()
    assert.deepEqual(told, ['hop 500', 'hop 1000', 'closed 1'])
    assert.deepEqual(hops, [])
    await pool.stop()
  })

  it('tells that a closed track is finished although its worker is lost', async () => {
    const { pool, closed } = await started()
    pool.open(1)
    pool.open(2)
    pool.fault(0, 'hang')
    await new Promise((resolve) => setTimeout(resolve, 100))
    pool.close(1)
    assert.deepEqual(closed, [])
    await until('closed', () => closed.length > 0)
    assert.deepEqual(closed, [1])
    pool.close(2)
    await until('closed', () => closed.length > 1)
    assert.deepEqual(closed, [1, 2])
    await pool.stop()
  })

  it('flags a gap that it could fill', async () => {
    const { pool, hops } = await started()
    pool.open(1)
    play(pool, 1, 0, 10)
    play(pool, 1, 12, 25)
    await pool.drain()
    assert.equal(hops[0]?.filledMs, 40)
    assert.equal((hops[0]?.flags ?? 0) & hopFlag.gap, hopFlag.gap)
    await pool.stop()
  })

  it('opens and closes tracks for ever in bounded memory', async () => {
    const { pool } = await started({ callsMax: 100, ringBytes: 262_144 })
    await until('spare', () => pool.stats().spare)
    let id = 0
    const round = async () => {
      for (let n = 0; n < 1000; n += 1) {
        id += 1
        while (!pool.open(id)) await new Promise((resolve) => setTimeout(resolve, 2))
        play(pool, id, 0, 3)
        pool.close(id)
      }
      await until('the ring is read', () => pool.stats().seats[0]?.ringUsedBytes === 0)
      return process.memoryUsage.rss()
    }
    await round()
    // What leaks grows each time; what the heap of this process does once is no leak.
    let grownBytes = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 3 && grownBytes >= 33_554_432; tries += 1) {
      const before = await round()
      for (let n = 0; n < 4; n += 1) await round()
      grownBytes = (await round()) - before
    }
    assert.equal(pool.stats().tracks, 0)
    assert.ok(grownBytes < 33_554_432, `grown by ${grownBytes} bytes over 5000 tracks`)
    await pool.stop()
  })

  it('does not start with a model that does not load, and says why', async () => {
    const broken = { manifest: model.manifest, onnx: new Uint8Array([1, 2, 3]) }
    const options = { config, model: broken, counters: zeroCounters(), clock: systemClock, log: silentLog }
    await assert.rejects(VoicePool.start(options), { code: 'model_invalid', message: /does not load/ })
  })

  it('does not start with a ring too small for its calls, or with a tick that would look like a hang', async () => {
    const options = { model, counters: zeroCounters(), clock: systemClock, log: silentLog }
    const small = VoicePool.start({ ...options, config: { ...config, ringBytes: 4096 } })
    await assert.rejects(small, {
      code: 'config_invalid',
      message: /ringBytes 4096 .* 1000 calls a worker need 256000/,
    })
    const slow = VoicePool.start({ ...options, config: { ...config, tickMs: 200 } })
    await assert.rejects(slow, { code: 'config_invalid', message: /workerHungMs 500 .* tickMs 200/ })
  })
})
