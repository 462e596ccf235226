/**
 * Vendors of second opinions on loopback, speaking their documented contracts, with faults on demand: what a test says
 * they answer, garbage, silence, a broken connection. For tests of opinions/.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'

export interface VendorRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Status and body, or one of the faults. */
export type VendorAnswer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | 'silence'
  | 'garbage'
  | 'disconnect'

export interface HttpVendor {
  readonly url: string
  readonly requests: VendorRequest[]
}

export async function httpVendor(
  t: TestContext,
  answer: (request: VendorRequest) => VendorAnswer,
): Promise<HttpVendor> {
  const requests: VendorRequest[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url = '', headers } = request
    const seen = { method, path: url, headers, body: Buffer.concat(chunks) }
    requests.push(seen)
    reply(response, answer(seen))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

function reply(response: ServerResponse, answer: VendorAnswer): void {
  if (answer === 'silence') return
  if (answer === 'disconnect') response.destroy()
  else if (answer === 'garbage') response.end('<html>not what was promised</html>')
  else response.writeHead(answer.status, answer.headers).end(JSON.stringify(answer.body ?? {}))
}

export interface SocketVendor {
  readonly url: string
  /** Query and headers of each upgrade. */
  readonly upgrades: { readonly query: URLSearchParams; readonly headers: IncomingMessage['headers'] }[]
  /** All bytes that came, over all sockets. */
  readonly audio: Buffer[]
  readonly texts: string[]
}

export interface SocketVendorScript {
  /** Refuse the upgrade with this status. */
  readonly refuse?: number
  readonly open?: (socket: WebSocket) => void
  readonly bytes?: (socket: WebSocket, total: number) => void
  readonly text?: (socket: WebSocket, text: string) => void
}

export async function socketVendor(t: TestContext, script: SocketVendorScript): Promise<SocketVendor> {
  const { refuse } = script
  const verifyClient = (_info: object, done: (taken: boolean, status?: number) => void): void =>
    refuse === undefined ? done(true) : done(false, refuse)
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', verifyClient })
  const state: SocketVendor = { url: '', upgrades: [], audio: [], texts: [] }
  let total = 0
  server.on('connection', (socket, request) => {
    const query = new URL(request.url ?? '/', 'http://x').searchParams
    state.upgrades.push({ query, headers: request.headers })
    socket.on('error', () => {})
    script.open?.(socket)
    socket.on('message', (data, isBinary) => {
      if (isBinary) {
        state.audio.push(data as Buffer)
        total += (data as Buffer).length
        script.bytes?.(socket, total)
      } else {
        state.texts.push(String(data))
        script.text?.(socket, String(data))
      }
    })
  })
  await new Promise<void>((done) => server.once('listening', done))
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return Object.assign(state, { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/verify` })
}

/** So much audio, in messages of 20 ms. */
export function frames(ms: number): Uint8Array[] {
  return Array.from({ length: ms / 20 }, (_, n) => new Uint8Array(160).fill(n % 256))
}
