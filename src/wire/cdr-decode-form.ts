/**
 * Form posts. FreeSWITCH mod_json_cdr sends `cdr=<percent-encoded JSON>` or `cdr=<base64>` (mod_format_cdr also
 * XML), and leaves the same text in its error directory when nobody took it; Twilio sends the record itself as the
 * form's fields. A file holds one form a line. Any thread.
 *
 *   cdr=%7B%22variables%22%3A…     cdr=eyJ2YXJpYWJsZXMi…      CallSid=CA…&CallStatus=completed&CallDuration=42
 */
import { Buffer } from 'node:buffer'
import { parseJsonRecord } from './cdr-decode-json.ts'
import { LineCutter, type LineListener } from './cdr-decode-lines.ts'
import { parseXmlRecord } from './cdr-decode-xml.ts'
import { decodePercent, decodeText, percentBytes, type RawSink, type RecordDecoder } from './cdr-raw.ts'

export class FormDecoder implements RecordDecoder, LineListener {
  readonly #base64: boolean
  readonly #lines = new LineCutter()
  #sink: RawSink | null = null
  #index = 0

  /** `base64`: the value of `cdr=` is base64 whatever it looks like. */
  constructor(base64: boolean) {
    this.#base64 = base64
  }

  push(chunk: Uint8Array, sink: RawSink): void {
    this.#sink = sink
    this.#lines.push(chunk, this)
  }

  end(sink: RawSink): void {
    this.#sink = sink
    this.#lines.end(this)
  }

  line(bytes: Uint8Array, lineNumber: number): void {
    const sink = this.#sink
    if (sink === null || !bytes.some((byte) => byte > 0x20)) return
    const { text, badUtf8 } = decodeText(bytes)
    const index = this.#index++
    const payload = cdrValue(text.trim())
    if (payload !== null) this.#payload(payload, index, lineNumber, sink)
    else this.#fields(text.trim(), badUtf8, index, lineNumber, sink)
  }

  tooLong(lineNumber: number): void {
    const detail = `line ${lineNumber} is longer than a record may be`
    this.#sink?.undecodable({ index: this.#index++, line: lineNumber, code: 'record_too_large', detail })
  }

  /** The value of `cdr=`: JSON or XML, in base64 when it does not begin like either. */
  #payload(value: string, index: number, line: number, sink: RawSink): void {
    const plain = this.#base64 ? null : percentBytes(value.includes('+') ? value.replaceAll('+', ' ') : value)
    const bytes = plain !== null && isDocument(plain) ? plain : base64Bytes(value)
    if (bytes === null) {
      sink.undecodable({ index, line, code: 'base64_malformed', detail: 'cdr: neither JSON nor XML nor base64' })
    } else if (bytes[bytes.findIndex((byte) => byte > 0x20)] === 0x3c) parseXmlRecord(bytes, index, line, sink)
    else parseJsonRecord(bytes, index, line, sink)
  }

  #fields(text: string, badUtf8: boolean, index: number, line: number, sink: RawSink): void {
    const fields: Record<string, string> = Object.create(null)
    let bad = badUtf8
    for (const pair of text.split('&')) {
      const equals = pair.indexOf('=')
      if (equals <= 0) continue
      const key = decodePercent(pair.slice(0, equals), true)
      const value = decodePercent(pair.slice(equals + 1), true)
      if (key.badUtf8 || value.badUtf8) bad = true
      fields[key.text] ??= value.text
    }
    if (Object.keys(fields).length === 0) {
      sink.undecodable({ index, line, code: 'form_malformed', detail: 'no cdr= and no name=value pairs' })
      return
    }
    sink.record({ index, line, fields, columns: null, badUtf8: bad })
  }
}

/** The text behind `cdr=` up to `&`; a whole line that is escaped JSON is one too (mod_json_cdr's error files). */
function cdrValue(text: string): string | null {
  if (/^(%7B|%5B|%3C)/i.test(text)) return text
  const start = text.startsWith('cdr=') ? 4 : text.indexOf('&cdr=') + 5
  if (start === 4 && !text.startsWith('cdr=')) return null
  const end = text.indexOf('&', start)
  return text.slice(start, end < 0 ? undefined : end)
}

/** Begins like JSON or XML. */
function isDocument(bytes: Uint8Array): boolean {
  const first = bytes[bytes.findIndex((byte) => byte > 0x20)]
  return first === 0x7b || first === 0x5b || first === 0x3c
}

/** `+` may have become a space on the way, and `=` be escaped. */
function base64Bytes(value: string): Uint8Array | null {
  const text = decodePercent(value, false)
    .text.replaceAll(' ', '+')
    .replace(/[\r\n]/g, '')
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return null
  return Buffer.from(text, 'base64')
}
