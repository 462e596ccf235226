/** Our TwiML against the one the `twilio` package writes, and against hostile text. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import fc from 'fast-check'
import twilio from 'twilio'
import { escapeXml, streamTwiml } from '../../src/wire/twiml.ts'

const plain = {
  url: 'wss://voice.example.com/twilio/media/abc',
  track: 'both_tracks',
  name: 'voicefw-1a2b',
  statusCallback: 'https://voice.example.com/twilio/stream-status',
} as const

it('the TwiML is the one the twilio package writes', () => {
  const response = new twilio.twiml.VoiceResponse()
  response.start().stream(plain)
  response.pause({ length: 3600 })
  assert.equal(streamTwiml({ ...plain, continuation: '<Pause length="3600"/>' }), response.toString())
})

it('text in attributes comes back whole when the XML is read', () => {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[^\t\n\r -\uFFFD]/.test(value))
  fc.assert(
    fc.property(text, (name) => {
      const xml = streamTwiml({ ...plain, name, continuation: '' })
      const match =
        /^<\?xml [^>]*\?><Response><Start><Stream url="[^"<]*" track="[^"<]*" name="([^"<]*)" [^<>]*\/>/.exec(xml)
      assert.ok(match, xml)
      const read = match[1]?.replace(/&(\w+);/g, (_, entity: string) => entities[entity] ?? '?')
      assert.equal(read, name)
    }),
  )
})

it('a character XML cannot carry is replaced', () => {
  assert.equal(escapeXml('a\u0000b\u000b\uffff'), 'a\ufffdb\ufffd\ufffd')
  assert.equal(escapeXml('\ud800'), '\ufffd')
  assert.equal(escapeXml('😀é'), '😀é')
})
