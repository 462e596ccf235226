/**
 * MessagePack records: a map, an array of maps, or values one behind the other. A walk over the type bytes finds
 * where each value ends, so records are decoded one by one and a file of any size needs the memory of one. The only
 * importer of @msgpack/msgpack. Any thread.
 */
import { Decoder } from '@msgpack/msgpack'
import { decodeText, joinBytes, type RawSink, type RecordDecoder, recordBytesMax } from './cdr-raw.ts'

const decoder = new Decoder()
/**
 * The library takes bytes that are no UTF-8 for something, and what follows them with it; texts with bytes above 0x7f
 * are therefore handed over as bytes, and read here.
 */
const rawDecoder = new Decoder({ rawStrings: true })

/** Nesting of a record; deeper ones are malformed. */
const depthMax = 32

export class MsgpackDecoder implements RecordDecoder {
  #rest: Uint8Array | null = null
  #index = 0
  /** Elements of an outer array that are still to come. */
  #elementsLeft = 0
  #broken = false

  push(chunk: Uint8Array, sink: RawSink): void {
    if (this.#broken) return
    const bytes = joinBytes(this.#rest, chunk)
    let at = 0
    while (at < bytes.length) {
      if (this.#elementsLeft === 0) {
        const header = arrayHeader(bytes, at)
        if (header === null) break
        if (header.size > 0) {
          this.#elementsLeft = header.elements
          at += header.size
          continue
        }
      }
      hasHighBytes = false
      const end = valueEnd(bytes, at, 0)
      if (end === malformed || (end === incomplete && bytes.length - at > recordBytesMax)) {
        this.#broken = true
        const code = end === malformed ? 'msgpack_malformed' : 'record_too_large'
        const detail = `record ${this.#index + 1}: the values behind it cannot be found`
        sink.undecodable({ index: this.#index, line: this.#index + 1, code, detail })
        this.#rest = null
        return
      }
      if (end === incomplete) break
      this.#value(bytes.subarray(at, end), sink)
      if (this.#elementsLeft > 0) this.#elementsLeft--
      at = end
    }
    this.#rest = at < bytes.length ? Uint8Array.prototype.slice.call(bytes, at) : null
  }

  end(sink: RawSink): void {
    if (this.#rest === null && this.#elementsLeft === 0) return
    if (this.#broken) return
    const detail = 'the bytes end inside a value'
    sink.undecodable({ index: this.#index, line: this.#index + 1, code: 'record_truncated', detail })
  }

  #value(bytes: Uint8Array, sink: RawSink): void {
    const index = this.#index++
    try {
      const state = { badUtf8: false }
      const fields = textsOf((hasHighBytes ? rawDecoder : decoder).decode(bytes), state)
      sink.record({ index, line: index + 1, fields, columns: null, badUtf8: state.badUtf8 })
    } catch {
      sink.undecodable({ index, line: index + 1, code: 'msgpack_malformed', detail: 'not readable as MessagePack' })
    }
  }
}

/** Binary values are texts of a sender that does not know better. Text with U+FFFD counts as bad bytes. */
function textsOf(value: unknown, state: { badUtf8: boolean }): unknown {
  if (typeof value === 'string') {
    if (value.includes('\uFFFD')) state.badUtf8 = true
    return value
  }
  if (value instanceof Uint8Array) {
    const decoded = decodeText(value)
    if (decoded.badUtf8) state.badUtf8 = true
    return decoded.text
  }
  if (typeof value !== 'object' || value === null) return value
  const tree = value as Record<string, unknown>
  for (const key in tree) {
    const item = tree[key]
    if (typeof item === 'object' || typeof item === 'string') tree[key] = textsOf(item, state)
  }
  return value
}

const incomplete = -1
const malformed = -2

/** An array at the outermost level holds the records. `size` 0: not an array; null: more bytes needed. */
function arrayHeader(bytes: Uint8Array, at: number): { size: number; elements: number } | null {
  const type = bytes[at]!
  if ((type & 0xf0) === 0x90) return { size: 1, elements: type & 0x0f }
  if (type !== 0xdc && type !== 0xdd) return { size: 0, elements: 0 }
  const size = type === 0xdc ? 3 : 5
  if (at + size > bytes.length) return null
  return { size, elements: uint(bytes, at + 1, size - 1) }
}

function uint(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let offset = 0; offset < length; offset++) value = value * 256 + bytes[at + offset]!
  return value
}

/** Bytes behind the type byte of types 0xc0..0xdf: fixed, or (negative) as many length bytes. 0xc1 is never used. */
const sizes: readonly (number | null)[] = [
  0,
  null,
  0,
  0,
  -1,
  -2,
  -4,
  1.1,
  2.1,
  4.1,
  4,
  8,
  1,
  2,
  4,
  8,
  1,
  2,
  4,
  8,
  2,
  3,
  5,
  9,
  17,
  -1,
  -2,
  -4,
]

/** Some text of the value that `valueEnd` walked last has bytes above 0x7f. */
let hasHighBytes = false

/** The end of a text; notes whether it is plain ASCII. */
function textEnd(bytes: Uint8Array, at: number, end: number): number {
  if (end > bytes.length) return incomplete
  for (let index = at; index < end; index++) {
    if (bytes[index]! > 0x7f) {
      hasHighBytes = true
      break
    }
  }
  return end
}

/** Where the value that begins at `at` ends; `incomplete` or `malformed` otherwise. */
export function valueEnd(bytes: Uint8Array, at: number, depth: number): number {
  if (at >= bytes.length) return incomplete
  if (depth > depthMax) return malformed
  const type = bytes[at]!
  if (type <= 0x7f || type >= 0xe0) return at + 1
  if (type >= 0xa0 && type <= 0xbf) return textEnd(bytes, at + 1, at + 1 + (type & 0x1f))
  if (type < 0x90) return itemsEnd(bytes, at + 1, (type & 0x0f) * 2, depth)
  if (type < 0xa0) return itemsEnd(bytes, at + 1, type & 0x0f, depth)
  if (type >= 0xdc) {
    const lengthBytes = type === 0xdc || type === 0xde ? 2 : 4
    if (at + 1 + lengthBytes > bytes.length) return incomplete
    const items = uint(bytes, at + 1, lengthBytes) * (type >= 0xde ? 2 : 1)
    return itemsEnd(bytes, at + 1 + lengthBytes, items, depth)
  }
  const size = sizes[type - 0xc0]
  if (size === null || size === undefined) return malformed
  if (Number.isInteger(size) && size >= 0) return within(bytes, at + 1 + size)
  // x.1 marks the ext types: a type byte follows the length.
  const lengthBytes = size < 0 ? -size : Math.trunc(size)
  if (at + 1 + lengthBytes > bytes.length) return incomplete
  const length = uint(bytes, at + 1, lengthBytes) + (size < 0 ? 0 : 1)
  if (type >= 0xd9) return textEnd(bytes, at + 1 + lengthBytes, at + 1 + lengthBytes + length)
  return within(bytes, at + 1 + lengthBytes + length)
}

function within(bytes: Uint8Array, end: number): number {
  return end <= bytes.length ? end : incomplete
}

function itemsEnd(bytes: Uint8Array, at: number, items: number, depth: number): number {
  let end = at
  for (let item = 0; item < items; item++) {
    end = valueEnd(bytes, end, depth + 1)
    if (end < 0) return end
  }
  return end
}
