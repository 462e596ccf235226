/** Rules of the table of live calls. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endedKeptMax, LiveCalls } from '../../src/decisions/live-calls.ts'
import type { VerdictSettings } from '../../src/decisions/voice-verdict.ts'
import type { TrackFacts } from '../../src/ingest/track.ts'

const settings: VerdictSettings = {
  provisionalNetSpeechMs: 1500,
  firmNetSpeechMs: 4000,
  forgettingHalfLifeMs: 10_000,
  dwellMs: 1000,
  lossShareMax: 0.2,
  hysteresis: 0.05,
  synthetic: 0.9,
  human: 0.3,
  model: 'voice/test',
}

function facts(trackId: number, callSid: string, track: 'inbound' | 'outbound'): TrackFacts {
  const call = { callSid, accountSid: 'AC1', from: '', to: '', direction: 'inbound', stirVerstat: '' }
  return { trackId, track, call, streamSid: `MZ${trackId}`, startedAtMs: 1_000_000 + trackId }
}

describe('live calls', () => {
  it('show one call with a verdict per track, live until the last track ends', () => {
    const calls = new LiveCalls()
    calls.open(facts(1, 'CA1', 'inbound'), settings)
    calls.open(facts(2, 'CA1', 'outbound'), settings)
    calls.end(1, 'stop', 2_000_000)
    assert.equal(calls.get('CA1')?.state, 'live')
    calls.end(2, 'stop', 2_000_500)
    const view = calls.get('CA1')
    assert.equal(view?.state, 'ended')
    assert.equal(view?.endedAt, new Date(2_000_500).toISOString())
    assert.deepEqual(
      view?.tracks.map((track) => track.track),
      ['inbound', 'outbound'],
    )
  })

  it('hold both sides of a stream against one another, but not the tracks of two streams', () => {
    for (const [streams, responses] of [
      [['MZ1', 'MZ1'], 1],
      [['MZ1', 'MZ2'], 0],
    ] as const) {
      const calls = new LiveCalls()
      const [asks, answers] = streams.map((streamSid, i) => {
        const track = i === 0 ? 'outbound' : 'inbound'
        return calls.open({ ...facts(i + 1, 'CA1', track), streamSid }, settings)
      })
      asks?.verdict.turns.hear({ phraseStartMs: 0, phraseEndMs: 1000 }, 4000)
      answers?.verdict.turns.hear({ phraseStartMs: 1500, phraseEndMs: 2000 }, 4000)
      assert.equal(answers?.verdict.turns.figures.responses, responses)
    }
  })

  it('ignore a hop of a track that has ended, and a second end', () => {
    const calls = new LiveCalls()
    calls.open(facts(1, 'CA1', 'inbound'), settings)
    assert.ok(calls.end(1, 'idle', 2_000_000))
    assert.equal(calls.end(1, 'stop', 2_000_001), undefined)
    const hop = {
      trackId: 1,
      windowStartMs: 0,
      hopStartMs: 0,
      hopEndMs: 500,
      hopSpeechMs: 500,
      windowSpeechMs: 500,
      llr: 1,
      flags: 0,
      filledMs: 0,
      lostMs: 0,
      duplicates: 0,
      enteredMs: 0,
    }
    assert.equal(calls.observe(hop, 2_000_002), undefined)
    assert.equal(calls.get('CA1')?.endReason, 'idle')
  })

  it('forget ended calls by age and by count, never live ones', () => {
    const calls = new LiveCalls()
    calls.open(facts(0, 'CALIVE', 'inbound'), settings)
    for (let trackId = 1; trackId <= endedKeptMax + 50; trackId += 1) {
      calls.open(facts(trackId, `CA${trackId}`, 'inbound'), settings)
      calls.end(trackId, 'stop', 1_000)
    }
    assert.equal(calls.list().length, endedKeptMax + 1)
    calls.open(facts(9_000_000, 'CALAST', 'inbound'), settings)
    calls.end(9_000_000, 'stop', 1_000_000)
    assert.equal(calls.list().length, 2)
    assert.equal(calls.get('CALIVE')?.state, 'live')
  })
})
