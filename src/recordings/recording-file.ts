/**
 * One kept track: chunks of about a second, each sealed by itself (AES-256-GCM), so that what a killed process had
 * written is readable up to the last whole chunk, and no chunk can be changed, moved, dropped or taken from another
 * file unnoticed. The key is derived from the call's by a salt of the file, so nonces may simply count. Pure.
 *
 *   0 'VFR1'   4 salt (16)   then chunks: 4 bytes length (LE; the top bit: the last one), sealed bytes, tag (16)
 *   chunk 0 is JSON: { callSid, track, startedAtMs, from, to }; the others are mu-law, 8 kHz
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { OperatingError } from '../core/errors.ts'

const magic = Buffer.from('VFR1')
const saltBytes = 16
const tagBytes = 16
const headBytes = magic.length + saltBytes
const lastBit = 0x8000_0000
const chunkBytesMax = 1_048_576

/** What a file says of itself, sealed like the rest. */
export interface RecordingFacts {
  readonly callSid: string
  readonly track: string
  readonly startedAtMs: number
  readonly from: string
  readonly to: string
}

/** Seals a file from its beginning; the caller writes what it is given, in order. */
export class RecordingSeal {
  readonly #key: Buffer
  readonly head: Buffer
  #index = 0

  constructor(callKey: Buffer) {
    const salt = randomBytes(saltBytes)
    this.#key = fileKey(callKey, salt)
    this.head = Buffer.concat([magic, salt])
  }

  seal(bytes: Uint8Array, isLast = false): Buffer {
    const length = Buffer.alloc(4)
    length.writeUInt32LE((bytes.length | (isLast ? lastBit : 0)) >>> 0)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#index)).setAAD(length)
    this.#index += 1
    return Buffer.concat([length, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
  }
}

export interface OpenedRecording {
  readonly facts: RecordingFacts
  readonly mulaw: Buffer
  /** False: the writer died; this is what it had written. */
  readonly isComplete: boolean
}

/** @throws OperatingError recording_unreadable: not ours, another key, or changed */
export function openRecording(bytes: Buffer, callKey: Buffer): OpenedRecording {
  const chunks = [...chunksOf(bytes, callKey)]
  const first = chunks[0]
  if (first === undefined) throw unreadable()
  const facts = JSON.parse(first.bytes.toString('utf8')) as RecordingFacts
  const mulaw = Buffer.concat(chunks.slice(1).map((chunk) => chunk.bytes))
  return { facts, mulaw, isComplete: chunks.at(-1)?.isLast === true }
}

/** The first chunk alone, of a file or of its beginning. */
export function openFacts(bytes: Buffer, callKey: Buffer): RecordingFacts {
  for (const { bytes: text } of chunksOf(bytes, callKey)) return JSON.parse(text.toString('utf8')) as RecordingFacts
  throw unreadable()
}

function* chunksOf(bytes: Buffer, callKey: Buffer): Generator<{ bytes: Buffer; isLast: boolean }> {
  if (!bytes.subarray(0, magic.length).equals(magic) || bytes.length < headBytes) throw unreadable()
  const key = fileKey(callKey, bytes.subarray(magic.length, headBytes))
  let at = headBytes
  for (let index = 0; at + 4 <= bytes.length; index++) {
    const announced = bytes.readUInt32LE(at)
    const length = (announced & ~lastBit) >>> 0
    const end = at + 4 + length + tagBytes
    if (length > chunkBytesMax) throw unreadable()
    // What follows was being written when the process died.
    if (end > bytes.length) return
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(index), { authTagLength: tagBytes })
    decipher.setAAD(bytes.subarray(at, at + 4)).setAuthTag(bytes.subarray(end - tagBytes, end))
    const isLast = announced >= lastBit
    try {
      yield {
        bytes: Buffer.concat([decipher.update(bytes.subarray(at + 4, end - tagBytes)), decipher.final()]),
        isLast,
      }
    } catch {
      throw unreadable()
    }
    if (isLast) {
      if (end !== bytes.length) throw unreadable()
      return
    }
    at = end
  }
}

function fileKey(callKey: Buffer, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', callKey, salt, 'voicefw recording', 32))
}

function nonceOf(index: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32LE(index, 8)
  return nonce
}

function unreadable(): OperatingError {
  return new OperatingError('recording_unreadable', 'this recording was changed, or sealed by another key')
}
