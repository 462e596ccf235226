import assert from 'node:assert/strict'
import { test } from 'node:test'
import { muLawToFloat } from '../../src/audio/g711.ts'
import { telephoneChannels } from '../../src/audio/telephone.ts'

function linearOf(bytes: Uint8Array): Float32Array {
  const samples = new Float32Array(bytes.length)
  muLawToFloat(bytes, samples)
  return samples
}

/** Amplitude of a tone in mu-law bytes, by correlation over 1 s. */
function toneAmplitude(bytes: Uint8Array, hz: number): number {
  let cosine = 0
  let sine = 0
  for (const [at, sample] of linearOf(bytes).subarray(0, 8000).entries()) {
    cosine += sample * Math.cos((2 * Math.PI * hz * at) / 8000)
    sine += sample * Math.sin((2 * Math.PI * hz * at) / 8000)
  }
  return Math.hypot(cosine, sine) / 4000
}

/** 1 s of half full scale. */
function tone(hz: number, rateHz: number): Float32Array {
  return Float32Array.from({ length: rateHz }, (_, at) => 0.5 * Math.sin((2 * Math.PI * hz * at) / rateHz))
}

test('8 kHz mu-law passes through untouched', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  assert.deepEqual(telephoneChannels({ kind: 'mulaw', sampleRateHz: 8000, channels: [bytes] }), [bytes])
})

test('a tone of any rate stays that tone at 8 kHz, each channel its own', () => {
  for (const rateHz of [8000, 11025, 16000, 44100, 48000]) {
    const audio = { kind: 'samples' as const, sampleRateHz: rateHz, channels: [tone(440, rateHz), tone(1000, rateHz)] }
    const [left, right] = telephoneChannels(audio)
    assert.ok(left && right)
    assert.equal(left.length, 8000)
    assert.ok(Math.abs(toneAmplitude(left, 440) - 0.5) < 0.01, `${rateHz}: ${toneAmplitude(left, 440)}`)
    assert.ok(Math.abs(toneAmplitude(right, 1000) - 0.5) < 0.01, `${rateHz}: ${toneAmplitude(right, 1000)}`)
    assert.ok(toneAmplitude(right, 440) < 0.01)
  }
})

test('A-law becomes mu-law of nearly the same value', () => {
  // 0xAA and 0x2A are the loudest A-law code words: 32256 of 32768.
  const [bytes] = telephoneChannels({ kind: 'alaw', sampleRateHz: 8000, channels: [Uint8Array.of(0xaa, 0x2a, 0xd5)] })
  assert.ok(bytes)
  const expected = [32256 / 32768, -32256 / 32768, 0]
  for (const [at, sample] of linearOf(bytes).entries()) assert.ok(Math.abs(sample - (expected[at] ?? 9)) < 0.02)
})
