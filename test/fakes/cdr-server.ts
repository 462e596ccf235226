/**
 * A server with the doors for CDRs of the contract and a memory of ids: accepts a record once, rejects what the
 * canonical parser rejects. Can be told to refuse for a while, and to break connections.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'

export interface CdrServer {
  readonly port: number
  readonly ids: Set<string>
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[]
  /** The next requests are answered so, before any is taken. */
  readonly refusals: number[]
  /** So many messages are taken in and then the connection breaks before the answer. */
  breaks: number
  close(): void
}

export async function cdrServer(): Promise<CdrServer> {
  const http = createServer((request, response) => void answerPost(state, request, response))
  const sockets = new WebSocketServer({ server: http })
  const state: CdrServer = {
    get port() {
      return (http.address() as AddressInfo).port
    },
    ids: new Set(),
    requests: [],
    refusals: [],
    breaks: 0,
    close() {
      for (const client of sockets.clients) client.terminate()
      http.closeAllConnections()
      http.close()
    },
  }
  sockets.on('connection', (socket, request) => {
    state.requests.push({ path: request.url ?? '', authorization: request.headers.authorization })
    socket.on('message', (data) => {
      const { seq, events } = JSON.parse(String(data)) as { seq: number; events: unknown[] }
      const receipt = take(state, events)
      if (state.breaks-- > 0) socket.terminate()
      else socket.send(JSON.stringify({ ack: seq, ...receipt }))
    })
  })
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done))
  return state
}

async function answerPost(state: CdrServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  state.requests.push({ path: request.url ?? '', authorization: request.headers.authorization })
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const status = state.refusals.shift()
  if (status !== undefined) {
    response.writeHead(status, { 'retry-after': '0' }).end()
    return
  }
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n')
  const receipt = take(
    state,
    lines.map((line) => {
      try {
        return JSON.parse(line) as unknown
      } catch {
        return line
      }
    }),
  )
  if (state.breaks-- > 0) response.destroy()
  else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(receipt))
}

function take(state: CdrServer, events: readonly unknown[]): object {
  const rejected: object[] = []
  let accepted = 0
  let duplicates = 0
  for (const [index, event] of events.entries()) {
    const record = parseCdr(event, 'canonical')
    if (isProblem(record)) rejected.push({ index, ...record })
    else if (state.ids.has(record.id)) duplicates++
    else {
      state.ids.add(record.id)
      accepted++
    }
  }
  return { accepted, duplicates, rejected }
}
