/** Routes on node:http, so that a browser can meet them in tests: no limits, no drain, nothing to learn from. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HttpAnswer, HttpStream, Route } from '../../src/http/exchange.ts'
import { ask, request } from './people.ts'

export interface NodeServer {
  readonly url: string
  /** Ends every open stream, as a restart would. */
  dropStreams(): void
  close(): Promise<void>
}

export async function serveRoutes(routes: readonly Route[]): Promise<NodeServer> {
  const streams = new Set<ServerResponse>()
  const server = createServer((incoming, response) => {
    void answerOne(routes, incoming).then((answer) => send(answer, response, streams))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const dropStreams = () => {
    for (const response of streams) response.destroy()
  }
  return {
    url: `http://127.0.0.1:${port}`,
    dropStreams,
    close: () => {
      dropStreams()
      server.closeAllConnections()
      return new Promise((closed) => server.close(() => closed()))
    },
  }
}

async function answerOne(routes: readonly Route[], incoming: IncomingMessage): Promise<HttpAnswer | HttpStream> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const header = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]))
  const method = incoming.method ?? 'GET'
  try {
    return await ask(routes, request(incoming.url ?? '/', { method, header, body: Buffer.concat(chunks) }))
  } catch (thrown) {
    return { status: 404, body: String(thrown) }
  }
}

function send(answer: HttpAnswer | HttpStream, response: ServerResponse, streams: Set<ServerResponse>): void {
  response.writeHead(answer.status, answer.headers)
  if (!('open' in answer)) return void response.end(answer.body)
  response.flushHeaders()
  streams.add(response)
  const close = answer.open({ write: (text) => (response.write(text), true), end: () => response.end() })
  response.on('close', () => {
    streams.delete(response)
    close()
  })
}
