import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { alawSamples, encodeMulaw, mulawCode, mulawSamples } from '../../src/wire/g711.ts'

/** SHA-256 of 256 little-endian int16 samples, codes 0 to 255. */
function digest(samples: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(Int16Array.from(samples, (sample) => sample * 32768).buffer))
    .digest('hex')
}

test('mu-law code words mean what CPython audioop.ulaw2lin says of all 256', () => {
  assert.equal(digest(mulawSamples), '3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827')
})

test('A-law code words mean what CPython audioop.alaw2lin says of all 256', () => {
  assert.equal(digest(alawSamples), 'e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174')
})

test('the loudest and the quietest code words are those of G.711', () => {
  const of = (table: Float32Array, code: number) => (table[code] as number) * 32768
  assert.deepEqual([of(mulawSamples, 0x00), of(mulawSamples, 0x80), of(mulawSamples, 0xff)], [-32124, 32124, 0])
  assert.deepEqual([of(alawSamples, 0x2a), of(alawSamples, 0xaa), of(alawSamples, 0xd5)], [-32256, 32256, 8])
})

test('every sample from 0 to 32767 gets the code word that CPython audioop.lin2ulaw gives it', () => {
  const codes = encodeMulaw(Float32Array.from({ length: 32768 }, (_, linear) => linear / 32768))
  assert.equal(
    createHash('sha256').update(codes).digest('hex'),
    '912062bf9c931c7ebc1dc1fd1d74faf0cfefcd47e8408a3ed4d07aa59f0f1c20',
  )
})

test('a negative sample gets the code word of its positive twin with the sign bit cleared', () => {
  for (let linear = 1; linear < 32768; linear++) {
    assert.equal(mulawCode(-linear / 32768), mulawCode(linear / 32768) & 0x7f)
  }
})

test('what is louder than full scale gets the loudest code words', () => {
  assert.deepEqual([...encodeMulaw(Float32Array.of(7, -7, 0))], [0x80, 0x00, 0xff])
})
