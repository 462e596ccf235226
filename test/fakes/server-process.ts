/** The real server as a child process with its own data directory, for tests that look from outside or kill it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { projectRoot } from '../../src/core/project.ts'
import { quickWasmFlag } from './quick-wasm.ts'
import { lastingDirectory } from './scratch.ts'

export const testAccount = { sid: `AC${'12'.repeat(16)}`, token: 'test-auth-token-of-no-account' }

const endMsMax = 60_000

/** What Twilio was told to call; not where the server listens. */
export const testPublicUrl = 'https://voice.example.com'

export interface ServerProcess {
  readonly url: string
  readonly dataDir: string
  readonly child: ChildProcess
  readonly lines: Record<string, unknown>[]
  /** All that it wrote to stdout and stderr. */
  readonly output: string[]
  /** GET with the admin key. */
  get(path: string): Promise<unknown>
  key(): string
  /** Sends a signal and waits until the process has gone. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

export interface ServerChoices {
  /** Reuse the directory of an earlier process (restart). */
  readonly dataDir?: string
  /** More configuration, laid over the test's. */
  readonly config?: Record<string, unknown>
  /** A script that serves instead of the command line; its argument is the configuration. */
  readonly program?: string
}

export async function startServer(choices: ServerChoices = {}): Promise<ServerProcess> {
  const dataDir = choices.dataDir ?? lastingDirectory()
  const file = join(dataDir, 'test.yaml')
  const account = { sid: testAccount.sid, authTokens: [testAccount.token] }
  const base = {
    dataDir,
    server: { port: 0, publicUrl: testPublicUrl },
    // Nothing of a test goes out to Twilio: the discard port, where nobody listens.
    twilio: { accounts: [{ ...account, apiBaseUrl: 'http://127.0.0.1:9' }], track: 'both_tracks' },
    storage: { flushMs: 100 },
  }
  writeFileSync(file, JSON.stringify(merge(base, choices.config ?? {})))
  const flags = process.argv[1]?.endsWith('.long.js') ? [] : [quickWasmFlag]
  const { program } = choices
  const [script = '', ...args] =
    program === undefined ? ['dist/src/cli.js', 'serve', '--config', file] : [program, file]
  const command = [join(projectRoot, script), ...args]
  const child = spawn(process.execPath, [...flags, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: Record<string, unknown>[] = []
  const stderr: string[] = []
  const output: string[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => {
    output.push(chunk.toString())
    stderr.push(chunk.toString())
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server left with ${code}: ${stderr.join('')}`)))
    createInterface({ input: child.stdout }).on('line', (text) => {
      if (!text.startsWith('{')) return
      const line = JSON.parse(text) as Record<string, unknown>
      lines.push(line)
      if (line['msg'] === 'listening') resolve(String(line['url']))
    })
  })
  const key = (): string => readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
  return {
    url,
    dataDir,
    child,
    lines,
    output,
    key,
    async get(path) {
      const response = await fetch(url + path, { headers: { authorization: `Bearer ${key()}` } })
      assert.equal(response.status, 200, `${path}: ${response.status}`)
      return response.json()
    },
    end(signal) {
      return new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
        // One that does not end fails its test; it must not keep the tests from ending.
        const tooLate = setTimeout(() => child.kill('SIGKILL'), endMsMax)
        child.once('exit', (code) => {
          clearTimeout(tooLate)
          resolve(code)
        })
        child.kill(signal)
      })
    },
  }
}

function merge(under: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const out = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = out[key]
    const both = typeof below === 'object' && below !== null && typeof value === 'object' && value !== null
    out[key] =
      both && !Array.isArray(value) ? merge(below as Record<string, unknown>, value as Record<string, unknown>) : value
  }
  return out
}

/** Asks again until `read` gives something other than undefined. */
export async function eventually<T>(what: string, read: () => Promise<T | undefined>, timeoutMs = 15_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = await read()
    if (value !== undefined) return value
    assert.ok(Date.now() < deadline, `waited ${timeoutMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
