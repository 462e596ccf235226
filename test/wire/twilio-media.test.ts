/** The two ways of reading Twilio's messages, against literal messages and against each other. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import fc from 'fast-check'
import { Kernels } from '../../src/audio/kernels.ts'
import { type MediaMessage, parseTwilioMessage } from '../../src/wire/twilio-media.ts'
import { MediaScanner } from '../../src/wire/twilio-media-scanner.ts'

const scanner = new MediaScanner(Kernels.load(0))
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8')

/** What a media message says, in a form that can be compared. */
function content(message: MediaMessage): object {
  const { bytes, payloadEnd, payloadStart, sequenceNumber, timestampMs, track } = message
  const payload = Buffer.from(bytes.subarray(payloadStart, payloadEnd)).toString('latin1')
  return { track, timestampMs, sequenceNumber, payload }
}

/** The scanner's answer, or null when it declines. */
function scanned(text: string): object | null {
  return scanner.scan(bytesOf(text)) ? content(scanner) : null
}

function parsed(text: string): object {
  const message = parseTwilioMessage(bytesOf(text))
  return message.event === 'media' ? content(message) : message
}

const asTwilioSends =
  '{"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":"//8A"},' +
  '"streamSid":"MZ18ad3ab5a668481ce02b83e7395059f0"}'

it('a media message as Twilio sends it is read without JSON.parse', () => {
  assert.deepEqual(scanned(asTwilioSends), { track: 'inbound', timestampMs: 5, sequenceNumber: 3, payload: '//8A' })
  assert.deepEqual(parsed(asTwilioSends), { track: 'inbound', timestampMs: 5, sequenceNumber: 3, payload: '//8A' })
})

it('both spellings of a track mean the same, on both ways', () => {
  for (const [spelling, track] of [
    ['inbound', 'inbound'],
    ['inbound_track', 'inbound'],
    ['outbound', 'outbound'],
    ['outbound_track', 'outbound'],
  ] as const) {
    const text = `{"event":"media","media":{"track":"${spelling}","timestamp":"0","payload":"AA=="}}`
    const expected = { track, timestampMs: 0, sequenceNumber: -1, payload: 'AA==' }
    assert.deepEqual(scanned(text), expected)
    assert.deepEqual(parsed(text), expected)
  }
})

it('any key order, whitespace and bare numbers are read without JSON.parse', () => {
  const text =
    ' { "media" :\t{ "payload":"AAAA" , "timestamp": 40, "track":"outbound"},\r\n"sequenceNumber":7,"event":"media" } '
  assert.deepEqual(scanned(text), { track: 'outbound', timestampMs: 40, sequenceNumber: 7, payload: 'AAAA' })
})

it('escapes, repeated keys and nested values are left to JSON.parse, which reads them', () => {
  const spellings = [
    '{"event":"m\\u0065dia","media":{"track":"inbound","timestamp":"5","payload":"AA=="}}',
    '{"event":"media","media":{"track":"inbound","timestamp":"5","payload":"\\u0041A=="}}',
    '{"event":"media","media":{"track":"inbound","timestamp":"9","timestamp":"5","payload":"AA=="}}',
    '{"event":"mark","event":"media","media":{"track":"inbound","timestamp":"5","payload":"AA=="}}',
    '{"x":[1,{}],"event":"media","media":{"track":"inbound","timestamp":"5","payload":"AA=="}}',
    '{"x":null,"event":"media","media":{"track":"inbound","timestamp":5.0,"payload":"AA=="}}',
    '{"event":"media","media":{"track":"inbound","timestamp":5e0,"payload":"AA=="}}',
  ]
  for (const text of spellings) {
    assert.equal(scanned(text), null, text)
    assert.deepEqual(parsed(text), { track: 'inbound', timestampMs: 5, sequenceNumber: -1, payload: 'AA==' }, text)
  }
  const slash = '{"event":"media","media":{"track":"inbound","timestamp":"5","payload":"\\/\\/8A"}}'
  assert.deepEqual(parsed(slash), { track: 'inbound', timestampMs: 5, sequenceNumber: -1, payload: '//8A' })
})

it('keys and values outside of ASCII that do not matter are passed over', () => {
  const text = '{"ключ":"ü","event":"media","media":{"track":"inbound","timestamp":"5","payload":"AA=="}}'
  const expected = { track: 'inbound', timestampMs: 5, sequenceNumber: -1, payload: 'AA==' }
  assert.deepEqual(scanned(text), expected)
  assert.deepEqual(parsed(text), expected)
})

it('a number that is negative, fractional, enormous or no number makes the message malformed', () => {
  const bad = [
    '"-1"',
    '-1',
    '"1.5"',
    '1.5',
    '"1e3"',
    '"0x10"',
    '""',
    '" 1"',
    '"604800001"',
    '1e300',
    '"99999999999999999999"',
  ]
  for (const number of [...bad, 'null', 'true', '[]', '{}', '"NaN"', '"٣"']) {
    const text = `{"event":"media","media":{"track":"inbound","timestamp":${number},"payload":"AA=="}}`
    assert.equal(scanned(text), null, text)
    assert.deepEqual(parsed(text), { event: 'malformed', detail: 'media.timestamp' }, text)
  }
  for (const number of ['"-1"', '"4294967296"', '1.5', 'null', '"x"']) {
    const media = '{"track":"inbound","timestamp":"5","payload":"AA=="}'
    const text = `{"event":"media","sequenceNumber":${number},"media":${media}}`
    assert.equal(scanned(text), null, text)
    assert.deepEqual(parsed(text), { event: 'malformed', detail: 'sequenceNumber' }, text)
  }
})

it('a message cut at any byte is malformed', () => {
  for (let end = 0; end < asTwilioSends.length; end += 1) {
    const text = asTwilioSends.slice(0, end)
    assert.equal(scanned(text), null, text)
    assert.equal(parseTwilioMessage(bytesOf(text)).event, 'malformed', text)
  }
  assert.equal(scanned(`${asTwilioSends}x`), null)
  assert.equal(scanned(`${asTwilioSends}}`), null)
})

it('a payload of 1 to 8000 bytes is taken whole', () => {
  for (const size of [1, 2, 3, 160, 320, 999, 8000]) {
    const payload = Buffer.alloc(size, 0x7f).toString('base64')
    const media = `{"track":"inbound","timestamp":"0","payload":"${payload}"}`
    const text = `{"event":"media","sequenceNumber":"2","media":${media}}`
    assert.deepEqual(scanned(text), { track: 'inbound', timestampMs: 0, sequenceNumber: 2, payload })
  }
})

it('the other events of Twilio are told apart, and unknown ones are named so', () => {
  const start =
    '{"event":"start","sequenceNumber":"1","start":{"accountSid":"ACa","streamSid":"MZs","callSid":"CAc",' +
    '"tracks":["inbound","outbound_track","inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,' +
    '"channels":1},"customParameters":{"FirstName":"Jane"}},"streamSid":"MZs"}'
  assert.deepEqual(parsed(start), {
    event: 'start',
    streamSid: 'MZs',
    callSid: 'CAc',
    accountSid: 'ACa',
    tracks: ['inbound', 'outbound'],
    isMulaw8k: true,
    keepsNoAudio: false,
  })
  assert.deepEqual(parsed('{"event":"connected","protocol":"Call","version":"1.0.0"}'), { event: 'connected' })
  assert.deepEqual(parsed('{"event":"stop","stop":{"callSid":"CAc"}}'), { event: 'stop', callSid: 'CAc' })
  const dtmf = '{"event":"dtmf","streamSid":"MZs","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"}}'
  assert.deepEqual(parsed(dtmf), { event: 'dtmf', track: 'inbound', digit: '1' })
  assert.deepEqual(parsed('{"event":"mark","mark":{"name":"m"}}'), { event: 'mark', name: 'm' })
  assert.deepEqual(parsed('{"event":"playback"}'), { event: 'unknown' })
  const optedOut = parseTwilioMessage(bytesOf(start.replace('"FirstName":"Jane"', '"voicefw_audio":"none"')))
  assert.equal(optedOut.event === 'start' && optedOut.keepsNoAudio, true)
  for (const text of ['[]', '5', 'null', '{}', '{"event":5}', '{"event":"start"}', '{"event":"media","media":[]}']) {
    assert.equal(parseTwilioMessage(bytesOf(text)).event, 'malformed', text)
  }
})

// Spellings of JSON: each value becomes text in one of the ways the grammar allows.
const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
const escapeSome = (text: string, which: boolean[]): string =>
  [...JSON.stringify(text).slice(1, -1)]
    .map((character, at) =>
      which[at % which.length] && character !== '\\' && !JSON.stringify(text).includes('\\')
        ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
        : character,
    )
    .join('')
const stringSpelling = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(
      text,
      fc.oneof({ weight: 30, arbitrary: fc.constant<boolean[]>([false]) }, fc.array(fc.boolean(), { minLength: 1 })),
    )
    .map(([value, which]) => `"${escapeSome(value, which)}"`)
const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.integer(), fc.double({ noNaN: true }), fc.constant(604_800_000))
const numberSpelling = fc.oneof(
  { weight: 30, arbitrary: fc.nat(700_000_000).map((value) => `"${value}"`) },
  number.map((value) => `"${value}"`),
  number.map((value) => JSON.stringify(value)),
  fc.constantFrom('"007"', '0', '"0"', '-0', '"-0"', '1E2', 'null', '""', '"00000000005"'),
)
const payload = fc.oneof({ weight: 5, arbitrary: fc.base64String({ maxLength: 64 }) }, fc.string({ maxLength: 8 }))
const trackName = fc.constantFrom('inbound', 'outbound', 'inbound_track', 'outbound_track', 'inbound', 'both_tracks')
const anyValue = fc.oneof(fc.json({ maxDepth: 1 }), numberSpelling, stringSpelling(fc.string()))
const objectSpelling = (fields: Record<string, fc.Arbitrary<string>>): fc.Arbitrary<string> => {
  const known = Object.entries(fields).map(([key, value]) => fc.tuple(stringSpelling(fc.constant(key)), value))
  const extra = fc.oneof(fc.tuple(stringSpelling(fc.string()), anyValue), ...known)
  return fc
    .tuple(fc.tuple(...known), fc.oneof(fc.constant([]), fc.array(extra, { maxLength: 2 })), fc.nat(5), space, space)
    .chain(([own, more, drop, before, after]) => {
      const pairs = [...own.filter((_, at) => drop > 0 || at !== 0), ...more]
      const ordered = fc.oneof(fc.constant(pairs), fc.shuffledSubarray(pairs, { minLength: pairs.length }))
      return ordered.map(
        (list) =>
          `{${list.map(([key, value]) => `${before}${key}${after}:${before}${value}${after}`).join(',')}${after}}`,
      )
    })
}
const mediaSpelling = objectSpelling({
  event: fc.oneof({ weight: 20, arbitrary: stringSpelling(fc.constant('media')) }, stringSpelling(fc.string())),
  sequenceNumber: numberSpelling,
  media: objectSpelling({
    track: stringSpelling(trackName),
    chunk: numberSpelling,
    timestamp: numberSpelling,
    payload: stringSpelling(payload),
  }),
  streamSid: stringSpelling(fc.constant('MZ18ad3ab5a668481ce02b83e7395059f0')),
})

it('whatever the scanner takes, JSON.parse reads alike, for any spelling of a media message', () => {
  let taken = 0
  fc.assert(
    fc.property(mediaSpelling, (text) => {
      JSON.parse(text)
      const fast = scanned(text)
      if (fast === null) return
      taken += 1
      assert.deepEqual(fast, parsed(text))
    }),
    { numRuns: 5000 },
  )
  assert.ok(taken > 200, `the property must not hold by declining: ${taken} taken`)
})

it('whatever the scanner takes of damaged messages, JSON.parse reads alike', () => {
  const edit = fc.tuple(fc.nat(200), fc.nat(255), fc.constantFrom('set', 'insert', 'delete'))
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const bytes = [...bytesOf(asTwilioSends)]
      for (const [at, value, kind] of edits) {
        if (kind === 'insert') bytes.splice(at, 0, value)
        else if (kind === 'delete') bytes.splice(at, 1)
        else bytes[at % bytes.length] = value
      }
      const damaged = Uint8Array.from(bytes)
      if (!scanner.scan(damaged)) return
      // Control characters inside strings are let through, and text frames are always UTF-8: neither is compared.
      if (damaged.some((byte) => byte < 32 || byte > 126)) return
      const fast = content(scanner)
      const slow = parseTwilioMessage(damaged)
      assert.deepEqual(fast, slow.event === 'media' ? content(slow) : slow)
    }),
    { numRuns: 5000 },
  )
})

it('arbitrary bytes never make either way throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      scanner.scan(bytes)
      parseTwilioMessage(bytes)
    }),
    { numRuns: 2000 },
  )
})
