import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { muLawFromFloat, muLawToFloat, muLawToLinear } from '../../src/audio/g711.ts'
import { VoiceFrontEnd } from '../../src/features/voice-front-end.ts'
import {
  decibels,
  fixtureBytes,
  hear,
  joined,
  mixed,
  noise,
  recorder,
  shareOf,
  shippedSpec,
  silence,
  tones,
} from '../fakes/line-audio.ts'

const isSpeech = (frame: number): boolean => frame === 1

function floats(bytes: Uint8Array): Float32Array {
  const samples = new Float32Array(bytes.length)
  muLawToFloat(bytes, samples)
  return samples
}

/**
 * Frames that are voiced beyond doubt, found another way than the gate does: within 25 dB of the loud part of the
 * call, and periodic with 53 to 400 Hz (normalised autocorrelation over 0.6). Frame t is the 256 samples that end at
 * (t + 1) x 80.
 */
function clearlyVoiced(bytes: Uint8Array): Set<number> {
  const frames = Math.floor(bytes.length / 80)
  const sample = (i: number): number => (i < 0 ? 0 : (muLawToLinear[bytes[i] ?? 255] ?? 0))
  const energy = Array.from({ length: frames }, (_, t) => {
    let sum = 0
    for (let i = (t + 1) * 80 - 256; i < (t + 1) * 80; i += 1) sum += sample(i) ** 2
    return sum
  })
  const loud = [...energy].sort((a, b) => a - b)[Math.floor(frames * 0.95)] ?? 0
  const voiced = new Set<number>()
  for (let t = 4; t < frames; t += 1) {
    if ((energy[t] ?? 0) < loud * 10 ** -2.5) continue
    for (let lag = 20; lag < 150; lag += 1) {
      let [cross, a, b] = [0, 1e-9, 1e-9]
      for (let i = (t + 1) * 80 - 256 + lag; i < (t + 1) * 80; i += 1) {
        cross += sample(i) * sample(i - lag)
        a += sample(i) ** 2
        b += sample(i - lag) ** 2
      }
      if (cross > 0.6 * Math.sqrt(a * b)) {
        voiced.add(t)
        break
      }
    }
  }
  return voiced
}

function recall(speech: readonly number[], voiced: ReadonlySet<number>): number {
  return shareOf(
    [...voiced].filter((frame) => frame < speech.length),
    (frame) => speech[frame] === 1,
  )
}

const voices = [
  'human-en-operator.wav',
  'human-it-operator.wav',
  'human-ru-operator.wav',
  'human-nl-man.wav',
  'human-nl-woman.wav',
  'human-ca-room.wav',
  'synthetic-espeak-de.wav',
  'synthetic-flite-en.wav',
  'synthetic-piper-en.wav',
  'synthetic-kokoro-es.wav',
]

describe('speech gate', () => {
  for (const file of voices) {
    const bytes = fixtureBytes(file).subarray(0, 8000 * 15)
    const voiced = clearlyVoiced(bytes)

    it(`hears the voiced frames of ${file}, clean and in noise`, () => {
      assert(recall(hear(bytes).speech, voiced) >= 0.98)
      const samples = floats(bytes)
      const rms = Math.sqrt(samples.reduce((sum, value) => sum + value ** 2, 0) / samples.length)
      for (const [snrDb, least] of [
        [30, 0.97],
        [20, 0.97],
        [15, 0.95],
        [8, 0.9],
      ] as const) {
        const loud = mixed(samples, noise(rms * decibels(-snrDb), 15_000))
        const share = recall(hear(loud).speech, voiced)
        assert(share >= least, `${snrDb} dB: ${share}`)
      }
    })
  }

  it('takes the pauses of a call for what they are', () => {
    const heard = hear(fixtureBytes('mostly-silence.wav'))
    assert(shareOf(heard.speech, isSpeech) < 0.12)
  })

  it('hears none in white noise, at any level', () => {
    for (const db of [-60, -50, -40, -30, -20, -10]) {
      assert(shareOf(hear(noise(decibels(db), 10_000)).speech, isSpeech) < 0.02, `${db} dBFS`)
    }
  })

  it('hears none in noise that sets in', () => {
    assert(shareOf(hear(joined(silence(4000), noise(decibels(-25), 8000))).speech, isSpeech) < 0.02)
  })

  it('hears none in mains hum and its harmonics', () => {
    const hum = mixed(tones([50, 150, 250], 0.1, 10_000), noise(decibels(-50), 10_000))
    assert(shareOf(hear(hum).speech, isSpeech) < 0.01)
  })

  it('hears none in call progress tones, held or in cadence', () => {
    const tone = tones([480, 620], 0.1, 500)
    const cadence = joined(...Array.from({ length: 10 }, () => [tone, silence(500)]).flat())
    for (const sound of [tones([350, 440], 0.1, 8000), tones([425], 0.2, 8000), tones([1000], 0.3, 8000), cadence]) {
      assert(shareOf(hear(sound).speech, isSpeech) < 0.01)
    }
  })

  it('hears speech again soon after a loud tone', () => {
    const bytes = fixtureBytes('human-en-operator.wav').subarray(0, 8000 * 8)
    const before = 4000 * 6
    const heard = hear(Buffer.concat([muLawFromFloat(tones([425], 0.4, 3000)), bytes]))
    const voiced = new Set([...clearlyVoiced(bytes)].map((frame) => frame + before / 80))
    assert(recall(heard.speech, voiced) > 0.95)
  })

  it('drops clicks', () => {
    const line = noise(decibels(-60), 5000)
    for (let at = 4000; at < line.length; at += 8000) line[at] = 0.5
    assert(shareOf(hear(line).speech, isSpeech) < 0.02)
  })

  it('does not take the silence of a filled gap for the noise of the line', () => {
    const bytes = muLawFromFloat(rumble(decibels(-30), 8000))
    const heardWith = (fill: boolean): number => {
      const frontEnd = VoiceFrontEnd.create(shippedSpec, 1)
      const { sink, heard } = recorder()
      const slot = frontEnd.open()
      for (let at = 0; at < bytes.length; at += 8000) {
        const count = frontEnd.take(bytes.subarray(at, at + 8000))
        if (fill && at === 32_000) {
          frontEnd.fill(slot, 800, sink)
          frontEnd.push(slot, 800, count - 800, sink)
        } else {
          frontEnd.push(slot, 0, count, sink)
        }
      }
      return shareOf(heard.speech.slice(450), isSpeech)
    }
    assert(heardWith(true) <= heardWith(false) + 0.05, `${heardWith(true)} after a gap, ${heardWith(false)} without`)
  })
})

/** Noise that swells by some decibels, slowly: not stationary, yet no speech. */
function rumble(deviation: number, ms: number): Float32Array {
  return noise(deviation, ms).map((value, i) => value * (1 + 0.25 * Math.sin(i * 0.002)))
}
