/**
 * Cuts a byte stream into lines and blocks: the framing under CSV, NDJSON, forms, key=value logs (lines) and under event
 * text (blocks that a blank line ends). Lines may end with LF or CRLF. Holds one line; a line over the limit is told
 * once and skipped to its end. Any thread.
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
  /** The lines of one block, without line ends; never empty. */
  block(lines: readonly Uint8Array[], lineNumber: number): void
  tooLong(lineNumber: number): void
}

/** Gathers lines until a blank one. A block over the limit is told once and skipped to the next blank line. */
export class BlockCutter implements LineListener {
  readonly #lines: LineCutter
  readonly #bytesMax: number
  #listener: BlockListener | null = null
  #block: Uint8Array[] = []
  #blockBytes = 0
  #firstLine = 1
  #skipping = false

  constructor(bytesMax = recordBytesMax) {
    this.#bytesMax = bytesMax
    this.#lines = new LineCutter(bytesMax)
  }

  push(chunk: Uint8Array, listener: BlockListener): void {
    this.#listener = listener
    this.#lines.push(chunk, this)
  }

  end(listener: BlockListener): void {
    this.#listener = listener
    this.#lines.end(this)
    this.#close()
  }

  line(bytes: Uint8Array, lineNumber: number): void {
    if (isBlank(bytes)) {
      this.#close()
      return
    }
    if (this.#skipping) return
    if (this.#block.length === 0) this.#firstLine = lineNumber
    this.#blockBytes += bytes.length
    if (this.#blockBytes > this.#bytesMax) {
      this.tooLong(this.#firstLine)
      return
    }
    this.#block.push(Uint8Array.prototype.slice.call(bytes))
  }

  tooLong(lineNumber: number): void {
    if (!this.#skipping) this.#listener?.tooLong(lineNumber)
    this.#skipping = true
    this.#block = []
  }

  #close(): void {
    const block = this.#block
    this.#block = []
    this.#blockBytes = 0
    this.#skipping = false
    if (block.length > 0) this.#listener?.block(block, this.#firstLine)
  }
}

function isBlank(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09) return false
  return true
}
