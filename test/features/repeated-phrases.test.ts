/** Rules of comparing phrases, over made-up places of spectral peaks. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RepeatedPhrases } from '../../src/features/repeated-phrases.ts'

/** Phrase `n`: 120 frames of 10 ms whose peaks jump about, the same on every run. */
function say(phrases: RepeatedPhrases, slot: number, n: number, offBins = 0): number {
  let state = n * 7919 + 1
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  phrases.begin(slot)
  for (let frame = 0; frame < 120; frame += 1) phrases.hear(slot, 0, 4 + 60 * draw() + offBins, 70 + 50 * draw())
  for (let frame = 0; frame < 20; frame += 1) phrases.hear(slot, -9, 10, 20)
  return phrases.end(slot, 20)
}

describe('phrases of a track', () => {
  it('are held against the last sixteen', () => {
    const phrases = new RepeatedPhrases(1)
    phrases.reset(0)
    assert.equal(say(phrases, 0, 1), 0)
    for (let n = 2; n <= 16; n += 1) assert.ok(say(phrases, 0, n) < 0.3)
    assert.ok(say(phrases, 0, 1) > 0.9, 'fifteen phrases later it is known')
    for (let n = 20; n < 36; n += 1) say(phrases, 0, n)
    assert.ok(say(phrases, 0, 1) < 0.3, 'sixteen phrases later it is not')
  })

  it('are alike where peaks differ by 6 Hz, not where they differ by 16 Hz', () => {
    const phrases = new RepeatedPhrases(1)
    phrases.reset(0)
    say(phrases, 0, 1)
    assert.ok(say(phrases, 0, 1, 6 / 31.25) > 0.9)
    phrases.reset(0)
    say(phrases, 0, 1)
    assert.ok(say(phrases, 0, 1, 16 / 31.25) < 0.3)
  })

  it('that are the same at any shift, as a held tone, are not the same sound again', () => {
    const phrases = new RepeatedPhrases(1)
    phrases.reset(0)
    const hold = (): number => {
      phrases.begin(0)
      for (let frame = 0; frame < 140; frame += 1) phrases.hear(0, 0, 10, 20)
      return phrases.end(0, 20)
    }
    hold()
    assert.ok(hold() < 0.1)
  })

  it('are of one track, and forgotten when another takes its place', () => {
    const phrases = new RepeatedPhrases(2)
    for (const slot of [0, 1]) phrases.reset(slot)
    say(phrases, 0, 1)
    assert.ok(say(phrases, 1, 1) < 0.3)
    phrases.reset(0)
    assert.ok(say(phrases, 0, 1) < 0.3)
  })
})
