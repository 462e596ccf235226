/** Requests and sockets from loopback addresses of the tests' own choice, so that each case has its own throttle. */
import { request as ask } from 'node:http'
import WebSocket from 'ws'

export interface Said {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export interface Asked {
  readonly method?: string
  readonly header?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Says that so many bytes come, and sends none: the refusal must not need them. */
  readonly announcedBytes?: number
  /** 127.x.y.z */
  readonly from?: string
}

export function say(url: string, asking: Asked = {}): Promise<Said> {
  const { method = 'GET', header = {}, body, announcedBytes, from } = asking
  return new Promise((resolve, reject) => {
    const bytes = announcedBytes ?? (body === undefined ? undefined : Buffer.byteLength(body))
    const length = bytes === undefined ? {} : { 'content-length': String(bytes) }
    const options = { method, headers: { ...header, ...length }, agent: false as const }
    const asked = ask(url, from === undefined ? options : { ...options, localAddress: from }, (answer) => {
      const chunks: Buffer[] = []
      const settle = (): void => {
        if (announcedBytes !== undefined) asked.on('error', () => {}).destroy()
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
      }
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        // A stream of events does not end by itself.
        if (answer.headers['content-type']?.startsWith('text/event-stream')) {
          settle()
          asked.destroy()
        }
      })
      answer.on('end', settle)
      answer.on('error', reject)
    })
    asked.on('error', reject)
    if (announcedBytes === undefined) asked.end(body)
    else asked.flushHeaders()
  })
}

/** Status of a handshake; 101 when the socket opened (it is closed again unless `keep`). */
export function knock(
  url: string,
  { header = {}, from, keep }: Asked & { keep?: (socket: WebSocket) => void } = {},
): Promise<{ status: number; headers: Said['headers'] }> {
  return new Promise((resolve, reject) => {
    const options = from === undefined ? { headers: header } : { headers: header, localAddress: from }
    const socket = new WebSocket(url.replace(/^http/, 'ws'), options)
    socket.on('unexpected-response', (_, answer) => {
      answer.resume()
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers })
    })
    socket.on('open', () => {
      if (keep === undefined) socket.close()
      else keep(socket)
      resolve({ status: 101, headers: {} })
    })
    socket.on('error', (error) => {
      if (!error.message.startsWith('Unexpected server response')) reject(error)
    })
  })
}
