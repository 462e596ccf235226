/**
 * From a verdict to the request at Twilio: the whole server as users run it, 200 live calls of recorded generated
 * speech from the simulator, a rule in force that redirects each, and Twilio's REST API played in this process.
 * Measured where it arrives: the wall time of the request's head at Twilio minus that of the decision, so the server's
 * own queue and the socket are in it; beside the server's own histogram. Twilio takes 150 ms to answer. Calls begin 100
 * a second, so their verdicts fall in bursts. VOICEFW_BENCH_CALLS changes their number.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../src/core/clock.ts'
import { projectRoot } from '../src/core/project.ts'
import { runCallLoad } from '../src/simulator/call-load.ts'
import { type Clip, loadClips } from '../src/simulator/clips.ts'
import type { BenchmarkRow } from './row.ts'

const calls = Number(process.env['VOICEFW_BENCH_CALLS'] ?? 200)
const seconds = 15
const twilioAnswersMs = 150
const account = { sid: `AC${'ab'.repeat(16)}`, token: 'benchmark-token-of-no-account' }
const publicUrl = 'https://voice.example.com'

/** Wall time at which each call's update arrived. */
async function playTwilio(arrived: Map<string, number>): Promise<Server> {
  const server = createServer((request, response) => {
    const atMs = systemClock.wallMs()
    const callSid = /\/Calls\/(CA\w+)\.json/.exec(request.url ?? '')?.[1] ?? ''
    request.resume().on('end', () => {
      arrived.set(callSid, atMs)
      const body = JSON.stringify({ sid: callSid, account_sid: account.sid, status: 'in-progress' })
      setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end(body), twilioAnswersMs)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return server
}

async function startFirewall(dataDir: string, apiBaseUrl: string): Promise<{ child: ChildProcess; url: string }> {
  const file = join(dataDir, 'bench.yaml')
  const when = { label: 'likely_synthetic', track: 'inbound' }
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
  const arrived = new Map<string, number>()
  const twilio = await playTwilio(arrived)
  const dataDir = mkdtempSync(join(tmpdir(), 'voicefw-actions-'))
  const { port } = twilio.address() as AddressInfo
  const { child, url } = await startFirewall(dataDir, `http://127.0.0.1:${port}`)
  try {
    const clips: Clip[] = loadClips(join(projectRoot, 'fixtures/calls')).filter((clip) => clip.truth === 'spoof')
    const target = { origin: url, publicUrl, accountSid: account.sid, authToken: account.token }
    const load = { target, streams: calls, seconds, clips, faultSeed: undefined, clock: systemClock }
    const report = await runCallLoad({ ...load, progress: () => {} })
    const key = readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
    const decided = await decisionsOf(
      url,
      key,
      report.calls.map((call) => call.callSid),
    )
    const pairs = [...decided].filter(([callSid]) => arrived.has(callSid))
    if (pairs.length === 0) throw new Error(`no request arrived: ${JSON.stringify(report.counts.refused)}`)
    const arrivals = pairs.map(([callSid, { decidedAt }]) => (arrived.get(callSid) ?? 0) - Date.parse(decidedAt))
    const told = pairs.map(([, { latencyMs }]) => latencyMs ?? Number.NaN)
    const name = `verdict to request at Twilio, ${calls} calls`
    const unit = 'ms'
    return [
      { name: `${name}, p99`, value: percentile(arrivals, 0.99), unit, budget: { must: 100, aim: 50 } },
      { name: `${name}, p50`, value: percentile(arrivals, 0.5), unit },
      { name: `${name}, p99 as the server tells`, value: percentile(told, 0.99), unit },
      { name: `${name}, requests measured`, value: pairs.length, unit: 'requests' },
      { name: `${name}, calls acted upon more than once or not done`, value: notOnce(decided, arrived), unit: 'calls' },
    ]
  } finally {
    child.kill('SIGTERM')
    await new Promise((gone) => child.once('exit', gone))
    twilio.closeAllConnections()
    twilio.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

function notOnce(decided: ReadonlyMap<string, Decided>, arrived: ReadonlyMap<string, number>): number {
  const done = [...decided.values()].filter((action) => action.state === 'done').length
  return Math.abs(arrived.size - done)
}
