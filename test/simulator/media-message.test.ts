import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mediaMessage, mediaTail } from '../../src/simulator/media-message.ts'

test('a media message is the text that Twilio documents, numbers as strings', () => {
  const tail = mediaTail('MZ0123456789abcdef0123456789abcdef')
  const message = mediaMessage(
    { track: 'inbound', sequenceNumber: 4, chunk: 3, timestampMs: 64 },
    Buffer.from('//8='),
    tail,
  )
  assert.equal(
    message.toString(),
    '{"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"3","timestamp":"64","payload":"//8="},' +
      '"streamSid":"MZ0123456789abcdef0123456789abcdef"}',
  )
})

test('built by copies it equals JSON.stringify of the same message, whatever the numbers', () => {
  const numbers = fc.record({
    track: fc.constantFrom('inbound' as const, 'outbound' as const),
    sequenceNumber: fc.nat(),
    chunk: fc.nat(),
    timestampMs: fc.nat(),
  })
  const property = fc.property(numbers, fc.base64String({ maxLength: 400 }), (given, payload) => {
    const expected = JSON.stringify({
      event: 'media',
      sequenceNumber: String(given.sequenceNumber),
      media: { track: given.track, chunk: String(given.chunk), timestamp: String(given.timestampMs), payload },
      streamSid: 'MZ1',
    })
    assert.equal(mediaMessage(given, Buffer.from(payload), mediaTail('MZ1')).toString(), expected)
  })
  fc.assert(property)
})
