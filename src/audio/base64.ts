/**
 * The twin of wasm/base64.ts: strict base64 to bytes, one character a step. Alphabet of RFC 4648, padding absent or
 * right, left-over bits of the last character ignored (as `atob` does); anything else is -1.
 */
const sextets = new Int8Array(256).fill(-1)
for (const [value, character] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  sextets[character.charCodeAt(0)] = value
}
const padding = 0x3d

/** Decodes `text[start, end)` into `bytes`. Returns the number of bytes, or -1. */
export function base64Decode(text: Uint8Array, start: number, end: number, bytes: Uint8Array): number {
  let last = end
  if ((end - start) % 4 === 0 && end > start && text[end - 1] === padding) last -= text[end - 2] === padding ? 2 : 1
  if ((last - start) % 4 === 1) return -1
  let bits = 0
  let held = 0
  let count = 0
  for (let i = start; i < last; i += 1) {
    const value = sextets[text[i]!]!
    if (value < 0) return -1
    bits = ((bits << 6) | value) & 0xffff
    held += 6
    if (held >= 8) {
      held -= 8
      bytes[count] = (bits >> held) & 0xff
      count += 1
    }
  }
  return count
}
