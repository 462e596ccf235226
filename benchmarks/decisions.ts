/**
 * `POST /v1/decisions` over a real socket with ten thousand live cases in memory: how long a switch waits before it
 * sets up a call, over HTTP on one kept connection; beside a route that answers nothing. Client and server share the
 * process.
 */
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { loadConfig } from '../src/config/load.ts'
import { systemClock } from '../src/core/clock.ts'
import { silentLog } from '../src/core/log.ts'
import { zeroCounters } from '../src/core/metrics.ts'
import { CaseBook } from '../src/decisions/case-book.ts'
import type { CaseSeed } from '../src/decisions/cases.ts'
import { FraudPolicy } from '../src/decisions/fraud-policy.ts'
import { LiveDecisions } from '../src/decisions/live-decisions.ts'
import { createHttpServer } from '../src/http/server.ts'
import { rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const casesLive = 10_000
const asksWarm = 2000
const asks = 10_000

type Decide = (call: { from: string; to: string; route: string }) => object

export async function run(): Promise<BenchmarkRow[]> {
  const decide = openBook()
  const counters = zeroCounters()
  const limits = { bodyBytesMax: 65_536, bodyTimeoutMs: 5000 }
  const server = createHttpServer({ log: silentLog, counters, clock: systemClock, limits, tls: null })
  const headers = { 'Content-Type': 'application/json' }
  server.route({
    method: 'POST',
    pattern: '/v1/decisions',
    answer: ({ body }) => ({ status: 200, headers, body: JSON.stringify(decide(JSON.parse(body.toString()))) }),
  })
  server.route({ method: 'POST', pattern: '/nothing', answer: () => ({ status: 200, headers, body: '{}' }) })
  const port = await server.listen('127.0.0.1', 0)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const nothing = await percentiles((call) => post(agent, port, '/nothing', call))
    const http = await percentiles((call) => post(agent, port, '/v1/decisions', call))
    const memory = await percentiles(async (call) => void decide(call))
    return [
      {
        name: `decision over HTTP, ${casesLive} live cases, p99`,
        value: http.p99,
        unit: 'ms',
        baseline: { name: 'a route that answers nothing', value: nothing.p99 },
        budget: { must: 2, aim: 1 },
      },
      { name: `decision over HTTP, ${casesLive} live cases, median`, value: http.p50, unit: 'ms' },
      { name: 'decision from memory alone, p99', value: memory.p99, unit: 'ms' },
    ]
  } finally {
    agent.destroy()
    server.close()
  }
}

/** A case on every hundredth number of a plan, and on some ranges and routes. */
function openBook(): Decide {
  const cdr = loadConfig({ env: {} }).cdr
  const write = async (): Promise<void> => undefined
  const book = new CaseBook({
    journal: { read: () => [], write, compact: write, isLarge: false },
    clock: systemClock,
    dismissMs: cdr.cases.dismissMs,
    published: () => undefined,
    stored: () => undefined,
    ruled: () => undefined,
    forgotten: () => undefined,
  })
  const changes = Array.from({ length: casesLive }, (_, n) => ({ change: 'opened' as const, seed: seedOf(n) }))
  book.apply(changes)
  const policy = new FraudPolicy({ ...cdr.policy, shadow: false })
  const { destinationDigits } = cdr.keys
  const decisions = new LiveDecisions({ book, policy, destinationDigits, clock: systemClock, counters: zeroCounters() })
  return (call) => decisions.decide(call)
}

function seedOf(n: number): CaseSeed {
  const nowMs = systemClock.wallMs()
  const value = n % 10 === 0 ? `carrier-${n}` : `447700${String(n * 100).padStart(6, '0')}`
  return {
    it: {
      id: randomUUID(),
      kind: 'wangiri',
      subject: { type: n % 10 === 0 ? 'route' : 'number', value },
      state: 'open',
      score: 0.97,
      calls: 150,
      reasons: [{ code: 'missed', text: '97 % of 150 attempts within 10 min given up while ringing' }],
      evidence: [],
      firstSeenMs: nowMs,
      openedMs: nowMs,
      lastSeenMs: nowMs,
      mergedInto: null,
      absorbed: 0,
      verdict: null,
    },
    keyKind: 0,
    broader: [],
    signalCalls: 150,
    reasonCalls: 150,
    asOfMs: nowMs,
  }
}

async function percentiles(ask: (call: Parameters<Decide>[0]) => Promise<void>): Promise<{ p50: number; p99: number }> {
  const times: number[] = []
  for (let n = 0; n < asksWarm + asks; n++) {
    const call = { from: `447700${String(n * 50).padStart(6, '0')}`, to: '4915112345678', route: `carrier-${n % 500}` }
    const beganMs = systemClock.steadyMs()
    await ask(call)
    if (n >= asksWarm) times.push(systemClock.steadyMs() - beganMs)
  }
  times.sort((a, b) => a - b)
  const at = (share: number): number => rounded(times[Math.floor(times.length * share)] ?? 0)
  return { p50: at(0.5), p99: at(0.99) }
}

function post(agent: Agent, port: number, path: string, body: object): Promise<void> {
  return new Promise((done, failed) => {
    const options = { agent, port, host: '127.0.0.1', path, method: 'POST' }
    const asked = request(options, (answer) => {
      answer.on('data', () => undefined)
      answer.on('end', () => done())
    })
    asked.on('error', failed)
    asked.end(JSON.stringify(body))
  })
}
