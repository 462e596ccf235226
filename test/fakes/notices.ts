/** Notices, logs and receivers for the tests of notify/: short to write, literal to read. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget, type DurableLog } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import type { Notice } from '../../src/notify/notice.ts'
import { encodeEntry } from '../../src/notify/outbox.ts'
import { scratchDirectory } from './scratch.ts'

/** `noticeOf(7, 'call/CA1')`: evt_7 about a call. */
export function noticeOf(n: number, about = `call/CA${n}`, over: Partial<Notice> = {}): Notice {
  return {
    id: `evt_${n}`,
    type: 'verdict',
    about,
    stage: `inbound/stage-${n}`,
    kind: 'likely_synthetic',
    severity: 'high',
    at: '2026-01-01T00:00:00.000Z',
    data: { n },
    ...over,
  }
}

/** The real log in a scratch directory. */
export function scratchLogs(t: TestContext, directory = scratchDirectory(t)) {
  const logs = LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await logs.close()
  }
  t.after(close)
  return { directory, logs, close, log: (name: string, bytes = 10_000_000) => logs.log(name, new ByteBudget(bytes)) }
}

export async function put(log: DurableLog, ...notices: Notice[]): Promise<void> {
  await log.append(notices.map((notice) => encodeEntry({ notice })))
}

export interface Arrival {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly id: string
}

export interface Receiver {
  readonly url: string
  readonly port: number
  /** What came, answered well or not. */
  readonly arrivals: Arrival[]
  /** Ids answered 2xx, in order. */
  readonly taken: string[]
  /** Status for a request; 0: no answer ever. Default 204. */
  answer: (arrival: Arrival) => number
  close(): Promise<void>
}

/** A webhook's receiver on loopback. Closed, its port refuses connections; `port` opens it again. */
export async function receiver(t: TestContext, port = 0): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const arrival = { headers: request.headers, body, id: String(request.headers['webhook-id']) }
    state.arrivals.push(arrival)
    const status = state.answer(arrival)
    if (status === 0) return
    if (status < 300) state.taken.push(arrival.id)
    response.writeHead(status).end('noted')
  })
  const state: Receiver = {
    url: '',
    port: 0,
    arrivals: [],
    taken: [],
    answer: () => 204,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  t.after(() => state.close())
  const bound = (server.address() as AddressInfo).port
  return Object.assign(state, { url: `http://127.0.0.1:${bound}/hook`, port: bound })
}
