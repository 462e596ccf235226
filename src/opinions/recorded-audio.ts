/**
 * Audio for vendors that take files: what was pushed, bounded, as a WAV file with mu-law inside (format 7), the same
 * bytes that the call had. A header of unknown length, as a stream begins, is for those that decode as it comes. Pure.
 */
import { writeWav } from '../wire/wav.ts'

/** A minute of audio; longer is not sent. */
const audioBytesMax = 480_000
const mulaw = { formatCode: 7, channels: 1, sampleRateHz: 8000, bits: 8 } as const
/** Where the two sizes stand in a header of 44 bytes. */
const riffSizeAt = 4
const dataSizeAt = 40
const lengthUnknown = 0xffff_ffff

export class RecordedAudio {
  readonly #chunks: Uint8Array[] = []
  #bytes = 0

  push(bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > audioBytesMax) return
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
  }

  get bytes(): number {
    return this.#bytes
  }

  wav(): Buffer {
    return writeWav({ ...mulaw, bytes: Buffer.concat(this.#chunks) })
  }
}

export function endlessWavHeader(): Buffer {
  const header = writeWav({ ...mulaw, bytes: new Uint8Array() })
  header.writeUInt32LE(lengthUnknown, riffSizeAt)
  header.writeUInt32LE(lengthUnknown, dataSizeAt)
  return header
}
