/**
 * CSV records, RFC 4180 with the liberties that switches take: another delimiter, quotes or none, a header or declared
 * columns, rows of varying length, a quote that never closes. Such a quote costs one row, not the rest of the file:
 * after `csvRowLinesMax` lines without its end the first line is rejected and reading goes on behind it. Any thread.
 *
 *   "",12025550123,12025550100,internal,"""Bob"" <12025550123>",SIP/a-1,…,2026-03-01 10:00:00,,…
 *
 * A quote opens only at the start of a field; inside quotes a doubled quote is a quote.
 */
import { LineCutter, type LineListener } from './cdr-decode-lines.ts'
import { decodeText, joinBytes, type RawSink, type RecordDecoder } from './cdr-raw.ts'

export interface CsvOptions {
  readonly delimiter: string
  /** null: quotes are ordinary characters (OpenSIPS flatstore). */
  readonly quote: '"' | "'" | null
  /** Names of the columns when the file has no header line. */
  readonly columns: readonly string[] | null
  /**
   * The first line names the columns. With `auto` it does if its first field is one of `columns`, or `columns` is
   * null.
   */
  readonly header: 'yes' | 'no' | 'auto'
  /** `Start Time` and `start_time` name the same column. */
  readonly foldNames: boolean
  /** Lines before the header or the first row. */
  readonly skipLines: number
  readonly encoding: 'utf-8' | 'latin1'
}

/** A quoted field may reach over so many lines. */
const csvRowLinesMax = 50

const newLine = new Uint8Array([0x0a])

export class CsvDecoder implements RecordDecoder, LineListener {
  readonly #options: CsvOptions
  readonly #lines = new LineCutter()
  #sink: RawSink | null = null
  #columns: ReadonlyMap<string, number> | null = null
  #headerSeen: boolean
  #skipLeft: number
  #index = 0
  /** Lines of a row whose quote is still open. */
  #open: { bytes: Uint8Array; lineNumber: number }[] = []

  constructor(options: CsvOptions) {
    this.#options = options
    this.#headerSeen = options.header === 'no'
    this.#skipLeft = options.skipLines
    if (options.columns !== null) this.#columns = columnMap(options.columns, options.foldNames)
  }

  push(chunk: Uint8Array, sink: RawSink): void {
    this.#sink = sink
    this.#lines.push(chunk, this)
  }

  end(sink: RawSink): void {
    this.#sink = sink
    this.#lines.end(this)
    while (this.#open.length > 0) this.#giveUpFirst()
  }

  line(bytes: Uint8Array, lineNumber: number): void {
    if (this.#skipLeft > 0) {
      this.#skipLeft--
      return
    }
    if (bytes.length === 0 && this.#open.length === 0) return
    if (this.#open.length === 0 && this.#row(bytes, lineNumber)) return
    // `bytes` are valid during this call only.
    this.#open.push({ bytes: Uint8Array.prototype.slice.call(bytes), lineNumber })
    if (this.#open.length > 1) this.#tryClose()
  }

  tooLong(lineNumber: number): void {
    const detail = `line ${lineNumber} is longer than a record may be`
    this.#sink?.undecodable({ index: this.#index++, line: lineNumber, code: 'record_too_large', detail })
  }

  /** Joins the open lines. Only the line that came last can have closed the quote. */
  #tryClose(): void {
    const last = this.#open[this.#open.length - 1]
    const quote = this.#options.quote
    if (last !== undefined && quote !== null && last.bytes.includes(quote.charCodeAt(0))) {
      const joined = this.#open.reduce<Uint8Array | null>(
        (left, { bytes }) => (left === null ? bytes : joinBytes(joinBytes(left, newLine), bytes)),
        null,
      )
      if (joined !== null && this.#row(joined, this.#open[0]?.lineNumber ?? 1)) {
        this.#open = []
        return
      }
    }
    if (this.#open.length > csvRowLinesMax) this.#giveUpFirst()
  }

  /** Rejects the first open line and reads the others anew. */
  #giveUpFirst(): void {
    const [first, ...others] = this.#open
    this.#open = []
    if (first === undefined) return
    const detail = `the quote opened in line ${first.lineNumber} does not close within ${csvRowLinesMax} lines`
    this.#sink?.undecodable({ index: this.#index++, line: first.lineNumber, code: 'csv_quote_unclosed', detail })
    for (const { bytes, lineNumber } of others) this.line(bytes, lineNumber)
  }

  /** false: a quote is open at the end. */
  #row(bytes: Uint8Array, lineNumber: number): boolean {
    const { delimiter, quote, encoding } = this.#options
    const { text, badUtf8 } = decodeText(bytes, encoding)
    const row = splitCsvRow(text, delimiter, quote)
    if (row === null) return false
    if (!this.#headerSeen) {
      this.#headerSeen = true
      if (this.#isHeader(row)) {
        this.#columns = columnMap(row, this.#options.foldNames)
        return true
      }
    }
    this.#sink?.record({ index: this.#index++, line: lineNumber, fields: row, columns: this.#columns ?? none, badUtf8 })
    return true
  }

  #isHeader(row: readonly string[]): boolean {
    const { header, columns, foldNames } = this.#options
    if (header === 'yes' || columns === null) return true
    const first = row[0]?.trim() ?? ''
    return columns.some((name) => name === first || (foldNames && foldName(name) === foldName(first)))
  }
}

const none: ReadonlyMap<string, number> = new Map()

function columnMap(names: readonly string[], fold: boolean): ReadonlyMap<string, number> {
  const map = new Map<string, number>()
  for (const [position, name] of names.entries()) {
    const key = fold ? foldName(name) : name.trim()
    if (key !== '' && !map.has(key)) map.set(key, position)
  }
  return map
}

/** `Start Time`, `start-time`, `START_TIME` -> `starttime`. */
export function foldName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}#]/gu, '')
}

/** The fields of one row; null when a quote is still open at its end. */
export function splitCsvRow(text: string, delimiter: string, quote: string | null): string[] | null {
  if (quote === null || !text.includes(quote)) return text.split(delimiter)
  const row: string[] = []
  let at = 0
  for (;;) {
    if (text[at] !== quote) {
      const end = text.indexOf(delimiter, at)
      row.push(end < 0 ? text.slice(at) : text.slice(at, end))
      if (end < 0) return row
      at = end + delimiter.length
      continue
    }
    const close = closingQuote(text, at, quote)
    if (close < 0) return null
    const inner = text.slice(at + 1, close)
    const end = text.indexOf(delimiter, close + 1)
    // What stands between the closing quote and the delimiter belongs to the field, as most readers have it.
    const tail = text.slice(close + 1, end < 0 ? text.length : end)
    row.push((inner.includes(quote) ? inner.replaceAll(quote + quote, quote) : inner) + tail)
    if (end < 0) return row
    at = end + delimiter.length
  }
}

function closingQuote(text: string, open: number, quote: string): number {
  for (let at = text.indexOf(quote, open + 1); at >= 0; at = text.indexOf(quote, at + 2)) {
    if (text[at + 1] !== quote) return at
  }
  return -1
}
