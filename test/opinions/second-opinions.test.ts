/** Questions to vendors, with the audio that the test lets through. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { type Log, silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { LiveTrack } from '../../src/decisions/live-calls.ts'
import type { Opinion } from '../../src/decisions/opinion-agreement.ts'
import { AudioTaps } from '../../src/ingest/audio-tap.ts'
import { OpinionFailure, type VendorScore } from '../../src/opinions/opinion.ts'
import { SecondOpinions, type SecondOpinionsOptions } from '../../src/opinions/second-opinions.ts'
import { VendorGate } from '../../src/opinions/vendor-gate.ts'
import { until } from '../fakes/until.ts'

class FakeVendor {
  readonly name: string
  readonly gate: VendorGate
  /** Bytes pushed, by session. */
  readonly heard: number[] = []
  closed = 0
  answer: () => Promise<VendorScore> = async () => ({ score: 0.91234, abstained: null })

  constructor(name: string, perHourMax = 100) {
    this.name = name
    this.gate = new VendorGate(perHourMax)
  }

  start() {
    const at = this.heard.push(0) - 1
    return {
      pushAudio: (mulaw: Uint8Array) => {
        this.heard[at] = (this.heard[at] ?? 0) + mulaw.length
      },
      score: () => this.answer(),
      close: () => {
        this.closed += 1
      },
    }
  }
}

function trackOf(trackId: number): LiveTrack {
  const facts = { trackId, track: 'inbound', call: { callSid: `CA${trackId}` } }
  return { facts, state: 'live' } as unknown as LiveTrack
}

function desk(t: TestContext, vendors: readonly FakeVendor[], over: Partial<SecondOpinionsOptions> = {}) {
  const counters = zeroCounters()
  const taps = new AudioTaps({ open: () => true, frame: () => true, close: () => {} }, counters)
  const told: { trackId: number; opinion: Opinion }[] = []
  const opinions = new SecondOpinions({
    vendors: vendors.map((vendor) => ({ vendor, gate: vendor.gate })),
    taps,
    audioMs: 2000,
    answerMs: 200,
    concurrentMax: 10,
    vendorsPerTrack: 1,
    heard: (track, opinion) => told.push({ trackId: track.facts.trackId, opinion }),
    clock: systemClock,
    log: silentLog,
    counters,
    ...over,
  })
  t.after(() => opinions.close())
  let mediaMs = 0
  /** So much audio of a track, in frames of 20 ms. */
  const speak = (trackId: number, ms: number): void => {
    const message = Buffer.from(Buffer.alloc(160, 1).toString('base64'))
    for (let n = 0; n < ms / 20; n++) {
      taps.frame(trackId, mediaMs, message, 0, message.length, 0)
      mediaMs += 20
    }
  }
  return { opinions, taps, told, counters, speak }
}

describe('second opinions', () => {
  it('are given the next seconds of their track and no more, and tell their score with what they heard', async (t) => {
    const vendor = new FakeVendor('rd')
    const { opinions, taps, told, counters, speak } = desk(t, [vendor])
    assert.equal(opinions.ask(trackOf(1)), true)
    speak(2, 1000)
    speak(1, 5000)
    await until(() => told.length === 1)
    assert.deepEqual(vendor.heard, [16_000])
    const { vendor: name, score, abstained, audioMs } = told[0]?.opinion ?? {}
    assert.deepEqual([told[0]?.trackId, name, score, abstained, audioMs], [1, 'rd', 0.9123, null, 2000])
    assert.deepEqual([taps.size, opinions.running, vendor.closed, counters.opinionsHeard], [0, 0, 1, 1])
  })

  it('are asked once per track, of the first vendor with budget, as many as configured', async (t) => {
    const spent = new FakeVendor('a', 1)
    const other = new FakeVendor('b')
    const { opinions, counters } = desk(t, [spent, other])
    assert.deepEqual(
      [opinions.ask(trackOf(1)), opinions.ask(trackOf(1)), opinions.ask(trackOf(2))],
      [true, false, true],
    )
    assert.deepEqual([spent.heard.length, other.heard.length, counters.opinionsAsked], [1, 1, 2])
    const both = desk(t, [new FakeVendor('a'), new FakeVendor('b')], { vendorsPerTrack: 2 })
    both.opinions.ask(trackOf(1))
    assert.equal(both.opinions.running, 2)
  })

  it('are refused when nobody can be asked: no vendor, no budget, no room, a track that is over', async (t) => {
    assert.equal(desk(t, []).opinions.ask(trackOf(1)), false)
    const { opinions, counters } = desk(t, [new FakeVendor('a', 1)])
    assert.equal(opinions.ask(trackOf(1)), true)
    assert.equal(opinions.ask(trackOf(2)), false)
    const narrow = desk(t, [new FakeVendor('a')], { concurrentMax: 1 })
    assert.deepEqual([narrow.opinions.ask(trackOf(1)), narrow.opinions.ask(trackOf(2))], [true, false])
    assert.equal(opinions.ask({ ...trackOf(3), state: 'ended' }), false)
    assert.deepEqual([counters.opinionsRefused, narrow.counters.opinionsRefused], [1, 1])
  })

  it('go by what there is when the track ends early, and cost nothing below 1.5 s', async (t) => {
    const vendor = new FakeVendor('rd')
    const { opinions, taps, told, speak, counters } = desk(t, [vendor])
    opinions.ask(trackOf(1))
    speak(1, 1600)
    taps.close(1)
    await until(() => told.length === 1)
    assert.deepEqual([told[0]?.opinion.audioMs, told[0]?.opinion.score], [1600, 0.9123])
    vendor.answer = () => assert.fail('nobody is asked about so little')
    opinions.ask(trackOf(2))
    speak(2, 1000)
    taps.close(2)
    await until(() => told.length === 2)
    assert.deepEqual([told[1]?.opinion.score, told[1]?.opinion.abstained], [null, 'too_short'])
    assert.equal(counters.opinionsAbstained, 1)
  })

  it('that fail or come too late are counted and left; after three the next vendor is asked', async (t) => {
    const failing = new FakeVendor('a')
    const other = new FakeVendor('b')
    const lines: string[] = []
    const log: Log = { ...silentLog, warn: (message, fields) => void lines.push(`${message}: ${fields?.['reason']}`) }
    const { opinions, told, speak, counters } = desk(t, [failing, other], { log })
    const answers: (() => Promise<VendorScore>)[] = [
      () => Promise.reject(new OpinionFailure('garbled', 'x')),
      () => new Promise(() => {}),
      () => Promise.reject(new OpinionFailure('disconnected', 'x')),
    ]
    for (const [n, answer] of answers.entries()) {
      failing.answer = answer
      opinions.ask(trackOf(n))
      speak(n, 2000)
      await until(() => counters.opinionsFailed === n + 1)
    }
    assert.deepEqual(
      lines,
      ['garbled', 'timeout', 'disconnected'].map((reason) => `a second opinion failed: ${reason}`),
    )
    assert.equal(told.length, 0)
    opinions.ask(trackOf(7))
    speak(7, 2000)
    await until(() => told.length === 1)
    assert.equal(told[0]?.opinion.vendor, 'b')
    assert.equal(failing.closed, 3, 'every session is closed')
  })

  it('under way are given up at the end, without a word', async (t) => {
    const vendor = new FakeVendor('rd')
    const { opinions, counters, told, taps } = desk(t, [vendor])
    opinions.ask(trackOf(1))
    opinions.close()
    await until(() => vendor.closed > 0 && opinions.running === 0)
    assert.deepEqual([taps.size, opinions.ask(trackOf(2))], [0, false])
    assert.deepEqual([told.length, counters.opinionsFailed], [0, 0])
  })
})
