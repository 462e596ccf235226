/**
 * ClickHouse's Native format for a client that names its protocol version: the engine writes blocks of version 0, and
 * clients that speak the later protocol (clickhouse-go, so Grafana) expect a block info before each block and a byte
 * before each column's values. Values themselves are the same bytes in both, so they are walked over, not decoded.
 * Pure, any thread.
 *
 *   version 0:   [columns] [rows] { [name] [type] values }
 *   later:       [1 overflows:0 2 bucket:-1 0] [columns] [rows] { [name] [type] 0 values }
 *
 * `SELECT 1` is `01 01 0131 0555496e7438 01`, and for version 54460 `0100 02ffffffff 00 01 01 0131 0555496e7438 00 01`.
 */
import { OperatingError } from '../core/errors.ts'

/** DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION: from here on a byte says that values are written plainly. */
const versionOfColumnByte = 54_454
const blockInfo = Buffer.from([1, 0, 2, 255, 255, 255, 255, 0])
const plainly = Buffer.from([0])
const depthMax = 32
const sharedDictionary = 1 << 8
const ownKeys = 1 << 9

const widths: Readonly<Record<string, number>> = {
  ...{ UInt8: 1, Int8: 1, Bool: 1, Enum8: 1, UInt16: 2, Int16: 2, Enum16: 2, Date: 2, BFloat16: 2, Nothing: 1 },
  ...{ UInt32: 4, Int32: 4, Float32: 4, Date32: 4, DateTime: 4, IPv4: 4, Decimal32: 4, Time: 4 },
  ...{ UInt64: 8, Int64: 8, Float64: 8, DateTime64: 8, Decimal64: 8, Time64: 8 },
  ...{ UInt128: 16, Int128: 16, UUID: 16, IPv6: 16, Decimal128: 16, UInt256: 32, Int256: 32, Decimal256: 32 },
}

/**
 * The same blocks as that version writes them. Version 0: as they are.
 * @throws OperatingError bad_request for a type whose bytes are not known here
 */
export function nativeFor(version: number, bytes: Uint8Array): Uint8Array {
  if (version === 0) return bytes
  const walk = new Walk(bytes)
  const parts: Uint8Array[] = []
  let copiedTo = 0
  const insert = (extra: Uint8Array): void => {
    parts.push(bytes.subarray(copiedTo, walk.at), extra)
    copiedTo = walk.at
  }
  while (walk.at < bytes.length) {
    insert(blockInfo)
    const columns = walk.number()
    const rows = walk.number()
    for (let column = 0; column < columns; column++) {
      walk.text()
      const type = walk.text()
      if (version >= versionOfColumnByte) insert(plainly)
      if (rows === 0) continue
      // Each LowCardinality says its version before any values of the column.
      walk.skip(8 * (type.match(/\bLowCardinality\(/g)?.length ?? 0))
      walk.values(type, rows, 0)
    }
  }
  parts.push(bytes.subarray(copiedTo))
  return Buffer.concat(parts)
}

class Walk {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** LEB128, up to 2^53. */
  number(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined || factor > 2 ** 49) throw new Error('a Native block ends too early')
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }

  text(): string {
    const length = this.number()
    const start = this.at
    this.skip(length)
    return this.#bytes.toString('utf8', start, this.at)
  }

  skip(length: number): void {
    this.at += length
    if (this.at > this.#bytes.length) throw new Error('a Native block ends too early')
  }

  values(type: string, rows: number, depth: number): void {
    const { name, inner } = partsOf(type)
    const width = name === 'Decimal' ? decimalWidth(inner[0]) : name === 'FixedString' ? Number(inner[0]) : widths[name]
    if (depth > depthMax) throw unknownType(type)
    if (width !== undefined) this.skip(width * rows)
    else if (name === 'String') {
      for (let row = 0; row < rows; row++) this.skip(this.number())
    } else if (name === 'Nullable') {
      this.skip(rows)
      this.values(inner[0] ?? '', rows, depth + 1)
    } else if (name === 'LowCardinality') this.#dictionary(inner[0] ?? '', rows, depth)
    else if (name === 'Array' || name === 'Map') {
      const total = this.#lastOffset(rows)
      for (const each of inner) this.values(each, total, depth + 1)
    } else if (name === 'Tuple' && inner.length > 0) {
      for (const each of inner) this.values(unnamed(each), rows, depth + 1)
    } else throw unknownType(type)
  }

  /** `flags: 8 [keys: 8 values of the keys] rows: 8 positions`; the low byte of flags says how wide a position is. */
  #dictionary(type: string, rows: number, depth: number): void {
    if (rows === 0) return
    const flags = this.#uint64()
    const { name, inner } = partsOf(type)
    if ((flags & sharedDictionary) !== 0) throw unknownType(`LowCardinality(${type})`)
    if ((flags & ownKeys) !== 0) this.values(name === 'Nullable' ? (inner[0] ?? '') : type, this.#uint64(), depth + 1)
    this.skip(this.#uint64() * 2 ** (flags & 255))
  }

  #uint64(): number {
    this.skip(8)
    return Number(this.#bytes.readBigUInt64LE(this.at - 8))
  }

  /** Of an array's offsets, which are totals so far. */
  #lastOffset(rows: number): number {
    this.skip(rows * 8)
    return rows === 0 ? 0 : Number(this.#bytes.readBigUInt64LE(this.at - 8))
  }
}

/** `Map(String, Array(UInt8))` -> Map, [String, Array(UInt8)]. */
function partsOf(type: string): { readonly name: string; readonly inner: readonly string[] } {
  const open = type.indexOf('(')
  if (open < 0) return { name: type, inner: [] }
  const inner: string[] = []
  let depth = 0
  let start = open + 1
  for (let at = open; at < type.length; at++) {
    const letter = type[at]
    if (letter === "'" || letter === '`') at = endOfQuoted(type, at)
    else if (letter === '(') depth += 1
    else if (letter === ')') depth -= 1
    if ((letter === ',' && depth === 1) || (letter === ')' && depth === 0)) {
      inner.push(type.slice(start, at).trim())
      start = at + 1
    }
  }
  return { name: type.slice(0, open), inner }
}

function endOfQuoted(type: string, start: number): number {
  for (let at = start + 1; at < type.length; at++) {
    if (type[at] === '\\') at += 1
    else if (type[at] === type[start]) return at
  }
  return type.length
}

/** An element of a tuple may have a name: `` `a b` UInt8 ``. */
function unnamed(element: string): string {
  const at = element.startsWith('`') ? endOfQuoted(element, 0) + 1 : element.search(/[ (]/)
  return at > 0 && element[at] === ' ' ? element.slice(at + 1) : element
}

function decimalWidth(precision = ''): number {
  const digits = Number(precision)
  return digits <= 9 ? 4 : digits <= 18 ? 8 : digits <= 38 ? 16 : 32
}

function unknownType(type: string): OperatingError {
  return new OperatingError('bad_request', `type ${type.slice(0, 100)} is not sent in format Native; CAST it`)
}
