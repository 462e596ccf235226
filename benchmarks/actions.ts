/**
 * From a verdict to the request at Twilio: the whole server as users run it, 200 live calls of recorded speech from the
 * simulator, a rule in force that redirects each at its first verdict, so all of them act; and Twilio's REST API played
 * in a thread of its own. Measured where it arrives: the wall time of the request's head at Twilio minus that of the
 * decision, so the server's own queue, its marks and the socket are in it; beside the server's own histogram.
 * Twilio takes 150 ms to answer. Calls begin 100 a second, so their verdicts fall as densely. Then the worst case: 200
 * actions decided in the same turn of the event loop, through the same queue, journal and client. What else the machine
 * was doing is told beside it. VOICEFW_BENCH_CALLS changes the number of calls.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { CallActions } from '../src/actions/call-actions.ts'
import { TwilioRest } from '../src/actions/twilio-rest.ts'
import { loadConfig } from '../src/config/load.ts'
import { systemClock } from '../src/core/clock.ts'
import { silentLog } from '../src/core/log.ts'
import { zeroCounters } from '../src/core/metrics.ts'
import { projectRoot } from '../src/core/project.ts'
import { ByteBudget } from '../src/log/durable-log.ts'
import { LogEnvironment } from '../src/log/log-environment.ts'
import { MarkFile } from '../src/log/mark-file.ts'
import { runCallLoad } from '../src/simulator/call-load.ts'
import { type Clip, loadClips } from '../src/simulator/clips.ts'
import type { BenchmarkRow } from './row.ts'

const calls = Number(process.env['VOICEFW_BENCH_CALLS'] ?? 200)
const seconds = 15
const twilioAnswersMs = 150
const account = { sid: `AC${'ab'.repeat(16)}`, token: 'benchmark-token-of-no-account' }
const publicUrl = 'https://voice.example.com'

interface Twilio {
  readonly url: string
  /** When each request since the last time arrived, wall time; a call that is asked for twice is there twice. */
  arrivals(): Promise<[callSid: string, atMs: number][]>
  close(): Promise<unknown>
}

async function playTwilio(): Promise<Twilio> {
  const file = new URL('./twilio-arrivals.worker.js', import.meta.url)
  const worker = new Worker(file, { workerData: { answersMs: twilioAnswersMs } })
  const told = <T>(): Promise<T> => new Promise((resolve) => worker.once('message', resolve))
  const { port } = await told<{ port: number }>()
  return {
    url: `http://127.0.0.1:${port}`,
    async arrivals() {
      const answer = told<{ arrivals: [string, number][] }>()
      worker.postMessage('arrivals')
      return (await answer).arrivals
    },
    close: () => worker.terminate(),
  }
}

async function startFirewall(dataDir: string, apiBaseUrl: string): Promise<{ child: ChildProcess; url: string }> {
  const file = join(dataDir, 'bench.yaml')
  // The first verdict of any call: what is measured is the way of an action, not how good the model is.
  const when = { label: ['likely_synthetic', 'likely_human', 'inconclusive'], track: 'inbound' }
  const rules = [{ name: 'aside', when, do: { redirect: { twiml: '<Response><Pause/></Response>' } } }]
  const config = {
    dataDir,
    logLevel: 'info',
    server: { port: 0, publicUrl },
    twilio: { accounts: [{ sid: account.sid, authTokens: [account.token], apiBaseUrl }] },
    actions: { shadow: false, rules },
  }
  writeFileSync(file, JSON.stringify(config))
  const args = [join(projectRoot, 'dist/src/cli.js'), 'serve', '--config', file]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server left with ${code}`)))
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = text.startsWith('{') ? (JSON.parse(text) as { msg?: string; url?: string }) : {}
      if (line.msg === 'listening' && line.url !== undefined) resolve(line.url)
    })
  })
  return { child, url }
}

interface Decided {
  readonly decidedAt: string
  readonly latencyMs: number | null
  readonly state: string
}

async function decisionsOf(url: string, key: string, callSids: readonly string[]): Promise<Map<string, Decided>> {
  const found = new Map<string, Decided>()
  for (const callSid of callSids) {
    const response = await fetch(`${url}/v1/calls/${callSid}`, { headers: { authorization: `Bearer ${key}` } })
    if (response.status !== 200) continue
    const [action] = ((await response.json()) as { actions: Decided[] }).actions
    if (action !== undefined) found.set(callSid, action)
  }
  return found
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export async function run(): Promise<BenchmarkRow[]> {
  const twilio = await playTwilio()
  const load = loadavg()[0] ?? Number.NaN
  try {
    return [
      ...(await liveCalls(twilio)),
      ...(await burst(twilio)),
      { name: 'actions: load average of the machine before', value: load, unit: 'processes' },
      { name: 'actions: load average of the machine after', value: loadavg()[0] ?? Number.NaN, unit: 'processes' },
    ]
  } finally {
    await twilio.close()
  }
}

async function liveCalls(twilio: Twilio): Promise<BenchmarkRow[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'voicefw-actions-'))
  const { child, url } = await startFirewall(dataDir, twilio.url)
  try {
    const clips: Clip[] = loadClips(join(projectRoot, 'fixtures/calls'))
    const target = { origin: url, publicUrl, accountSid: account.sid, authToken: account.token }
    const load = { target, streams: calls, seconds, clips, faultSeed: undefined, clock: systemClock }
    const report = await runCallLoad({ ...load, progress: () => {} })
    const key = readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
    const callSids = report.calls.map((call) => call.callSid)
    const decided = await decisionsOf(url, key, callSids)
    const arrivals = await twilio.arrivals()
    const arrived = new Map(arrivals)
    const pairs = [...decided].filter(([callSid]) => arrived.has(callSid))
    if (pairs.length === 0) throw new Error(`no request arrived: ${JSON.stringify(report.counts.refused)}`)
    const tookMs = pairs.map(([callSid, { decidedAt }]) => (arrived.get(callSid) ?? 0) - Date.parse(decidedAt))
    const told = pairs.map(([, { latencyMs }]) => latencyMs ?? Number.NaN)
    const done = [...decided.values()].filter((action) => action.state === 'done').length
    const name = `verdict to request at Twilio, ${calls} calls`
    const unit = 'ms'
    return [
      { name: `${name}, p99`, value: percentile(tookMs, 0.99), unit, budget: { must: 100, aim: 50 } },
      { name: `${name}, p50`, value: percentile(tookMs, 0.5), unit },
      { name: `${name}, longest`, value: Math.max(...tookMs), unit },
      { name: `${name}, p99 as the server tells`, value: percentile(told, 0.99), unit },
      { name: `${name}, calls that acted`, value: done, unit: 'calls', budget: { must: calls, aim: calls } },
      { name: `${name}, calls acted upon more than once`, value: arrivals.length - arrived.size, unit: 'calls' },
    ]
  } finally {
    child.kill('SIGTERM')
    await new Promise((gone) => child.once('exit', gone))
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** All decided in one turn, by a process that has acted before; each is marked before it goes out, as redirects are. */
async function burst(twilio: Twilio): Promise<BenchmarkRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'voicefw-burst-'))
  const counters = zeroCounters()
  const logs = LogEnvironment.open({ directory, counters, log: silentLog })
  const journal = logs.log('journal', new ByteBudget(1e9))
  const { twilio: settings, actions: limits } = loadConfig({ env: {} })
  const rest = new TwilioRest({
    accounts: [{ sid: account.sid, authTokens: [account.token], apiBaseUrl: twilio.url }],
    limits: settings.rest,
    clock: systemClock,
    counters,
    latency: { observe: () => {} },
  })
  const actions = new CallActions({ rest, ...limits, clock: systemClock, log: silentLog, counters })
  const entry = 'x'.repeat(8192)
  const marks = new MarkFile(join(directory, 'marks'))
  const beforeSend = (): void => marks.put(entry, journal.append([Buffer.from(entry)]))
  const take = (n: number): Promise<unknown> =>
    actions.take({
      id: String(n),
      accountSid: account.sid,
      callSid: `CA${String(n).padStart(32, '0')}`,
      change: { twiml: '<Response><Pause/></Response>' },
      verdictAtMs: systemClock.steadyMs(),
      beforeSend,
    })
  try {
    for (let n = 0; n < 20; n += 1) await take(n)
    await twilio.arrivals()
    const startMs = systemClock.wallMs()
    await Promise.all(Array.from({ length: calls }, (_, n) => take(n)))
    const tookMs = (await twilio.arrivals()).map(([, atMs]) => atMs - startMs)
    const name = `${calls} actions decided at once: verdict to request at Twilio`
    return [
      { name: `${name}, p99`, value: percentile(tookMs, 0.99), unit: 'ms', budget: { must: 100, aim: 50 } },
      { name: `${name}, p50`, value: percentile(tookMs, 0.5), unit: 'ms' },
      { name: `${name}, arrived`, value: tookMs.length, unit: 'requests' },
    ]
  } finally {
    marks.close()
    await logs.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
