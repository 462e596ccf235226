import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { StreamManifest } from '../../src/inference/model-file.ts'
import { VoiceDetector } from '../../src/inference/voice-detector.ts'
import { tinyManifest, tinyOnnx, tinyShape } from '../fakes/tiny-model.ts'

const onnx = tinyOnnx()
const model = { manifest: tinyManifest(onnx), onnx }

function randomised(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

/** The tiny model once more, in plain loops over one row. */
function byHand(features: Float32Array, speech: Float32Array, history: Float32Array, weight: Float32Array) {
  const { bands, embeddingSize: E } = tinyShape
  const frames = features.length / bands
  const embedding: number[] = []
  for (let e = 0; e < E; e += 1) {
    let sum = 0
    for (let f = 0; f < frames; f += 1) sum += features[f * bands + e] ?? 0
    embedding.push(sum / frames)
  }
  const mean = (values: Iterable<number>) => {
    const all = [...values]
    return all.reduce((a, b) => a + b, 0) / all.length
  }
  const past = mean(history.map((value, i) => value * (weight[Math.floor(i / E)] ?? 0)))
  return { embedding, logit: mean(embedding) + mean(speech) + past }
}

describe('the voice detector', () => {
  it('gives each row of a batch what the row alone would get', async () => {
    const detector = await VoiceDetector.load(model, { batchMax: 8 })
    const { row, inputs } = detector
    assert.deepEqual(row, { features: 52 * 60, speech: 50, historyHops: 3, embedding: 3 })
    const random = randomised(7)
    for (const input of Object.values(inputs)) for (let i = 0; i < input.length; i += 1) input[i] = random()
    await detector.run(8)
    for (let r = 0; r < 8; r += 1) {
      const rowOf = (all: Float32Array, size: number) => all.subarray(r * size, (r + 1) * size)
      const expected = byHand(
        rowOf(inputs.features, row.features),
        rowOf(inputs.speech, row.speech),
        rowOf(inputs.history, row.historyHops * row.embedding),
        rowOf(inputs.historyWeight, row.historyHops),
      )
      assert.ok(Math.abs((detector.logit[r] ?? Number.NaN) - expected.logit) < 1e-5)
      const embedding = rowOf(detector.embedding, row.embedding)
      for (const [e, value] of expected.embedding.entries()) {
        assert.ok(Math.abs((embedding[e] ?? Number.NaN) - value) < 1e-5)
      }
    }
    await detector.release()
  })

  it('measures novelty where the graph does, in thresholds of the manifest', async () => {
    const heard = async (onnx: Uint8Array, abstain?: StreamManifest['abstain']): Promise<number[] | undefined> => {
      const manifest = { ...tinyManifest(onnx), ...(abstain === undefined ? {} : { abstain }) }
      const detector = await VoiceDetector.load({ manifest, onnx }, { batchMax: 4 })
      detector.inputs.speech.fill(1, 0, 50).fill(0, 50, 75).fill(1, 75, 100)
      await detector.run(2)
      const novelty = detector.novelty?.slice(0, 2)
      await detector.release()
      return novelty === undefined ? undefined : [...novelty]
    }
    const measuring = tinyOnnx(tinyShape, 1, true)
    assert.deepEqual(await heard(measuring), [1, 0.5])
    assert.deepEqual(await heard(measuring, { novelty: { threshold: 0.25 } }), [4, 2])
    assert.equal(await heard(onnx), undefined)
    await assert.rejects(heard(onnx, { novelty: { threshold: 1 } }), {
      code: 'model_invalid',
      message:
        'abstain.novelty needs an output "novelty", the graph has none: take the key out of the manifest, or export ' +
        'the graph with the output',
    })
  })

  it('refuses a model whose embedding is not the size its manifest says', async () => {
    const wrong = { onnx, manifest: { ...model.manifest, embedding: { size: 4 } } }
    await assert.rejects(VoiceDetector.load(wrong, { batchMax: 2 }), { code: 'model_invalid' })
  })
})
