import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { projectRoot } from '../../src/core/project.ts'
import { writeWav } from '../../src/wire/wav.ts'
import { type RecordingResult, RecordingScorer } from '../../src/worker/recording-scorer.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { tinyManifest, tinyOnnx } from '../fakes/tiny-model.ts'

async function scorer(): Promise<RecordingScorer> {
  const onnx = tinyOnnx()
  const model = { manifest: tinyManifest(onnx), onnx }
  return RecordingScorer.create({ model, voice: loadConfig({ env: {} }).detection.voice })
}

const silence = (seconds: number) => new Uint8Array(seconds * 8000).fill(0xff)

test('results come in the order of the files, whatever their lengths', async () => {
  const results: RecordingResult[] = []
  const recordings = [9, 1, 5, 2].map((seconds) => ({ file: `${seconds}.ul`, read: async () => silence(seconds) }))
  await (await scorer()).score(recordings, (result) => results.push(result))
  assert.deepEqual(
    results.map((result) => result.file),
    ['9.ul', '1.ul', '5.ul', '2.ul'],
  )
  const audioMs = results.flatMap((result) => ('verdicts' in result ? result.verdicts.map((one) => one.audioMs) : []))
  assert.deepEqual(audioMs, [9000, 1000, 5000, 2000])
})

test('of a stereo file each side tells how long it takes to answer', async () => {
  const speech = wavMulaw(readFileSync(`${projectRoot}fixtures/phrases/please-try-again-2.wav`))
  // Of its 1.25 s, 1.1 s are within 30 dB of the loudest. A question each 4 s, an answer 0.7 s after its end.
  const sides = [0, 1800].map((offsetMs) => {
    const line = new Uint8Array(22 * 8000).fill(0xff)
    for (let startMs = 500; startMs < 17_000; startMs += 4000) line.set(speech, (startMs + offsetMs) * 8)
    return line
  })
  const bytes = Uint8Array.from({ length: 44 * 8000 }, (_, i) => sides[i % 2]![i >> 1]!)
  const file = writeWav({ formatCode: 7, channels: 2, sampleRateHz: 8000, bits: 8, bytes })
  const results: RecordingResult[] = []
  await (await scorer()).score([{ file: 'call.wav', read: async () => file }], (result) => results.push(result))
  const [result] = results
  assert.ok(result && 'verdicts' in result)
  const [asks, answers] = result.verdicts.map(({ signals }) => signals)
  assert.equal(answers?.responses, 5)
  assert.ok(Math.abs((answers?.responseLatencyMsMedian ?? 0) - 700) <= 100, `${answers?.responseLatencyMsMedian} ms`)
  assert.ok((answers?.responseLatencyMsSpread ?? 99) <= 30, `spread ${answers?.responseLatencyMsSpread} ms`)
  assert.equal(asks?.responses, 4, 'the first question answers nothing')
  assert.equal(asks?.repeatedPhrases, 4, 'the same recording five times')
})

test('a file with more channels than lanes is judged whole', async () => {
  const bytes = new Uint8Array(100 * 8000).fill(0xff)
  const file = writeWav({ formatCode: 7, channels: 100, sampleRateHz: 8000, bits: 8, bytes })
  const results: RecordingResult[] = []
  const recordings = [{ file: 'many.wav', read: async () => file }]
  await (await scorer()).score(recordings, (result) => results.push(result))
  const [result] = results
  assert.ok(result && 'verdicts' in result)
  assert.equal(result.verdicts.length, 100)
  assert.ok(result.verdicts.every((verdict) => verdict.label === 'insufficient_speech' && verdict.audioMs === 1000))
})

test('a file that cannot be read is an audio_unreadable of that file alone', async () => {
  const results: RecordingResult[] = []
  const gone = async (): Promise<Uint8Array> => {
    throw new Error('gone')
  }
  const recordings = [
    { file: 'a.ul', read: gone },
    { file: 'b.ul', read: async () => silence(1) },
  ]
  await (await scorer()).score(recordings, (result) => results.push(result))
  assert.deepEqual(
    results.map((result) => ('error' in result ? result.error.message : 'judged')),
    ['gone', 'judged'],
  )
})
