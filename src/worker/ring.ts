/**
 * Carries records from one producer thread to one consumer thread over shared memory, without locks and without
 * garbage. Contract: exactly one thread writes and exactly one reads, and they never change roles; records come out
 * whole, in order, once; nothing blocks. When there is no room the newest frame is refused (`writeFrame` is false):
 * the reader is never overtaken and what it is reading never changes. Opening and closing a track keep a room of
 * their own, so a flood of frames cannot lose them.
 *
 * Memory. Everything is counted in cells of 32 bytes; a record is one head cell and its payload, rounded up:
 *
 *     index words           cells
 *     [head|tail|beat| ]    [ 0 ][ 1 ][ 2 ]............................[ n-1 ]
 *                                   ^tail: next to read    ^head: next to write
 *     head cell:  kind u32 | trackId u32 | payloadBytes u32 | unused u32 | mediaMs f64 | enteredMs f64
 *
 *     used      [....|=====read me=====|....]        wrapped   [==|.........free.........|====]
 *                    tail              head                       head                   tail
 *
 * `head === tail` is empty; one cell always stays free, so full is `head + 1 === tail` (modulo n). A record never
 * crosses the end: if it does not fit there, a head cell of kind `wrap` sends the reader to cell 0 and the rest is
 * left unused.
 *
 *     free cells  [ frames may use these | opens | owed closes ]   owed closes: one cell per open track, always kept
 */
import assert from 'node:assert/strict'

const cellBytes = 32
const indexBytes = 64
const headWord = 0
const tailWord = 1
const beatWord = 2

/** What a record says. `wrap` is internal. */
export const recordKind = { wrap: 0, open: 1, frame: 2, close: 3 } as const

/** A record as the reader sees it: one object, overwritten by each `read`. */
export interface RingRecord {
  kind: number
  trackId: number
  /** Media time of the frame's first sample; of an open, up to where the track was heard. */
  mediaMs: number
  /** The producer's clock when the record was written. */
  enteredMs: number
  /** The payload is `reader.bytes[payloadStart, payloadEnd)` until `release`. */
  payloadStart: number
  payloadEnd: number
}

/** Shared memory of a ring: `ringBytes` of cells, rounded down to whole cells, behind the index words. */
export function allocateRing(ringBytes: number): SharedArrayBuffer {
  const cells = Math.floor(ringBytes / cellBytes)
  assert(cells >= 64 && cells < 2 ** 30, `a ring of ${ringBytes} bytes`)
  return new SharedArrayBuffer(indexBytes + cells * cellBytes)
}

interface Views {
  readonly index: Int32Array
  readonly words: Uint32Array
  readonly doubles: Float64Array
  readonly bytes: Uint8Array
  readonly cells: number
}

function viewsOf(memory: SharedArrayBuffer): Views {
  return {
    index: new Int32Array(memory, 0, indexBytes / 4),
    words: new Uint32Array(memory, indexBytes),
    doubles: new Float64Array(memory, indexBytes),
    bytes: new Uint8Array(memory, indexBytes),
    cells: (memory.byteLength - indexBytes) / cellBytes,
  }
}

/** The producer's end. */
export class RingWriter {
  /** Frames refused because the ring was full. */
  framesRefused = 0
  /** Records of any kind written so far. */
  recordsWritten = 0
  readonly #views: Views
  readonly #opensReserved: number
  /** Next cell to write; the shared word follows it. */
  #head = 0
  /** Tracks opened and not yet closed: a cell is kept for the close of each. */
  #closesOwed = 0

  /** @param tracksMax room kept for so many tracks to open while frames fill all the rest */
  constructor(memory: SharedArrayBuffer, tracksMax: number) {
    this.#views = viewsOf(memory)
    this.#opensReserved = tracksMax
    assert(this.#views.cells > 4 * tracksMax, `${this.#views.cells} cells are too few for ${tracksMax} tracks`)
  }

  /**
   * False: so many opens and closes are unread that another close might not fit; the track is not opened.
   * @param heardUntilMs media time up to which the track was heard already; NaN for a new one
   */
  writeOpen(trackId: number, heardUntilMs: number, enteredMs: number): boolean {
    if (this.#free() < 2 + this.#closesOwed) return false
    this.#closesOwed += 1
    this.#put(recordKind.open, trackId, heardUntilMs, enteredMs, 0)
    this.#publish(1)
    return true
  }

  /** Always fits: its cell was kept when the track was opened. */
  writeClose(trackId: number, enteredMs: number): void {
    assert(this.#closesOwed > 0, 'a close without an open')
    this.#closesOwed -= 1
    assert(this.#free() >= 1, 'the cell kept for a close is gone')
    this.#put(recordKind.close, trackId, 0, enteredMs, 0)
    this.#publish(1)
  }

  /** Copies `source[start, end)`. False: no room, the frame is refused and counted. */
  writeFrame(
    trackId: number,
    mediaMs: number,
    source: Uint8Array,
    start: number,
    end: number,
    enteredMs: number,
  ): boolean {
    const { cells, bytes, words } = this.#views
    const payloadBytes = end - start
    const needed = 1 + Math.ceil(payloadBytes / cellBytes)
    const toEnd = cells - this.#head
    const skipped = needed > toEnd ? toEnd : 0
    if (skipped + needed + this.#closesOwed + this.#opensReserved > this.#free()) {
      this.framesRefused += 1
      return false
    }
    if (skipped > 0) {
      words[(this.#head * cellBytes) / 4] = recordKind.wrap
      this.#head = 0
    }
    const at = (this.#head + 1) * cellBytes
    // Costs one short-lived view beside the ArrayBuffer that the socket made for this message anyway, and a fifth of
    // what a byte loop costs once the server has detached a buffer. `subarray` would cost 0.1 us more.
    bytes.set(new Uint8Array(source.buffer, source.byteOffset + start, payloadBytes), at)
    this.#put(recordKind.frame, trackId, mediaMs, enteredMs, payloadBytes)
    this.#publish(needed)
    return true
  }

  /** Bytes written and not yet released by the reader. */
  usedBytes(): number {
    return (this.#views.cells - 1 - this.#free()) * cellBytes
  }

  /** The reader's life sign; see `RingReader.beat`. */
  beats(): number {
    return Atomics.load(this.#views.index, beatWord)
  }

  #free(): number {
    const tail = Atomics.load(this.#views.index, tailWord)
    const ahead = tail - this.#head - 1
    return ahead >= 0 ? ahead : ahead + this.#views.cells
  }

  #put(kind: number, trackId: number, mediaMs: number, enteredMs: number, payloadBytes: number): void {
    const { words, doubles } = this.#views
    const word = (this.#head * cellBytes) / 4
    words[word] = kind
    words[word + 1] = trackId
    words[word + 2] = payloadBytes
    doubles[word / 2 + 2] = mediaMs
    doubles[word / 2 + 3] = enteredMs
  }

  /** Moves head: from here on the reader sees the record. The sequentially consistent store orders the bytes before. */
  #publish(neededCells: number): void {
    const next = this.#head + neededCells
    this.#head = next === this.#views.cells ? 0 : next
    this.recordsWritten += 1
    Atomics.store(this.#views.index, headWord, this.#head)
  }
}

/** The consumer's end: `while (reader.read(record)) { use(record, reader.bytes); reader.release() }`. */
export class RingReader {
  /** All payload memory; records point into it. */
  readonly bytes: Uint8Array
  readonly #views: Views
  /** Next cell to read; the shared word follows it at `release`. */
  #tail = 0
  /** Where the record being read ends. */
  #next = 0

  constructor(memory: SharedArrayBuffer) {
    this.#views = viewsOf(memory)
    this.bytes = this.#views.bytes
  }

  /** An object for `read`, made once. */
  static record(): RingRecord {
    return { kind: 0, trackId: 0, mediaMs: 0, enteredMs: 0, payloadStart: 0, payloadEnd: 0 }
  }

  /** Overwrites `record` with the oldest unread one. False: nothing to read, `record` is untouched. */
  read(record: RingRecord): boolean {
    const { index, words, doubles, cells } = this.#views
    const head = Atomics.load(index, headWord)
    if (this.#tail === head) return false
    let word = (this.#tail * cellBytes) / 4
    if (words[word] === recordKind.wrap) {
      this.#tail = 0
      word = 0
    }
    const payloadBytes = words[word + 2]!
    record.kind = words[word]!
    record.trackId = words[word + 1]!
    record.mediaMs = doubles[word / 2 + 2]!
    record.enteredMs = doubles[word / 2 + 3]!
    record.payloadStart = (this.#tail + 1) * cellBytes
    record.payloadEnd = record.payloadStart + payloadBytes
    const next = this.#tail + 1 + Math.ceil(payloadBytes / cellBytes)
    this.#next = next === cells ? 0 : next
    return true
  }

  /** Gives the cells of the record last read back to the writer. */
  release(): void {
    this.#tail = this.#next
    Atomics.store(this.#views.index, tailWord, this.#tail)
  }

  /** Says that the reading thread is alive. */
  beat(): void {
    Atomics.add(this.#views.index, beatWord, 1)
  }
}
