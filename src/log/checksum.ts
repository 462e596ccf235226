/**
 * CRC-32 (ISO-HDLC, as in gzip and PNG: polynomial 0xEDB88320 reflected) of log entries. Node has it built in from
 * 20.15; before that the table below does the same, slower. Any thread.
 */
import * as zlib from 'node:zlib'

const polynomial = 0xedb88320

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ polynomial : rest >>> 1
  return rest >>> 0
})

/** The twin of the built-in: same result for all bytes. */
export function crc32ByTable(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

const builtIn = (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32

export const crc32: (bytes: Uint8Array) => number = builtIn ?? crc32ByTable
