import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { alawSamples, mulawSamples } from '../../src/wire/g711.ts'

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
