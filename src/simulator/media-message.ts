/**
 * Builds Twilio's `media` messages as bytes, by copies: everything of a track's messages that never changes is made
 * once. All messages are written into one scratch buffer, valid until the next call (the `ws` client copies while it
 * masks). Nothing is allocated per message.
 *
 *   {"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"3","timestamp":"64","payload":"//7..."},
 *    "streamSid":"MZ0123456789abcdef0123456789abcdef"}        (one line in truth; numbers are strings)
 */

/** Longest number, five texts, streamSid and 8000 bytes of audio as base64 fit. */
const scratch = Buffer.allocUnsafe(16_384)

const sequenceText = Buffer.from('{"event":"media","sequenceNumber":"')
const chunkText = { inbound: trackText('inbound'), outbound: trackText('outbound') }
const timestampText = Buffer.from('","timestamp":"')
const payloadText = Buffer.from('","payload":"')

function trackText(track: string): Buffer {
  return Buffer.from(`","media":{"track":"${track}","chunk":"`)
}

/** The part after the payload, for one stream. */
export function mediaTail(streamSid: string): Buffer {
  return Buffer.from(`"},"streamSid":"${streamSid}"}`)
}

export interface MediaNumbers {
  readonly track: 'inbound' | 'outbound'
  readonly sequenceNumber: number
  readonly chunk: number
  readonly timestampMs: number
}

/** The message's bytes; a view of the scratch buffer. `payload` is base64 text. */
export function mediaMessage(numbers: MediaNumbers, payload: Uint8Array, tail: Uint8Array): Buffer {
  let at = put(sequenceText, 0)
  at = putNumber(numbers.sequenceNumber, at)
  at = put(chunkText[numbers.track], at)
  at = putNumber(numbers.chunk, at)
  at = put(timestampText, at)
  at = putNumber(numbers.timestampMs, at)
  at = put(payloadText, at)
  at = put(payload, at)
  at = put(tail, at)
  return scratch.subarray(0, at)
}

function put(bytes: Uint8Array, at: number): number {
  scratch.set(bytes, at)
  return at + bytes.length
}

/** Decimal digits of a whole number >= 0. */
function putNumber(value: number, at: number): number {
  let end = at + 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end++
  let rest = value
  for (let digit = end - 1; digit >= at; digit--) {
    scratch[digit] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end
}
