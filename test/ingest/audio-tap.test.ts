import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { zeroCounters } from '../../src/core/metrics.ts'
import { AudioTaps } from '../../src/ingest/audio-tap.ts'
import type { TrackSink } from '../../src/ingest/track.ts'

function tapped(frameTaken = true) {
  const seen: string[] = []
  const sink: TrackSink = {
    open: (trackId) => seen.push(`open ${trackId}`) > 0,
    frame: (trackId, mediaMs) => seen.push(`frame ${trackId} ${mediaMs}`) > 0 && frameTaken,
    close: (trackId) => void seen.push(`close ${trackId}`),
  }
  const counters = zeroCounters()
  const taps = new AudioTaps(sink, counters)
  /** A message with the payload somewhere inside, as the scanner finds it. */
  const frame = (trackId: number, mediaMs: number, bytes: readonly number[]): boolean => {
    const message = Buffer.from(`{"payload":"${Buffer.from(bytes).toString('base64')}"}`)
    return taps.frame(trackId, mediaMs, message, 12, message.length - 2, 0)
  }
  return { taps, seen, counters, frame }
}

function listen(taps: AudioTaps, trackId: number) {
  const heard: number[] = []
  let ended = 0
  const leave = taps.listen(trackId, {
    audio: (mulaw) => heard.push(...mulaw),
    ended: () => {
      ended += 1
    },
  })
  return { heard, leave, ended: () => ended }
}

const ms = (count: number, value: number): number[] => new Array<number>(count * 8).fill(value)

describe('audio tap', () => {
  it('hears the mu-law bytes of its track and of no other, until it leaves', () => {
    const { taps, frame } = tapped()
    const tap = listen(taps, 1)
    assert.equal(frame(1, 0, ms(1, 7)), true)
    frame(2, 0, ms(1, 9))
    frame(1, 1, ms(1, 8))
    tap.leave()
    tap.leave()
    frame(1, 2, ms(1, 9))
    assert.deepEqual(tap.heard, [...ms(1, 7), ...ms(1, 8)])
    assert.equal(taps.size, 0)
  })

  it('leaves the way to the pool as it is: every call goes through, also refused frames and without a tap', () => {
    const { taps, seen, frame } = tapped(false)
    taps.open(1)
    assert.equal(frame(1, 0, ms(1, 1)), false)
    listen(taps, 1)
    assert.equal(frame(1, 1, ms(1, 1)), false)
    taps.close(1)
    assert.deepEqual(seen, ['open 1', 'frame 1 0', 'frame 1 1', 'close 1'])
  })

  it('leaves repeated audio out and fills a short loss with silence; a long one is left out', () => {
    const { taps, frame } = tapped()
    const tap = listen(taps, 1)
    frame(1, 1000, ms(20, 1))
    frame(1, 1000, ms(20, 2))
    frame(1, 1030, ms(20, 3))
    frame(1, 5000, ms(20, 4))
    assert.deepEqual(tap.heard, [...ms(20, 1), ...ms(10, 0xff), ...ms(20, 3), ...ms(20, 4)])
  })

  it('is told once that its track is over', () => {
    const { taps, frame } = tapped()
    const tap = listen(taps, 1)
    taps.close(1)
    taps.close(1)
    frame(1, 0, ms(1, 1))
    assert.deepEqual([tap.ended(), tap.heard.length, taps.size], [1, 0, 0])
  })

  it('that throws is removed and counted; the frame and the other taps do not notice', () => {
    const { taps, frame, counters } = tapped()
    taps.listen(1, {
      audio: () => {
        throw new Error('a bug')
      },
      ended: () => {},
    })
    const tap = listen(taps, 1)
    assert.equal(frame(1, 0, ms(1, 1)), true)
    frame(1, 1, ms(1, 1))
    assert.deepEqual([tap.heard.length, counters.audioTapsThrew], [16, 1])
  })
})
