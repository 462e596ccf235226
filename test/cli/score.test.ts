import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { muLawFromFloat } from '../../src/audio/g711.ts'
import { score } from '../../src/cli/score.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { writeWav } from '../../src/wire/wav.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { tinyShape, writeTinyModel } from '../fakes/tiny-model.ts'
import { voiceLike } from '../fakes/voice-like.ts'

const config = loadConfig({ env: {} })

/** 3 s of a buzz that comes and goes like syllables. */
function buzz(rateHz: number, pitchHz: number): Float32Array {
  return Float32Array.from({ length: 3 * rateHz }, (_, at) => {
    const seconds = at / rateHz
    const syllable = Math.max(0, Math.sin(2 * Math.PI * 3 * seconds))
    return 0.4 * syllable * (((seconds * pitchHz) % 1) - 0.5)
  })
}

function pcm16(samples: Float32Array): Buffer {
  return Buffer.from(Int16Array.from(samples, (sample) => Math.round(sample * 32767)).buffer)
}

function interleaved(left: Uint8Array, right: Uint8Array): Buffer {
  return Buffer.from([...left].flatMap((byte, at) => [byte, right[at] ?? 0xff]))
}

async function inFolder(use: (folder: string, run: Run) => Promise<void>, unfamiliarFrom?: number): Promise<void> {
  const folder = lastingDirectory()
  const modelsDir = join(folder, 'models')
  writeTinyModel(modelsDir, tinyShape, unfamiliarFrom)
  const run: Run = async (paths, json = true) => {
    const terminal = capturedTerminal()
    const code = await score({ config, clock: systemClock, terminal, modelsDir }, paths, { json })
    const results = json ? terminal.out.map((line) => JSON.parse(line) as Result) : []
    return { code, results, out: terminal.out, err: terminal.err, shown: terminal.shown }
  }
  await use(folder, run)
}

interface Result {
  readonly file: string
  readonly channel: number
  readonly label: string
  readonly netSpeechMs: number
  readonly audioMs: number
  readonly windows: { startMs: number; endMs: number; score: number | null; flags: string[] }[]
  readonly reasons: { code: string; text: string }[]
  readonly model: string
}
type Run = (
  paths: string[],
  json?: boolean,
) => Promise<{ code: number; results: Result[]; out: string[]; err: string[]; shown: string[] }>

const mulaw = muLawFromFloat(buzz(8000, 110))
const other = muLawFromFloat(buzz(8000, 190))
const mulawWav = (channels: number, bytes: Uint8Array) =>
  writeWav({ formatCode: 7, channels, sampleRateHz: 8000, bits: 8, bytes })

test('each file and channel gives one object with the fields of the contract', async () => {
  await inFolder(async (folder, run) => {
    writeFileSync(join(folder, 'a.wav'), mulawWav(1, mulaw))
    const { code, results } = await run([join(folder, 'a.wav')])
    assert.equal(code, 0)
    const fields = 'file channel label score confidence netSpeechMs audioMs windows reasons model'.split(' ')
    assert.deepEqual(
      results.map((result) => Object.keys(result)),
      [[...fields, 'signals']],
    )
    assert.equal(results[0]?.model, 'voice/tiny')
    assert.equal(results[0]?.audioMs, 3000)
    assert.deepEqual(
      results[0]?.windows.map((window) => window.endMs),
      [500, 1000, 1500, 2000, 2500, 3000],
    )
  })
})

test('a stereo file is two tracks, each judged as the same audio in a file of its own', async () => {
  await inFolder(async (folder, run) => {
    writeFileSync(join(folder, 'both.wav'), mulawWav(2, interleaved(mulaw, other)))
    writeFileSync(join(folder, 'left.ul'), mulaw)
    writeFileSync(join(folder, 'right.raw'), other)
    const { results } = await run(['both.wav', 'left.ul', 'right.raw'].map((name) => join(folder, name)))
    const bare = results.map(({ file: _, channel: __, ...verdict }) => verdict)
    assert.deepEqual(
      results.map((result) => result.channel),
      [0, 1, 0, 0],
    )
    assert.deepEqual(bare[0], bare[2])
    assert.deepEqual(bare[1], bare[3])
    assert.notDeepEqual(bare[0], bare[1])
  })
})

test('audio that the model calls unfamiliar is left out, and the label abstains', async () => {
  const judged = async (unfamiliarFrom: number): Promise<Result | undefined> => {
    let result: Result | undefined
    const use = async (folder: string, run: Run): Promise<void> => {
      writeFileSync(join(folder, 'a.ul'), voiceLike(0, 3 * 8000))
      result = (await run([join(folder, 'a.ul')])).results[0]
    }
    await inFolder(use, unfamiliarFrom)
    return result
  }
  const strange = await judged(0.01)
  assert.equal(strange?.label, 'inconclusive')
  assert.equal(strange?.reasons[0]?.code, 'unfamiliar_audio')
  assert.equal(strange?.netSpeechMs, 0)
  assert.deepEqual(
    strange?.windows.map((window) => window.score),
    [null, null, null, null, null, null],
  )
  const known = await judged(1)
  assert.deepEqual(
    known?.reasons.map(({ code }) => code),
    ['score_between', 'provisional'],
  )
  assert.ok(known?.windows.every((window) => window.score !== null))
})

test('any rate and format of the same sound gives as much audio and nearly as much speech', async () => {
  await inFolder(async (folder, run) => {
    writeFileSync(join(folder, '1-mulaw.wav'), mulawWav(1, mulaw))
    for (const rateHz of [8000, 16000, 44100]) {
      const bytes = pcm16(buzz(rateHz, 110))
      writeFileSync(
        join(folder, `2-${rateHz}.wav`),
        writeWav({ formatCode: 1, channels: 1, sampleRateHz: rateHz, bits: 16, bytes }),
      )
    }
    const { code, results } = await run([folder])
    assert.equal(code, 0)
    assert.equal(results.length, 4)
    for (const result of results) {
      assert.equal(result.audioMs, 3000)
      assert.ok(Math.abs(result.netSpeechMs - (results[0]?.netSpeechMs ?? 0)) <= 200, `${result.file}`)
    }
  })
})

test('files judged side by side give what each gives alone', async () => {
  await inFolder(async (folder, run) => {
    for (let file = 0; file < 40; file++) {
      const bytes = muLawFromFloat(buzz(8000, 80 + 5 * file)).subarray(0, 8000 + 400 * file)
      writeFileSync(join(folder, `${String(file).padStart(2, '0')}.ul`), bytes)
    }
    const together = await run([folder])
    assert.equal(together.results.length, 40)
    for (const file of [0, 17, 39]) {
      const path = join(folder, `${String(file).padStart(2, '0')}.ul`)
      const alone = await run([path])
      assert.deepEqual(
        together.results.find((result) => result.file === path),
        alone.results[0],
      )
    }
    assert.match(together.shown.join('\n'), /40 \/ 40/)
  })
})

test('folders are searched through; what is no audio by name is left alone', async () => {
  await inFolder(async (folder, run) => {
    mkdirSync(join(folder, 'deep/er'), { recursive: true })
    writeFileSync(join(folder, 'deep/er/a.ul'), mulaw)
    writeFileSync(join(folder, 'deep/README.md'), 'no audio')
    const { code, results } = await run([folder])
    assert.equal(code, 0)
    assert.deepEqual(
      results.map((result) => result.file),
      [join(folder, 'deep/er/a.ul')],
    )
  })
})

test('a bad file is reported, its neighbours are judged, and the exit code is 1', async () => {
  await inFolder(async (folder, run) => {
    writeFileSync(join(folder, 'a.ul'), mulaw)
    writeFileSync(join(folder, 'b.wav'), 'this is no audio')
    writeFileSync(join(folder, 'c.ul'), mulaw)
    const { code, results, err } = await run([folder, join(folder, 'nowhere.wav')])
    assert.equal(code, 1)
    assert.equal(results.length, 2)
    assert.match(err.join('\n'), /nowhere\.wav: ENOENT[\s\S]*b\.wav: audio_unreadable: not a WAV file/)
  })
})

test('without --json people get a table', async () => {
  await inFolder(async (folder, run) => {
    writeFileSync(join(folder, 'a.ul'), mulaw)
    const { out } = await run([folder], false)
    assert.match(out[0] ?? '', /^file +channel +label +score +confidence +speech +audio +reasons$/)
    assert.match(out[1] ?? '', /a\.ul +0 +\w+ .* 3\.0 s/)
  })
})
