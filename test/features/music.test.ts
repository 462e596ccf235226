import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hopFlag } from '../../src/features/hop.ts'
import { chord, decibels, fixtureBytes, hear, joined, mixed, noise, shareOf } from '../fakes/line-audio.ts'

const isMusic = (flags: number): boolean => (flags & hopFlag.music) !== 0
const progression = [
  [261.6, 329.6, 392],
  [220, 261.6, 329.6],
  [174.6, 220, 261.6],
  [196, 246.9, 293.7],
]

describe('music', () => {
  const chords = joined(...Array.from({ length: 16 }, (_, i) => chord(progression[i % 4] ?? [], 0.4, 1000)))
  const arpeggio = joined(
    ...Array.from({ length: 80 }, (_, i) =>
      chord([(progression[(i >> 3) % 4]?.[i % 3] ?? 0) * (1 + (i % 2))], 0.4, 200),
    ),
  )

  it('is heard in chords and arpeggios from the third second on, clean and in noise', () => {
    for (const sound of [chords, arpeggio]) {
      assert(shareOf(hear(sound).flags.slice(6), isMusic) > 0.9)
      const inNoise = mixed(sound, noise(decibels(-45), sound.length / 8))
      assert(shareOf(hear(inNoise).flags.slice(6), isMusic) > 0.9)
    }
  })

  it('is heard in recorded hold music, and gone a few seconds after it', () => {
    // The file begins with 14 s of music; speech follows.
    const { flags } = hear(fixtureBytes('music-and-human-en.wav'))
    assert(shareOf(flags.slice(11, 27), isMusic) > 0.9)
    assert.equal(shareOf(flags.slice(34), isMusic), 0)
  })

  it('is not heard in voices, human or synthetic, clean or in noise', () => {
    for (const file of [
      'human-en-operator.wav',
      'human-it-operator.wav',
      'human-nl-man.wav',
      'human-ca-room.wav',
      'synthetic-espeak-de.wav',
      'synthetic-flite-en.wav',
      'synthetic-kokoro-es.wav',
      'dtmf-and-human-it.wav',
    ]) {
      assert.equal(shareOf(hear(fixtureBytes(file)).flags, isMusic), 0, file)
    }
  })
})
