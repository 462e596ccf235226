import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { allocateRing, RingReader, RingWriter, recordKind } from '../../src/worker/ring.ts'

interface Plain {
  kind: number
  trackId: number
  mediaMs: number
  payload: string
}

/** Reads one record into a plain object, or undefined when there is none. */
function readOne(reader: RingReader): Plain | undefined {
  const record = RingReader.record()
  if (!reader.read(record)) return undefined
  const { kind, trackId, mediaMs, payloadStart, payloadEnd } = record
  const payload = Buffer.from(reader.bytes.slice(payloadStart, payloadEnd)).toString('hex')
  reader.release()
  return { kind, trackId, mediaMs, payload }
}

function ringOf(ringBytes: number, tracksMax: number) {
  const memory = allocateRing(ringBytes)
  return { writer: new RingWriter(memory, tracksMax), reader: new RingReader(memory) }
}

const payload = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => seed + i)

describe('the ring', () => {
  it('carries a track from open to close, byte for byte', () => {
    const { writer, reader } = ringOf(4096, 4)
    assert.equal(readOne(reader), undefined)
    assert.equal(writer.writeOpen(4_000_000_000, 0, 1), true)
    const message = Buffer.from('{"payload":"f39/"}')
    assert.equal(writer.writeFrame(4_000_000_000, 123.25, message, 12, 16, 2), true)
    writer.writeClose(4_000_000_000, 3)
    const hex = Buffer.from('f39/').toString('hex')
    assert.deepEqual(readOne(reader), { kind: recordKind.open, trackId: 4e9, mediaMs: 0, payload: '' })
    assert.deepEqual(readOne(reader), { kind: recordKind.frame, trackId: 4e9, mediaMs: 123.25, payload: hex })
    assert.deepEqual(readOne(reader), { kind: recordKind.close, trackId: 4e9, mediaMs: 0, payload: '' })
    assert.equal(readOne(reader), undefined)
    assert.equal(writer.usedBytes(), 0)
  })

  it('refuses the newest frame when full, counts it, and keeps what was written', () => {
    const { writer, reader } = ringOf(4096, 4)
    writer.writeOpen(1, 0, 0)
    let written = 0
    while (writer.writeFrame(1, written, payload(100, written), 0, 100, 0)) written += 1
    assert.equal(writer.framesRefused, 1)
    assert.equal(written, Math.floor((127 - 1 - 1 - 4) / 5))
    readOne(reader)
    for (let n = 0; n < written; n += 1) {
      const expected = Buffer.from(payload(100, n)).toString('hex')
      assert.deepEqual(readOne(reader), { kind: recordKind.frame, trackId: 1, mediaMs: n, payload: expected })
    }
    assert.equal(readOne(reader), undefined)
    assert.equal(writer.writeFrame(1, 0, payload(100), 0, 100, 0), true)
  })

  it('opens and closes every track although frames fill it', () => {
    const tracksMax = 16
    const { writer, reader } = ringOf(4096, tracksMax)
    writer.writeOpen(0, 0, 0)
    while (writer.writeFrame(0, 0, payload(40), 0, 40, 0));
    let opened = 1
    while (writer.writeOpen(opened, 0, 0)) opened += 1
    assert.ok(opened >= tracksMax / 2, `${opened} tracks opened in a full ring`)
    for (let id = 0; id < opened; id += 1) writer.writeClose(id, 0)
    const closes: number[] = []
    for (let record = readOne(reader); record !== undefined; record = readOne(reader)) {
      if (record.kind === recordKind.close) closes.push(record.trackId)
    }
    assert.deepEqual(
      closes,
      Array.from({ length: opened }, (_, id) => id),
    )
  })

  it('refuses a frame larger than itself and goes on', () => {
    const { writer, reader } = ringOf(4096, 4)
    writer.writeOpen(1, 0, 0)
    assert.equal(writer.writeFrame(1, 0, payload(8000), 0, 8000, 0), false)
    assert.equal(writer.writeFrame(1, 0, payload(8), 0, 8, 0), true)
    readOne(reader)
    assert.equal(readOne(reader)?.payload, '0102030405060708')
  })

  it('behaves like a queue under any order of writes and reads', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ write: fc.integer({ min: 0, max: 700 }) }) },
      { weight: 4, arbitrary: fc.constant('read' as const) },
      { weight: 1, arbitrary: fc.constant('open' as const) },
      { weight: 1, arbitrary: fc.constant('close' as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 2048, max: 4096 }), (steps, ringBytes) => {
        const { writer, reader } = ringOf(ringBytes, 8)
        const queue: Plain[] = []
        const open: number[] = []
        steps.forEach((what, n) => {
          if (what === 'read') assert.deepEqual(readOne(reader), queue.shift())
          else if (what === 'open') {
            if (!writer.writeOpen(n, 0, 0)) return
            open.push(n)
            queue.push({ kind: recordKind.open, trackId: n, mediaMs: 0, payload: '' })
          } else if (what === 'close') {
            const trackId = open.shift()
            if (trackId === undefined) return
            writer.writeClose(trackId, 0)
            queue.push({ kind: recordKind.close, trackId, mediaMs: 0, payload: '' })
          } else {
            const bytes = payload(what.write, n)
            const written = writer.writeFrame(n, n / 8, bytes, 0, bytes.length, 0)
            assert.ok(written || queue.length > 0 || open.length > 0, 'an empty ring refuses nothing of this size')
            const hex = Buffer.from(bytes).toString('hex')
            if (written) queue.push({ kind: recordKind.frame, trackId: n, mediaMs: n / 8, payload: hex })
          }
        })
        for (const expected of queue) assert.deepEqual(readOne(reader), expected)
        assert.equal(readOne(reader), undefined)
      }),
      { numRuns: 200 },
    )
  })

  it('moves a million records between two threads intact and in order', async () => {
    const records = 1_000_000
    const memory = allocateRing(65_536)
    const reader = new RingReader(memory)
    const producer = new Worker(new URL('../fakes/ring-producer.worker.js', import.meta.url), {
      workerData: { memory, records },
    })
    const failed = new Promise<never>((_, reject) => producer.once('error', reject))
    const online = new Promise((resolve) => producer.once('online', resolve))
    await Promise.race([online, failed])
    const record = RingReader.record()
    let frames = 0
    let closed = false
    while (!closed) {
      if (!reader.read(record)) continue
      const { kind, trackId, mediaMs, payloadStart, payloadEnd } = record
      assert.equal(trackId, 7)
      if (kind === recordKind.frame) {
        if (mediaMs !== frames / 8 || payloadEnd - payloadStart !== frames % 200) assert.fail(`record ${frames}`)
        for (let at = payloadStart; at < payloadEnd; at += 1) {
          if (reader.bytes[at] !== ((frames + at - payloadStart) & 255)) assert.fail(`byte of record ${frames}`)
        }
        frames += 1
      }
      closed = kind === recordKind.close
      reader.release()
    }
    assert.equal(frames, records)
    await new Promise((resolve) => producer.once('exit', resolve))
  })
})
