import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HopFlagName, hopFlagNames } from '../../src/features/hop.ts'
import { decibels, fixtureBytes, hear, joined, noise, silence, tones } from '../fakes/line-audio.ts'

function flagsOf(sound: Float32Array | Uint8Array): HopFlagName[][] {
  return hear(sound).flags.map(hopFlagNames)
}

describe('hop flags', () => {
  it('call a hop without sound silence', () => {
    assert.deepEqual(flagsOf(silence(1000)), [['silence'], ['silence']])
    assert.deepEqual(flagsOf(noise(decibels(-60), 1000)), [['silence'], ['silence']])
  })

  it('do not call loud noise or a tone silence', () => {
    assert.deepEqual(flagsOf(noise(decibels(-20), 1000)), [[], []])
    assert.deepEqual(flagsOf(tones([425], 0.2, 1000)), [['tone'], ['tone']])
  })

  it('call a hop with runs at full scale clipped, one without not', () => {
    const loud = tones([333], 3, 1000).map((value) => Math.max(-1, Math.min(1, value)))
    assert(flagsOf(loud).every((names) => names.includes('clipped')))
    const peaky = tones([333], 0.97, 1000)
    assert(flagsOf(peaky).every((names) => !names.includes('clipped')))
    assert(flagsOf(fixtureBytes('human-en-operator.wav')).every((names) => !names.includes('clipped')))
  })

  it('are those of their own hop', () => {
    const heard = flagsOf(joined(silence(500), tones([1000], 0.2, 500), silence(1500)))
    assert.deepEqual(heard, [['silence'], ['tone'], [], ['silence'], ['silence']])
  })
})
