/**
 * Event text: the blank-line framed `Name: value` blocks of FreeSWITCH's event socket and of Asterisk's manager, the
 * `name::value` datagrams of OpenSIPS, and one-line `name=value;…` logs (Kamailio acc). A header that repeats becomes a
 * list, of which a mapping sees the first. Any thread.
 *
 *   Event-Name: CHANNEL_HANGUP_COMPLETE       Event: Cdr             E_ACC_CDR
 *   Hangup-Cause: NORMAL_CLEARING             Source: 2025550123     callid::a84b4c76e66710
 *   Caller-Caller-ID-Name: Bob%20Builder      Disposition: BUSY      duration::42
 */
import { parseJsonRecord } from './cdr-decode-json.ts'
import { BlockCutter, type BlockListener, LineCutter, type LineListener } from './cdr-decode-lines.ts'
import { decodePercent, decodeText, type RawSink, type RecordDecoder } from './cdr-raw.ts'

export class EventTextDecoder implements RecordDecoder, BlockListener {
  readonly #percent: boolean
  readonly #blocks = new BlockCutter()
  #sink: RawSink | null = null
  #index = 0

  /** `percent`: values are percent-encoded (FreeSWITCH), not literal (Asterisk). */
  constructor(percent: boolean) {
    this.#percent = percent
  }

  push(chunk: Uint8Array, sink: RawSink): void {
    this.#sink = sink
    this.#blocks.push(chunk, this)
  }

  end(sink: RawSink): void {
    this.#sink = sink
    this.#blocks.end(this)
  }

  block(bytes: Uint8Array, lineNumber: number): void {
    const sink = this.#sink
    if (sink === null) return
    const index = this.#index++
    // text/event-json within an event socket capture.
    if (bytes[0] === 0x7b) {
      parseJsonRecord(bytes, index, lineNumber, sink)
      return
    }
    const { text, badUtf8 } = decodeText(bytes)
    const lines = text.split('\n')
    const event = /^E_[A-Z0-9_]+\s*$/.test(lines[0] ?? '') ? lines[0]?.trim() : undefined
    const state = { badUtf8 }
    const fields = this.#headers(lines, state)
    if (event !== undefined) fields['event'] = event
    for (const _ in fields) {
      sink.record({ index, line: lineNumber, fields, columns: null, badUtf8: state.badUtf8 })
      return
    }
    // A banner such as `Asterisk Call Manager/5.0.2` is no event; anything longer should have been one.
    if (text.trim().includes('\n')) {
      sink.undecodable({ index, line: lineNumber, code: 'event_malformed', detail: 'no "Name: value" line' })
    } else this.#index--
  }

  #headers(lines: readonly string[], state: { badUtf8: boolean }): Record<string, unknown> {
    const fields: Record<string, unknown> = Object.create(null)
    for (const line of lines) {
      const header = splitHeader(line)
      if (header === null) continue
      let { value } = header
      if (this.#percent && value.includes('%')) {
        const decoded = decodePercent(value, false)
        if (decoded.badUtf8) state.badUtf8 = true
        value = decoded.text
      }
      addHeader(fields, header.name, value)
    }
    return fields
  }

  tooLong(lineNumber: number): void {
    const detail = 'an event is longer than a record may be'
    this.#sink?.undecodable({ index: this.#index++, line: lineNumber, code: 'record_too_large', detail })
  }
}

/** `Name: value`, or OpenSIPS `name::value`. */
function splitHeader(line: string): { name: string; value: string } | null {
  const colon = line.indexOf(':')
  if (colon <= 0) return null
  const double = line[colon + 1] === ':' && line[colon + 2] !== ':'
  return { name: line.slice(0, colon).trim(), value: line.slice(colon + (double ? 2 : 1)).trim() }
}

function addHeader(fields: Record<string, unknown>, name: string, value: string): void {
  const before = fields[name]
  if (before === undefined) fields[name] = value
  else if (Array.isArray(before)) before.push(value)
  else if (before !== value) fields[name] = [before, value]
}

export interface KeyValueOptions {
  /** Between pairs: `;`, `,`, `|`, or a space. */
  readonly pairs: string
  readonly equals: string
}

/**
 * One line, one record: `… ACC: transaction answered: timestamp=1767225600;method=INVITE;from_tag=…`. What stands
 * before the first name (a syslog prefix) is dropped; values may be quoted.
 */
export class KeyValueDecoder implements RecordDecoder, LineListener {
  readonly #options: KeyValueOptions
  readonly #lines = new LineCutter()
  #sink: RawSink | null = null
  #index = 0

  constructor(options: KeyValueOptions) {
    this.#options = options
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
    const { text, badUtf8 } = decodeText(bytes)
    if (text.trim() === '') return
    const index = this.#index++
    const fields = parsePairs(text, this.#options)
    if (fields !== null) this.#sink?.record({ index, line: lineNumber, fields, columns: null, badUtf8 })
    else {
      const detail = `no name${this.#options.equals}value pair`
      this.#sink?.undecodable({ index, line: lineNumber, code: 'event_malformed', detail })
    }
  }

  tooLong(lineNumber: number): void {
    const detail = `line ${lineNumber} is longer than a record may be`
    this.#sink?.undecodable({ index: this.#index++, line: lineNumber, code: 'record_too_large', detail })
  }
}

export function parsePairs(text: string, options: KeyValueOptions): Record<string, string> | null {
  const fields: Record<string, string> = Object.create(null)
  let count = 0
  let at = 0
  while (at < text.length) {
    const equals = text.indexOf(options.equals, at)
    if (equals < 0) break
    const name = text.slice(at, equals).trim().split(/\s+/).pop() ?? ''
    let start = equals + options.equals.length
    let end: number
    if (text[start] === '"') {
      start++
      end = text.indexOf('"', start)
      if (end < 0) end = text.length
    } else {
      end = text.indexOf(options.pairs, start)
      if (end < 0) end = text.length
    }
    if (name !== '') {
      fields[name] ??= text.slice(start, end).trim()
      count++
    }
    const next = text.indexOf(options.pairs, end)
    at = next < 0 ? text.length : next + options.pairs.length
  }
  return count > 0 ? fields : null
}
