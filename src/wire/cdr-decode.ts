/**
 * From bytes to raw records, whatever the format: names the formats, tells which one a Content-Type or the first
 * bytes mean, and makes the decoder. Files go through a decoder chunk by chunk; request bodies through `decodeBody`,
 * which also takes gzip. Any thread.
 */
import { Buffer } from 'node:buffer'
import { gunzipSync } from 'node:zlib'
import { CsvDecoder, type CsvOptions } from './cdr-decode-csv.ts'
import { EventTextDecoder, KeyValueDecoder, type KeyValueOptions } from './cdr-decode-event.ts'
import { FormDecoder } from './cdr-decode-form.ts'
import { JsonDecoder, NdjsonDecoder, NetstringDecoder } from './cdr-decode-json.ts'
import { MsgpackDecoder } from './cdr-decode-msgpack.ts'
import { XmlDecoder } from './cdr-decode-xml.ts'
import type { RawProblem, RawRecord, RawSink, RecordDecoder } from './cdr-raw.ts'

export const cdrFormats = [
  'json',
  'ndjson',
  'msgpack',
  'csv',
  'form',
  'form-base64',
  'xml',
  'event-text',
  'keyvalue',
  'netstring',
] as const
export type CdrFormat = (typeof cdrFormats)[number]

export interface DecodeOptions {
  /** What the source may send; the first is taken when nothing tells. */
  readonly formats: readonly CdrFormat[]
  readonly csv: CsvOptions
  readonly xmlRecord: string
  readonly keyValue: KeyValueOptions
  /** Event text: values are percent-encoded. */
  readonly percentValues: boolean
}

const byContentType: Readonly<Record<string, CdrFormat>> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/msgpack': 'msgpack',
  'application/x-msgpack': 'msgpack',
  'application/vnd.msgpack': 'msgpack',
  'text/csv': 'csv',
  'application/x-www-form-urlencoded': 'form',
  'application/x-www-form-base64-encoded': 'form-base64',
  'application/xml': 'xml',
  'text/xml': 'xml',
  'text/event-plain': 'event-text',
}

/** The format that a Content-Type means; null: 415. Parameters such as charset do not matter. */
export function formatOfContentType(contentType: string): CdrFormat | null {
  return byContentType[(contentType.split(';')[0] ?? '').trim().toLowerCase()] ?? null
}

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b
}

/** First bytes that are enough to tell the format of a file. */
export const sniffBytes = 4096

/** Tells a file's format by how it begins, among those that the source may send. */
export function sniffFormat(head: Uint8Array, formats: readonly CdrFormat[]): CdrFormat {
  const text = Buffer.from(head.subarray(0, sniffBytes))
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
  const allowed = (format: CdrFormat) => (formats.includes(format) ? format : null)
  const guess =
    (/^[[{]/.test(text) && jsonFlavour(text, allowed)) ||
    (/^(cdr=|%7B|%3C)/i.test(text) && (allowed('form') ?? allowed('form-base64'))) ||
    (text.startsWith('<') && allowed('xml')) ||
    (/^\d{1,8}:\{/.test(text) && allowed('netstring')) ||
    (isMsgpack(head) && allowed('msgpack')) ||
    (/^(E_[A-Z_]+\r?\n|[A-Za-z][\w-]*: ?\S*|Asterisk Call Manager)/.test(text) && allowed('event-text')) ||
    (/^[A-Za-z_]\w*=[^&\n]*&/.test(text) && allowed('form')) ||
    (/\w+=/.test(text.split('\n')[0] ?? '') && allowed('keyvalue'))
  if (guess) return guess
  return allowed('csv') ?? formats[0] ?? 'json'
}

/** A whole object on the first line and another on the next is NDJSON; `[`, or one object, is JSON. */
function jsonFlavour(text: string, allowed: (format: CdrFormat) => CdrFormat | null): CdrFormat | null {
  const firstLine = text.split('\n', 1)[0]?.trim() ?? ''
  const lined = firstLine.startsWith('{') && firstLine.endsWith('}') && text.trimEnd().includes('\n')
  return lined ? (allowed('ndjson') ?? allowed('json')) : (allowed('json') ?? allowed('ndjson'))
}

/** A map or an array at the start, in bytes that are no text. */
function isMsgpack(head: Uint8Array): boolean {
  const first = head[0] ?? 0
  return (first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf)
}

export function createRecordDecoder(format: CdrFormat, options: DecodeOptions): RecordDecoder {
  switch (format) {
    case 'json':
      return new JsonDecoder()
    case 'ndjson':
      return new NdjsonDecoder()
    case 'msgpack':
      return new MsgpackDecoder()
    case 'csv':
      return new CsvDecoder(options.csv)
    case 'form':
      return new FormDecoder(false)
    case 'form-base64':
      return new FormDecoder(true)
    case 'xml':
      return new XmlDecoder(options.xmlRecord)
    case 'event-text':
      return new EventTextDecoder(options.percentValues)
    case 'keyvalue':
      return new KeyValueDecoder(options.keyValue)
    case 'netstring':
      return new NetstringDecoder()
  }
}

export interface DecodedBody {
  readonly records: readonly RawRecord[]
  readonly problems: readonly RawProblem[]
}

/** A whole request body. `inflatedBytesMax` bounds what gzip may unfold to. */
export function decodeBody(
  body: Uint8Array,
  format: CdrFormat,
  options: DecodeOptions,
  inflatedBytesMax: number,
): DecodedBody {
  const records: RawRecord[] = []
  const problems: RawProblem[] = []
  const sink: RawSink = {
    record: (raw) => void records.push(raw),
    undecodable: (problem) => void problems.push(problem),
  }
  let bytes = body
  if (isGzip(body)) {
    try {
      bytes = gunzipSync(body, { maxOutputLength: inflatedBytesMax })
    } catch {
      const detail = `not readable as gzip within ${inflatedBytesMax} bytes`
      return { records, problems: [{ index: 0, line: 1, code: 'gzip_malformed', detail }] }
    }
  }
  if (format === 'json' && decodeJsonAtOnce(bytes, records)) return { records, problems }
  const decoder = createRecordDecoder(format, options)
  decoder.push(bytes, sink)
  decoder.end(sink)
  return { records, problems }
}

/** One JSON.parse for the whole body, when its bytes are plain; otherwise the scanner says which record is bad. */
function decodeJsonAtOnce(bytes: Uint8Array, records: RawRecord[]): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  if (text.includes('\uFFFD')) return false
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return false
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const [index, fields] of list.entries()) {
    records.push({ index, line: index + 1, fields, columns: null, badUtf8: false })
  }
  return true
}
