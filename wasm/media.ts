/**
 * One pass over a `media` message in the very form in which Twilio sends it: keys in Twilio's order, no whitespace, no
 * escapes, numbers in quotes. The stretches of text between what varies are tables that the host writes, so that they
 * stand in one place (src/wire/twilio-media-scanner.ts); whatever differs from them is left to the host.
 *
 *   TEXT   {"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"3","timestamp":"60",...
 *          |------------- stretch 0 ---------| |--------- stretch 1 or 2 ------|   |- stretch 3 -|   |- stretch 4 -|
 *   MEDIA  sequenceNumber u32 | timestampMs u32 | payloadEnd i32 | track i32 (0 inbound, 1 outbound)
 *   + 64   6 stretches of 64 bytes: length i32, 12 unused, text of 8 to 48 bytes
 */
import { MEDIA, TEXT } from './memory-map'

const QUOTE: i32 = 0x22
const STRETCHES: i32 = MEDIA + 64
const STRETCH_BYTES: i32 = 64
const STRETCH_TEXT: i32 = 16
const DIGITS_MAX: i32 = 10

/** Where the number read last ends, behind its quote. */
let numberEnd: i32 = 0

/** Is stretch `index` the text at `at`? Eight bytes a step; the last step overlaps the one before. */
function holds(at: i32, index: i32, end: i32): bool {
  const stretch = STRETCHES + index * STRETCH_BYTES
  const length = load<i32>(stretch)
  if (at + length > end) return false
  const text = stretch + STRETCH_TEXT
  const last = length - 8
  for (let i = 0; i < last; i += 8) {
    if (load<u64>(at + i) !== load<u64>(text + i)) return false
  }
  return load<u64>(at + last) === load<u64>(text + last)
}

/** The number in quotes at `at`, 1 to 10 digits; -1 for anything else. Digits beyond `end` are no digits of it. */
function number(at: i32, end: i32): i64 {
  if (load<u8>(at) !== QUOTE) return -1
  let from = at + 1
  let value: i64 = 0
  let digit = <i32>load<u8>(from) - 48
  while (digit >= 0 && digit <= 9 && from <= at + DIGITS_MAX) {
    value = value * 10 + digit
    from += 1
    digit = <i32>load<u8>(from) - 48
  }
  if (from === at + 1 || from >= end || load<u8>(from) !== QUOTE) return -1
  numberEnd = from + 1
  return value
}

/** Where the string that runs at `at` ends (its quote); -1 when a backslash or `end` comes before. */
function stringEnd(at: i32, end: i32): i32 {
  const quotes = i8x16.splat(0x22)
  const backslashes = i8x16.splat(0x5c)
  while (at < end) {
    const text = v128.load(at)
    const mask = i8x16.bitmask(v128.or(v128.eq<i8>(text, quotes), v128.eq<i8>(text, backslashes)))
    if (mask !== 0) {
      at += ctz(mask)
      return at < end && load<u8>(at) === QUOTE ? at : -1
    }
    at += 16
  }
  return -1
}

/**
 * Reads the message of `count` bytes at TEXT; the results stand at MEDIA. Where its payload begins, or 0: not in
 * Twilio's form, or a number is larger than its limit.
 */
export function scanMedia(count: i32, sequenceNumberMax: u32, timestampMsMax: u32): i32 {
  const end = TEXT + count
  if (!holds(TEXT, 0, end)) return 0
  const sequenceNumber = number(TEXT + load<i32>(STRETCHES), end)
  if (sequenceNumber < 0 || sequenceNumber > <i64>sequenceNumberMax) return 0
  const track = holds(numberEnd, 1, end) ? 0 : 1
  if (track === 1 && !holds(numberEnd, 2, end)) return 0
  if (number(numberEnd + load<i32>(STRETCHES + (1 + track) * STRETCH_BYTES), end) < 0) return 0
  if (!holds(numberEnd, 3, end)) return 0
  const timestampMs = number(numberEnd + load<i32>(STRETCHES + 3 * STRETCH_BYTES), end)
  if (timestampMs < 0 || timestampMs > <i64>timestampMsMax) return 0
  if (!holds(numberEnd, 4, end)) return 0
  const payload = numberEnd + load<i32>(STRETCHES + 4 * STRETCH_BYTES)
  const payloadEnd = stringEnd(payload, end)
  if (payloadEnd <= payload || !holds(payloadEnd, 5, end)) return 0
  const streamSid = payloadEnd + load<i32>(STRETCHES + 5 * STRETCH_BYTES)
  // The quote that ends the stream's name, and the brace behind it, are the last two bytes.
  if (stringEnd(streamSid, end) !== end - 2 || load<u8>(end - 1) !== 0x7d) return 0
  store<u32>(MEDIA, <u32>sequenceNumber)
  store<u32>(MEDIA + 4, <u32>timestampMs)
  store<i32>(MEDIA + 8, payloadEnd)
  store<i32>(MEDIA + 12, track)
  return payload
}
