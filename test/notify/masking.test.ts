import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { maskNumbers, withMaskedNumbers } from '../../src/notify/masking.ts'

describe('masking', () => {
  it('leaves the last three digits of a phone number, wherever it stands in a text', () => {
    assert.equal(maskNumbers('+12025550123'), '***123')
    assert.equal(maskNumbers('range 447700900, from 12025550123.'), 'range ***900, from ***123.')
    assert.equal(maskNumbers('(12025550123)'), '(***123)')
  })

  it('leaves ids, times and plain counts alone', () => {
    for (const text of [
      'CA5f0c9e2b71d84a36b0e1234567890abc',
      '2026-01-01T00:00:00.000Z',
      '123456',
      'evt_1767225600000042',
    ]) {
      assert.equal(maskNumbers(text), text)
    }
  })

  it('goes through data of any depth and keeps what is not text', () => {
    const data = { from: '+12025550123', n: 12025550123, list: [{ text: 'to 12025550199' }], none: null }
    assert.deepEqual(withMaskedNumbers(data), {
      from: '***123',
      n: 12025550123,
      list: [{ text: 'to ***199' }],
      none: null,
    })
  })
})
