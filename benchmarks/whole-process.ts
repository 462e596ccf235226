/**
 * The whole server as users run it, under paced calls of recorded speech from the simulator in another process: CPU
 * per stream-second over all its threads, from frame to score, memory, frames lost; beside an ordinary Node program
 * that gets the same calls in the same run. VOICEFW_BENCH_STREAMS and VOICEFW_BENCH_SECONDS change the load.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { projectRoot } from '../src/core/project.ts'
import type { BenchmarkRow } from './row.ts'
import { childrenOf, metricsOf, type Server, start, stop, usage } from './server-process.ts'

const streams = Number(process.env['VOICEFW_BENCH_STREAMS'] ?? 500)
const seconds = Number(process.env['VOICEFW_BENCH_SECONDS'] ?? 30)
/** The baseline needs about ten times the CPU, so it gets a tenth of the streams. */
const plainStreams = Math.max(1, Math.round(streams / 10))
/** Left out at both ends: calls building up, calls ending. */
const marginS = 3

const account = { sid: `AC${'ab'.repeat(16)}`, token: 'benchmark-token-of-no-account' }
interface LoadReport {
  readonly counts: { readonly placed: number; readonly mediaMessages: number }
  readonly lateness: { readonly p99Ms: number }
}

/** Loads `server` and calls `inside` at both ends of the stretch during which all calls are up. */
async function load(server: Server, calls: number, inside: () => Promise<void>): Promise<LoadReport> {
  const args = [
    `${projectRoot}dist/src/cli.js`,
    'simulate',
    'calls',
    '--url',
    server.url.replace('http', 'ws'),
    '--json',
  ]
  args.push('--streams', String(calls), '--seconds', String(seconds), '--account-sid', account.sid)
  args.push('--auth-token', 'env:VOICEFW_BENCH_TOKEN', '--public-url', server.url)
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, VOICEFW_BENCH_TOKEN: account.token },
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk
  })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const rampS = calls / 100
  await sleep((rampS + marginS) * 1000)
  await inside()
  await sleep((seconds - rampS - 2 * marginS) * 1000)
  await inside()
  await gone
  return JSON.parse(text) as LoadReport
}

/** Linear within the bucket that holds the given share; all of the histogram's life. */
function percentileMs(metrics: Map<string, number>, share: number): number {
  const buckets = [...metrics]
    .map(([name, count]) => ({ edge: /hop_latency_seconds_bucket\{le="([^"]+)"\}/.exec(name)?.[1], count }))
    .filter((bucket) => bucket.edge !== undefined)
    .map(({ edge, count }) => ({ ms: edge === '+Inf' ? Number.POSITIVE_INFINITY : Number(edge) * 1000, count }))
  const wanted = (buckets.at(-1)?.count ?? 0) * share
  let below = { ms: 0, count: 0 }
  for (const bucket of buckets) {
    if (bucket.count >= wanted && wanted > 0) {
      const part = (wanted - below.count) / (bucket.count - below.count)
      return Number.isFinite(bucket.ms) ? below.ms + part * (bucket.ms - below.ms) : below.ms
    }
    below = bucket
  }
  return Number.NaN
}

/** Per stream-second, where a stream-second is 50 frames that really came. */
async function firewall(folder: string): Promise<{ rows: BenchmarkRow[]; cpuMs: number }> {
  const config = join(folder, 'bench.yaml')
  // Nothing of a benchmark goes out to Twilio: the discard port.
  const accounts = [{ sid: account.sid, authTokens: [account.token], apiBaseUrl: 'http://127.0.0.1:9' }]
  writeFileSync(config, JSON.stringify({ dataDir: folder, server: { port: 0 }, twilio: { accounts } }))
  const server = await start([`${projectRoot}dist/src/cli.js`, 'serve', '--config', config])
  const pid = server.child.pid!
  const idleKib = usage(pid).rssKib
  const seen: { cpuMs: number; rssKib: number; storeMs: number; frames: number }[] = []
  const report = await load(server, streams, async () => {
    const storeMs = childrenOf(pid).reduce((sum, child) => sum + usage(child).cpuMs, 0)
    const frames = (await metricsOf(server.url)).get('voicefw_media_frames_total') ?? 0
    seen.push({ ...usage(pid), storeMs, frames })
  })
  const metrics = await metricsOf(server.url)
  await stop(server)
  const [from, to] = seen as [(typeof seen)[0], (typeof seen)[0]]
  const streamSeconds = (to.frames - from.frames) / 50
  const cpuMs = (to.cpuMs - from.cpuMs) / streamSeconds
  const lost = report.counts.mediaMessages - (metrics.get('voicefw_media_frames_total') ?? 0)
  const name = `${report.counts.placed} calls`
  const rows: BenchmarkRow[] = [
    {
      name: `embedded ClickHouse child, ${name}`,
      value: (to.storeMs - from.storeMs) / streamSeconds,
      unit: 'ms CPU per stream-second',
    },
    { name: `frame in to hop judged, p50, ${name}`, value: percentileMs(metrics, 0.5), unit: 'ms' },
    {
      name: `frame in to hop judged, p99, ${name}`,
      value: percentileMs(metrics, 0.99),
      unit: 'ms',
      budget: { must: 250, aim: 100 },
    },
    {
      name: `frames lost, ${name}`,
      value: lost,
      unit: `of ${report.counts.mediaMessages}`,
      budget: { must: 0, aim: 0 },
    },
    { name: `resident memory above idle, ${name}`, value: (to.rssKib - idleKib) / 1024, unit: 'MiB' },
    { name: 'start to ready', value: server.startMs, unit: 'ms', budget: { must: 3000, aim: 1500 } },
    { name: 'simulator lateness p99', value: report.lateness.p99Ms, unit: 'ms' },
  ]
  return { rows, cpuMs }
}

async function plainStack(): Promise<number> {
  const server = await start([`${projectRoot}dist/benchmarks/plain-stack.child.js`])
  const seen: { cpuMs: number; frames: number }[] = []
  await load(server, plainStreams, async () => {
    const { frames } = (await (await fetch(server.url)).json()) as { frames: number }
    seen.push({ cpuMs: usage(server.child.pid!).cpuMs, frames })
  })
  await stop(server)
  const [from, to] = seen as [(typeof seen)[0], (typeof seen)[0]]
  return (to.cpuMs - from.cpuMs) / ((to.frames - from.frames) / 50)
}

export async function run(): Promise<BenchmarkRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'voicefw-bench-'))
  try {
    const { rows, cpuMs } = await firewall(folder)
    const whole: BenchmarkRow = {
      name: `whole server, ${streams} calls`,
      value: cpuMs,
      unit: 'ms CPU per stream-second',
      baseline: { name: `plain Node stack, ${plainStreams} calls`, value: await plainStack() },
      budget: { must: 1.2, aim: 0.6 },
    }
    return [whole, ...rows]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
