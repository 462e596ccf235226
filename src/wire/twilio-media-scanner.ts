/**
 * Reads Twilio's `media` messages without JSON.parse and without allocating: 50 come a second for each live track.
 * Twilio's own form is read by a kernel (wasm/media.ts), any other spelling by the loop below. The format stands in
 * twilio-media.ts, whose `parseTwilioMessage` is the oracle: what is taken here reads there alike, what is declined
 * here is left to it. Pure, any thread.
 */
import { type MediaMessage, sequenceNumberMax, timestampMsMax, type WireTrack } from './twilio-media.ts'

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const zero = 0x30
const nine = 0x39

/** The keys that matter, each a bit; a key that comes twice is left to JSON.parse, where the last one wins. */
const key = { other: 0, event: 1, sequenceNumber: 2, media: 4, track: 8, timestamp: 16, payload: 32 } as const
const keysNeeded = key.event | key.media | key.track | key.timestamp | key.payload

// With the quotes around them, so that a longer word does not match.
const keyEvent = ascii('"event"')
const keySequenceNumber = ascii('"sequenceNumber"')
const keyMedia = ascii('"media"')
const keyTrack = ascii('"track"')
const keyTimestamp = ascii('"timestamp"')
const keyPayload = ascii('"payload"')
const wordInbound = ascii('"inbound"')
const wordInboundTrack = ascii('"inbound_track"')
const wordOutbound = ascii('"outbound"')
const wordOutboundTrack = ascii('"outbound_track"')

/** The stretches between what varies in a message as Twilio sends it, the numbers with both of their quotes. */
const stretches = [
  '{"event":"media","sequenceNumber":',
  ',"media":{"track":"inbound","chunk":',
  ',"media":{"track":"outbound","chunk":',
  ',"timestamp":',
  ',"payload":"',
  '"},"streamSid":"',
] as const
/** As wasm/media.ts lays them out. */
const stretchesOffset = 64
const stretchBytes = 64
const stretchTextOffset = 16

/** What the scanner needs of the kernels (src/audio/kernels.ts): its memory, and the pass over Twilio's own form. */
export interface MediaKernel {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly at: { readonly TEXT: number; readonly TEXT_CHARS_MAX: number; readonly MEDIA: number }
  readonly run: { scanMedia(count: number, sequenceNumberMax: number, timestampMsMax: number): number }
}

/** Bytes of a key with its quotes, by its bit. */
const keyBytes = new Uint8Array(64)
for (const [bit, word] of [
  [key.event, keyEvent],
  [key.sequenceNumber, keySequenceNumber],
  [key.media, keyMedia],
  [key.track, keyTrack],
  [key.timestamp, keyTimestamp],
  [key.payload, keyPayload],
] as const) {
  keyBytes[bit] = word.length
}

/** Native search for one byte: a fifth of what a loop takes. */
const { indexOf } = Buffer.prototype

/**
 * One instance per door; its fields hold the last message it took. Reads objects of strings and of digits in one pass;
 * an escape, a nested value elsewhere than `media`, a key that comes twice, or a number out of its range makes it
 * decline, and the slow way says what the message is. Control characters inside strings (not JSON) pass here: the
 * payload's alphabet is its decoder's business, and no other free string is used.
 */
export class MediaScanner implements MediaMessage {
  readonly event = 'media'
  track: WireTrack = 'inbound'
  timestampMs = 0
  sequenceNumber = -1
  bytes: Uint8Array = new Uint8Array(0)
  payloadStart = 0
  payloadEnd = 0
  #numberEnd = 0
  readonly #kernel: MediaKernel

  constructor(kernel: MediaKernel) {
    this.#kernel = kernel
    const { bytes, words, at } = kernel
    for (const [index, text] of stretches.entries()) {
      const place = at.MEDIA + stretchesOffset + index * stretchBytes
      words[place / 4] = text.length
      bytes.set(ascii(text), place + stretchTextOffset)
    }
  }

  /** True: the fields hold this message until the next one. False: declined, the fields mean nothing. */
  scan(bytes: Uint8Array): boolean {
    if (this.#asTwilioSends(bytes)) return true
    this.bytes = bytes
    return indexOf.call(bytes, backslash, 0) === -1 && this.#anyOrder(bytes)
  }

  /**
   * Twilio's own order of keys without whitespace. The copy into the kernel's memory costs less than the second view
   * and the searches that reading it in place would need, and all reads after it are of memory that nobody detaches.
   */
  #asTwilioSends(bytes: Uint8Array): boolean {
    const { bytes: memory, words, at, run } = this.#kernel
    if (bytes.length > at.TEXT_CHARS_MAX) return false
    memory.set(bytes, at.TEXT)
    const payloadStart = run.scanMedia(bytes.length, sequenceNumberMax, timestampMsMax)
    if (payloadStart === 0) return false
    const fields = at.MEDIA / 4
    this.bytes = memory
    this.sequenceNumber = words[fields]! >>> 0
    this.timestampMs = words[fields + 1]! >>> 0
    this.payloadStart = payloadStart
    this.payloadEnd = words[fields + 2]!
    this.track = words[fields + 3] === 0 ? 'inbound' : 'outbound'
    return true
  }

  #anyOrder(bytes: Uint8Array): boolean {
    this.sequenceNumber = -1
    let at = space(bytes, 0)
    if (bytes[at] !== openBrace) return false
    let seen = 0
    let isInMedia = false
    for (;;) {
      at = space(bytes, at + 1)
      const name = isInMedia ? mediaKeyAt(bytes, at) : topKeyAt(bytes, at)
      if ((seen & name) !== 0) return false
      seen |= name
      at = name === key.other ? afterString(bytes, at) : at + keyBytes[name]!
      at = space(bytes, at)
      if (bytes[at] !== colon) return false
      at = space(bytes, at + 1)
      if (name === key.media) {
        if (bytes[at] !== openBrace) return false
        isInMedia = true
        continue
      }
      at = this.#value(name, bytes, at)
      if (at < 0) return false
      at = space(bytes, at)
      if (isInMedia && bytes[at] === closeBrace) {
        isInMedia = false
        at = space(bytes, at + 1)
      }
      if (bytes[at] === comma) continue
      if (isInMedia || bytes[at] !== closeBrace) return false
      return space(bytes, at + 1) === bytes.length && (seen & keysNeeded) === keysNeeded
    }
  }

  /** Reads the value of a key. Returns where it ends, or -1 to decline. */
  #value(name: number, bytes: Uint8Array, at: number): number {
    switch (name) {
      case key.event:
        return startsWith(bytes, at, keyMedia) ? at + keyMedia.length : -1
      case key.sequenceNumber:
        this.sequenceNumber = this.#number(bytes, at, sequenceNumberMax)
        return this.sequenceNumber < 0 ? -1 : this.#numberEnd
      case key.timestamp:
        this.timestampMs = this.#number(bytes, at, timestampMsMax)
        return this.timestampMs < 0 ? -1 : this.#numberEnd
      case key.track:
        return this.#track(bytes, at)
      case key.payload:
        if (bytes[at] !== quote) return -1
        this.payloadStart = at + 1
        this.payloadEnd = indexOf.call(bytes, quote, at + 1)
        return this.payloadEnd > this.payloadStart ? this.payloadEnd + 1 : -1
      default:
        if (bytes[at] === quote) return afterString(bytes, at)
        return this.#number(bytes, at, Number.MAX_SAFE_INTEGER) < 0 ? -1 : this.#numberEnd
    }
  }

  #track(bytes: Uint8Array, at: number): number {
    if (startsWith(bytes, at, wordInbound) || startsWith(bytes, at, wordInboundTrack)) this.track = 'inbound'
    else if (startsWith(bytes, at, wordOutbound) || startsWith(bytes, at, wordOutboundTrack)) this.track = 'outbound'
    else return -1
    return afterString(bytes, at)
  }

  /** `123` or `"123"`, 1 to 10 digits; -1 for anything else, and for bare digits with a leading zero (not JSON). */
  #number(bytes: Uint8Array, start: number, max: number): number {
    const isQuoted = bytes[start] === quote
    const first = isQuoted ? start + 1 : start
    let at = first
    let value = 0
    while (at < bytes.length && bytes[at]! >= zero && bytes[at]! <= nine) {
      value = value * 10 + bytes[at]! - zero
      at += 1
    }
    const digits = at - first
    this.#numberEnd = isQuoted ? at + 1 : at
    if (digits === 0 || digits > 10 || value > max) return -1
    if (isQuoted) return bytes[at] === quote ? value : -1
    return digits > 1 && bytes[first] === zero ? -1 : value
  }
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function startsWith(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
  const { length } = word
  if (start + length > bytes.length) return false
  for (let at = 0; at < length; at += 1) if (bytes[start + at] !== word[at]) return false
  return true
}

/** Which key of the message stands here, by its first letter. */
function topKeyAt(bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1]
  if (letter === 0x65) return startsWith(bytes, at, keyEvent) ? key.event : key.other
  if (letter === 0x6d) return startsWith(bytes, at, keyMedia) ? key.media : key.other
  // `streamSid` begins like `sequenceNumber`.
  return letter === 0x73 && startsWith(bytes, at, keySequenceNumber) ? key.sequenceNumber : key.other
}

/** Which key of `media` stands here. */
function mediaKeyAt(bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1]
  if (letter === 0x70) return startsWith(bytes, at, keyPayload) ? key.payload : key.other
  if (letter !== 0x74) return key.other
  if (startsWith(bytes, at, keyTimestamp)) return key.timestamp
  return startsWith(bytes, at, keyTrack) ? key.track : key.other
}

/** Past the string that begins here (there are no escapes any more); -1 when there is none. */
function afterString(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== quote) return -1
  const end = indexOf.call(bytes, quote, start + 1)
  return end < 0 ? -1 : end + 1
}

/** Past the whitespace that stands here; -1 stays -1. */
function space(bytes: Uint8Array, start: number): number {
  let at = start
  // Bounded, though the comparison alone would do: one read past the end makes every later read of the array slow.
  while (at >= 0 && at < bytes.length) {
    const code = bytes[at]!
    if (code > 0x20 || (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09)) return at
    at += 1
  }
  return at
}
