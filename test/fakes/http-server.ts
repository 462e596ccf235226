/**
 * The real server on a free port of loopback, and a raw client that says exactly what it is told. For tests of http/.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import type { HttpLimits, Route, SocketRoute } from '../../src/http/exchange.ts'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'

let running: HttpServer[] = []

/** For `afterEach`. */
export function closeServers(): void {
  for (const server of running) server.close()
  running = []
}

export interface Started {
  readonly server: HttpServer
  readonly counters: Counters
  readonly port: number
  readonly url: string
}

export async function startServer(
  routes: Route[],
  sockets: SocketRoute<string>[] = [],
  limits: Partial<HttpLimits> = {},
): Promise<Started> {
  const counters = zeroCounters()
  const allLimits = { bodyBytesMax: 4096, bodyTimeoutMs: 5000, ...limits }
  const server = createHttpServer({ log: silentLog, counters, clock: systemClock, limits: allLimits, tls: null })
  running.push(server)
  for (const route of routes) server.route(route)
  for (const socket of sockets) server.socket(socket)
  const port = await server.listen('127.0.0.1', 0)
  return { server, counters, port, url: `http://127.0.0.1:${port}` }
}

/** Writes each part as a packet of its own; resolves with all that came until the peer closed, or `waitMs` went by. */
export async function raw(port: number, parts: string[], waitMs = 3000): Promise<{ text: string; closed: boolean }> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  let closed = false
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  const over = once(socket, 'close').then(() => {
    closed = true
  })
  for (const part of parts) {
    socket.write(part)
    await sleep(20)
  }
  await Promise.race([over, sleep(waitMs)])
  socket.destroy()
  return { text, closed }
}
