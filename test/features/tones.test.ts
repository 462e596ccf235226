import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hopFlag } from '../../src/features/hop.ts'
import { decibels, fixtureBytes, hear, joined, mixed, noise, shareOf, silence, tones } from '../fakes/line-audio.ts'

const isTone = (flags: number): boolean => (flags & hopFlag.tone) !== 0

describe('tones', () => {
  for (const [name, hz] of Object.entries({
    'dial tone': [350, 440],
    'ringing tone': [440, 480],
    'busy tone': [480, 620],
    'European dial tone': [425],
    'answering machine beep': [1000],
    'fax calling tone': [1100],
  })) {
    it(`knows the ${name}, from -40 to -6 dBFS and in noise`, () => {
      for (const db of [-40, -20, -12]) assert.equal(shareOf(hear(tones(hz, decibels(db), 4000)).flags, isTone), 1)
      const inNoise = mixed(tones(hz, decibels(-20), 4000), noise(decibels(-40), 4000))
      assert(shareOf(hear(inNoise).flags, isTone) >= (name === 'ringing tone' ? 0.2 : 0.9))
    })
  }

  it('finds a beep of 200 ms anywhere in a hop', () => {
    for (let at = 0; at <= 300; at += 20) {
      const heard = hear(joined(silence(1000 + at), tones([1000], 0.2, 200), silence(1000)))
      assert(heard.flags.some(isTone), `beep at ${at} ms`)
    }
  })

  it('does not take voices for tones', () => {
    for (const file of ['human-en-operator.wav', 'human-nl-woman.wav', 'synthetic-flite-en.wav']) {
      assert(shareOf(hear(fixtureBytes(file)).flags, isTone) < 0.03, file)
    }
  })

  it('does not take a siren for a tone', () => {
    const siren = Float32Array.from({ length: 32_000 }, (_, i) => 0.3 * Math.sin(0.5 * i + 40 * Math.sin(i * 0.0008)))
    assert(shareOf(hear(siren).flags, isTone) < 0.3)
  })
})
