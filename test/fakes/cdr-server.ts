/**
 * A server with the doors for CDRs of the contract and a memory of ids: accepts a record once, rejects what the
 * canonical parser rejects, answers questions. Can be told to refuse for a while, to break connections, and to answer
 * late; notes how much its socket clients had unanswered.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decode, encode } from '@msgpack/msgpack'
import { type WebSocket, WebSocketServer } from 'ws'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'

export interface CdrServer {
  readonly port: number
  readonly ids: Set<string>
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[]
  /** The next requests are answered so, before any is taken. */
  readonly refusals: number[]
  /** So many messages are taken in and then the connection breaks before the answer. */
  breaks: number
  /** Before a message of a socket is answered. */
  answerMs: number
  /** The most that one socket had unanswered. */
  readonly unanswered: { messages: number; bytes: number }
  /** Whether each message of a socket was binary. */
  readonly binary: boolean[]
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
    answerMs: 0,
    unanswered: { messages: 0, bytes: 0 },
    binary: [],
    close() {
      for (const client of sockets.clients) client.terminate()
      http.closeAllConnections()
      http.close()
    },
  }
  sockets.on('connection', (socket, request) => {
    state.requests.push({ path: request.url ?? '', authorization: request.headers.authorization })
    serveSocket(state, socket)
  })
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done))
  return state
}

function serveSocket(state: CdrServer, socket: WebSocket): void {
  const held = { messages: 0, bytes: 0 }
  socket.on('message', (data: Buffer, isBinary) => {
    const message = (isBinary ? decode(data) : JSON.parse(String(data))) as Record<string, unknown>
    const answer = (it: object) => socket.send(isBinary ? encode(it) : JSON.stringify(it))
    state.binary.push(isBinary)
    if ('ask' in message) {
      answer({ answer: message['ask'], action: 'allow', reasons: [] })
      return
    }
    held.messages++
    held.bytes += data.length
    state.unanswered.messages = Math.max(state.unanswered.messages, held.messages)
    state.unanswered.bytes = Math.max(state.unanswered.bytes, held.bytes)
    const receipt = take(state, message['events'] as unknown[])
    if (state.breaks-- > 0) return socket.terminate()
    setTimeout(() => {
      held.messages--
      held.bytes -= data.length
      answer({ ack: message['seq'], ...receipt })
    }, state.answerMs)
  })
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
