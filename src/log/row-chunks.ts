/**
 * What the row writer keeps in the durable log: chunks of rows of one table, as one log entry each, that say which
 * columns they have, so that rows spooled by an older version are inserted as they were written. Pure.
 *
 *   | rows u32 LE | length of names u16 LE | "call_sid,track,..." | ["CA1","inbound",...]\n["CA2",...]\n ... |
 *   0             4                        6                      6 + length
 *
 * JSON escapes newlines, so a raw \n always ends a row.
 */

export interface RowChunk {
  readonly rows: number
  readonly columns: string
  readonly lines: Uint8Array
}

const fixedBytes = 6

export function packChunk(columns: string, lines: readonly string[]): Uint8Array {
  const text = lines.join('')
  const out = Buffer.allocUnsafe(fixedBytes + Buffer.byteLength(columns) + Buffer.byteLength(text))
  out.writeUInt32LE(lines.length, 0)
  out.writeUInt16LE(out.write(columns, fixedBytes), 4)
  out.write(text, fixedBytes + Buffer.byteLength(columns))
  return out
}

/** Null when the bytes are not a chunk. */
export function unpackChunk(bytes: Uint8Array): RowChunk | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const namesEnd = view.length < fixedBytes ? Number.POSITIVE_INFINITY : fixedBytes + view.readUInt16LE(4)
  if (namesEnd > view.length) return null
  return {
    rows: view.readUInt32LE(0),
    columns: view.toString('utf8', fixedBytes, namesEnd),
    lines: view.subarray(namesEnd),
  }
}

const newline = 10

/** The byte offset after each of the first `rows` rows. */
export function rowEnds(lines: Uint8Array): number[] {
  const ends: number[] = []
  for (let at = lines.indexOf(newline); at >= 0; at = lines.indexOf(newline, at + 1)) ends.push(at + 1)
  return ends
}
