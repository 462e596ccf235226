/** Rules of the verdict: what it says, when it says it, and when it keeps silent. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type VerdictSettings, VoiceVerdict } from '../../src/decisions/voice-verdict.ts'
import { noSignals } from '../../src/features/call-signals.ts'
import { hopFlag, unfamiliarBit } from '../../src/features/hop.ts'
import type { ScoredHop } from '../../src/inference/scored-hop.ts'

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

/** Feeds hops of 500 ms; each item gives what differs from 500 ms of clean speech. */
function feed(verdict: VoiceVerdict, hops: readonly Partial<ScoredHop>[], fromHop = 0): string[] {
  return hops.map((difference, index) => {
    const hopStartMs = (fromHop + index) * 500
    verdict.observe(
      {
        trackId: 1,
        windowStartMs: Math.max(0, hopStartMs - 3500),
        hopStartMs,
        hopEndMs: hopStartMs + 500,
        hopSpeechMs: 500,
        windowSpeechMs: 4000,
        llr: 0,
        flags: 0,
        filledMs: 0,
        lostMs: 0,
        duplicates: 0,
        enteredMs: 0,
        ...difference,
      },
      1000 + hopStartMs,
    )
    return verdict.label
  })
}

function hopsOf(count: number, hop: Partial<ScoredHop>): Partial<ScoredHop>[] {
  return Array.from({ length: count }, () => hop)
}

describe('a voice verdict', () => {
  it('says what other detectors said among its reasons, last, and is not moved by it', () => {
    const [alone, advised] = [new VoiceVerdict('inbound', settings, 0), new VoiceVerdict('inbound', settings, 0)]
    const opinion = {
      vendor: 'rd',
      score: 0.02,
      abstained: null,
      audioMs: 6000,
      at: '2026-01-01T00:00:00Z',
      tookMs: 900,
    }
    feed(alone, hopsOf(4, { llr: 5 }))
    feed(advised, hopsOf(4, { llr: 5 }))
    for (let n = 0; n < 20; n++) advised.heard(opinion)
    const { opinions, reasons, ...rest } = advised.snapshot()
    const { reasons: own, ...same } = alone.snapshot()
    assert.deepEqual(rest, same)
    assert.deepEqual(opinions, new Array(8).fill(opinion), 'eight at most')
    assert.deepEqual(reasons.slice(0, own.length), own)
    assert.equal(reasons.at(-1)?.code, 'opinion_disagrees')
  })

  it('gives its first label within 2 s of net speech and calls it provisional until 4 s', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    const labels = feed(verdict, hopsOf(4, { llr: 5 }))
    assert.deepEqual(labels, ['insufficient_speech', 'insufficient_speech', 'likely_synthetic', 'likely_synthetic'])
    assert.equal(verdict.snapshot().provisional, true)
    feed(verdict, hopsOf(4, { llr: 5 }), 4)
    assert.equal(verdict.snapshot().provisional, false)
  })

  it('counts net speech, not wall time: a minute of silence changes nothing', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(120, { llr: Number.NaN, hopSpeechMs: 0, flags: hopFlag.silence }))
    const view = verdict.snapshot()
    assert.equal(view.label, 'insufficient_speech')
    assert.equal(view.score, null)
    assert.equal(view.netSpeechMs, 0)
    assert.equal(view.audioMs, 60_000)
  })

  it('does not count music, tones and DTMF as speech', () => {
    for (const flag of [hopFlag.music, hopFlag.tone, hopFlag.dtmf]) {
      const verdict = new VoiceVerdict('inbound', settings, 0)
      feed(verdict, hopsOf(40, { llr: Number.NaN, flags: flag }))
      assert.equal(verdict.snapshot().netSpeechMs, 0)
      assert.equal(verdict.label, 'insufficient_speech')
    }
  })

  it('says inconclusive of a little speech in much music, also when it had said more before', () => {
    const music = { llr: Number.NaN, flags: hopFlag.music }
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(4, { llr: -6 }))
    assert.equal(verdict.label, 'likely_human')
    // 1 s of music in 3 s is more than a quarter; the hop after it makes the dwell of 1 s.
    const labels = feed(verdict, hopsOf(7, music), 4)
    assert.deepEqual(labels.slice(0, 4), ['likely_human', 'likely_human', 'inconclusive', 'inconclusive'])
    assert.deepEqual(verdict.snapshot().reasons[0], {
      code: 'mostly_music',
      text: 'only 2.0 s of speech, and 64 % of the audio is music; the speech may be part of it',
    })
    // Another 2 s of speech are firm: music no longer takes a word away from them.
    feed(verdict, hopsOf(6, { llr: -6 }), 11)
    assert.equal(verdict.label, 'likely_human')
    feed(verdict, hopsOf(120, music), 17)
    assert.equal(verdict.label, 'likely_human')
  })

  it('leaves unfamiliar hops out: no score, no speech that counts, no label but inconclusive', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    const labels = feed(verdict, hopsOf(8, { llr: -6, flags: unfamiliarBit }))
    assert.deepEqual(labels.slice(0, 4), ['insufficient_speech', 'insufficient_speech', 'inconclusive', 'inconclusive'])
    const { label, score, netSpeechMs, confidence, windows, reasons } = verdict.snapshot()
    assert.deepEqual(
      { label, score, netSpeechMs, confidence },
      {
        label: 'inconclusive',
        score: null,
        netSpeechMs: 0,
        confidence: 0,
      },
    )
    assert.deepEqual(windows[7], { startMs: 0, endMs: 4000, score: null, flags: [] })
    assert.deepEqual(reasons[0], {
      code: 'unfamiliar_audio',
      text: '100 % of the recent speech is unlike what the model learned from; it was left out',
    })
  })

  it('is not moved by a few unfamiliar hops, and goes on as if they were music', () => {
    const [clean, mixed] = [new VoiceVerdict('inbound', settings, 0), new VoiceVerdict('inbound', settings, 0)]
    feed(clean, hopsOf(12, { llr: 3 }))
    feed(mixed, [...hopsOf(6, { llr: 3 }), ...hopsOf(3, { llr: -8, flags: unfamiliarBit }), ...hopsOf(6, { llr: 3 })])
    assert.equal(mixed.label, 'likely_synthetic')
    assert.equal(mixed.score(), clean.score())
    assert.equal(mixed.snapshot().netSpeechMs, 6000)
    assert.ok(mixed.figures().confidence < clean.figures().confidence)
  })

  it('turns inconclusive when most of the recent speech is unfamiliar, and back when it no longer is', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(8, { llr: 6 }))
    assert.equal(verdict.label, 'likely_synthetic')
    // 4 s of it after 4 s of speech are more than half, by the forgetting; then the dwell of 1 s.
    const labels = feed(verdict, hopsOf(10, { llr: 6, flags: unfamiliarBit }), 8)
    assert.deepEqual([labels[6], labels[7], labels[8]], ['likely_synthetic', 'inconclusive', 'inconclusive'])
    const after = feed(verdict, hopsOf(16, { llr: 6 }), 18)
    assert.equal(after[0], 'inconclusive')
    assert.equal(after.at(-1), 'likely_synthetic')
  })

  it('says inconclusive between the thresholds', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(20, { llr: 0.2 }))
    assert.equal(verdict.label, 'inconclusive')
    assert.equal(verdict.snapshot().reasons[0]?.code, 'score_between')
  })

  it('says inconclusive when more audio is lost than lossShareMax, however sure the score', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(20, { llr: 6, lostMs: 300 }))
    assert.equal(verdict.label, 'inconclusive')
    assert.equal(verdict.snapshot().reasons[0]?.code, 'audio_loss')
    assert.equal(verdict.snapshot().lostMs, 6000)
  })

  it('does not flap: two windows on the other side do not change the label, dwell does', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(20, { llr: -4 }))
    assert.equal(verdict.label, 'likely_human')
    feed(verdict, hopsOf(2, { llr: 6 }), 20)
    assert.equal(verdict.label, 'likely_human')
  })

  it('keeps its label inside the hysteresis band below the threshold', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(8, { llr: 2.4 }))
    assert.equal(verdict.label, 'likely_synthetic')
    const other = new VoiceVerdict('inbound', { ...settings, hysteresis: 0.45 }, 0)
    feed(other, hopsOf(8, { llr: 5 }))
    feed(other, hopsOf(4, { llr: 0.4 }), 8)
    assert.equal(other.label, 'likely_synthetic')
  })

  it('reopens the question when the voice changes mid-call, and says so', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(240, { llr: -5 }))
    assert.equal(verdict.label, 'likely_human')
    const labels = feed(verdict, hopsOf(16, { llr: 5 }), 240)
    assert.equal(labels.at(-1), 'likely_synthetic')
    assert.ok(verdict.snapshot().reasons.some((reason) => reason.code === 'voice_changed'))
  })

  it('is never sure beyond twice its model: a long call of weak windows stays inconclusive', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(2000, { llr: 0.5 }))
    assert.equal(verdict.label, 'inconclusive')
    assert.ok((verdict.score() ?? 1) <= 1 / (1 + Math.exp(-1)))
  })

  it('lets a hop with a gap weigh less than a clean one', () => {
    const clean = new VoiceVerdict('inbound', settings, 0)
    const patched = new VoiceVerdict('inbound', settings, 0)
    feed(clean, [...hopsOf(4, { llr: -2 }), ...hopsOf(4, { llr: 4 })])
    feed(patched, [...hopsOf(4, { llr: -2 }), ...hopsOf(4, { llr: 4, flags: hopFlag.gap, filledMs: 20 })])
    assert.ok((patched.score() ?? 1) < (clean.score() ?? 0))
  })

  it('always has a reason, a probability and a confidence within 0..1, whatever comes', () => {
    const hop = fc.record({
      llr: fc.oneof(fc.constant(Number.NaN), fc.double({ min: -1e6, max: 1e6, noNaN: true })),
      hopSpeechMs: fc.integer({ min: 0, max: 500 }),
      flags: fc.integer({ min: 0, max: 63 }),
      filledMs: fc.integer({ min: 0, max: 500 }),
      lostMs: fc.integer({ min: 0, max: 100_000 }),
    })
    fc.assert(
      fc.property(fc.array(hop, { maxLength: 60 }), (hops) => {
        const verdict = new VoiceVerdict('inbound', settings, 0)
        feed(verdict, hops)
        const view = verdict.snapshot()
        assert.ok(view.reasons.length >= 1)
        assert.ok(view.score === null || (view.score >= 0 && view.score <= 1))
        assert.ok(view.confidence >= 0 && view.confidence <= 1)
        assert.equal(view.windows.length, hops.length)
      }),
      { numRuns: 200 },
    )
  })

  it('calls a machine by right benign automation, keeps its score, and says which exception', () => {
    const benign = { text: 'exception our-bot (voicebot): a machine is expected to speak here', untilMs: null }
    const verdict = new VoiceVerdict('inbound', { ...settings, benign }, 0)
    const labels = feed(verdict, hopsOf(40, { llr: 5 }))
    assert.equal(labels.indexOf('benign_automation'), 2)
    assert.ok(!labels.includes('likely_synthetic'))
    const view = verdict.snapshot()
    assert.ok((view.score ?? 0) > 0.9)
    assert.equal(view.reasons[0]?.code, 'benign_automation')
    assert.match(view.reasons[0]?.text ?? '', /exception our-bot \(voicebot\)/)
  })

  it('excepts a greeting only: a machine that speaks on is likely synthetic after the span and its dwell', () => {
    const benign = { text: 'exception greetings', untilMs: 10_000 }
    const verdict = new VoiceVerdict('inbound', { ...settings, benign }, 0)
    const labels = feed(verdict, hopsOf(40, { llr: 5 }))
    assert.equal(labels[19], 'benign_automation', 'at 10 s')
    assert.equal(labels[21], 'likely_synthetic', 'two hops of 500 ms later')
    assert.equal(labels.at(-1), 'likely_synthetic')
  })

  it('does not make a person a machine: an exception changes nothing for a human voice', () => {
    const benign = { text: 'exception our-bot', untilMs: null }
    const verdict = new VoiceVerdict('inbound', { ...settings, benign }, 0)
    assert.equal(feed(verdict, hopsOf(20, { llr: -5 })).at(-1), 'likely_human')
  })

  it('tells the signals of the track beside its score, and a repeated phrase among its reasons', () => {
    const [plain, told] = [new VoiceVerdict('inbound', settings, 0), new VoiceVerdict('inbound', settings, 0)]
    const floors = { pauses: 4, pauseFloorDbfs: -51.234, pauseFloorSpreadDb: 0.26, pauseFloorJumpDb: 0.81 }
    const phrases = { comparedPhrases: 9, repeatedPhrases: 2, phraseLikenessMax: 0.714 }
    const edges = { phraseStartMs: 1000, phraseEndMs: Number.NaN }
    const signals = { ...noSignals(), ...floors, ...phrases, ...edges }
    feed(plain, hopsOf(10, { llr: 1 }))
    feed(told, hopsOf(10, { llr: 1, signals }))
    const view = told.snapshot(0)
    assert.deepEqual(view.signals, {
      responses: 0,
      responseLatencyMsMedian: null,
      responseLatencyMsSpread: null,
      comparedPhrases: 9,
      repeatedPhrases: 2,
      phraseLikenessMax: 0.71,
      pauses: 4,
      pauseFloorDbfs: -51.2,
      pauseFloorSpreadDb: 0.3,
      pauseFloorJumpDb: 0.8,
      digitalSilenceShare: null,
    })
    assert.equal(told.figures().repeatedPhrases, 2)
    const reason = view.reasons.find(({ code }) => code === 'repeated_phrase')
    assert.equal(reason?.text, '2 of 9 phrases are the very sound of an earlier one: played again')
    assert.equal(plain.snapshot(0).signals, undefined)
    assert.equal(view.score, plain.snapshot(0).score, 'signals are no part of the score')
    assert.equal(view.label, plain.snapshot(0).label)
  })

  it('tells its figures as its snapshot does', () => {
    const verdict = new VoiceVerdict('inbound', settings, 0)
    feed(verdict, hopsOf(10, { llr: 3, lostMs: 100 }))
    const { label, score, confidence, netSpeechMs, audioMs, lostMs } = verdict.snapshot(0)
    const figures = { label, score, confidence, netSpeechMs, mediaMs: audioMs + lostMs, repeatedPhrases: 0 }
    assert.deepEqual(verdict.figures(), figures)
  })
})
