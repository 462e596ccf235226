/**
 * The embedded back end: starts the chdb child, speaks to it by numbered requests and starts it again when it dies or
 * hangs. What was in flight then fails as `storage_unavailable`, which says nothing about whether it was stored: the
 * caller sends the identical batch again. The engine's memory is capped by a config file; directories have mode 0700.
 * Main thread.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { ChdbOpenOptions, ChdbReply, ChdbRequest, SqlQuestion } from './chdb-protocol.ts'
import {
  type DumpStore,
  engineSettings,
  insertError,
  queryError,
  type SqlStore,
  type Store,
  StoreError,
} from './store.ts'

export interface EmbeddedStoreOptions {
  readonly dataDir: string
  readonly database: string
  readonly memoryBytesMax: number
  readonly requestTimeoutMs: number
  readonly counters: Pick<Counters, 'storeChildRestarts'>
  readonly log: Log
  /** The engine's package; tests name one that is not there. */
  readonly chdbModule?: string
  /** How long a start waits for another process to let go of the data directory. */
  readonly lockWaitMs?: number
}

type RequestBody = ChdbRequest extends infer R ? (R extends ChdbRequest ? Omit<R, 'id'> : never) : never

interface Pending {
  readonly resolve: (answer: ChdbReply & { ok: true }) => void
  readonly reject: (error: StoreError | OperatingError) => void
  readonly op: ChdbRequest['op']
  readonly timer: NodeJS.Timeout
}

const childFile = fileURLToPath(new URL('./chdb.child.js', import.meta.url))
const restartDelayMsMin = 100
const restartDelayMsMax = 5000
const closeWaitMs = 3000
const stderrBytesKept = 2000

export class EmbeddedStore implements Store, SqlStore, DumpStore {
  readonly #options: EmbeddedStoreOptions
  readonly #pending = new Map<number, Pending>()
  #child: ChildProcess | null = null
  #up = false
  #hasRun = false
  #closed = false
  #nextId = 1
  #restartDelayMs = restartDelayMsMin
  #restartTimer: NodeJS.Timeout | null = null
  #stderr = ''

  constructor(options: EmbeddedStoreOptions) {
    this.#options = options
  }

  /**
   * @throws OperatingError config_invalid when chdb cannot be loaded, storage_unavailable when the data is locked.
   */
  async start(): Promise<void> {
    if (this.#up) return
    // Once it has run, restarts are this store's own business; a second child would only meet the first one's lock.
    if (this.#hasRun)
      throw new StoreError('storage_unavailable', 'the embedded ClickHouse is starting again', null, false)
    mkdirSync(`${this.#options.dataDir}/clickhouse`, { recursive: true, mode: 0o700 })
    mkdirSync(`${this.#options.dataDir}/backups`, { recursive: true, mode: 0o700 })
    writeFileSync(this.#configFile(), this.#configText(), { mode: 0o600 })
    try {
      await this.#spawn()
    } catch (thrown) {
      this.#abandon()
      throw thrown
    }
  }

  state(): 'up' | 'down' {
    return this.#up ? 'up' : 'down'
  }

  /** Process id of the engine, for the kill tests and the log. */
  childPid(): number | null {
    return this.#child?.pid ?? null
  }

  async insert(table: string, columns: readonly string[], rows: Uint8Array, token: string): Promise<void> {
    await this.#request({ op: 'insert', table, columns, rows, token })
  }

  async query(sql: string, parameters: Record<string, string | number>): Promise<Record<string, unknown>[]> {
    const { text } = await this.#request({ op: 'query', sql, parameters })
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** The engine's own limit must come first: a request without an answer costs the child its life. */
  async ask(question: SqlQuestion): Promise<Uint8Array> {
    const timeMs = Math.min(question.limits.timeMs, this.#options.requestTimeoutMs * 0.5)
    const limits = { ...question.limits, timeMs }
    const { bytes } = await this.#request({ op: 'ask', question: { ...question, limits } })
    return bytes ?? new Uint8Array()
  }

  async dump(sql: string): Promise<Uint8Array> {
    const { bytes } = await this.#request({ op: 'dump', sql })
    return bytes ?? new Uint8Array()
  }

  async command(sql: string): Promise<void> {
    await this.#request({ op: 'command', sql })
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer)
    const child = this.#child
    if (child === null) return
    const gone = new Promise<void>((done) => child.once('exit', () => done()))
    const timer = setTimeout(() => child.kill('SIGKILL'), closeWaitMs)
    await this.#request({ op: 'close' }).catch(() => {})
    // The engine is closed; its threads may linger, so the process is not waited for politely.
    child.kill('SIGKILL')
    await gone
    clearTimeout(timer)
  }

  #configFile(): string {
    return resolve(this.#options.dataDir, 'clickhouse.xml')
  }

  #configText(): string {
    const backups = resolve(this.#options.dataDir, 'backups').replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    return [
      '<clickhouse>',
      `  <max_server_memory_usage>${this.#options.memoryBytesMax}</max_server_memory_usage>`,
      `  <backups><allowed_path>${backups}</allowed_path></backups>`,
      '</clickhouse>',
      '',
    ].join('\n')
  }

  #openOptions(): ChdbOpenOptions {
    const settings = Object.entries(engineSettings(this.#options.requestTimeoutMs))
    return {
      path: resolve(this.#options.dataDir, 'clickhouse'),
      database: this.#options.database,
      connectionArgs: [`--config-file=${this.#configFile()}`, ...settings.map(([key, value]) => `--${key}=${value}`)],
      lockWaitMs: this.#options.lockWaitMs ?? 8000,
      module: this.#options.chdbModule ?? 'chdb',
    }
  }

  async #spawn(): Promise<void> {
    // The engine gets no secrets: only what a process needs to run.
    const { PATH, HOME, LANG } = process.env
    const child = fork(childFile, [], {
      serialization: 'advanced',
      execArgv: [],
      env: { PATH, HOME, LANG, TZ: 'UTC' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child = child
    this.#stderr = ''
    child.stderr?.setEncoding('utf8')
    child.stderr?.on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrBytesKept)
    })
    child.on('message', (reply: ChdbReply) => this.#settle(reply))
    child.on('error', () => {})
    child.once('exit', (code, signal) => this.#exited(child, signal ?? `code ${code}`))
    const options = this.#openOptions()
    await this.#request({ op: 'open', options }, options.lockWaitMs + this.#options.requestTimeoutMs)
    this.#up = true
    this.#hasRun = true
  }

  #request(body: RequestBody, timeoutMs = this.#options.requestTimeoutMs): Promise<ChdbReply & { ok: true }> {
    const child = this.#child
    if (child === null || !child.connected || (!this.#up && body.op !== 'open' && body.op !== 'close')) {
      return Promise.reject(
        new StoreError('storage_unavailable', 'the embedded ClickHouse is not running', null, false),
      )
    }
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#hung(id, child, timeoutMs), timeoutMs)
      this.#pending.set(id, { resolve, reject, op: body.op, timer })
      child.send({ ...body, id } as ChdbRequest, (error) => {
        // A broken channel is followed by `exit`, which fails what is pending.
        if (error) this.#options.log.debug('request not sent to the storage child', { reason: error.message })
      })
    })
  }

  #settle(reply: ChdbReply): void {
    const pending = this.#pending.get(reply.id)
    if (pending === undefined) return
    this.#pending.delete(reply.id)
    clearTimeout(pending.timer)
    if (reply.ok && pending.op !== 'open') this.#restartDelayMs = restartDelayMsMin
    if (reply.ok) pending.resolve(reply)
    else pending.reject(this.#errorOf(reply, pending.op))
  }

  #errorOf(reply: ChdbReply & { ok: false }, op: ChdbRequest['op']): OperatingError {
    if (reply.reason === 'module_missing') {
      const mend =
        'install it with `npm install --include=optional` (glibc Linux or macOS, x64 or arm64), ' +
        'or set storage.url to a ClickHouse server'
      return new OperatingError('config_invalid', `the embedded ClickHouse (package chdb) cannot be loaded: ${mend}`, {
        got: reply.message,
      })
    }
    if (reply.reason === 'not_opened') {
      const said = /Code: \d+\. DB::Exception: [^\n]*/.exec(this.#stderr)?.[0] ?? reply.message
      return new StoreError(
        'storage_unavailable',
        `the embedded ClickHouse does not open its data: ${said}`,
        null,
        false,
      )
    }
    return op === 'insert' ? insertError(reply.engineCode, reply.message) : queryError(reply.engineCode, reply.message)
  }

  /** No answer in time although the engine has a shorter limit of its own: it hangs, so it is replaced. */
  #hung(id: number, child: ChildProcess, timeoutMs: number): void {
    if (!this.#pending.has(id)) return
    this.#options.log.error('storage child gave no answer in time; killed', { timeout_ms: timeoutMs })
    child.kill('SIGKILL')
  }

  #exited(child: ChildProcess, how: string): void {
    if (this.#child !== child) return
    const wasUp = this.#up
    this.#child = null
    this.#up = false
    for (const [id, pending] of this.#pending) {
      clearTimeout(pending.timer)
      this.#pending.delete(id)
      const detail = `the embedded ClickHouse ended (${how}) before it answered`
      pending.reject(new StoreError('storage_unavailable', detail, null, false))
    }
    if (this.#closed) return
    // One that never came up is the business of whoever waits for its start.
    if (!wasUp) return
    this.#options.log.error('storage child ended; it is started again', { how })
    this.#restartLater()
  }

  #restartLater(): void {
    this.#restartTimer = setTimeout(() => {
      this.#options.counters.storeChildRestarts += 1
      this.#spawn().catch((thrown: unknown) => this.#restartFailed(thrown))
    }, this.#restartDelayMs)
    this.#restartDelayMs = Math.min(restartDelayMsMax, this.#restartDelayMs * 2)
  }

  #restartFailed(thrown: unknown): void {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    this.#options.log.error('storage child could not be started again', { reason })
    this.#abandon()
    if (!this.#closed) this.#restartLater()
  }

  /** A child that runs but did not open. */
  #abandon(): void {
    const child = this.#child
    this.#child = null
    child?.kill('SIGKILL')
  }
}
