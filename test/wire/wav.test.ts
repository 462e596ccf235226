import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OperatingError } from '../../src/core/errors.ts'
import { type Audio, readAudio, readRawMulaw, readWav, wavChannelsMax, writeWav } from '../../src/wire/wav.ts'

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/[\s.]/g, ''), 'hex')
}

function chunk(id: string, body: Uint8Array, size = body.length): Buffer {
  const head = Buffer.alloc(8)
  head.write(id, 0, 'latin1')
  head.writeUInt32LE(size, 4)
  return Buffer.concat([head, body, Buffer.alloc(body.length & 1)])
}

function riff(chunks: Uint8Array[], container = 'RIFF', size?: number): Buffer {
  const body = Buffer.concat(chunks)
  const head = Buffer.alloc(12)
  head.write(container, 0, 'latin1')
  head.writeUInt32LE(size ?? body.length + 4, 4)
  head.write('WAVE', 8, 'latin1')
  return Buffer.concat([head, body])
}

/** Body of a plain 16-byte format chunk. */
function fmt(code: number, channels: number, rateHz: number, bits: number, frameBytes = (channels * bits) / 8): Buffer {
  const body = Buffer.alloc(16)
  body.writeUInt16LE(code, 0)
  body.writeUInt16LE(channels, 2)
  body.writeUInt32LE(rateHz, 4)
  body.writeUInt32LE(rateHz * frameBytes, 8)
  body.writeUInt16LE(frameBytes, 12)
  body.writeUInt16LE(bits, 14)
  return body
}

function samplesOf(audio: Audio): number[][] {
  assert(audio.kind === 'samples')
  return audio.channels.map((channel) => [...channel])
}

function refused(bytes: Uint8Array, pattern: RegExp): void {
  assert.throws(
    () => readWav(bytes),
    (thrown) => thrown instanceof OperatingError && thrown.code === 'audio_unreadable' && pattern.test(thrown.message),
  )
}

test('8 kHz mu-law comes back byte for byte', () => {
  const file = hex(
    '52494646 26000000 57415645 666d7420 10000000 0700 0100 401f0000 401f0000 0100 0800 64617461 02000000 ff7f',
  )
  const audio = readWav(file)
  assert.equal(audio.kind, 'mulaw')
  assert.equal(audio.sampleRateHz, 8000)
  assert.deepEqual(
    audio.channels.map((channel) => [...channel]),
    [[0xff, 0x7f]],
  )
})

test('stereo 8 kHz mu-law gives each side its own bytes', () => {
  const audio = readWav(riff([chunk('fmt ', fmt(7, 2, 8000, 8)), chunk('data', hex('01 02 03 04 05 06'))]))
  assert.deepEqual(
    audio.channels.map((channel) => [...channel]),
    [
      [1, 3, 5],
      [2, 4, 6],
    ],
  )
})

test('mu-law at another rate and A-law keep their bytes too', () => {
  const wide = readWav(riff([chunk('fmt ', fmt(7, 1, 16000, 8)), chunk('data', hex('ff 00 80'))]))
  assert.deepEqual(wide, { kind: 'mulaw', sampleRateHz: 16000, channels: [Uint8Array.of(0xff, 0, 0x80)] })
  const alaw = readWav(riff([chunk('fmt ', fmt(6, 1, 8000, 8)), chunk('data', hex('d5 55'))]))
  assert.deepEqual(alaw, { kind: 'alaw', sampleRateHz: 8000, channels: [Uint8Array.of(0xd5, 0x55)] })
})

test('PCM of 8, 16, 24 and 32 bits: full scale down is -1, half up is 0.5', () => {
  const cases: [number, string][] = [
    [8, '00 80 c0'],
    [16, '0080 0000 0040'],
    [24, '000080 000000 000040'],
    [32, '00000080 00000000 00000040'],
  ]
  for (const [bits, data] of cases) {
    const audio = readWav(riff([chunk('fmt ', fmt(1, 1, 44100, bits)), chunk('data', hex(data))]))
    assert.deepEqual(samplesOf(audio), [[-1, 0, 0.5]], `${bits} bits`)
  }
})

test('20 bits in a 32-bit container are read left-justified', () => {
  const audio = readWav(riff([chunk('fmt ', fmt(1, 1, 48000, 20, 4)), chunk('data', hex('00000040 000000c0'))]))
  assert.deepEqual(samplesOf(audio), [[0.5, -0.5]])
})

test('float samples of 32 and 64 bits; NaN is silence and what exceeds full scale is clipped', () => {
  const floats = new Uint8Array(Float32Array.of(0.25, Number.NaN, -9, Number.POSITIVE_INFINITY).buffer)
  const doubles = new Uint8Array(Float64Array.of(0.25, Number.NaN, -9, 1e300).buffer)
  for (const [bits, data] of [
    [32, floats],
    [64, doubles],
  ] as const) {
    const audio = readWav(riff([chunk('fmt ', fmt(3, 1, 8000, bits)), chunk('data', data)]))
    assert.deepEqual(samplesOf(audio), [[0.25, 0, -1, 1]])
  }
})

test('the extensible format is read by its sub-format', () => {
  const extension = hex('1600 1000 03000000 0100 000000001000800000aa00389b71')
  const body = Buffer.concat([fmt(0xfffe, 2, 22050, 16), extension])
  const audio = readWav(riff([chunk('fmt ', body), chunk('data', hex('0040 00c0'))]))
  assert.deepEqual(samplesOf(audio), [[0.5], [-0.5]])
  body[body.length - 1] = 0
  refused(riff([chunk('fmt ', body), chunk('data', hex('0040 00c0'))]), /sub-format 010000000000100080/)
})

test('other chunks are passed over, odd ones with their padding byte', () => {
  const file = riff([
    chunk('LIST', Buffer.from('abc')),
    chunk('fmt ', fmt(1, 1, 8000, 16)),
    chunk('fact', hex('01000000')),
    chunk('data', hex('0040')),
    chunk('cue ', hex('00')),
  ])
  assert.deepEqual(samplesOf(readWav(file)), [[0.5]])
})

test('a data size of 0 or 0xFFFFFFFF from a streaming writer means: to the end of the file', () => {
  for (const [size, riffSize] of [
    [0, 0],
    [0xffffffff, 0xffffffff],
    [0, 36],
  ] as const) {
    const file = riff(
      [chunk('fmt ', fmt(1, 1, 8000, 16)), chunk('data', hex('0040 00c0 0040'), size)],
      'RIFF',
      riffSize,
    )
    assert.deepEqual(samplesOf(readWav(file)), [[0.5, -0.5, 0.5]])
  }
})

test('data cut off in the middle of a frame gives the whole frames', () => {
  const file = riff([chunk('fmt ', fmt(1, 2, 8000, 16)), chunk('data', hex('0040 00c0 00'), 4000)])
  assert.deepEqual(samplesOf(readWav(file)), [[0.5], [-0.5]])
})

test('RF64 is read like RIFF', () => {
  const file = riff(
    [chunk('ds64', Buffer.alloc(28)), chunk('fmt ', fmt(1, 1, 8000, 16)), chunk('data', hex('0040'), 0xffffffff)],
    'RF64',
  )
  assert.deepEqual(samplesOf(readWav(file)), [[0.5]])
})

test('what cannot be read is refused with what was found', () => {
  const data = chunk('data', hex('0040'))
  refused(Buffer.from('ID3'), /too short for a WAV file: 3 bytes/)
  refused(Buffer.from('ID3\u0003 and more'), /not a WAV file: first bytes 494433/)
  refused(riff([chunk('fmt ', fmt(0x55, 1, 8000, 16)), data]), /not supported: format 0x55/)
  refused(riff([chunk('fmt ', fmt(1, 0, 8000, 16)), data]), /number of channels: 0/)
  refused(riff([chunk('fmt ', fmt(1, wavChannelsMax + 1, 8000, 16)), data]), /number of channels: 257/)
  refused(riff([chunk('fmt ', fmt(1, 1, 0, 16)), data]), /sample rate: 0 Hz/)
  refused(riff([chunk('fmt ', fmt(1, 1, 8000, 64)), data]), /bad sample size for pcm: 64 bits/)
  refused(riff([data]), /data chunk comes before/)
  refused(riff([chunk('fmt ', fmt(1, 1, 8000, 16))]), /no data chunk/)
  refused(riff([]), /no format chunk/)
  refused(riff([chunk('fmt ', fmt(1, 1, 8000, 16)), chunk('data', hex(''))]), /holds no audio/)
  refused(riff([chunk('fmt ', hex('0100'))]), /format chunk is cut off/)
})

test('raw telephone files are told by their name', () => {
  assert.deepEqual([...(readAudio('call.ul', hex('ff 7f')).channels[0] as Uint8Array)], [0xff, 0x7f])
  assert.equal(readAudio('CALL.RAW', hex('ff')).kind, 'mulaw')
  assert.throws(() => readRawMulaw(new Uint8Array(0)), { code: 'audio_unreadable' })
  assert.throws(() => readAudio('call.wav', hex('ff 7f')), { code: 'audio_unreadable' })
})

test('arbitrary bytes, also behind a true header, end in audio or in audio_unreadable', () => {
  const valid = writeWav({ formatCode: 1, channels: 2, sampleRateHz: 8000, bits: 16, bytes: new Uint8Array(64) })
  const mutated = fc
    .tuple(
      fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 255 })), { maxLength: 6 }),
      fc.nat({ max: valid.length }),
    )
    .map(([changes, length]) => {
      const bytes = Uint8Array.from(valid)
      for (const [at, value] of changes) bytes[at] = value
      return bytes.subarray(0, length)
    })
  const property = fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
    try {
      assert.ok(readWav(bytes).channels.length >= 1)
    } catch (thrown) {
      assert.ok(thrown instanceof OperatingError && thrown.code === 'audio_unreadable', String(thrown))
    }
  })
  fc.assert(property, { numRuns: 2000 })
})

/** Second reading of a plain 16-bit file: fixed offsets, typed array view. */
function plainReading(file: Buffer): { rateHz: number; channels: number[][] } {
  const count = file.readUInt16LE(22)
  const samples = new Int16Array(Uint8Array.from(file.subarray(44, 44 + file.readUInt32LE(40))).buffer)
  const channels = Array.from({ length: count }, (_, channel) =>
    [...samples].filter((_, at) => at % count === channel).map((sample) => Math.fround(sample / 32768)),
  )
  return { rateHz: file.readUInt32LE(24), channels }
}

test('any 16-bit file reads as a plain fixed-offset reading of it does', () => {
  const files = fc.record({
    channels: fc.integer({ min: 1, max: 6 }),
    rateHz: fc.integer({ min: 1000, max: 192000 }),
    frames: fc.array(fc.array(fc.integer({ min: -32768, max: 32767 }), { minLength: 6, maxLength: 6 }), {
      minLength: 1,
      maxLength: 20,
    }),
  })
  const property = fc.property(files, ({ channels, rateHz, frames }) => {
    const interleaved = Int16Array.from(frames.flatMap((frame) => frame.slice(0, channels)))
    const bytes = new Uint8Array(interleaved.buffer)
    const file = writeWav({ formatCode: 1, channels, sampleRateHz: rateHz, bits: 16, bytes })
    const audio = readWav(file)
    const plain = plainReading(file)
    assert.equal(audio.sampleRateHz, plain.rateHz)
    assert.deepEqual(samplesOf(audio), plain.channels)
  })
  fc.assert(property)
})
