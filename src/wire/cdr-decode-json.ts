/**
 * JSON records: an object, an array of objects, or objects one behind the other (how event streams send them);
 * NDJSON; and netstrings (Kamailio evapi). A scanner finds where each record ends by depth and strings, without
 * parsing, so a file of any size needs the memory of one record, and one malformed record is one rejection. Any
 * thread.
 *
 *   [{"uuid":"…"},{"uuid":"…"}]        {"uuid":"…"}\n{"uuid":"…"}        12:{"event":1},
 */
import { LineCutter, type LineListener } from './cdr-decode-lines.ts'
import { decodeText, joinBytes, type RawSink, type RecordDecoder, recordBytesMax } from './cdr-raw.ts'

const quote = 0x22
const backslash = 0x5c

/** Gives one record's bytes as a record, or as a problem. */
export function parseJsonRecord(bytes: Uint8Array, index: number, line: number, sink: RawSink): void {
  const { text, badUtf8 } = decodeText(bytes)
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    // The engine's message quotes the text, and with it phone numbers: it is not repeated.
    sink.undecodable({ index, line, code: 'json_malformed', detail: `not readable as JSON (${bytes.length} bytes)` })
    return
  }
  sink.record({ index, line, fields, columns: null, badUtf8 })
}

export class NdjsonDecoder implements RecordDecoder, LineListener {
  readonly #lines = new LineCutter()
  #sink: RawSink | null = null
  #index = 0

  push(chunk: Uint8Array, sink: RawSink): void {
    this.#sink = sink
    this.#lines.push(chunk, this)
  }

  end(sink: RawSink): void {
    this.#sink = sink
    this.#lines.end(this)
  }

  line(bytes: Uint8Array, lineNumber: number): void {
    if (this.#sink === null || !bytes.some((byte) => byte > 0x20)) return
    parseJsonRecord(bytes, this.#index++, lineNumber, this.#sink)
  }

  tooLong(lineNumber: number): void {
    const detail = `line ${lineNumber} is longer than a record may be`
    this.#sink?.undecodable({ index: this.#index++, line: lineNumber, code: 'record_too_large', detail })
  }
}

/**
 * Depth counts open braces and brackets, the brackets of an outer array not among them:
 *
 *   [ {"a":[1,2]} , {"b":{}} ]
 *     ^depth 1  ^0  ^1     ^0      a record is what lies between leaving and reaching depth 0
 */
export class JsonDecoder implements RecordDecoder {
  #rest: Uint8Array | null = null
  #index = 0
  #line = 1
  #recordLine = 1
  #depth = 0
  #inString = false
  #escaped = false
  #skipping = false

  push(chunk: Uint8Array, sink: RawSink): void {
    // Bytes of `#rest` have been scanned already: only the state is carried on.
    const scanned = this.#rest?.length ?? 0
    const bytes = joinBytes(this.#rest, chunk)
    let start = this.#rest === null ? -1 : 0
    for (let at = scanned; at < bytes.length; at++) {
      const byte = bytes[at]!
      if (byte === 0x0a) this.#line++
      if (this.#inString) {
        this.#string(byte)
        continue
      }
      if (byte === quote && this.#depth > 0) this.#inString = true
      else if (byte === 0x7b || (byte === 0x5b && this.#depth > 0)) {
        if (this.#depth++ === 0) {
          if (start >= 0) this.#stray(bytes.subarray(start, at), sink)
          start = at
          this.#recordLine = this.#line
        }
      } else if ((byte === 0x7d || byte === 0x5d) && this.#depth > 0) {
        if (--this.#depth > 0) continue
        this.#finish(bytes.subarray(start, at + 1), sink)
        start = -1
      } else if (this.#depth === 0) {
        // Between records: white space, commas and the outer brackets. Anything else is not JSON.
        if (byte <= 0x20 || byte === 0x2c || byte === 0x5b || byte === 0x5d || byte === 0xef) {
          if (start >= 0) this.#stray(bytes.subarray(start, at), sink)
          start = -1
        } else if (start < 0 && byte !== 0xbb && byte !== 0xbf) {
          start = at
          this.#recordLine = this.#line
        }
      }
    }
    this.#rest = start >= 0 ? Uint8Array.prototype.slice.call(bytes, start) : null
    this.#limit(sink)
  }

  end(sink: RawSink): void {
    const rest = this.#rest
    this.#rest = null
    if (rest === null) return
    if (this.#depth === 0) this.#stray(rest, sink)
    else if (!this.#skipping) {
      const detail = 'the text ends inside a record'
      sink.undecodable({ index: this.#index++, line: this.#recordLine, code: 'record_truncated', detail })
    }
  }

  #string(byte: number): void {
    if (this.#escaped) this.#escaped = false
    else if (byte === backslash) this.#escaped = true
    else if (byte === quote) this.#inString = false
  }

  #finish(bytes: Uint8Array, sink: RawSink): void {
    if (this.#skipping) this.#skipping = false
    else if (bytes.length > recordBytesMax) this.#tooLarge(sink)
    else parseJsonRecord(bytes, this.#index++, this.#recordLine, sink)
  }

  #tooLarge(sink: RawSink): void {
    const detail = `more than ${recordBytesMax} bytes`
    sink.undecodable({ index: this.#index++, line: this.#recordLine, code: 'record_too_large', detail })
  }

  #stray(bytes: Uint8Array, sink: RawSink): void {
    parseJsonRecord(bytes, this.#index++, this.#recordLine, sink)
  }

  /** A record over the limit keeps its depth but not its bytes. */
  #limit(sink: RawSink): void {
    if (this.#rest === null || this.#rest.length <= recordBytesMax) return
    if (!this.#skipping) this.#tooLarge(sink)
    this.#skipping = true
    this.#rest = this.#depth > 0 ? new Uint8Array(0) : null
  }
}

/** `<length>:<bytes>,` (D. J. Bernstein's netstrings). A wrong length loses the frame: the rest is one rejection. */
export class NetstringDecoder implements RecordDecoder {
  #rest: Uint8Array | null = null
  #index = 0
  #broken = false

  push(chunk: Uint8Array, sink: RawSink): void {
    if (this.#broken) return
    const bytes = joinBytes(this.#rest, chunk)
    let at = 0
    for (;;) {
      while (at < bytes.length && bytes[at]! <= 0x20) at++
      const colon = bytes.indexOf(0x3a, at)
      if (colon < 0 && bytes.length - at < 9) break
      const digits = colon < 0 ? '' : bytes.subarray(at, Math.min(colon, at + 10)).toString('latin1')
      const length = /^\d{1,8}$/.test(digits) ? Number(digits) : -1
      const end = colon + 1 + length
      if (length < 0 || length > recordBytesMax || (end < bytes.length && bytes[end] !== 0x2c)) {
        this.#broken = true
        const detail = 'expected <length>:<bytes>,; the frames behind cannot be found'
        sink.undecodable({ index: this.#index, line: this.#index + 1, code: 'netstring_malformed', detail })
        this.#rest = null
        return
      }
      if (end >= bytes.length) break
      parseJsonRecord(bytes.subarray(colon + 1, end), this.#index, this.#index + 1, sink)
      this.#index++
      at = end + 1
    }
    this.#rest = at < bytes.length ? Uint8Array.prototype.slice.call(bytes, at) : null
  }

  end(sink: RawSink): void {
    if (this.#rest === null) return
    const detail = 'the bytes end inside a netstring'
    sink.undecodable({ index: this.#index, line: this.#index + 1, code: 'record_truncated', detail })
  }
}
