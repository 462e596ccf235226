/**
 * Call records through the whole server as users run it, over WebSocket in MessagePack, as fast as they are
 * acknowledged: received -> mapped -> durable -> windows, rules, cases -> scored -> stored in the embedded ClickHouse.
 * The traffic is the simulator's. CPU of the server and of its ClickHouse child per record, memory, and what
 * `POST /v1/decisions` takes meanwhile and when the server is idle. VOICEFW_BENCH_RECORDS changes the length.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { projectRoot } from '../src/core/project.ts'
import type { TrafficOrder } from './cdr-whole.client.ts'
import { rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'
import { childrenOf, metricsOf, type Server, start, stop, usage } from './server-process.ts'

const records = Number(process.env['VOICEFW_BENCH_RECORDS'] ?? 200_000)
const warmRecords = 30_000
const asksEveryMs = 20
const drainMsMax = 120_000
/** Each look at the metrics costs the server some milliseconds, which are not the records' own. */
const lookEveryMs = 100

interface Bench {
  readonly server: Server
  readonly key: string
  readonly sender: ChildProcess
}

export async function run(): Promise<BenchmarkRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'voicefw-bench-'))
  const sender = fork(fileURLToPath(new URL('./cdr-whole.client.js', import.meta.url)))
  try {
    const config = join(folder, 'bench.yaml')
    // The traffic is in order; calls need not wait ten seconds for earlier ones before they count as judged.
    const cdr = { windows: { latenessMs: 200 } }
    writeFileSync(config, JSON.stringify({ dataDir: folder, server: { port: 0 }, cdr }))
    const cli = `${projectRoot}dist/src/cli.js`
    const server = await start([cli, 'serve', '--config', config])
    const make = [cli, 'key', 'create', '--role', 'ingest', '--name', 'bench', '--config', config]
    const key = execFileSync(process.execPath, make, { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
    // A server looks for new keys once a second.
    await sleep(1500)
    const bench = { server, key, sender }
    await through(bench, warmRecords, 1)
    const rows = await through(bench, records, 2)
    rows.push(await askedIdle(bench))
    await stop(server)
    return rows
  } finally {
    sender.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function through({ server, key, sender }: Bench, count: number, seed: number): Promise<BenchmarkRow[]> {
  const pid = server.child.pid!
  const url = server.url.replace('http', 'ws')
  sender.send({ url, key, records: count, seed } satisfies TrafficOrder)
  await once(sender, 'message')
  const before = await spent(pid)
  const asking = new Asking(server.url, key)
  const sinceMs = performance.now()
  sender.send('go')
  await once(sender, 'message')
  const ackedMs = performance.now() - sinceMs
  const { judgedMs, storedMs } = await done(server.url, sinceMs)
  const times = await asking.end()
  const after = await spent(pid)
  const per = (from: number, to: number): number => rounded(((to - from) * 1000) / count)
  const name = 'cdr over WebSocket msgpack, whole server'
  return [
    {
      name: `${name}: received -> durable -> windows -> scored -> stored`,
      value: Math.round((count * 1000) / Math.max(judgedMs, storedMs)),
      unit: 'records/s',
      budget: { must: 40_000, aim: 100_000 },
    },
    { name: `${name}: acknowledged`, value: Math.round((count * 1000) / ackedMs), unit: 'records/s' },
    { name: `${name}: judged`, value: Math.round((count * 1000) / judgedMs), unit: 'records/s' },
    { name: `${name}: CPU of the server`, value: per(before.serverMs, after.serverMs), unit: 'us/record' },
    { name: `${name}: CPU of ClickHouse`, value: per(before.childMs, after.childMs), unit: 'us/record' },
    { name: `${name}: resident memory`, value: Math.round(after.rssKib / 1024), unit: 'MiB' },
    { name: `POST /v1/decisions meanwhile, p99 of ${times.length}`, value: percentile(times, 0.99), unit: 'ms' },
  ]
}

async function spent(pid: number): Promise<{ serverMs: number; childMs: number; rssKib: number }> {
  const { cpuMs, rssKib } = usage(pid)
  return { serverMs: cpuMs, childMs: childrenOf(pid).reduce((sum, child) => sum + usage(child).cpuMs, 0), rssKib }
}

/** When every record was judged, and when it was stored. */
async function done(url: string, sinceMs: number): Promise<{ judgedMs: number; storedMs: number }> {
  let judgedMs = Number.NaN
  let storedMs = Number.NaN
  while (Number.isNaN(judgedMs) || Number.isNaN(storedMs)) {
    const metrics = await metricsOf(url)
    const nowMs = performance.now() - sinceMs
    if (nowMs > drainMsMax) throw new Error('the backlog does not drain')
    if (Number.isNaN(judgedMs) && metrics.get('voicefw_fraud_unsettled_entries') === 0) judgedMs = nowMs
    if (Number.isNaN(storedMs) && metrics.get('voicefw_cdr_waiting_entries') === 0) storedMs = nowMs
    await sleep(lookEveryMs)
  }
  return { judgedMs, storedMs }
}

async function askedIdle({ server, key }: Bench): Promise<BenchmarkRow> {
  const asking = new Asking(server.url, key)
  await sleep(3000)
  const times = await asking.end()
  const name = `POST /v1/decisions of an idle server, p99 of ${times.length}`
  return { name, value: percentile(times, 0.99), unit: 'ms', budget: { must: 2, aim: 1 } }
}

/** Asks for a decision every few milliseconds over one connection, and notes how long each took. */
class Asking {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 })
  readonly #url: string
  readonly #key: string
  readonly #times: number[] = []
  readonly #timer: NodeJS.Timeout
  #waiting = 0

  constructor(url: string, key: string) {
    this.#url = `${url}/v1/decisions`
    this.#key = key
    this.#timer = setInterval(() => this.#ask(), asksEveryMs)
  }

  async end(): Promise<number[]> {
    clearInterval(this.#timer)
    while (this.#waiting > 0) await sleep(5)
    this.#agent.destroy()
    return this.#times
  }

  #ask(): void {
    this.#waiting += 1
    const sinceMs = performance.now()
    const headers = { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' }
    const asked = request(this.#url, { method: 'POST', agent: this.#agent, headers }, (answer) => {
      if (answer.statusCode !== 200) throw new Error(`asked for a decision, answered ${answer.statusCode}`)
      answer.resume().once('end', () => {
        this.#times.push(performance.now() - sinceMs)
        this.#waiting -= 1
      })
    })
    asked.end('{"from":"12025550123","to":"442079460123","route":"access-01"}')
  }
}

function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}
