/**
 * Call records per second through the real doors, HTTP ndjson and WebSocket msgpack: received -> mapped -> durable ->
 * acknowledged, and on to stored in the embedded ClickHouse, with the CPU of this process per record, beside decoding
 * the same bytes and nothing else. The sender is a process of its own on the same machine. Also: how long a start
 * takes to remember the records again. A few seconds.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { decodeMulti, encode } from '@msgpack/msgpack'
import { loadConfig } from '../src/config/load.ts'
import { systemClock } from '../src/core/clock.ts'
import { silentLog } from '../src/core/log.ts'
import { zeroCounters } from '../src/core/metrics.ts'
import { createHttpServer, type HttpServer } from '../src/http/server.ts'
import { CdrDoor } from '../src/ingest/cdr-door.ts'
import { CdrIntake } from '../src/ingest/cdr-intake.ts'
import { LogEnvironment } from '../src/log/log-environment.ts'
import { openDoors } from '../src/privacy/number-doors.ts'
import { EmbeddedStore } from '../src/storage/embedded-store.ts'
import { migrate } from '../src/storage/migrations.ts'
import { RowQuarantine } from '../src/storage/row-quarantine.ts'
import { TableDrain } from '../src/storage/table-drain.ts'
import type { SwitchOrder } from './cdr-door.client.ts'
import { rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const records = 60_000
const recordsPerMessage = 500

interface House {
  readonly intake: CdrIntake
  readonly drain: TableDrain
  readonly server: HttpServer
  readonly port: number
  close(): Promise<void>
}

interface Measured {
  readonly durablePerSecond: number
  readonly storedPerSecond: number
  readonly cpuUs: number
  readonly delayMsP99: number
}

export async function run(): Promise<BenchmarkRow[]> {
  const directory = mkdtempSync(`${tmpdir()}/voicefw-bench-`)
  const rooms = { dataDir: directory, database: 'voicefw', counters: zeroCounters(), log: silentLog }
  const store = new EmbeddedStore({ ...rooms, memoryBytesMax: 1_073_741_824, requestTimeoutMs: 30_000 })
  const sender = fork(fileURLToPath(new URL('./cdr-door.client.js', import.meta.url)))
  const rows: BenchmarkRow[] = []
  try {
    await store.start()
    await migrate(store, systemClock.wallMs())
    const house = await openHouse(directory, store)
    await through(house, sender, 'http', 'warm')
    for (const kind of ['http', 'ws'] as const) rows.push(...rowsOf(kind, await through(house, sender, kind, kind)))
    await house.close()
    const sinceMs = performance.now()
    const again = await openHouse(directory, store)
    const perSecond = (records * 3 * 1000) / (performance.now() - sinceMs)
    rows.push({ name: 'cdr: ids remembered again at a start', value: Math.round(perSecond), unit: 'records/s' })
    await again.close()
  } finally {
    sender.kill()
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  }
  return rows
}

function rowsOf(kind: SwitchOrder['kind'], measured: Measured): BenchmarkRow[] {
  const name = kind === 'http' ? 'cdr over HTTP ndjson' : 'cdr over WebSocket msgpack'
  const baseline =
    kind === 'http' ? { name: 'JSON.parse', value: parseRate() } : { name: 'decode', value: unpackRate() }
  return [
    {
      name: `${name}: received -> durable -> acknowledged`,
      value: measured.durablePerSecond,
      unit: 'records/s',
      baseline,
    },
    {
      name: `${name}: received -> durable -> stored`,
      value: measured.storedPerSecond,
      unit: 'records/s',
      budget: { must: 40_000, aim: 100_000 },
    },
    { name: `${name}: CPU of the server`, value: measured.cpuUs, unit: 'us/record' },
    { name: `${name}: event loop delay p99`, value: measured.delayMsP99, unit: 'ms' },
  ]
}

async function openHouse(directory: string, store: EmbeddedStore): Promise<House> {
  const counters = zeroCounters()
  const log = silentLog
  const logs = LogEnvironment.open({ directory: `${directory}/spool`, counters, log })
  const config = loadConfig({ env: {} })
  const intake: CdrIntake = new CdrIntake({
    config: config.cdr.doors,
    sourceDirectories: [],
    logs,
    doors: openDoors,
    clock: systemClock,
    counters,
    log,
    writeCount: () => undefined,
    writeExample: () => undefined,
    arrived: (rows) => drain.arrived(rows),
  })
  const quarantine = new RowQuarantine({ file: `${directory}/q.ndjson`, bytesMax: 1_000_000, counters, log })
  const { flushMs, batchRowsMax } = config.storage
  const rooms = { store, quarantine, counters, log, clock: systemClock, flushMs, batchRowsMax }
  const drain = new TableDrain({ ...rooms, table: 'cdrs', rows: intake.rows, logId: logs.id })
  await intake.open()
  drain.begin()
  const limits = { bodyBytesMax: config.cdr.doors.bodyBytesMax, bodyTimeoutMs: 10_000 }
  const server = createHttpServer({ log, counters, clock: systemClock, limits, tls: null })
  const decide = () => ({ action: 'allow' })
  const door = new CdrDoor({ intake, limits: config.cdr.doors, isDraining: () => false, decide, counters, log })
  server.route({ method: 'POST', pattern: '/v1/cdr', answer: (request) => door.post(request) })
  server.socket(door.route)
  const port = await server.listen('127.0.0.1', 0)
  const close = async (): Promise<void> => {
    await intake.close()
    await drain.close()
    server.close()
    await logs.close()
  }
  return { intake, drain, server, port, close }
}

async function through(
  { intake, drain, port }: House,
  sender: ChildProcess,
  kind: SwitchOrder['kind'],
  tag: string,
): Promise<Measured> {
  sender.send({ kind, port, records, recordsPerMessage, tag } satisfies SwitchOrder)
  await once(sender, 'message')
  await sleep(300)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const cpu = process.cpuUsage()
  const sinceMs = performance.now()
  sender.send('go')
  await once(sender, 'message')
  const durableMs = performance.now() - sinceMs
  await drain.drained(intake.rows.end())
  const storedMs = performance.now() - sinceMs
  const { user, system } = process.cpuUsage(cpu)
  delay.disable()
  return {
    durablePerSecond: Math.round((records * 1000) / durableMs),
    storedPerSecond: Math.round((records * 1000) / storedMs),
    cpuUs: rounded((user + system) / records),
    delayMsP99: rounded(delay.percentile(99) / 1e6),
  }
}

const sample = Array.from({ length: 5000 }, (_, index) => ({
  id: `ws-${index}`,
  callId: `ws-${index}`,
  startUs: 1_772_359_200_000_000 + index,
  ringUs: 1_772_359_201_250_000 + index,
  answerUs: null,
  endUs: 1_772_359_249_600_000 + index,
  from: '12025550123',
  to: '442079460123',
  ingress: 'carrier-a',
  egress: 'carrier-b',
  causeQ850: 16,
  releasedBy: 'caller',
}))

function unpackRate(): number {
  const bytes = Buffer.concat(sample.map((call) => encode(call)))
  return bestRate(() => {
    for (const _ of decodeMulti(bytes));
  })
}

function parseRate(): number {
  const lines = sample.map((call) => Buffer.from(JSON.stringify(call)))
  return bestRate(() => {
    for (const line of lines) JSON.parse(line.toString())
  })
}

function bestRate(pass: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 5; turn += 1) {
    const sinceMs = performance.now()
    pass()
    best = Math.min(best, performance.now() - sinceMs)
  }
  return Math.round((sample.length / best) * 1000)
}
