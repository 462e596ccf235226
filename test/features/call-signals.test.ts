/** Rules of the signals of a whole track, over the real front end and recorded speech. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { muLawFromFloat, muLawToFloat } from '../../src/audio/g711.ts'
import { projectRoot } from '../../src/core/project.ts'
import type { TrackSignals } from '../../src/features/call-signals.ts'
import { VoiceFrontEnd } from '../../src/features/voice-front-end.ts'
import { decibels, fixtureBytes, joined, mixed, noise, shippedSpec, silence, tones } from '../fakes/line-audio.ts'
import { wavMulaw } from '../fakes/recordings.ts'

const frontEnd = VoiceFrontEnd.create(shippedSpec, 2)

/** What a fresh track tells after each hop. */
function told(sound: Float32Array): TrackSignals[] {
  const bytes = muLawFromFloat(sound)
  const out: TrackSignals[] = []
  const slot = frontEnd.open()
  const sink = { hop: (_slot: number, hop: { readonly signals: TrackSignals }) => void out.push({ ...hop.signals }) }
  for (let at = 0; at < bytes.length; at += 8000) {
    frontEnd.push(slot, 0, frontEnd.take(bytes.subarray(at, at + 8000)), sink)
  }
  frontEnd.close(slot)
  return out
}

const lastOf = (sound: Float32Array): TrackSignals => told(joined(sound, silence(1000))).at(-1)!

function floats(bytes: Uint8Array): Float32Array {
  const samples = new Float32Array(bytes.length)
  muLawToFloat(bytes, samples)
  return samples
}

const phrase = (name: string): Float32Array =>
  floats(wavMulaw(readFileSync(`${projectRoot}fixtures/phrases/${name}.wav`)))

/** A stretch of speech of a recorded call. */
const stretch = (file: string, fromMs: number, ms: number): Float32Array =>
  floats(fixtureBytes(file)).slice(fromMs * 8, (fromMs + ms) * 8)

/** Every message of 20 ms is lost with the given share: silence in its place. */
function lossy(sound: Float32Array, share: number): Float32Array {
  let state = 7
  const out = Float32Array.from(sound)
  for (let at = 0; at < out.length; at += 160) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    if (state / 2 ** 32 < share) out.fill(0, at, at + 160)
  }
  return out
}

const louder = (sound: Float32Array, db: number): Float32Array => sound.map((value) => value * decibels(db))
const pause = silence(700)

describe('a phrase', () => {
  it('that is played again is told, fainter, through mu-law, noise and 3 % lost messages', () => {
    const sentences = {
      person: phrase('please-try-again-1'),
      piper: stretch('synthetic-piper-en.wav', 1000, 1800),
      kokoro: stretch('synthetic-kokoro-es.wav', 1000, 1800),
      espeak: stretch('synthetic-espeak-de.wav', 1000, 1800),
    }
    for (const [name, sentence] of Object.entries(sentences)) {
      // 7 and 3 ms more: the second time does not begin where a frame does.
      const again = joined(silence(507), sentence, pause, phrase('no-longer-muted-1'), pause, louder(sentence, -4))
      const line = mixed(again, noise(decibels(-50), again.length / 8))
      const signals = lastOf(lossy(joined(silence(3), line), 0.03))
      assert.ok(signals.repeatedPhrases >= 1, `${name}: likeness ${signals.phraseLikenessMax}`)
    }
  })

  it('of the same words that a person says again is not', () => {
    for (const words of ['please-try-again', 'no-longer-muted']) {
      const twice = joined(silence(500), phrase(`${words}-1`), pause, phrase(`${words}-2`), pause)
      const signals = lastOf(twice)
      assert.equal(signals.comparedPhrases, 2, words)
      assert.equal(signals.repeatedPhrases, 0, words)
      assert.ok(signals.phraseLikenessMax < 0.3, `${words}: likeness ${signals.phraseLikenessMax}`)
    }
  })

  it('is not told in the calls of people, who say everything once', () => {
    for (const file of ['human-en-operator', 'human-it-operator', 'human-nl-man', 'human-nl-woman', 'human-ca-room']) {
      const signals = lastOf(floats(fixtureBytes(`${file}.wav`)))
      assert.equal(signals.repeatedPhrases, 0, `${file}: likeness ${signals.phraseLikenessMax}`)
    }
  })

  it('shorter than a second is not compared', () => {
    const short = stretch('synthetic-piper-en.wav', 1000, 600)
    const signals = lastOf(joined(silence(500), short, pause, short, pause))
    assert.equal(signals.comparedPhrases, 0)
    assert.equal(signals.repeatedPhrases, 0)
  })

  it('is placed within 50 ms, from where it begins to where it ends', () => {
    const tone = (ms: number): Float32Array =>
      tones([220, 440, 660], 0.1, ms).map((value, i) => value * (1 + 0.8 * Math.sin((2 * Math.PI * 5 * i) / 8000)))
    const line = mixed(joined(silence(1200), tone(1000), silence(1500)), noise(decibels(-60), 3700))
    const hops = told(line)
    const last = hops.at(-1)!
    const hopStartMs = (hops.length - 1) * 500
    assert.ok(Math.abs(hopStartMs + last.phraseStartMs - 1200) <= 50, `begins at ${hopStartMs + last.phraseStartMs}`)
    assert.ok(Math.abs(hopStartMs + last.phraseEndMs - 2200) <= 50, `ends at ${hopStartMs + last.phraseEndMs}`)
  })
})

describe('the background', () => {
  const speech = phrase('please-try-again-2')
  /** Pauses of 800 ms with noise at the given levels, speech between them. */
  const call = (...dbfs: number[]): Float32Array =>
    joined(...dbfs.flatMap((level, i) => [noise(decibels(level), 800, i + 1), speech]))

  it('of pauses that are alike has no spread', () => {
    const signals = lastOf(call(-50, -50, -50, -50, -50))
    assert.ok(signals.pauses >= 4)
    assert.ok(Math.abs(signals.pauseFloorDbfs - -50) < 1.5, `floor ${signals.pauseFloorDbfs}`)
    assert.ok(signals.pauseFloorSpreadDb < 1, `spread ${signals.pauseFloorSpreadDb}`)
  })

  it('that steps by 8 dB tells the step', () => {
    const signals = lastOf(call(-52, -44, -52, -44, -52))
    assert.ok(Math.abs(signals.pauseFloorJumpDb - 8) < 1.5, `jump ${signals.pauseFloorJumpDb}`)
    // Of -52, -44, -52, -44, -52: the sample deviation is 4.4.
    assert.ok(Math.abs(signals.pauseFloorSpreadDb - 4.4) < 1, `spread ${signals.pauseFloorSpreadDb}`)
    assert.ok(signals.digitalSilenceShare < 0.5)
  })

  it('of zeros is digital silence, of a faint line is not', () => {
    const zeros = joined(silence(800), speech, silence(800), speech, silence(800))
    assert.ok(lastOf(zeros).digitalSilenceShare > 0.8)
    const faint = mixed(joined(zeros, silence(1000)), noise(decibels(-62), 10_000))
    assert.ok(told(faint).at(-1)!.digitalSilenceShare < 0.05)
  })

  it('of a track that lost audio is counted on, but no pause goes over the gap', () => {
    const bytes = muLawFromFloat(call(-50, -50, -50))
    const out: TrackSignals[] = []
    const slot = frontEnd.open()
    const sink = { hop: (_slot: number, hop: { readonly signals: TrackSignals }) => void out.push({ ...hop.signals }) }
    frontEnd.push(slot, 0, frontEnd.take(bytes.subarray(0, 8000)), sink)
    frontEnd.push(slot, 0, frontEnd.take(bytes.subarray(8000, 16_000)), sink)
    const before = out.at(-1)!
    frontEnd.reset(slot)
    frontEnd.push(slot, 0, frontEnd.take(muLawFromFloat(noise(decibels(-50), 500))), sink)
    const after = out.at(-1)!
    frontEnd.close(slot)
    assert.equal(after.pauses, before.pauses)
    assert.ok(Number.isNaN(after.phraseStartMs), 'a phrase before the gap has no place after it')
  })
})
