/** The real server with the routes of a fake API, for browsers; it can be restarted on its port under their feet. */
import { type AddressInfo, createServer } from 'node:net'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { Route } from '../../src/http/exchange.ts'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'

export interface PageServer {
  readonly url: string
  /** Every connection breaks; the same routes answer again on the same port. */
  restart(): Promise<void>
  close(): void
}

/**
 * A port that was free a moment ago. Listening on port 0 would do for one start, but the library marks only named ports
 * as reusable, and a restart must get its port back while old connections linger.
 */
async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening))
  const { port } = probe.address() as AddressInfo
  await new Promise((closed) => probe.close(closed))
  return port
}

async function listen(routes: readonly Route[], port: number): Promise<{ server: HttpServer; port: number }> {
  const limits = { bodyBytesMax: 4096, bodyTimeoutMs: 5000 }
  const server = createHttpServer({ log: silentLog, counters: zeroCounters(), clock: systemClock, limits, tls: null })
  for (const route of routes) server.route(route)
  return { server, port: await server.listen('127.0.0.1', port) }
}

export async function serveRoutes(routes: readonly Route[]): Promise<PageServer> {
  let { server, port } = await listen(routes, await freePort())
  return {
    url: `http://127.0.0.1:${port}`,
    async restart() {
      server.close()
      ;({ server, port } = await listen(routes, port))
    },
    close: () => server.close(),
  }
}
