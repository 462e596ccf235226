/**
 * What one Twilio message costs from socket to ring, in CPU of the serving process: our door beside a bare
 * uWebSockets.js callback, beside the plain JSON.parse + Buffer in such a callback, and beside the `ws` package, in
 * one run with the same paced traffic from a child process. Then the scanner alone beside JSON.parse (tinybench).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Bench } from 'tinybench'
import uws from 'uwebsockets'
import { WebSocketServer } from 'ws'
import { Kernels } from '../src/audio/kernels.ts'
import { systemClock } from '../src/core/clock.ts'
import { silentLog } from '../src/core/log.ts'
import { zeroCounters } from '../src/core/metrics.ts'
import { createHttpServer } from '../src/http/server.ts'
import { CallTable } from '../src/ingest/call-table.ts'
import { MediaSockets } from '../src/ingest/media-socket.ts'
import { StreamTokens } from '../src/ingest/stream-tokens.ts'
import type { TrackSink } from '../src/ingest/track.ts'
import { parseTwilioMessage } from '../src/wire/twilio-media.ts'
import { MediaScanner } from '../src/wire/twilio-media-scanner.ts'
import { allocateRing, RingReader, RingWriter } from '../src/worker/ring.ts'
import type { ClientOrder } from './ingest-message.client.ts'
import type { BenchmarkRow } from './row.ts'

const streamsPerServer = 300
const rounds = 12
const roundMs = 1200
const accountSid = `AC${'0'.repeat(32)}`

/** One way of serving. `messages` counts what arrived. */
interface Contender {
  readonly name: string
  readonly port: number
  readonly paths: readonly string[]
  readonly seen: { messages: number }
  /** Between rounds, outside the measurement. */
  readonly rest: () => void
  readonly close: () => void
}

const callSidOf = (index: number): string => `CA${index.toString(16).padStart(32, '0')}`

function startMessage(index: number): string {
  const streamSid = 'MZ18ad3ab5a668481ce02b83e7395059f0'
  const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 }
  const start = { accountSid, callSid: callSidOf(index), streamSid, tracks: ['inbound'], mediaFormat }
  return JSON.stringify({ event: 'start', sequenceNumber: '1', start, streamSid })
}

/** The message as most servers read it. Returns the payload, so that nothing is optimised away. */
function plainRead(text: string): Buffer | null {
  const message = JSON.parse(text) as { event: string; media?: { payload: string; timestamp: string } }
  return message.event === 'media' && message.media ? Buffer.from(message.media.payload, 'base64') : null
}

async function bareUws(name: string, onMessage: (message: ArrayBuffer) => void): Promise<Contender> {
  const seen = { messages: 0 }
  const app = uws.App().ws('/*', {
    message: (_socket, message) => {
      seen.messages += 1
      onMessage(message)
    },
  })
  const token = await new Promise<uws.us_listen_socket>((resolve, reject) => {
    app.listen('127.0.0.1', 0, (opened) => (opened ? resolve(opened) : reject(new Error('no port'))))
  })
  const paths = Array.from({ length: streamsPerServer }, () => '/twilio/media/x')
  return { name, port: uws.us_socket_local_port(token), paths, seen, rest: () => {}, close: () => app.close() }
}

async function plainWs(): Promise<Contender> {
  const seen = { messages: 0 }
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      seen.messages += 1
      plainRead(data.toString())
    })
  })
  await once(server, 'listening')
  const paths = Array.from({ length: streamsPerServer }, () => '/twilio/media/x')
  const { port } = server.address() as AddressInfo
  return { name: 'ws + JSON.parse + Buffer', port, paths, seen, rest: () => {}, close: () => server.close() }
}

/** The product's own door, into the ring that a voice worker would read. */
async function ours(): Promise<Contender> {
  const counters = zeroCounters()
  const [clock, log] = [systemClock, silentLog]
  const memory = allocateRing(67_108_864)
  // As in a server that has run for a while: its pages are there.
  new Uint8Array(memory).fill(0)
  const ring = new RingWriter(memory, streamsPerServer)
  const sink: TrackSink = {
    open: (trackId) => ring.writeOpen(trackId, Number.NaN, clock.steadyMs()),
    frame: (trackId, mediaMs, message, start, end, enteredMs) =>
      ring.writeFrame(trackId, mediaMs, message, start, end, enteredMs),
    close: (trackId) => ring.writeClose(trackId, clock.steadyMs()),
  }
  const listener = { opened: () => {}, resumed: () => {}, closed: () => {} }
  const server = createHttpServer({
    log,
    counters,
    clock,
    limits: { bodyBytesMax: 4096, bodyTimeoutMs: 1000 },
    tls: null,
  })
  const times = { reconnectGraceMs: 2000, idleTimeoutMs: 3_600_000 }
  const table = new CallTable({ sink, listener, clock, counters, track: 'inbound_track', ...times })
  const tokens = new StreamTokens({ clock, tokenTtlMs: 60_000, tokensMax: 10_000, random: randomBytes, counters })
  const sockets = new MediaSockets({
    twilio: { accounts: [], enforceSignature: false, messageBytesMax: 65_536 },
    mediaSocketsMax: 10_000,
    publicUrl: () => 'https://voice.example.com',
    isDraining: () => false,
    tokens,
    table,
    clock,
    counters,
    log,
  })
  server.socket(sockets.route)
  const port = await server.listen('127.0.0.1', 0)
  const paths = Array.from({ length: streamsPerServer }, (_, index) => {
    const call = { callSid: callSidOf(index), accountSid, from: '', to: '', direction: '', stirVerstat: '' }
    return `/twilio/media/${tokens.issue(call)}`
  })
  const reader = new RingReader(memory)
  const record = RingReader.record()
  const rest = (): void => {
    while (reader.read(record)) reader.release()
  }
  const seen = {
    get messages() {
      return counters.mediaFrames
    },
  }
  return { name: 'ours, socket to ring', port, paths, seen, rest, close: () => server.close() }
}

async function order(client: ChildProcess, what: ClientOrder): Promise<void> {
  client.send(what)
  await once(client, 'message')
}

/** us of CPU per message over one round of paced traffic. */
async function measure(client: ChildProcess, contender: Contender): Promise<number> {
  contender.rest()
  const messages = contender.seen.messages
  const before = process.cpuUsage()
  await order(client, { kind: 'send', port: contender.port, ms: roundMs })
  const { user, system } = process.cpuUsage(before)
  return (user + system) / (contender.seen.messages - messages)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

async function socketRows(): Promise<BenchmarkRow[]> {
  const contenders = [
    await bareUws('bare uWebSockets.js callback', () => {}),
    await ours(),
    await bareUws('uWebSockets.js + JSON.parse + Buffer', (message) => plainRead(Buffer.from(message).toString())),
    await plainWs(),
  ]
  const client = fork(fileURLToPath(new URL('./ingest-message.client.js', import.meta.url)))
  const starts = Array.from({ length: streamsPerServer }, (_, index) => startMessage(index))
  for (const { port, paths } of contenders) await order(client, { kind: 'connect', port, paths, starts })
  const costs = contenders.map((): number[] => [])
  // The first round warms up and is not counted; then everybody takes turns, so that a busy machine is busy for all,
  // and each round begins with another one, so that nobody always cleans up after the same neighbour.
  for (let round = 0; round <= rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const at = (round + turn) % contenders.length
      const cost = await measure(client, contenders[at]!)
      if (round > 0) costs[at]?.push(cost)
    }
  }
  client.kill()
  for (const contender of contenders) contender.close()
  const [bare = 0, own = 0, plain = 0, ws = 0] = costs.map(median)
  const unit = 'us CPU per message'
  const baseline = { name: 'bare uWebSockets.js callback', value: bare }
  const name = 'Twilio message, socket to ring'
  return [
    { name, value: own, unit, baseline, budget: { must: bare * 1.3, aim: bare * 1.15 } },
    {
      name: `${name} (against JSON.parse)`,
      value: own,
      unit,
      baseline: { name: contenders[2]?.name ?? '', value: plain },
    },
    { name: `${name} (against ws)`, value: own, unit, baseline: { name: contenders[3]?.name ?? '', value: ws } },
  ]
}

async function scannerRow(): Promise<BenchmarkRow> {
  const payload = Buffer.alloc(160, 0x55).toString('base64')
  const media = `{"track":"inbound","chunk":"7000","timestamp":"140000","payload":"${payload}"}`
  const streamSid = 'MZ18ad3ab5a668481ce02b83e7395059f0'
  const text = `{"event":"media","sequenceNumber":"7001","media":${media},"streamSid":"${streamSid}"}`
  const bytes = new Uint8Array(Buffer.from(text))
  const scanner = new MediaScanner(Kernels.load(0))
  const bench = new Bench({ time: 500, warmupTime: 200 })
  const many = 100
  bench.add('scan', () => {
    for (let at = 0; at < many; at += 1) scanner.scan(bytes)
  })
  bench.add('JSON.parse', () => {
    for (let at = 0; at < many; at += 1) parseTwilioMessage(bytes)
  })
  await bench.run()
  const [scan = Number.NaN, parse = Number.NaN] = bench.tasks.map((task) =>
    'latency' in task.result ? (task.result.latency.p50 * 1000) / many : Number.NaN,
  )
  const baseline = { name: 'JSON.parse and validation', value: parse }
  return { name: 'media message scanned', value: scan, unit: 'us', baseline }
}

export async function run(): Promise<BenchmarkRow[]> {
  return [...(await socketRows()), await scannerRow()]
}
