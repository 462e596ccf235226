/**
 * The doors for call records on a real server and a real log, without storage: what was accepted is gathered, the
 * disk can be made slow or refuse. For tests of ingest/.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { decode, encode } from '@msgpack/msgpack'
import WebSocket from 'ws'
import { loadConfig } from '../../src/config/load.ts'
import type { CdrDoorsConfig } from '../../src/config/schema.ts'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import { CdrDoor } from '../../src/ingest/cdr-door.ts'
import { CdrIntake } from '../../src/ingest/cdr-intake.ts'
import type { QualityCount, QualityExample } from '../../src/ingest/cdr-quality.ts'
import type { DurableLog } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { type NumberDoors, openDoors } from '../../src/privacy/number-doors.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { scratchDirectory } from './scratch.ts'

interface Ending {
  after(fn: () => Promise<void> | void): void
}

export interface CdrDoors {
  readonly url: string
  readonly port: number
  readonly directory: string
  readonly intake: CdrIntake
  readonly counters: Counters
  /** In log order; those of a restart first. */
  readonly accepted: CdrRecord[]
  readonly counts: QualityCount[]
  readonly examples: QualityExample[]
  readonly disk: { delayMs: number; refuses: boolean }
  post(source: string, type: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<Posted>
  socket(source: string): Promise<CdrClient>
  close(): Promise<void>
}

export interface Posted {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly retryAfter: string | null
}

export interface CdrDoorsOptions {
  readonly directory?: string
  readonly cdr?: Partial<CdrDoorsConfig>
  readonly sourceDirectories?: string[]
  readonly clock?: Clock
  /** Default: mode `clear`. */
  readonly doors?: (logs: LogEnvironment) => NumberDoors
}

export async function startCdrDoors(test: Ending, options: CdrDoorsOptions = {}): Promise<CdrDoors> {
  const directory = options.directory ?? scratchDirectory(test)
  const counters = zeroCounters()
  const disk = { delayMs: 0, refuses: false }
  const logs = LogEnvironment.open({ directory: `${directory}/spool`, counters, log: silentLog })
  const told: Told = { accepted: [], counts: [], examples: [] }
  const config = { ...loadConfig({ env: {} }).cdr.doors, ...options.cdr }
  const intake = new CdrIntake({
    config,
    sourceDirectories: options.sourceDirectories ?? [],
    logs: { log: (name, budget) => faulty(logs.log(name, budget), disk) },
    doors: options.doors?.(logs) ?? openDoors,
    clock: options.clock ?? systemClock,
    counters,
    log: silentLog,
    writeCount: (count) => told.counts.push(count),
    writeExample: (example) => told.examples.push(example),
    arrived: () => undefined,
    accepted: (records) => void told.accepted.push(...records),
  })
  await intake.open()
  const { server, port } = await serve(intake, config, counters)
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    disk.delayMs = 0
    await intake.close()
    server.close()
    await logs.close()
  }
  test.after(close)
  const url = `http://127.0.0.1:${port}`
  return {
    ...{ url, port, directory, intake, counters, disk, close, ...told },
    post: (source, type, body, headers = {}) => post(`${url}/v1/cdr?source=${source}`, type, body, headers),
    socket: (source) => openClient(`ws://127.0.0.1:${port}/v1/cdr?source=${source}`, { authorization: 'Bearer key' }),
  }
}

type Told = { [K in 'accepted' | 'counts' | 'examples']: CdrDoors[K] }

async function serve(
  intake: CdrIntake,
  config: CdrDoorsConfig,
  counters: Counters,
): Promise<{ server: HttpServer; port: number }> {
  const limits = { bodyBytesMax: config.bodyBytesMax, bodyTimeoutMs: 5000 }
  const server = createHttpServer({ log: silentLog, counters, clock: systemClock, limits, tls: null })
  const door = new CdrDoor({
    intake,
    limits: config,
    decide: () => ({ action: 'allow' }),
    isDraining: () => server.isDraining(),
    counters,
    log: silentLog,
  })
  server.route({ method: 'POST', pattern: '/v1/cdr', answer: (request) => door.post(request) })
  server.socket({
    ...door.route,
    upgrade: (request) => {
      const isKnown = request.headers.get('authorization') === 'Bearer key'
      return isKnown ? door.route.upgrade(request) : { refuse: 'unauthenticated', detail: 'no key' }
    },
  })
  return { server, port: await server.listen('127.0.0.1', 0) }
}

function faulty(log: DurableLog, disk: { delayMs: number; refuses: boolean }): DurableLog {
  return new Proxy(log, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (name !== 'append') return typeof value === 'function' ? value.bind(target) : value
      return async (batch: readonly Uint8Array[]) => {
        if (disk.delayMs > 0) await sleep(disk.delayMs)
        if (disk.refuses) throw new Error('no space left on device')
        return target.append(batch)
      }
    },
  })
}

export async function post(
  url: string,
  type: string,
  body: string | Uint8Array,
  headers: Record<string, string>,
): Promise<Posted> {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': type, ...headers }, body })
  const text = await answer.text()
  return {
    status: answer.status,
    body: JSON.parse(text) as Record<string, unknown>,
    retryAfter: answer.headers.get('retry-after'),
  }
}

export interface Ack {
  readonly ack: number
  readonly accepted: number
  readonly duplicates: number
  readonly rejected: unknown[]
}

/** A sender over WebSocket. */
export interface CdrClient {
  readonly socket: WebSocket
  readonly acks: Ack[]
  /** Whether each answer came as a binary message. */
  readonly binary: boolean[]
  send(seq: number, events: unknown[], encoding?: 'msgpack' | 'json'): void
  acked(count: number): Promise<void>
  closed(): Promise<{ code: number; reason: string }>
}

export async function openClient(url: string, headers: Record<string, string>): Promise<CdrClient> {
  const socket = new WebSocket(url, { headers })
  const acks: Ack[] = []
  const binary: boolean[] = []
  let end: { code: number; reason: string } | null = null
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    binary.push(isBinary)
    acks.push((isBinary ? decode(data) : JSON.parse(data.toString())) as Ack)
  })
  socket.on('close', (code: number, reason: Buffer) => {
    end = { code, reason: reason.toString() }
  })
  await once(socket, 'open')
  socket.on('error', () => undefined)
  const wait = async <T>(what: string, read: () => T | null): Promise<T> => {
    const untilMs = performance.now() + 10_000
    for (;;) {
      const value = read()
      if (value !== null) return value
      if (performance.now() > untilMs) throw new Error(`waited too long for ${what}`)
      await sleep(2)
    }
  }
  return {
    socket,
    acks,
    binary,
    send: (seq, events, encoding = 'msgpack') =>
      socket.send(encoding === 'json' ? JSON.stringify({ seq, events }) : encode({ seq, events })),
    acked: async (count) => void (await wait(`${count} answers`, () => (acks.length >= count ? true : null))),
    closed: () => wait('the close', () => end),
  }
}

/** A canonical record; numbers and times vary with `index`. */
export function call(id: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  const startUs = Date.now() * 1000 - 10_000_000
  return {
    id,
    callId: id,
    startUs,
    answerUs: null,
    endUs: startUs + 9_000_000,
    from: '12025550123',
    to: '442079460123',
    ingress: 'carrier-a',
    egress: 'carrier-b',
    releasedBy: 'caller',
    ...over,
  }
}
