import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { muLawFromFloat } from '../../src/audio/g711.ts'
import { hopFlag } from '../../src/features/hop.ts'
import { decibels, fixtureBytes, hear, joined, mixed, noise, shareOf, silence } from '../fakes/line-audio.ts'

const rowsHz = [697, 770, 852, 941]
const columnsHz = [1209, 1336, 1477, 1633]
const keys = '123A456B789C*0#D'

interface Press {
  onMs?: number
  offMs?: number
  amplitude?: number
  /** Column over row. */
  twistDb?: number
  /** Both frequencies off by this part. */
  detuned?: number
}

function press(digits: string, options: Press = {}): Float32Array {
  const { onMs = 80, offMs = 80, amplitude = 0.1, twistDb = 0, detuned = 0 } = options
  const parts = [...digits].map((digit) => {
    const key = keys.indexOf(digit)
    const row = (rowsHz[key >> 2] ?? 0) * (1 + detuned)
    const column = (columnsHz[key & 3] ?? 0) * (1 + detuned)
    const tone = Float32Array.from({ length: onMs * 8 }, (_, i) => {
      const high = amplitude * decibels(twistDb) * Math.sin((2 * Math.PI * column * i) / 8000 + 1)
      return amplitude * Math.sin((2 * Math.PI * row * i) / 8000) + high
    })
    return joined(tone, silence(offMs))
  })
  return joined(silence(333), ...parts, silence(1000))
}

// ITU-T Q.24, table A-1: what a receiver has to accept and to refuse.
describe('DTMF', () => {
  it('reads all sixteen digits', () => {
    assert.equal(hear(press(keys)).digits, keys)
  })

  it('reads digits of 40 ms with pauses of 40 ms', () => {
    assert.equal(hear(press(keys, { onMs: 40, offMs: 40 })).digits, keys)
  })

  it('reads a digit again when it is pressed again', () => {
    assert.equal(hear(press('5550', { onMs: 60, offMs: 60 })).digits, '5550')
  })

  it('refuses bursts of 23 ms', () => {
    assert.equal(hear(press(keys, { onMs: 23 })).digits, '')
  })

  it('accepts frequencies 1.5 % off and refuses 3.5 %', () => {
    for (const detuned of [-0.015, 0.015]) assert.equal(hear(press(keys, { detuned })).digits, keys)
    for (const detuned of [-0.035, 0.035]) assert.equal(hear(press(keys, { detuned })).digits, '')
  })

  it('accepts a column 4 dB over its row or 8 dB under it, and refuses 9 and 12 dB', () => {
    assert.equal(hear(press(keys, { twistDb: 4 })).digits, keys)
    assert.equal(hear(press(keys, { twistDb: -8 })).digits, keys)
    assert.equal(hear(press(keys, { twistDb: 9 })).digits, '')
    assert.equal(hear(press(keys, { twistDb: -12 })).digits, '')
  })

  it('reads digits from -6 to -36 dBFS, and 15 dB over noise', () => {
    for (const db of [-8, -20, -36]) assert.equal(hear(press(keys, { amplitude: decibels(db) })).digits, keys)
    const tones = press(keys)
    const line = mixed(tones, noise(decibels(-35), tones.length / 8))
    assert.equal(hear(line).digits, keys)
  })

  it('sets the flag of the hops it sounds in and keeps it from speech', () => {
    const heard = hear(press('1', { onMs: 300 }))
    assert.deepEqual(
      heard.flags.map((flags) => flags & hopFlag.dtmf),
      [hopFlag.dtmf, hopFlag.dtmf, 0],
    )
    assert(heard.speech.every((frame) => frame === 0))
  })

  it('keeps 60 ms to both sides of a digit from speech', () => {
    const voice = fixtureBytes('human-en-operator.wav')
    const plain = hear(voice).speech
    const start = plain.findIndex((_, i) => i > 200 && plain.slice(i - 30, i + 30).every((frame) => frame === 1))
    const bytes = Uint8Array.from(voice)
    const tone = press('8', { onMs: 100, amplitude: 0.3 }).subarray(333 * 8, 433 * 8)
    bytes.set(muLawFromFloat(tone), start * 80)
    const heard = hear(bytes)
    assert.equal(heard.digits, '8')
    const from = Math.max(start - 4, Math.floor(start / 50) * 50)
    for (let frame = from; frame < start + 10 + 4; frame += 1)
      assert.equal(heard.speech[frame], 0, `frame ${frame - start}`)
    assert.equal(heard.speech[start - 12], 1)
  })

  it('does not hear digits in voices or music', () => {
    for (const file of [
      'human-it-operator.wav',
      'human-nl-woman.wav',
      'synthetic-piper-en.wav',
      'music-and-human-en.wav',
    ]) {
      assert.equal(hear(fixtureBytes(file)).digits, '', file)
    }
  })

  it('reads the digits of a recorded call', () => {
    const heard = hear(fixtureBytes('dtmf-and-human-it.wav'))
    assert.equal(heard.digits, '4711#0815*')
    assert(shareOf(heard.flags, (flags) => (flags & hopFlag.dtmf) !== 0) < 0.3)
  })
})
