/**
 * Cuts a byte stream into lines and blocks: the framing under CSV, NDJSON, forms, key=value logs (lines) and under
 * event text (blocks that a blank line ends). Lines may end with LF or CRLF. Holds one line; a line over the limit
 * is told once and skipped to its end. Any thread.
 */
import { joinBytes, recordBytesMax } from './cdr-raw.ts'

const lineFeed = 0x0a
const carriageReturn = 0x0d

export interface LineListener {
  /** `bytes` are valid during the call; without their line end. */
  line(bytes: Uint8Array, lineNumber: number): void
  tooLong(lineNumber: number): void
}

export class LineCutter {
  readonly #bytesMax: number
  #rest: Uint8Array | null = null
  #lineNumber = 1
  #skipping = false

  constructor(bytesMax = recordBytesMax) {
    this.#bytesMax = bytesMax
  }

  push(chunk: Uint8Array, listener: LineListener): void {
    const bytes = joinBytes(this.#rest, chunk)
    let start = 0
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
      this.#finish(bytes.subarray(start, end), listener)
      start = end + 1
    }
    // A copy: the caller may reuse its chunk.
    this.#rest = start < bytes.length ? Uint8Array.prototype.slice.call(bytes, start) : null
    if (this.#rest !== null && this.#rest.length > this.#bytesMax) {
      if (!this.#skipping) listener.tooLong(this.#lineNumber)
      this.#skipping = true
      this.#rest = null
    }
  }

  end(listener: LineListener): void {
    if (this.#rest !== null) this.#finish(this.#rest, listener)
    this.#rest = null
  }

  #finish(bytes: Uint8Array, listener: LineListener): void {
    const length = bytes.length
    if (this.#skipping) this.#skipping = false
    else if (length > this.#bytesMax) listener.tooLong(this.#lineNumber)
    else listener.line(bytes[length - 1] === carriageReturn ? bytes.subarray(0, length - 1) : bytes, this.#lineNumber)
    this.#lineNumber++
  }
}

export interface BlockListener {
  /** The lines of one block with their line ends; never empty. Valid during the call. */
  block(bytes: Uint8Array, lineNumber: number): void
  tooLong(lineNumber: number): void
}

/** Cuts at blank lines. A block over the limit is told once and skipped to the next blank line. */
export class BlockCutter {
  readonly #bytesMax: number
  #rest: Uint8Array | null = null
  /** Bytes of `#rest` whose lines have been looked at. */
  #seen = 0
  #lineNumber = 1
  #firstLine = 1
  #skipping = false

  constructor(bytesMax = recordBytesMax) {
    this.#bytesMax = bytesMax
  }

  push(chunk: Uint8Array, listener: BlockListener): void {
    const bytes = joinBytes(this.#rest, chunk)
    let blockStart = 0
    let lineStart = this.#seen
    for (let end = bytes.indexOf(lineFeed, lineStart); end >= 0; end = bytes.indexOf(lineFeed, lineStart)) {
      if (isBlank(bytes, lineStart, end)) {
        this.#finish(bytes.subarray(blockStart, lineStart), listener)
        blockStart = end + 1
        this.#firstLine = this.#lineNumber + 1
      }
      lineStart = end + 1
      this.#lineNumber++
    }
    const restBytes = bytes.length - blockStart
    if (restBytes > this.#bytesMax) {
      if (!this.#skipping) listener.tooLong(this.#firstLine)
      this.#skipping = true
      // Only the open line is needed: whether it is blank decides when skipping ends.
      blockStart = Math.max(lineStart, bytes.length - 1)
      lineStart = Math.max(blockStart, lineStart)
    }
    this.#rest = blockStart < bytes.length ? Uint8Array.prototype.slice.call(bytes, blockStart) : null
    this.#seen = Math.max(0, lineStart - blockStart)
  }

  end(listener: BlockListener): void {
    if (this.#rest !== null && !isBlank(this.#rest, 0, this.#rest.length)) this.#finish(this.#rest, listener)
    this.#rest = null
  }

  #finish(bytes: Uint8Array, listener: BlockListener): void {
    if (this.#skipping) this.#skipping = false
    else if (bytes.length > this.#bytesMax) listener.tooLong(this.#firstLine)
    else if (bytes.length > 0) listener.block(bytes, this.#firstLine)
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! > 0x20 || bytes[at] === 0x00) return false
  return true
}
