/**
 * Child process of cdr-door.ts: a switch that has its messages ready and sends them as fast as they are acknowledged,
 * so that making records stays out of the measured process.
 */
import { once } from 'node:events'
import { encode } from '@msgpack/msgpack'
import WebSocket from 'ws'

export interface SwitchOrder {
  readonly kind: 'http' | 'ws'
  readonly port: number
  readonly records: number
  readonly recordsPerMessage: number
  /** First part of the ids, so that no run repeats another's. */
  readonly tag: string
}

/** Messages that may be unacknowledged. */
const windowMessages = 8

function call(tag: string, index: number): Record<string, unknown> {
  const startUs = Date.now() * 1000 - 60_000_000 + index
  return {
    id: `${tag}-${index}`,
    callId: `${tag}-${index}`,
    startUs,
    ringUs: startUs + 1_250_000,
    answerUs: index % 3 === 0 ? startUs + 7_500_000 : null,
    endUs: startUs + 49_600_000,
    from: `1202555${String((index * 7919) % 10_000).padStart(4, '0')}`,
    to: `44207946${String(index % 1000).padStart(4, '0')}`,
    ingress: 'carrier-a',
    egress: 'carrier-b',
    causeQ850: 16,
    releasedBy: 'caller',
  }
}

function messages({ kind, records, recordsPerMessage, tag }: SwitchOrder): Uint8Array[] {
  const out: Uint8Array[] = []
  for (let at = 0; at < records; at += recordsPerMessage) {
    const events = Array.from({ length: recordsPerMessage }, (_, index) => call(tag, at + index))
    if (kind === 'ws') out.push(encode({ seq: out.length + 1, events }))
    else out.push(Buffer.from(events.map((event) => JSON.stringify(event)).join('\n')))
  }
  return out
}

async function sendHttp(port: number, bodies: readonly Uint8Array[]): Promise<number> {
  const url = `http://127.0.0.1:${port}/v1/cdr?source=canonical`
  const headers = { 'content-type': 'application/x-ndjson' }
  let next = 0
  let accepted = 0
  const sender = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
      const answer = await fetch(url, { method: 'POST', body, headers })
      accepted += ((await answer.json()) as { accepted: number }).accepted
    }
  }
  await Promise.all(Array.from({ length: windowMessages }, sender))
  return accepted
}

async function sendSocket(port: number, bodies: readonly Uint8Array[]): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/cdr?source=canonical`, { perMessageDeflate: false })
  await once(socket, 'open')
  let next = 0
  let acked = 0
  const fill = (): void => {
    while (next < bodies.length && next - acked < windowMessages) socket.send(bodies[next++] as Uint8Array)
  }
  await new Promise<void>((done) => {
    socket.on('message', () => {
      acked += 1
      if (acked === bodies.length) done()
      else fill()
    })
    fill()
  })
  socket.terminate()
  return acked
}

let ready: { order: SwitchOrder; bodies: Uint8Array[] } | null = null

process.on('message', (order: SwitchOrder | 'go') => {
  if (order !== 'go') {
    ready = { order, bodies: messages(order) }
    process.send?.('ready')
  } else if (ready !== null) {
    const send = ready.order.kind === 'http' ? sendHttp : sendSocket
    void send(ready.order.port, ready.bodies).then((count) => process.send?.({ done: count }))
  }
})
