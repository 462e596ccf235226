import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MediaClock, placement } from '../../src/worker/media-clock.ts'

const { append, restart, duplicate, regressed, stray } = placement

/** Places frames of [mediaMs, bytes] in order; what came of each, with its fill, skip and loss when there is any. */
function placed(frames: readonly (readonly [number, number])[], gapFillMsMax = 100): unknown[] {
  const clock = new MediaClock(gapFillMsMax)
  return frames.map(([mediaMs, samples]) => {
    const what = clock.place(mediaMs, samples)
    const { fillSamples: fill, skipSamples: skip, lostMs: lost } = clock
    return fill + skip + lost === 0 ? what : [what, { fill, skip, lost }]
  })
}

describe('the media clock', () => {
  it('begins a window at the first frame, wherever that is', () => {
    const clock = new MediaClock(100)
    assert.equal(clock.place(61_003, 160), restart)
    assert.equal(clock.lostMs, 0)
    assert.equal(clock.originMs, 61_003)
    assert.equal(clock.endMs, 61_023)
  })

  it('appends frames that follow one another', () => {
    assert.deepEqual(
      placed([
        [5, 160],
        [25, 160],
        [45, 160],
      ]),
      [restart, append, append],
    )
  })

  it('fills a lost 20 ms frame with as much silence', () => {
    assert.deepEqual(
      placed([
        [0, 160],
        [40, 160],
        [60, 160],
      ]),
      [restart, [append, { fill: 160, skip: 0, lost: 0 }], append],
    )
  })

  it('fills up to the limit and starts a new window above it, saying how much was lost', () => {
    const filled = [append, { fill: 800, skip: 0, lost: 0 }]
    const lost = [restart, { fill: 0, skip: 0, lost: 101 }]
    assert.deepEqual(
      placed([
        [0, 160],
        [120, 160],
      ]),
      [restart, filled],
    )
    assert.deepEqual(
      placed([
        [0, 160],
        [121, 160],
        [141, 160],
      ]),
      [restart, lost, append],
    )
  })

  it('drops a frame that was heard already and one that is older than that', () => {
    const frames = [
      [0, 160],
      [20, 160],
      [20, 160],
      [0, 160],
      [40, 160],
    ] as const
    assert.deepEqual(placed(frames), [restart, append, duplicate, regressed, append])
  })

  it('skips the part of a frame that was heard already', () => {
    assert.deepEqual(
      placed([
        [0, 800],
        [60, 800],
      ]),
      [restart, [append, { fill: 0, skip: 320, lost: 0 }]],
    )
  })

  it('takes differences below a frame for jitter and does not add them up', () => {
    const clock = new MediaClock(100)
    for (const [n, jitter] of [0, 7, -8, 12, 0, -15, 3, 0].entries()) {
      clock.place(n * 20 + jitter, 160)
      assert.equal(clock.fillSamples + clock.skipSamples, 0)
    }
    assert.equal(clock.endMs, 160)
  })

  it('follows whole-millisecond timestamps of frames of any length without loss, duplicate or drift', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 8000 }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(lengths, fc.nat(1000), fc.constantFrom(Math.floor, Math.round), (frames, firstMs, whole) => {
        const clock = new MediaClock(100)
        let samples = 0
        for (const length of frames) {
          const what = clock.place(whole(firstMs + samples / 8), length)
          assert.ok(what === append || what === restart)
          assert.equal(clock.fillSamples + clock.skipSamples + clock.lostMs, 0)
          samples += length
        }
        assert.equal(clock.endMs, firstMs + samples / 8)
      }),
    )
  })

  it('never is further than a frame from the newest frame it used, whatever comes', () => {
    const frame = fc.tuple(fc.integer({ min: -1000, max: 100_000 }), fc.integer({ min: 1, max: 400 }))
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 200 }), (frames) => {
        const clock = new MediaClock(100)
        for (const [mediaMs, samples] of frames) {
          const before = clock.endMs
          const what = clock.place(mediaMs, samples)
          if (what === append || what === restart) {
            assert.ok(Math.abs(clock.endMs - (mediaMs + samples / 8)) < 20)
            assert.ok(clock.fillSamples <= 800 && clock.skipSamples >= 0 && clock.skipSamples < samples)
          } else assert.ok(Object.is(clock.endMs, before))
        }
      }),
    )
  })

  it('ignores one frame that is an hour off or more', () => {
    assert.deepEqual(
      placed([
        [0, 160],
        [1e15, 160],
        [20, 160],
        [-1e15, 160],
        [40, 160],
        [3_600_060, 160],
        [60, 160],
      ]),
      [restart, stray, append, stray, append, stray, append],
    )
  })

  it('believes a clock that was changed once a second frame follows on it', () => {
    const frames = [
      [0, 160],
      [9e8, 160],
      [9e8 + 20, 160],
      [9e8 + 40, 160],
    ] as const
    assert.deepEqual(placed(frames), [restart, stray, restart, append])
  })

  it('recovers from a first frame that was mad', () => {
    assert.deepEqual(
      placed([
        [1e15, 160],
        [0, 160],
        [20, 160],
        [40, 160],
      ]),
      [restart, stray, restart, append],
    )
  })

  it('goes on where another clock of the track ended: what is missing was lost', () => {
    const clock = new MediaClock(100, 1500)
    assert.equal(clock.place(4000, 160), restart)
    assert.equal(clock.lostMs, 2500)
    assert.equal(clock.originMs, 4000)
    const heard = new MediaClock(100, 1500)
    assert.equal(heard.place(1400, 160), regressed)
    assert.equal(heard.place(1500, 160), append)
    assert.equal(heard.endMs, 1520)
  })

  it('ignores times that are no numbers', () => {
    assert.deepEqual(
      placed([
        [Number.NaN, 160],
        [0, 160],
        [Infinity, 160],
        [20, 160],
      ]),
      [stray, restart, stray, append],
    )
  })

  it('takes 10 000 one-byte frames of the same time for what they are: one and many duplicates', () => {
    const clock = new MediaClock(100)
    const counts = [0, 0, 0, 0, 0]
    for (let n = 0; n < 10_000; n += 1) {
      const what = clock.place(5, 1)
      counts[what] = (counts[what] ?? 0) + 1
    }
    assert.equal(counts[restart], 1)
    assert.ok((counts[append] ?? 0) <= 8, `${counts[append]} of them appended`)
  })
})
