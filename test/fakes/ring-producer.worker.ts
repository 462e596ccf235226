/**
 * The producing half of the two-thread ring test: writes so many frames as told, each of a length and content that its
 * number determines, and tries again while the ring is full. A thread of its own.
 */
import { workerData } from 'node:worker_threads'
import { RingWriter } from '../../src/worker/ring.ts'

const { memory, records } = workerData as { memory: SharedArrayBuffer; records: number }
const ring = new RingWriter(memory, 1)
const source = new Uint8Array(256)
ring.writeOpen(7, 0, 0)
for (let n = 0; n < records; n += 1) {
  const length = n % 200
  for (let i = 0; i < length; i += 1) source[8 + i] = n + i
  while (!ring.writeFrame(7, n / 8, source, 8, 8 + length, n));
}
ring.writeClose(7, records)
