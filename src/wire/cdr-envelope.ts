/**
 * The messages of `WS /v1/cdr`: `{seq, events: [...]}` in MessagePack (binary) or JSON (text), and their answer
 * `{ack, accepted, duplicates, rejected}` in the same encoding. An envelope whose own shape is broken has no sequence
 * number to answer to and is a fault of the protocol; a broken event inside it is one rejection. A switch may also ask
 * on the same socket what to do with a call: `{ask, from, to, route?}`. Any thread.
 *
 *   binary  82 | a3 seq | 01 | a6 events | 91 80          { seq: 1, events: [ {} ] }
 *   text    {"seq":1,"events":[{}]}
 */
import { Buffer } from 'node:buffer'
import { decode, encode } from '@msgpack/msgpack'
import { MsgpackDecoder, valueEnd } from './cdr-decode-msgpack.ts'
import { decodeText, type RawSink } from './cdr-raw.ts'

/** A message with its events still to be taken. */
export interface Envelope {
  readonly seq: number
  /** Hands the events out, at most so many bytes (or events) at a time; true: there are more. */
  next(sink: RawSink): boolean
}

/** A question about a call that is to be set up: `{ask: n, from, to, route?}`; answered out of turn. */
export interface Ask {
  readonly ask: number
  readonly from: string
  readonly to: string
  readonly route: string | undefined
}

export interface EnvelopeFault {
  readonly fault: string
}

/** Events of a text message, and bytes of a binary one, that are handed out at a time. */
const eventsAtOnce = 100
const bytesAtOnce = 32_768
const keysMax = 8
const numberLengthMax = 64
const routeLengthMax = 512

export function readEnvelope(bytes: Uint8Array, isBinary: boolean): Envelope | Ask | EnvelopeFault {
  return isBinary ? readBinary(bytes) : readText(bytes)
}

function readText(bytes: Uint8Array): Envelope | Ask | EnvelopeFault {
  const { text, badUtf8 } = decodeText(bytes)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fault: 'a text message must be JSON' }
  }
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const { seq, events } = fields
  if (fields['ask'] !== undefined) return askOf(fields)
  if (!isSeq(seq) || !Array.isArray(events)) return { fault: 'expected {seq, events: [...]}' }
  let at = 0
  return {
    seq,
    next(sink) {
      const end = Math.min(events.length, at + eventsAtOnce)
      for (; at < end; at += 1) sink.record({ index: at, line: at + 1, fields: events[at], columns: null, badUtf8 })
      return at < events.length
    },
  }
}

function askOf(fields: Readonly<Record<string, unknown>>): Ask | EnvelopeFault {
  const { ask, from = '', to, route } = fields
  const isText = (text: unknown, most: number): text is string => typeof text === 'string' && text.length <= most
  const isRoute = route === undefined || route === null || isText(route, routeLengthMax)
  if (!isSeq(ask) || !isText(from, numberLengthMax) || !isText(to, numberLengthMax) || !isRoute) {
    return { fault: 'expected {ask, from, to, route?}' }
  }
  return { ask, from, to, route: route ?? undefined }
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Walks the map's keys; the events are not looked at where they are the last of them, as senders write it. */
function readBinary(bytes: Uint8Array): Envelope | Ask | EnvelopeFault {
  const type = bytes[0] ?? 0
  const fault = { fault: 'expected a map {seq, events: [...]} in MessagePack' }
  if ((type & 0xf0) !== 0x80 || (type & 0x0f) > keysMax) return fault
  let keys = type & 0x0f
  let at = 1
  let seq: number | null = null
  let events: Uint8Array | null = null
  for (; keys > 0; keys -= 1) {
    const nameLength = (bytes[at] ?? 0) - 0xa0
    if (nameLength < 0 || nameLength > 31 || at + 1 + nameLength > bytes.length) return fault
    const name = Buffer.from(bytes.buffer, bytes.byteOffset + at + 1, nameLength).toString('latin1')
    at += 1 + nameLength
    const isLast = keys === 1 && name === 'events'
    const end = isLast ? bytes.length : valueEnd(bytes, at, 0)
    if (end < 0) return fault
    if (name === 'ask') return askOfBytes(bytes)
    if (name === 'seq') seq = wholeNumber(bytes, at)
    if (name === 'events') events = bytes.subarray(at, end)
    at = end
  }
  if (!isSeq(seq) || events === null || !isArray(events[0] ?? 0)) return fault
  return slicesOf(seq, events)
}

function askOfBytes(bytes: Uint8Array): Ask | EnvelopeFault {
  try {
    return askOf(decode(bytes) as Record<string, unknown>)
  } catch {
    return { fault: 'expected {ask, from, to, route?}' }
  }
}

function isArray(type: number): boolean {
  return (type & 0xf0) === 0x90 || type === 0xdc || type === 0xdd
}

function slicesOf(seq: number, events: Uint8Array): Envelope {
  const decoder = new MsgpackDecoder()
  let at = 0
  return {
    seq,
    next(sink) {
      const end = Math.min(events.length, at + bytesAtOnce)
      decoder.push(events.subarray(at, end), sink)
      at = end
      if (at < events.length) return true
      decoder.end(sink)
      return false
    },
  }
}

/** Positive integers of every width, and floats that are whole: JavaScript senders write large ones so. */
function wholeNumber(bytes: Uint8Array, at: number): number | null {
  const type = bytes[at] ?? 0xc0
  if (type <= 0x7f) return type
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const has = (length: number): boolean => at + 1 + length <= bytes.length
  if (type === 0xcc && has(1)) return view.getUint8(at + 1)
  if (type === 0xcd && has(2)) return view.getUint16(at + 1)
  if (type === 0xce && has(4)) return view.getUint32(at + 1)
  if (type === 0xcf && has(8)) return Number(view.getBigUint64(at + 1))
  if (type === 0xd0 && has(1)) return view.getInt8(at + 1)
  if (type === 0xd1 && has(2)) return view.getInt16(at + 1)
  if (type === 0xd2 && has(4)) return view.getInt32(at + 1)
  if (type === 0xd3 && has(8)) return Number(view.getBigInt64(at + 1))
  if (type === 0xcb && has(8)) return view.getFloat64(at + 1)
  return null
}

export function encodeAck(ack: object, isBinary: boolean): string | Uint8Array {
  return isBinary ? encode(ack, { ignoreUndefined: true }) : JSON.stringify(ack)
}

/** An answer as its sender reads it; null when it is none. */
export function readAck(bytes: Uint8Array, isBinary: boolean): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = isBinary ? decode(bytes) : JSON.parse(Buffer.from(bytes).toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null
  } catch {
    return null
  }
}
