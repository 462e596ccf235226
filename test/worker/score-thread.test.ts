import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { type RecordingResult, RecordingScorer, scoredChannel } from '../../src/worker/recording-scorer.ts'
import { ScoreThread, type ScoringModel } from '../../src/worker/score-thread.ts'
import { tinyManifest, tinyOnnx } from '../fakes/tiny-model.ts'
import { voiceLike } from '../fakes/voice-like.ts'

const onnx = tinyOnnx()
const tiny: ScoringModel = { model: { onnx, manifest: tinyManifest(onnx) }, secondStage: null }
const { voice } = loadConfig({ env: {} }).detection
const recording = new Uint8Array(voiceLike(0, 5 * 8000))

function thread(scoring: Partial<typeof voice.scoring> = {}, active: () => ScoringModel = () => tiny) {
  const counters = zeroCounters()
  const made = new ScoreThread({ voice: { ...voice, scoring: { ...voice.scoring, ...scoring } }, active, counters })
  after(() => made.stop())
  return { made, counters }
}

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'judged',
    (thrown: unknown) => (thrown instanceof OperatingError ? `${thrown.code}: ${thrown.message}` : String(thrown)),
  )

describe('the thread that scores recordings', () => {
  it('says what the command line says, one recording after the other, and what is wrong with one', async () => {
    const { made, counters } = thread({ audioSMax: 5, channelsMax: 1, waitingMax: 4 })
    const asked = [
      made.score('body.ul', recording),
      codeOf(made.score('body.wav', recording)),
      codeOf(made.score('body.ul', new Uint8Array(5.5 * 8000))),
      made.score('body.ul', recording.subarray(0, 16_000)),
      codeOf(made.score('body.ul', recording)),
    ] as const
    const [whole, bad, long, short, fifth] = await Promise.all(asked)
    const scorer = await RecordingScorer.create({ ...tiny, voice })
    const results: RecordingResult[] = []
    const read = async () => recording
    await scorer.score([{ file: 'body.ul', read }], (result) => results.push(result))
    const [result] = results
    assert.ok(result && 'verdicts' in result)
    assert.deepEqual(
      whole,
      result.verdicts.map((verdict, channel) => scoredChannel('body.ul', channel, verdict)),
    )
    assert.equal(whole[0]?.netSpeechMs, 5000)
    assert.equal(short[0]?.audioMs, 2000)
    assert.match(bad, /^audio_unreadable: not a WAV file/)
    assert.equal(long, 'audio_unreadable: 6 s of audio, at most 5')
    assert.equal(fifth, 'capacity_full: 4 recordings wait already')
    assert.deepEqual([counters.voiceScored, counters.voiceScoreFailed, counters.voiceScoreRefused], [2, 2, 1])
    await scorer.release()
  })

  it('gives a recording up that takes too long; the next one gets a thread of its own', async () => {
    let models = 0
    const { made } = thread({ timeMsMax: 1 }, () => {
      models += 1
      return tiny
    })
    assert.equal(await codeOf(made.score('a.ul', recording)), 'capacity_full: not judged within 1 ms')
    assert.equal(made.waiting, 0)
    assert.equal(await codeOf(made.score('b.ul', recording)), 'capacity_full: not judged within 1 ms')
    assert.equal(models, 2)
  })

  it('is begun anew when another model is active, and tells when that cannot be loaded', async () => {
    let active = tiny
    const { made } = thread({}, () => active)
    assert.equal((await made.score('a.ul', recording))[0]?.model, 'voice/tiny')
    active = { ...tiny, model: { ...tiny.model, manifest: { ...tinyManifest(onnx), version: 'next' } } }
    assert.equal((await made.score('a.ul', recording))[0]?.model, 'voice/next')
    active = { ...tiny, model: { ...tiny.model, onnx: new Uint8Array(9) } }
    assert.match(await codeOf(made.score('a.ul', recording)), /^model_invalid: the ONNX file does not load/)
  })

  it('answers those in line when the server stops', async () => {
    const { made } = thread()
    const asked = [codeOf(made.score('a.ul', recording)), codeOf(made.score('b.ul', recording))]
    await made.stop()
    assert.deepEqual(await Promise.all(asked), ['draining: the server stops', 'draining: the server stops'])
  })
})
