/**
 * A 20 ms frame (216 base64 characters) into the ring and out again, beside posting it to a worker's port. One thread
 * does both sides here, so this is CPU per frame without any waiting.
 */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { allocateRing, RingReader, RingWriter } from '../src/worker/ring.ts'
import { medianCpuMs, rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const message = new Uint8Array(400).map((_, i) => i)
const payloadStart = 100
const payloadEnd = 316
const framesPerRound = 200_000
const framesPerTick = 1000

export async function run(): Promise<BenchmarkRow[]> {
  return [
    {
      name: 'ring, one frame written and read',
      value: rounded(await ringUs()),
      unit: 'us CPU',
      baseline: { name: 'postMessage of a copy', value: rounded(await postUs()) },
    },
  ]
}

async function ringUs(): Promise<number> {
  const memory = allocateRing(1_048_576)
  const writer = new RingWriter(memory, 100)
  const reader = new RingReader(memory)
  const record = RingReader.record()
  writer.writeOpen(1, 0, 0)
  let sum = 0
  const round = () => {
    for (let tick = 0; tick < framesPerRound / framesPerTick; tick += 1) {
      for (let n = 0; n < framesPerTick; n += 1) writer.writeFrame(1, n * 20, message, payloadStart, payloadEnd, n)
      while (reader.read(record)) {
        sum += reader.bytes[record.payloadStart] as number
        reader.release()
      }
    }
  }
  const ms = await medianCpuMs(round, 7, 2)
  if (sum === 0) throw new Error('nothing was read')
  return (ms * 1000) / framesPerRound
}

async function postUs(): Promise<number> {
  const { port1, port2 } = new MessageChannel()
  let sum = 0
  const round = () => {
    for (let tick = 0; tick < framesPerRound / 10 / framesPerTick; tick += 1) {
      for (let n = 0; n < framesPerTick; n += 1) {
        port1.postMessage({
          trackId: 1,
          mediaMs: n * 20,
          enteredMs: n,
          payload: message.slice(payloadStart, payloadEnd),
        })
      }
      for (let got = receiveMessageOnPort(port2); got !== undefined; got = receiveMessageOnPort(port2)) {
        sum += (got.message as { payload: Uint8Array }).payload[0] as number
      }
    }
  }
  const ms = await medianCpuMs(round, 5, 1)
  port1.close()
  if (sum === 0) throw new Error('nothing was posted')
  return (ms * 1000 * 10) / framesPerRound
}
