/**
 * `doctor`: one line per check, `ok`, `warn` or `fail`, each of the latter with how to mend it. Checks what a start
 * needs by doing it (loading the natives, running the model once, opening the engine), never by guessing from
 * versions. Changes nothing but a probe file and a temporary folder, both removed.
 */
import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { mkdtempSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ConfigProblems, type ConfigSources, loadConfig } from '../config/load.ts'
import type { Config, VoiceConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { silentLog } from '../core/log.ts'
import { zeroCounters } from '../core/metrics.ts'
import { FlashCallModel } from '../inference/flash-call-model.ts'
import { activeModelDir, loadVoiceModel, modelLabel, readRegistry } from '../inference/model-file.ts'
import type { SelfCheck } from '../storage/cdr-self-check.ts'
import { createStore } from '../storage/stores.ts'
import { loadSecondStage, openDetector } from '../worker/staged-detector.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface DoctorContext {
  readonly sources: ConfigSources
  readonly clock: Clock
  readonly terminal: Terminal
  /** Where models lie; the package's own when undefined. */
  readonly modelsDir?: string
}

type Finding =
  | { readonly status: 'ok'; readonly detail: string }
  | { readonly status: 'warn' | 'fail'; readonly detail: string; readonly mend: string }

const ok = (detail: string): Finding => ({ status: 'ok', detail })
const warn = (detail: string, mend: string): Finding => ({ status: 'warn', detail, mend })
const fail = (detail: string, mend: string): Finding => ({ status: 'fail', detail, mend })

const nodeMajorMin = 20
const diskFreeBytesMin = 512 * 2 ** 20
const clockOffMsMax = 2000
const networkTimeoutMs = 5000

export async function doctor(context: DoctorContext): Promise<ExitCode> {
  const { terminal } = context
  let failed = false
  const tell = (name: string, finding: Finding) => {
    failed ||= finding.status === 'fail'
    const mend = finding.status === 'ok' ? '' : ` -> ${finding.mend}`
    terminal.print(`${finding.status.padEnd(4)}  ${name.padEnd(14)} ${finding.detail}${mend}`)
  }
  tell('node', nodeVersion())
  tell('glibc', glibc())
  tell('natives', await natives())
  tell('wasm simd', wasmSimd())
  const { config, problems } = configOf(context.sources)
  if (problems.length === 0) tell('config', ok(context.sources.file ?? 'the defaults and the environment'))
  for (const problem of problems) tell('config', fail(problem, 'mend it; the other checks use the defaults'))
  tell('data directory', dataDirectory(config.dataDir))
  tell('disk', disk(config))
  const modelsDir = context.modelsDir ?? config.models.directory ?? undefined
  const model = modelFiles(modelsDir)
  tell('models', model.finding)
  tell('onnxruntime', await inference(config.detection.voice, model.dir, modelsDir))
  for (const [name, finding] of await storage(config, context.clock)) tell(name, finding)
  tell('port', await port(config))
  const records = await callRecords(config)
  if (records !== null) tell('call records', records)
  tell('twilio url', await publicUrl(config))
  tell('twilio accounts', accounts(config))
  return failed ? 1 : 0
}

function nodeVersion(): Finding {
  const { version } = process
  const major = Number(version.slice(1).split('.')[0])
  return major >= nodeMajorMin ? ok(version) : fail(version, `install Node.js ${nodeMajorMin} or later`)
}

function glibc(): Finding {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  const found = report.header?.glibcVersionRuntime
  if (found !== undefined) return ok(found)
  return fail(
    'not found',
    'use a Linux with glibc (Debian, Ubuntu, Fedora, ...); musl (Alpine) cannot load the natives',
  )
}

/** The native modules load: sockets and the durable log. */
async function natives(): Promise<Finding> {
  try {
    await import('../http/server.ts')
    await import('../log/durable-log.ts')
    return ok('uWebSockets.js and LMDB load')
  } catch (thrown) {
    return fail(messageOf(thrown), 'run npm ci on this machine')
  }
}

/** The compiler's libraries name no WebAssembly. */
declare const WebAssembly: { validate(module: Uint8Array): boolean }

/** Smallest module with a v128 instruction: (func (result v128) i32.const 0 i8x16.splat). */
const simdModule = Uint8Array.from(
  Buffer.from('0061736d0100000001050160' + '00017b03020100' + '0a08010600' + '4100fd0f0b', 'hex'),
)

function wasmSimd(): Finding {
  if (WebAssembly.validate(simdModule)) return ok('supported')
  return fail('not supported', 'use a processor with SSE4.1 or NEON, and Node.js without --no-wasm-simd')
}

function configOf(sources: ConfigSources): { config: Config; problems: readonly string[] } {
  try {
    return { config: loadConfig(sources), problems: [] }
  } catch (thrown) {
    const problems = thrown instanceof ConfigProblems ? thrown.problems : [messageOf(thrown)]
    return { config: loadConfig({ env: {} }), problems }
  }
}

/** The directory itself, or the first parent that exists: the server makes what is missing. */
function existing(path: string): string {
  let at = path
  while (statSync(at, { throwIfNoEntry: false }) === undefined) at = dirname(at)
  return at
}

function dataDirectory(dataDir: string): Finding {
  const at = existing(dataDir)
  const probe = join(at, `.voicefw-doctor-${randomBytes(4).toString('hex')}`)
  try {
    writeFileSync(probe, '', { mode: 0o600 })
    rmSync(probe)
  } catch (thrown) {
    return fail(messageOf(thrown), `let this user write to ${at}, or set dataDir`)
  }
  if (at !== dataDir) return ok(`${dataDir} will be made at the first start`)
  const open = statSync(at).mode & 0o077
  if (open !== 0) return warn(`${at} can be entered by other users`, `chmod 700 ${at}`)
  return ok(`${at} is writable and private`)
}

function disk({ dataDir, storage: { spoolBytesMax } }: Config): Finding {
  const { bavail, bsize } = statfsSync(existing(dataDir))
  const free = bavail * bsize
  const text = `${(free / 2 ** 30).toFixed(1)} GiB free`
  if (free < diskFreeBytesMin) return fail(text, 'free space, or set dataDir to a larger disk')
  if (free < spoolBytesMax)
    return warn(text, 'the spool alone may grow to storage.spoolBytesMax; free space or lower it')
  return ok(text)
}

function modelFiles(modelsDir: string | undefined): { finding: Finding; dir: string | undefined } {
  try {
    const dir = activeModelDir('voice', modelsDir)
    const { manifest } = loadVoiceModel(dir)
    return { finding: ok(`${modelLabel(manifest)}, sha256 as its manifest says`), dir }
  } catch (thrown) {
    return { finding: fail(messageOf(thrown), 'restore models/ from the package'), dir: undefined }
  }
}

/** With the second stage, if one is configured. */
async function inference(voice: VoiceConfig, dir: string | undefined, modelsDir: string | undefined): Promise<Finding> {
  if (dir === undefined) return fail('no model to run', 'mend the models first')
  try {
    const model = loadVoiceModel(dir)
    const secondStage = await loadSecondStage(voice, modelsDir)
    const { detector } = await openDetector({ model, secondStage, batchMax: 4, counters: zeroCounters(), waits: true })
    await detector.run(4)
    await detector.release()
    const beside = secondStage === null ? '' : ` with the second stage ${modelLabel(secondStage.model.manifest)}`
    return ok(`loads, and runs a batch of 4${beside}; ${await flashCalls(modelsDir)}`)
  } catch (thrown) {
    return fail(messageOf(thrown), 'run npm ci; if it stays, the model file is not for this version')
  }
}

/** The model of flash calls, its sha256 checked as it loads. */
async function flashCalls(modelsDir: string | undefined): Promise<string> {
  if (readRegistry(modelsDir)['flash_call'] === undefined) return 'flash calls are judged by the rule'
  const model = await FlashCallModel.load(activeModelDir('flash_call', modelsDir), 4)
  await model.release()
  return `so does ${modelLabel(model.manifest)}`
}

/** The engine answers, and its clock and ours agree. The embedded one is tried in a folder of its own. */
async function storage(config: Config, clock: Clock): Promise<[string, Finding][]> {
  const { url } = config.storage
  const folder = mkdtempSync(join(tmpdir(), 'voicefw-doctor-'))
  const tried = { ...config, dataDir: folder }
  const store = createStore(tried, { counters: zeroCounters(), log: silentLog })
  try {
    await within(networkTimeoutMs * (url === null ? 6 : 1), store.start())
    const sql = 'SELECT version() AS version, toUnixTimestamp64Milli(now64(3)) AS nowMs'
    const [row] = await within(networkTimeoutMs, store.query(sql, {}))
    const offMs = Math.abs(Number(row?.['nowMs']) - clock.wallMs())
    const where = url === null ? 'embedded ClickHouse' : `ClickHouse at ${new URL(url).host}`
    const agreed =
      offMs <= clockOffMsMax
        ? ok(`${new Date(clock.wallMs()).toISOString()}, storage agrees`)
        : warn(`storage is ${Math.round(offMs)} ms off`, 'keep both machines on NTP; stored times will disagree')
    return [
      ['storage', ok(`${where} ${row?.['version']}`)],
      ['clock', agreed],
    ]
  } catch (thrown) {
    const mend =
      url === null
        ? 'run npm ci without --omit=optional, or set storage.url'
        : 'check storage.url, user, password and network'
    return [['storage', fail(messageOf(thrown), mend)]]
  } finally {
    await store.close().catch(() => {})
    rmSync(folder, { recursive: true, force: true })
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

async function port({ server }: Config): Promise<Finding> {
  const where = `${server.host}:${server.port}`
  const problem = await new Promise<string | null>((done) => {
    const probe = createServer()
    probe.once('error', (thrown) => done(messageOf(thrown)))
    probe.listen(server.port, server.host, () => probe.close(() => done(null)))
  })
  if (problem === null) return ok(`${where} is free`)
  if (await answersHealth(`http://${where}/healthz`)) return ok(`${where}: a voicefw answers there already`)
  return fail(problem, 'stop what uses it, or set server.port')
}

async function answersHealth(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(networkTimeoutMs) })).status === 200
  } catch {
    return false
  }
}

/** Where a server of ours runs with our data: whether its counts of call records agree with one another. */
async function callRecords({ dataDir, server }: Config): Promise<Finding | null> {
  const path = '/v1/analytics/selfcheck'
  try {
    const key = readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
    const url = `${server.tls ? 'https' : 'http'}://${server.host}:${server.port}${path}`
    const signal = AbortSignal.timeout(networkTimeoutMs * 6)
    const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` }, signal })
    if (answer.status !== 200) return null
    return countsFinding((await answer.json()) as SelfCheck, path)
  } catch {
    return null
  }
}

function countsFinding({ agrees, waitingEntries, days, arrivals }: SelfCheck, path: string): Finding {
  const records = days.reduce((sum, day) => sum + day.records, 0)
  if (agrees) return ok(`${records} of 7 days: table, reports and what was accepted agree`)
  const mend = `look at GET ${path}`
  const day = days.find(({ differs }) => differs.length > 0)
  if (day !== undefined) return warn(`${day.day} ${day.source}: ${day.differs.join(', ')} differ`, mend)
  const lost = arrivals.filter(({ state }) => state === 'fewer_stored')
  const missing = lost.reduce((sum, { accepted, stored }) => sum + accepted - stored, 0)
  return warn(`${missing} records accepted and not stored, ${waitingEntries} log entries wait`, mend)
}

async function publicUrl({ server }: Config): Promise<Finding> {
  if (server.publicUrl === null) {
    return warn('server.publicUrl is not set', 'set it to the https URL that Twilio shall call')
  }
  const url = new URL(server.publicUrl)
  if (url.protocol !== 'https:')
    return fail(`${url.origin} is not https`, 'Twilio streams to wss only; use an https URL')
  try {
    const { address } = await within(networkTimeoutMs, lookup(url.hostname))
    return ok(`${url.origin} is ${address}`)
  } catch (thrown) {
    return fail(`${url.hostname}: ${messageOf(thrown)}`, 'make a DNS record for it, or correct server.publicUrl')
  }
}

function accounts({ twilio }: Config): Finding {
  const { length } = twilio.accounts
  if (length > 0) return ok(`${length} configured`)
  return warn('none: every Twilio request is refused', 'set twilio.accounts (or use `serve --demo`)')
}
