/**
 * Twilio Media Streams: bytes of a WebSocket text message -> what it says. Two ways that agree (a property test holds
 * them together): `MediaScanner` reads a `media` message byte by byte, without JSON.parse and without allocating, and
 * declines whatever is spelled unusually; `parseTwilioMessage` reads everything. Pure, any thread.
 *
 * Messages (https://www.twilio.com/docs/voice/media-streams/websocket-messages). Numbers come as strings:
 *
 *   {"event":"connected","protocol":"Call","version":"1.0.0"}
 *   {"event":"start","sequenceNumber":"1","start":{"accountSid":"AC..","streamSid":"MZ..","callSid":"CA..",
 *     "tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
 *     "customParameters":{"k":"v"}},"streamSid":"MZ.."}
 *   {"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1","timestamp":"5",
 *     "payload":"<base64 of mu-law bytes>"},"streamSid":"MZ.."}
 *   {"event":"dtmf","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"},"streamSid":"MZ.."}
 *   {"event":"mark","sequenceNumber":"4","mark":{"name":".."},"streamSid":"MZ.."}
 *   {"event":"stop","sequenceNumber":"9","stop":{"accountSid":"AC..","callSid":"CA.."},"streamSid":"MZ.."}
 *
 * A track is spelled `inbound` or `inbound_track`, `outbound` or `outbound_track`. A number is 1 to 10 decimal digits.
 */

export type WireTrack = 'inbound' | 'outbound'

/** ms; a week. A timestamp beyond it is not a time of a call. */
export const timestampMsMax = 604_800_000
/** 32 bits; a week of two tracks at 50 messages a second needs 27. */
export const sequenceNumberMax = 4_294_967_295

/** A `media` message. `bytes[payloadStart, payloadEnd)` is base64 text. */
export interface MediaMessage {
  event: 'media'
  track: WireTrack
  /** ms from the start of the stream to the first sample. */
  timestampMs: number
  /** -1 when the message has none. */
  sequenceNumber: number
  bytes: Uint8Array
  payloadStart: number
  payloadEnd: number
}

export interface StartMessage {
  readonly event: 'start'
  readonly streamSid: string
  readonly callSid: string
  readonly accountSid: string
  /** In Twilio's order, without repetition; `['inbound']` when the message names none. */
  readonly tracks: readonly WireTrack[]
  /** Anything but `audio/x-mulaw` at 8000 Hz and 1 channel is not what we decode. */
  readonly isMulaw8k: boolean
}

export type TwilioMessage =
  | MediaMessage
  | StartMessage
  | { readonly event: 'connected' }
  | { readonly event: 'dtmf'; readonly track: WireTrack | null; readonly digit: string }
  | { readonly event: 'mark'; readonly name: string }
  | { readonly event: 'stop'; readonly callSid: string }
  | { readonly event: 'unknown' }
  | { readonly event: 'malformed'; readonly detail: string }

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const zero = 0x30
const nine = 0x39

/** 1 for the bytes a string of the fast way may hold: printable ASCII but quote and backslash. */
const plain = new Uint8Array(256)
for (let code = 0x20; code < 0x7f; code += 1) plain[code] = code === quote || code === backslash ? 0 : 1

/** Bits of the keys that were read; a key that comes twice is left to JSON.parse, where the last one wins. */
const seen = { event: 1, sequenceNumber: 2, media: 4, track: 8, timestamp: 16, payload: 32 } as const
const seenNeeded = seen.event | seen.media | seen.track | seen.timestamp | seen.payload

const keyEvent = ascii('event')
const keySequenceNumber = ascii('sequenceNumber')
const keyMedia = ascii('media')
const keyTrack = ascii('track')
const keyTimestamp = ascii('timestamp')
const keyPayload = ascii('payload')
const wordInbound = ascii('inbound')
const wordInboundTrack = ascii('inbound_track')
const wordOutbound = ascii('outbound')
const wordOutboundTrack = ascii('outbound_track')

/**
 * The fast way. One instance per door; its fields hold the last message it took. Reads objects of plain strings and of
 * digits; an escape, a byte above 0x7E, a nested value elsewhere than `media`, a key that comes twice, or a number
 * outside of its range makes it decline, and the slow way says what the message is.
 */
export class MediaScanner implements MediaMessage {
  readonly event = 'media'
  track: WireTrack = 'inbound'
  timestampMs = 0
  sequenceNumber = -1
  bytes: Uint8Array = new Uint8Array(0)
  payloadStart = 0
  payloadEnd = 0
  #at = 0
  #end = 0
  #seen = 0

  /** True: the fields hold this message. False: declined, the fields mean nothing. */
  scan(bytes: Uint8Array): boolean {
    this.bytes = bytes
    this.#at = 0
    this.#end = bytes.length
    this.#seen = 0
    this.sequenceNumber = -1
    if (!this.#object(true)) return false
    this.#space()
    return this.#at === this.#end && (this.#seen & seenNeeded) === seenNeeded
  }

  /** One object from its brace; `isTop` tells the message from its `media`. */
  #object(isTop: boolean): boolean {
    const { bytes } = this
    this.#space()
    if (bytes[this.#at] !== openBrace) return false
    this.#at += 1
    for (;;) {
      this.#space()
      const keyStart = this.#at + 1
      if (!this.#string()) return false
      const keyEnd = this.#at - 1
      this.#space()
      if (bytes[this.#at] !== colon) return false
      this.#at += 1
      this.#space()
      if (!(isTop ? this.#topValue(keyStart, keyEnd) : this.#mediaValue(keyStart, keyEnd))) return false
      this.#space()
      const next = bytes[this.#at]
      this.#at += 1
      if (next === closeBrace) return true
      if (next !== comma) return false
    }
  }

  #topValue(keyStart: number, keyEnd: number): boolean {
    const { bytes } = this
    if (equals(bytes, keyStart, keyEnd, keyEvent)) {
      const start = this.#at + 1
      return this.#once(seen.event) && this.#string() && equals(bytes, start, this.#at - 1, keyMedia)
    }
    if (equals(bytes, keyStart, keyEnd, keySequenceNumber)) {
      this.sequenceNumber = this.#number(sequenceNumberMax)
      return this.sequenceNumber >= 0 && this.#once(seen.sequenceNumber)
    }
    if (equals(bytes, keyStart, keyEnd, keyMedia)) return this.#once(seen.media) && this.#object(false)
    return this.#skip()
  }

  #mediaValue(keyStart: number, keyEnd: number): boolean {
    const { bytes } = this
    if (equals(bytes, keyStart, keyEnd, keyTrack)) {
      const start = this.#at + 1
      return this.#once(seen.track) && this.#string() && this.#trackName(start, this.#at - 1)
    }
    if (equals(bytes, keyStart, keyEnd, keyTimestamp)) {
      this.timestampMs = this.#number(timestampMsMax)
      return this.timestampMs >= 0 && this.#once(seen.timestamp)
    }
    if (equals(bytes, keyStart, keyEnd, keyPayload)) {
      this.payloadStart = this.#at + 1
      if (!this.#once(seen.payload) || !this.#string()) return false
      this.payloadEnd = this.#at - 1
      return this.payloadEnd > this.payloadStart
    }
    return this.#skip()
  }

  #trackName(start: number, end: number): boolean {
    const { bytes } = this
    if (equals(bytes, start, end, wordInbound) || equals(bytes, start, end, wordInboundTrack)) this.track = 'inbound'
    else if (equals(bytes, start, end, wordOutbound) || equals(bytes, start, end, wordOutboundTrack)) {
      this.track = 'outbound'
    } else return false
    return true
  }

  #once(key: number): boolean {
    const isFirst = (this.#seen & key) === 0
    this.#seen |= key
    return isFirst
  }

  /** A value that does not matter: a plain string or bare digits. */
  #skip(): boolean {
    return this.bytes[this.#at] === quote ? this.#string() : this.#number(Number.MAX_SAFE_INTEGER) >= 0
  }

  /**
   * Moves past a string of plain bytes; the contents lie between the position before + 1 and the position after - 1.
   */
  #string(): boolean {
    const { bytes } = this
    const end = this.#end
    let at = this.#at
    if (bytes[at] !== quote) return false
    at += 1
    while (at < end && plain[bytes[at]!] === 1) at += 1
    if (at >= end || bytes[at] !== quote) return false
    this.#at = at + 1
    return true
  }

  /** `123` or `"123"`, 1 to 10 digits; -1 for anything else, and for bare digits with a leading zero (not JSON). */
  #number(max: number): number {
    const { bytes } = this
    let at = this.#at
    const isQuoted = bytes[at] === quote
    if (isQuoted) at += 1
    const start = at
    let value = 0
    while (at < this.#end && bytes[at]! >= zero && bytes[at]! <= nine) {
      value = value * 10 + bytes[at]! - zero
      at += 1
    }
    const digits = at - start
    if (digits === 0 || digits > 10 || value > max) return -1
    if (isQuoted) {
      if (bytes[at] !== quote) return -1
      at += 1
    } else if (digits > 1 && bytes[start] === zero) return -1
    this.#at = at
    return value
  }

  #space(): void {
    const { bytes } = this
    let at = this.#at
    let code = bytes[at]
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
      at += 1
      code = bytes[at]
    }
    this.#at = at
  }
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function equals(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  const { length } = word
  if (end - start !== length) return false
  for (let at = 0; at < length; at += 1) if (bytes[start + at] !== word[at]) return false
  return true
}

/** The slow way: every message in every spelling. Never throws. */
export function parseTwilioMessage(bytes: Uint8Array): TwilioMessage {
  let message: unknown
  try {
    message = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  } catch {
    return malformed('not JSON')
  }
  if (!isObject(message)) return malformed('not an object')
  switch (message['event']) {
    case 'media':
      return mediaMessage(message)
    case 'start':
      return startMessage(message)
    case 'connected':
      return { event: 'connected' }
    case 'stop': {
      const stop = message['stop']
      return { event: 'stop', callSid: isObject(stop) ? text(stop['callSid']) : '' }
    }
    case 'dtmf': {
      const dtmf = message['dtmf']
      if (!isObject(dtmf)) return malformed('dtmf without its object')
      return { event: 'dtmf', track: wireTrack(dtmf['track']), digit: text(dtmf['digit']) }
    }
    case 'mark': {
      const mark = message['mark']
      return { event: 'mark', name: isObject(mark) ? text(mark['name']) : '' }
    }
    default:
      return typeof message['event'] === 'string' ? { event: 'unknown' } : malformed('event is not a string')
  }
}

function mediaMessage(message: Record<string, unknown>): TwilioMessage {
  const media = message['media']
  if (!isObject(media)) return malformed('media without its object')
  const track = wireTrack(media['track'])
  if (track === null) return malformed('media.track')
  const timestampMs = wireNumber(media['timestamp'], timestampMsMax)
  if (timestampMs < 0) return malformed('media.timestamp')
  const hasSequence = message['sequenceNumber'] !== undefined
  const sequenceNumber = hasSequence ? wireNumber(message['sequenceNumber'], sequenceNumberMax) : -1
  if (hasSequence && sequenceNumber < 0) return malformed('sequenceNumber')
  const payload = media['payload']
  if (typeof payload !== 'string' || !/^[\x20-\x7e]+$/.test(payload)) return malformed('media.payload')
  const bytes = Buffer.from(payload, 'latin1')
  return { event: 'media', track, timestampMs, sequenceNumber, bytes, payloadStart: 0, payloadEnd: bytes.length }
}

function startMessage(message: Record<string, unknown>): TwilioMessage {
  const start = message['start']
  if (!isObject(start)) return malformed('start without its object')
  const streamSid = text(start['streamSid']) || text(message['streamSid'])
  const named = Array.isArray(start['tracks']) ? start['tracks'].slice(0, 4) : ['inbound']
  const tracks = [...new Set(named.map(wireTrack))].filter((track) => track !== null)
  const format = isObject(start['mediaFormat']) ? start['mediaFormat'] : {}
  const isMulaw8k =
    (format['encoding'] ?? 'audio/x-mulaw') === 'audio/x-mulaw' &&
    Number(format['sampleRate'] ?? 8000) === 8000 &&
    Number(format['channels'] ?? 1) === 1
  const callSid = text(start['callSid'])
  const accountSid = text(start['accountSid'])
  if (streamSid === '' || callSid === '' || accountSid === '') return malformed('start without its SIDs')
  return { event: 'start', streamSid, callSid, accountSid, tracks, isMulaw8k }
}

function malformed(detail: string): TwilioMessage {
  return { event: 'malformed', detail }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A string of at most 256 characters; anything else is empty. */
function text(value: unknown): string {
  return typeof value === 'string' && value.length <= 256 ? value : ''
}

function wireTrack(value: unknown): WireTrack | null {
  if (value === 'inbound' || value === 'inbound_track') return 'inbound'
  return value === 'outbound' || value === 'outbound_track' ? 'outbound' : null
}

/** A whole number within [0, max], written as digits in a string or as a JSON number; -1 for anything else. */
function wireNumber(value: unknown, max: number): number {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 && value <= max ? value + 0 : -1
  if (typeof value !== 'string' || !/^\d{1,10}$/.test(value)) return -1
  const number = Number(value)
  return number <= max ? number : -1
}
