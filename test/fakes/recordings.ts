/** A second, simpler reading of the fixtures: mono 8 kHz mu-law WAV files, nothing else. */
import assert from 'node:assert/strict'

/** The mu-law bytes of a mono fixture. Chunks are walked by their lengths (RIFF: id, u32 size, data, pad to even). */
export function wavMulaw(file: Buffer): Buffer {
  assert.equal(file.toString('latin1', 0, 4), 'RIFF')
  for (let at = 12; at + 8 <= file.length; ) {
    const id = file.toString('latin1', at, at + 4)
    const size = file.readUInt32LE(at + 4)
    if (id === 'fmt ') {
      assert.equal(file.readUInt16LE(at + 8), 7, 'mu-law')
      assert.equal(file.readUInt16LE(at + 10), 1, 'mono')
    }
    if (id === 'data') return file.subarray(at + 8, at + 8 + size)
    at += 8 + size + (size & 1)
  }
  throw new Error('no data chunk')
}
