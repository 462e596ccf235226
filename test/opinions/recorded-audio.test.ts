import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endlessWavHeader, RecordedAudio } from '../../src/opinions/recorded-audio.ts'
import { readWav } from '../../src/wire/wav.ts'

describe('recorded audio', () => {
  it('is a WAV file of the very mu-law bytes, 8 kHz mono', () => {
    const audio = new RecordedAudio()
    audio.push(Uint8Array.of(1, 2, 3))
    audio.push(Uint8Array.of(4))
    const { kind, sampleRateHz, channels } = readWav(audio.wav())
    assert.deepEqual([kind, sampleRateHz, channels.map((each) => [...each])], ['mulaw', 8000, [[1, 2, 3, 4]]])
  })

  it('is a minute at most', () => {
    const audio = new RecordedAudio()
    for (let s = 0; s < 70; s++) audio.push(new Uint8Array(8000))
    assert.equal(audio.bytes, 480_000)
  })

  it('may begin as a stream does, with the largest length for an unknown one', () => {
    const header = endlessWavHeader()
    assert.deepEqual([header.length, header.readUInt32LE(4), header.readUInt32LE(40)], [44, 0xffff_ffff, 0xffff_ffff])
  })
})
