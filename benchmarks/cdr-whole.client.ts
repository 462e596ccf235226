/**
 * Child process of cdr-whole.ts: a switch that has simulated traffic (normal, hard negatives, campaigns of every kind)
 * ready as messages and sends them as fast as they are acknowledged, so that making records stays out of the run.
 */
import { once } from 'node:events'
import WebSocket from 'ws'
import { cdrLine } from '../src/simulator/cdr-call.ts'
import { CdrTraffic } from '../src/simulator/cdr-traffic.ts'
import { MessagePacker } from '../src/wire/cdr-pack.ts'

export interface TrafficOrder {
  readonly url: string
  readonly key: string
  readonly records: number
  readonly seed: number
}

const recordsPerMessage = 500
/** Messages that may be unacknowledged. */
const windowMessages = 32
const attemptsPerSecond = 1000

/** Records of the last minutes, at 1000 a second of event time, the newest of now. */
function messages({ records, seed }: TrafficOrder): Uint8Array[] {
  const seconds = records / attemptsPerSecond
  const startUs = (Date.now() - seconds * 1000) * 1000
  const traffic = new CdrTraffic({ plan: 'train', seed, attempts: Math.ceil(records * 1.3), seconds, startUs })
  const packer = new MessagePacker()
  const out: Uint8Array[] = []
  for (let made = 0; made < records; made += recordsPerMessage) {
    packer.mapHead(2)
    packer.text('seq')
    packer.number(out.length + 1)
    packer.text('events')
    packer.arrayHead(recordsPerMessage)
    for (let event = 0; event < recordsPerMessage; event += 1) packer.value(JSON.parse(cdrLine(traffic.next()!.record)))
    out.push(packer.take())
  }
  return out
}

async function send({ url, key }: TrafficOrder, bodies: readonly Uint8Array[]): Promise<void> {
  const headers = { authorization: `Bearer ${key}` }
  const socket = new WebSocket(`${url}/v1/cdr?source=canonical`, { headers, perMessageDeflate: false })
  await once(socket, 'open')
  let next = 0
  let acked = 0
  const fill = (): void => {
    while (next < bodies.length && next - acked < windowMessages) socket.send(bodies[next++] as Uint8Array)
  }
  await new Promise<void>((done, failed) => {
    socket.on('close', (code) => failed(new Error(`closed with ${code} after ${acked} answers`)))
    socket.on('message', () => {
      acked += 1
      if (acked === bodies.length) done()
      else fill()
    })
    fill()
  })
  socket.terminate()
}

let ready: { order: TrafficOrder; bodies: Uint8Array[] } | null = null

process.on('message', (order: TrafficOrder | 'go') => {
  if (order !== 'go') {
    ready = { order, bodies: messages(order) }
    process.send?.('ready')
  } else if (ready !== null) void send(ready.order, ready.bodies).then(() => process.send?.('acked'))
})
