/**
 * A raw record: one record of a switch after its bytes were taken apart and before a mapping gave the parts a meaning.
 * Also the text decoding that all decoders share: bytes that are not UTF-8 become U+FFFD and a flag, never an error, so
 * one bad name cannot break a batch. Any thread.
 */
import { Buffer, isUtf8 } from 'node:buffer'

/** Either a tree (`fields`), or a row of a table whose columns have names. */
export interface RawRecord {
  /** 0-based position in the body or file, counting undecodable records too. */
  readonly index: number
  /** 1-based line where it begins; the position + 1 where the format has no lines. */
  readonly line: number
  readonly fields: unknown
  /** Column name -> position when `fields` is a row (string[]) with known columns; null otherwise. */
  readonly columns: ReadonlyMap<string, number> | null
  readonly badUtf8: boolean
}

/** A stretch of bytes that is no record of the format. Its neighbours go on. */
export interface RawProblem {
  readonly index: number
  readonly line: number
  readonly code: DecodeCode
  readonly detail: string
}

type DecodeCode =
  | 'json_malformed'
  | 'msgpack_malformed'
  | 'csv_quote_unclosed'
  | 'form_malformed'
  | 'base64_malformed'
  | 'xml_malformed'
  | 'event_malformed'
  | 'netstring_malformed'
  | 'record_too_large'
  | 'record_truncated'
  | 'gzip_malformed'

export interface RawSink {
  record(raw: RawRecord): void
  undecodable(problem: RawProblem): void
}

/** Takes bytes as they come and tells the sink of each record when its last byte is there. Memory: one record. */
export interface RecordDecoder {
  push(chunk: Uint8Array, sink: RawSink): void
  /** The bytes are at their end: what is left is a record without a line end, or a truncated one. */
  end(sink: RawSink): void
}

/** A single record (line, element, block) may have so many bytes; a longer one is `record_too_large` and skipped. */
export const recordBytesMax = 1_048_576

export interface DecodedText {
  readonly text: string
  readonly badUtf8: boolean
}

/** UTF-8 (a leading byte order mark is dropped) or, where the mapping declares it, Latin-1. */
export function decodeText(bytes: Uint8Array, encoding: 'utf-8' | 'latin1' = 'utf-8'): DecodedText {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (encoding === 'latin1') return { text: buffer.toString('latin1'), badUtf8: false }
  const text = buffer.toString('utf8')
  if (!text.includes('\uFFFD')) return { text: text.charCodeAt(0) === 0xfeff ? text.slice(1) : text, badUtf8: false }
  return { text, badUtf8: !isUtf8(bytes) }
}

/** `%41` -> `A`. Sequences that are not UTF-8 survive as a flag; bad escapes stay as they are. */
export function decodePercent(text: string, plusIsSpace: boolean): DecodedText {
  const spaced = plusIsSpace && text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return { text: spaced, badUtf8: false }
  try {
    return { text: decodeURIComponent(spaced), badUtf8: false }
  } catch {
    return decodeText(percentBytes(spaced))
  }
}

/** The bytes that percent-encoded text stands for. */
export function percentBytes(text: string): Buffer {
  const source = Buffer.from(text, 'utf8')
  if (!text.includes('%')) return source
  let length = 0
  for (let at = 0; at < source.length; at++) {
    const high = source[at] === 0x25 ? hexDigit(source[at + 1]) : -1
    const low = high < 0 ? -1 : hexDigit(source[at + 2])
    if (low < 0) {
      source[length++] = source[at]!
    } else {
      source[length++] = high * 16 + low
      at += 2
    }
  }
  return source.subarray(0, length)
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Joins what was left over with what came. Copies only when something was left over. */
export function joinBytes(left: Uint8Array | null, right: Uint8Array): Buffer {
  if (left === null || left.length === 0) return Buffer.from(right.buffer, right.byteOffset, right.byteLength)
  return Buffer.concat([left, right])
}
