import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeReasons, type ReasonFacts } from '../../src/decisions/reasons.ts'

const facts: ReasonFacts = {
  label: 'insufficient_speech',
  score: null,
  provisional: true,
  netSpeechMs: 300,
  audioMs: 10_000,
  lossShare: 0,
  masked: { music: 0, tone: 0, dtmf: 0, clipped: 0 },
  unfamiliarSpeechMs: 0,
  unfamiliarShare: 0,
  voiceChangedAtMs: null,
  settings: {
    provisionalNetSpeechMs: 1500,
    firmNetSpeechMs: 4000,
    forgettingHalfLifeMs: 10_000,
    dwellMs: 1000,
    lossShareMax: 0.2,
    hysteresis: 0.05,
    synthetic: 0.9,
    human: 0.3,
    model: 'voice/test',
  },
}

describe('reasons', () => {
  it('say how much speech was heard and how much is needed', () => {
    assert.deepEqual(describeReasons(facts), [
      { code: 'insufficient_speech', text: '0.3 s of speech heard, 1.5 s are needed' },
    ])
  })

  it('name music that covers most of the audio', () => {
    const reasons = describeReasons({ ...facts, masked: { ...facts.masked, music: 9000 } })
    assert.deepEqual(reasons[1], { code: 'mostly_music', text: '90 % of the audio is music; it was left out' })
  })

  it('name speech unlike the training: first where it decided, else from a fifth on', () => {
    const heard = { ...facts, netSpeechMs: 6000, provisional: false, score: 0.98 }
    const mostly = { ...heard, label: 'inconclusive' as const, unfamiliarSpeechMs: 4000, unfamiliarShare: 0.63 }
    assert.deepEqual(describeReasons(mostly), [
      {
        code: 'unfamiliar_audio',
        text: '63 % of the recent speech is unlike what the model learned from; it was left out',
      },
    ])
    const some = { ...heard, label: 'likely_synthetic' as const, unfamiliarSpeechMs: 2000, unfamiliarShare: 0.1 }
    assert.deepEqual(describeReasons(some)[1], {
      code: 'unfamiliar_audio',
      text: '25 % of the speech is unlike what the model learned from; it was left out',
    })
    assert.equal(describeReasons({ ...some, unfamiliarSpeechMs: 1000 }).length, 1)
  })

  it('say what keeps a label whose score is between its threshold and the hysteresis', () => {
    const heard = { ...facts, netSpeechMs: 8000, provisional: false }
    assert.deepEqual(describeReasons({ ...heard, label: 'likely_human', score: 0.34 }), [
      {
        code: 'score_human',
        text: 'score 0.34 over 8.0 s of speech, leaves when over 0.35 for 1.0 s; this is not identity',
      },
    ])
    assert.deepEqual(describeReasons({ ...heard, label: 'likely_synthetic', score: 0.87 }), [
      { code: 'score_synthetic', text: 'score 0.87 over 8.0 s of speech, leaves when under 0.85 for 1.0 s' },
    ])
  })

  it('never call a human verdict an identity', () => {
    const [first] = describeReasons({
      ...facts,
      label: 'likely_human',
      score: 0.02,
      netSpeechMs: 8000,
      provisional: false,
    })
    assert.match(first?.text ?? '', /not identity/)
  })
})
