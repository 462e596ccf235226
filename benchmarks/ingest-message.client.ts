/**
 * Child process of ingest-message.ts: many Twilio streams over raw sockets, so that their cost stays out of the
 * measured process and close to nothing. Each stream sends one frame of 20 ms every 20 ms; streams are spread evenly
 * over the time.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What the parent asks for: paths of one server to connect to, then traffic on that server for a while. */
export type ClientOrder =
  | {
      readonly kind: 'connect'
      readonly port: number
      readonly paths: readonly string[]
      readonly starts: readonly string[]
    }
  | { readonly kind: 'send'; readonly port: number; readonly ms: number }

const frameMs = 20
const streams = new Map<number, { sockets: Socket[]; sent: number }>()

/** A masked text frame; the mask is zero, so the text stands in it as it is and may be patched. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text, 'latin1')
  const head = Buffer.alloc(8)
  head.writeUInt8(0x81, 0)
  head.writeUInt8(0x80 | 126, 1)
  head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}

function mediaFrame(index: number): Buffer {
  const payload = Buffer.alloc(160, index & 0xff).toString('base64')
  const media = `{"track":"inbound","chunk":"${index + 1}","timestamp":"${index * frameMs}","payload":"${payload}"}`
  const streamSid = 'MZ18ad3ab5a668481ce02b83e7395059f0'
  return textFrame(`{"event":"media","sequenceNumber":"${index + 2}","media":${media},"streamSid":"${streamSid}"}`)
}

async function open(port: number, path: string, start: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(answer.toString('latin1'))
  socket.resume()
  socket.write(textFrame(start))
  return socket
}

/** Streams take turns: by the time 20 ms have passed, each has sent one frame. */
function send(port: number, ms: number): Promise<void> {
  const server = streams.get(port)
  if (!server) throw new Error(`not connected to ${port}`)
  const { sockets } = server
  const beganAt = performance.now()
  const first = server.sent
  let frame = mediaFrame(Math.floor(server.sent / sockets.length))
  return new Promise((resolve) => {
    const turn = (): void => {
      const passedMs = performance.now() - beganAt
      const due = first + Math.floor((Math.min(passedMs, ms) * sockets.length) / frameMs)
      for (; server.sent < due; server.sent += 1) {
        const turnOf = server.sent % sockets.length
        if (turnOf === 0) frame = mediaFrame(server.sent / sockets.length)
        sockets[turnOf]?.write(frame)
      }
      if (passedMs < ms) setTimeout(turn, 1)
      else resolve()
    }
    turn()
  })
}

process.on('message', async (order: ClientOrder) => {
  if (order.kind === 'connect') {
    const sockets: Socket[] = []
    for (const [at, path] of order.paths.entries()) sockets.push(await open(order.port, path, order.starts[at] ?? ''))
    streams.set(order.port, { sockets, sent: 0 })
  } else await send(order.port, order.ms)
  process.send?.('done')
})
