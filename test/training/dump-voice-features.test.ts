import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { defaultHopSpec, dumpVoiceFeatures, hopSpecOf } from '../../src/training/dump-voice-features.ts'
import { fixtureBytes, hear } from '../fakes/line-audio.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

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
