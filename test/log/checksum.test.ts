import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { crc32, crc32ByTable } from '../../src/log/checksum.ts'

describe('the checksum of log entries', () => {
  it('is CRC-32/ISO-HDLC: its published check value is 0xCBF43926 for "123456789"', () => {
    assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926)
    assert.equal(crc32ByTable(Buffer.from('123456789')), 0xcbf43926)
  })

  it('is the same built in and by table', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => crc32(bytes) === crc32ByTable(bytes)))
  })
})
