import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { zeroCounters } from '../../src/core/metrics.ts'
import { VoiceFrontEnd } from '../../src/features/voice-front-end.ts'
import type { ScoredHop } from '../../src/inference/scored-hop.ts'
import { defaultHopSpec, dumpVoiceFeatures, hopSpecOf } from '../../src/training/dump-voice-features.ts'
import { VoicePipeline } from '../../src/worker/voice-pipeline.ts'
import { fixtureBytes, hear } from '../fakes/line-audio.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

/** The pipeline of live calls before a model that only looks at its rows. */
function livePipeline(contextFrames: number, look: (features: Float32Array, speech: Float32Array) => void) {
  const row = { features: (contextFrames + 50) * 60, speech: 50, historyHops: 1, embedding: 1 }
  const inputs = {
    features: new Float32Array(row.features),
    speech: new Float32Array(row.speech),
    history: new Float32Array(1),
    historyWeight: new Float32Array(1),
  }
  const run = async (): Promise<void> => look(inputs.features, inputs.speech)
  const detector = { row, batchMax: 1, inputs, embedding: new Float32Array(1), logit: new Float32Array(1), run }
  const frontEnd = VoiceFrontEnd.create({ ...defaultHopSpec, contextFrames }, 1)
  const counters = zeroCounters()
  return new VoicePipeline({ frontEnd, detector, hopMs: 500, gapFillMsMax: 100, tracksMax: 1, counters })
}

describe('dump of voice features', () => {
  it('writes what a live track would see, whole hops only, clip by clip', (test) => {
    const directory = scratchDirectory(test)
    const first = fixtureBytes('human-en-operator.wav').subarray(0, 9000)
    const second = fixtureBytes('synthetic-piper-en.wav').subarray(0, 20_001)
    writeFileSync(`${directory}/pack.ul`, Buffer.concat([first, second]))
    const clips = [
      { id: 'second', offset: 9000, bytes: 20_001 },
      { id: 'first', offset: 0, bytes: 9000 },
    ]
    writeFileSync(`${directory}/pack.json`, JSON.stringify({ clips }))
    const lines: string[] = []
    const frames = dumpVoiceFeatures({
      pack: `${directory}/pack.ul`,
      index: `${directory}/pack.json`,
      out: `${directory}/out`,
      spec: defaultHopSpec,
      progress: (line) => lines.push(line),
    })
    assert.equal(frames, 350)
    assert.deepEqual(lines, ['2 clips, 350 frames'])
    const facts = JSON.parse(readFileSync(`${directory}/out/features.json`, 'utf8'))
    assert.deepEqual(facts.clips, [
      { id: 'second', frameOffset: 0, frames: 250 },
      { id: 'first', frameOffset: 250, frames: 100 },
    ])
    assert.deepEqual(facts.spec, defaultHopSpec)
    const bytes = readFileSync(`${directory}/out/features.f32`)
    assert.equal(bytes.length, 350 * 60 * 4)
    const live = [...hear(second).features, ...hear(first).features]
    for (const [hop, features] of live.entries()) {
      for (let i = 0; i < 50 * 60; i += 1) {
        assert.equal(bytes.readFloatLE((hop * 3000 + i) * 4), features[20 * 60 + i])
      }
    }
    const speech = [...hear(second).speech, ...hear(first).speech]
    assert.deepEqual([...readFileSync(`${directory}/out/speech.u8`)], speech)
    assert.equal(readFileSync(`${directory}/out/flags.u16`).length, 7 * 2)
  })

  it('is equal to the last bit to what the model is shown of the same audio in a live call', async (test) => {
    const directory = scratchDirectory(test)
    const audio = fixtureBytes('human-nl-woman.wav').subarray(0, 48_007)
    writeFileSync(`${directory}/pack.ul`, audio)
    writeFileSync(`${directory}/pack.json`, JSON.stringify({ clips: [{ id: 'a', offset: 0, bytes: audio.length }] }))
    const paths = { pack: `${directory}/pack.ul`, index: `${directory}/pack.json`, out: `${directory}/out` }
    const frames = dumpVoiceFeatures({ ...paths, spec: defaultHopSpec, progress: () => {} })
    const dumped = readFileSync(`${directory}/out/features.f32`)
    const speech = readFileSync(`${directory}/out/speech.u8`)
    const shown: { features: Buffer; speech: number[] }[] = []
    const hops: ScoredHop[] = []
    const context = 14
    const pipeline = livePipeline(context, (features, marks) => {
      shown.push({ features: Buffer.from(features.slice().buffer), speech: [...marks] })
    })
    pipeline.open(7)
    for (let at = 0; at < audio.length; at += 160) {
      const message = Buffer.from(`{"payload":"${Buffer.from(audio.subarray(at, at + 160)).toString('base64')}"}`)
      pipeline.frame(7, 5000 + at / 8, message, 12, message.length - 2, 0)
      await pipeline.tick((hop) => hops.push(hop))
    }
    assert.equal(hops.length, frames / 50)
    const scored = hops.flatMap(({ llr }, at) => (Number.isNaN(llr) ? [] : [at]))
    assert.ok(scored.length >= 8 && shown.length === scored.length, `${scored.length} of ${hops.length} hops`)
    const rowBytes = 60 * 4
    for (const [nth, hop] of scored.entries()) {
      // The frames before the first hop of a clip are silence, made by the front end.
      const from = Math.max(0, hop * 50 - context)
      const wanted = dumped.subarray(from * rowBytes, (hop + 1) * 50 * rowBytes)
      assert.ok(shown[nth]!.features.subarray(-wanted.length).equals(wanted), `hop ${hop}`)
      assert.deepEqual(shown[nth]!.speech, [...speech.subarray(hop * 50, hop * 50 + 50)])
    }
  })

  it('takes its definition from a manifest', () => {
    const { sampleRateHz, ...features } = defaultHopSpec.features
    const manifest = {
      sampleRateHz,
      features: { ...features, bands: 40 },
      hop: { ms: 500, frames: 25, contextFrames: 10 },
    }
    const spec = hopSpecOf(manifest)
    assert.equal(spec.features.bands, 40)
    const cepstra = { ...manifest, features: { ...features, kind: 'cepstra', coefficients: 20 } } as const
    assert.deepEqual(hopSpecOf(cepstra).features, { ...defaultHopSpec.features, kind: 'cepstra', coefficients: 20 })
    assert.equal(spec.hopFrames, 25)
    assert.equal(spec.contextFrames, 0)
  })
})
