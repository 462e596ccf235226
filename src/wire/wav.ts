/**
 * Reads audio files: RIFF/WAVE with PCM of 8 to 32 bits, float, mu-law or A-law, any rate, any number of channels, and
 * raw 8 kHz mu-law. G.711 stays bytes, so that a recording of a call is judged bit for bit; all else becomes samples in
 * [-1, 1]. Headers that streaming writers never completed are accepted. Throws nothing but `audio_unreadable`. Any
 * thread.
 */
import { OperatingError } from '../core/errors.ts'

/** One array per channel: G.711 code words as they are, or samples. */
export type Audio =
  | { readonly kind: 'mulaw' | 'alaw'; readonly sampleRateHz: number; readonly channels: readonly Uint8Array[] }
  | { readonly kind: 'samples'; readonly sampleRateHz: number; readonly channels: readonly Float32Array[] }

/** More channels than any recorder writes; the bound on arrays made for a hostile header. */
export const wavChannelsMax = 256
const rateHzMin = 1000
const rateHzMax = 768_000

/*
 * RIFF/WAVE, all numbers little-endian. Chunks follow one another, each padded to an even length:
 *
 *   0  'RIFF'  4  size  8  'WAVE'
 *   then chunks: 4 id, 4 size, size bytes, 0 or 1 padding byte
 *     'fmt '  0 format  2 channels  4 rateHz  8 bytes/s  12 frame bytes  14 bits
 *             [16 extension bytes  18 valid bits  20 channel mask  24 GUID: format, fixed tail]  for format 0xFFFE
 *     'data'  frames: for each frame one sample per channel
 *
 * Example, 8 kHz mu-law mono, two samples:
 *   52494646 26000000 57415645 666d7420 10000000 0700 0100 401f0000 401f0000 0100 0800 64617461 02000000 ff7f
 *
 * A writer to a pipe cannot go back: its data size is 0 or 0xFFFFFFFF, and the data runs to the end of the file. RF64
 * and BW64 (files above 4 GiB) always say 0xFFFFFFFF.
 */
interface Format {
  readonly encoding: 'pcm' | 'float' | 'alaw' | 'mulaw'
  readonly channels: number
  readonly rateHz: number
  /** Bytes of one sample as stored; PCM is left-justified in it. */
  readonly sampleBytes: number
}

const encodings: Readonly<Record<number, Format['encoding']>> = { 1: 'pcm', 3: 'float', 6: 'alaw', 7: 'mulaw' }
const extensible = 0xfffe
/** Tail of every KSDATAFORMAT_SUBTYPE GUID; its first two bytes are a plain format number. */
const subFormatTail = '000000001000800000aa00389b71'
const sizeUnknown = 0xffffffff

/** Reads a WAV file; a name ending in .ul, .ulaw, .mulaw or .raw is raw 8 kHz mu-law, mono. @throws OperatingError */
export function readAudio(name: string, bytes: Uint8Array): Audio {
  if (/\.(ul|ulaw|mulaw|raw)$/i.test(name)) return readRawMulaw(bytes)
  return readWav(bytes)
}

/** Raw G.711 mu-law, 8 kHz, one channel. @throws OperatingError when empty */
export function readRawMulaw(bytes: Uint8Array): Audio {
  if (bytes.length === 0) throw unreadable('the file is empty')
  return { kind: 'mulaw', sampleRateHz: 8000, channels: [bytes] }
}

/** @throws OperatingError `audio_unreadable`, naming what was found */
export function readWav(bytes: Uint8Array): Audio {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { format, data } = readChunks(view)
  const frameBytes = format.channels * format.sampleBytes
  const frames = Math.floor(data.byteLength / frameBytes)
  if (frames === 0) throw unreadable('the file holds no audio', `${data.byteLength} bytes of data`)
  const { encoding, rateHz: sampleRateHz } = format
  if (encoding === 'mulaw' || encoding === 'alaw') {
    return { kind: encoding, sampleRateHz, channels: codeChannels(data, format.channels, frames) }
  }
  return { kind: 'samples', sampleRateHz, channels: sampleChannels(data, format, encoding, frames) }
}

function readChunks(view: DataView): { format: Format; data: DataView } {
  if (view.byteLength < 12) throw unreadable('too short for a WAV file', `${view.byteLength} bytes`)
  const container = tagAt(view, 0)
  if (!['RIFF', 'RF64', 'BW64'].includes(container) || tagAt(view, 8) !== 'WAVE') {
    throw unreadable('not a WAV file', `first bytes ${hexOf(view, 0, 12)}`)
  }
  let format: Format | undefined
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const id = tagAt(view, at)
    const size = view.getUint32(at + 4, true)
    if (id === 'data') {
      if (format === undefined) throw unreadable('the data chunk comes before any format chunk')
      return { format, data: dataFrom(view, at + 8, size) }
    }
    if (id === 'fmt ') format = readFormat(view, at + 8, size)
    at += 8 + size + (size & 1)
  }
  throw unreadable(format === undefined ? 'no format chunk' : 'no data chunk')
}

/** The data chunk, cut to what the file holds; to the end of the file when its writer never said how long it is. */
function dataFrom(view: DataView, start: number, size: number): DataView {
  const rest = view.byteLength - start
  const finished = view.getUint32(4, true) === view.byteLength - 8
  const length = size === sizeUnknown || (size === 0 && !finished) ? rest : Math.min(size, rest)
  return new DataView(view.buffer, view.byteOffset + start, length)
}

function readFormat(view: DataView, at: number, size: number): Format {
  if (size < 16 || at + size > view.byteLength) throw unreadable('the format chunk is cut off', `${size} bytes`)
  let code = view.getUint16(at, true)
  const channels = view.getUint16(at + 2, true)
  const rateHz = view.getUint32(at + 4, true)
  const frameBytes = view.getUint16(at + 12, true)
  const bits = view.getUint16(at + 14, true)
  if (code === extensible) code = subFormat(view, at, size)
  const encoding = encodings[code]
  if (encoding === undefined) throw unreadable('audio format not supported', `format 0x${code.toString(16)}`)
  if (channels < 1 || channels > wavChannelsMax) throw unreadable('bad number of channels', `${channels}`)
  if (rateHz < rateHzMin || rateHz > rateHzMax) throw unreadable('bad sample rate', `${rateHz} Hz`)
  return { encoding, channels, rateHz, sampleBytes: sampleBytesOf(encoding, bits, frameBytes, channels) }
}

function subFormat(view: DataView, at: number, size: number): number {
  if (size < 40) throw unreadable('the extensible format chunk is cut off', `${size} bytes`)
  const guid = hexOf(view, at + 24, 16)
  if (!guid.endsWith(subFormatTail)) throw unreadable('audio format not supported', `sub-format ${guid}`)
  return view.getUint16(at + 24, true)
}

function sampleBytesOf(encoding: Format['encoding'], bits: number, frameBytes: number, channels: number): number {
  const whole = Math.ceil(bits / 8)
  // 20 bits may stand in 3 bytes or in 4: the frame size tells, when it makes sense.
  const stored = frameBytes % channels === 0 && frameBytes / channels >= whole ? frameBytes / channels : whole
  const allowed = { pcm: [1, 2, 3, 4], float: [4, 8], alaw: [1], mulaw: [1] }[encoding]
  if (bits === 0 || !allowed.includes(stored)) throw unreadable(`bad sample size for ${encoding}`, `${bits} bits`)
  return stored
}

function codeChannels(data: DataView, channels: number, frames: number): Uint8Array[] {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, frames * channels)
  if (channels === 1) return [bytes]
  return Array.from({ length: channels }, (_, channel) => {
    const out = new Uint8Array(frames)
    for (let frame = 0; frame < frames; frame++) out[frame] = bytes[frame * channels + channel]!
    return out
  })
}

function sampleChannels(data: DataView, format: Format, encoding: 'pcm' | 'float', frames: number): Float32Array[] {
  const sampleAt = encoding === 'pcm' ? pcmReaders[format.sampleBytes]! : floatReaders[format.sampleBytes]!
  const frameBytes = format.channels * format.sampleBytes
  return Array.from({ length: format.channels }, (_, channel) => {
    const out = new Float32Array(frames)
    let at = channel * format.sampleBytes
    for (let frame = 0; frame < frames; frame++, at += frameBytes) out[frame] = sampleAt(data, at)
    return out
  })
}

type SampleReader = (data: DataView, at: number) => number

/** By bytes of a sample. */
const floatReaders: Readonly<Record<number, SampleReader>> = {
  4: (data, at) => bounded(data.getFloat32(at, true)),
  8: (data, at) => bounded(data.getFloat64(at, true)),
}

/** By bytes of a sample; 8-bit PCM alone is unsigned. */
const pcmReaders: Readonly<Record<number, SampleReader>> = {
  1: (data, at) => (data.getUint8(at) - 128) / 128,
  2: (data, at) => data.getInt16(at, true) / 32768,
  3: (data, at) => ((data.getInt16(at + 1, true) << 8) | data.getUint8(at)) / 8388608,
  4: (data, at) => data.getInt32(at, true) / 2147483648,
}
/** NaN or a wild number in one sample would spread over every later frame. */
function bounded(value: number): number {
  return value >= -1 && value <= 1 ? value : value > 1 ? 1 : value < -1 ? -1 : 0
}

function tagAt(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3))
}

function hexOf(view: DataView, at: number, length: number): string {
  return Buffer.from(view.buffer, view.byteOffset + at, length).toString('hex')
}

function unreadable(what: string, got?: string): OperatingError {
  const detail = got === undefined ? what : `${what}: ${got}`
  return new OperatingError('audio_unreadable', detail, got === undefined ? {} : { got })
}

/** What `writeWav` lays down; `bytes` are the interleaved samples as they are to stand in the file. */
export interface WavFile {
  readonly formatCode: number
  readonly channels: number
  readonly sampleRateHz: number
  readonly bits: number
  readonly bytes: Uint8Array
}

/** A WAV file with a complete header. */
export function writeWav(file: WavFile): Buffer {
  const frameBytes = file.channels * Math.ceil(file.bits / 8)
  const padding = file.bytes.length & 1
  const header = Buffer.alloc(44)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(36 + file.bytes.length + padding, 4)
  header.write('WAVEfmt ', 8, 'latin1')
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(file.formatCode, 20)
  header.writeUInt16LE(file.channels, 22)
  header.writeUInt32LE(file.sampleRateHz, 24)
  header.writeUInt32LE(file.sampleRateHz * frameBytes, 28)
  header.writeUInt16LE(frameBytes, 32)
  header.writeUInt16LE(file.bits, 34)
  header.write('data', 36, 'latin1')
  header.writeUInt32LE(file.bytes.length, 40)
  return Buffer.concat([header, file.bytes, Buffer.alloc(padding)])
}
