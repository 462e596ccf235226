import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { childrenOf } from '../fakes/process-tree.ts'
import { quickWasmFlag } from '../fakes/quick-wasm.ts'
import { eventually, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'
import { until } from '../fakes/until.ts'

interface Serving {
  readonly child: ChildProcess
  readonly dataDir: string
  out: string
  err: string
}

async function withServe(args: string[], use: (serving: Serving) => Promise<void>): Promise<void> {
  const cwd = mkdtempSync(join(tmpdir(), 'voicefw-serve-'))
  const dataDir = join(cwd, 'data')
  const env = { ...process.env, VOICEFW__DATA_DIR: './data', VOICEFW__SERVER__PORT: '0' }
  const command = [quickWasmFlag, join(projectRoot, 'dist/src/cli.js'), 'serve', ...args]
  const child = spawn(process.execPath, command, { cwd, env })
  const serving: Serving = { child, dataDir, out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    serving.out += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    serving.err += chunk
  })
  try {
    await use(serving)
  } finally {
    child.kill('SIGKILL')
    await until(() => child.exitCode !== null || child.signalCode !== null)
    rmSync(cwd, { recursive: true, force: true })
  }
}

/** Gone, or only waiting to be collected. */
function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

test('serve prints JSON log lines on stdout, the new admin key on stderr, and leaves with 0 on SIGTERM', async () => {
  await withServe([], async (serving) => {
    await until(() => serving.out.includes('"listening"'), 60_000)
    for (const line of serving.out.trim().split('\n')) assert.ok(JSON.parse(line).msg, line)
    const key = readFileSync(join(serving.dataDir, 'admin.key'), 'utf8').trim()
    assert.ok(serving.err.includes(key) && !serving.out.includes(key))
    serving.child.kill('SIGTERM')
    await until(() => serving.child.exitCode !== null, 60_000)
    assert.equal(serving.child.exitCode, 0)
  })
})

test('the demo shows its address with its key, plays calls and records, tells verdicts, and all ends', async () => {
  await withServe(['--demo'], async (serving) => {
    await until(() => / {2}Dashboard {3}http:\/\/127\.0\.0\.1:\d+\/#key=vf_/.test(serving.out), 60_000)
    await until(() => /truth \w+ .*(likely_synthetic|likely_human|inconclusive) /.test(serving.out), 60_000)
    assert.ok(existsSync(join(serving.dataDir, 'demo-account.json')))
    const url = /Dashboard {3}(http:\/\/127\.0\.0\.1:\d+)\//.exec(serving.out)?.[1]
    await eventually('call records', async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      const accepted = Number(/voicefw_cdr_records_total\{fate="accepted"\} (\d+)/.exec(metrics)?.[1])
      return accepted > 2000 ? accepted : undefined
    })
    await until(() => /fraud case {2}\w+ +(number|range|route)/.test(serving.out), 120_000)
    const started = childrenOf(serving.child.pid ?? 0)
    assert.ok(started.length >= 2, 'the engine and the player are processes of their own')
    serving.child.kill('SIGTERM')
    await until(() => serving.child.exitCode !== null, 60_000)
    assert.equal(serving.child.exitCode, 0, serving.err)
    await until(() => started.every(isGone))
  })
})

test('a demo whose folder was deleted under it still ends on SIGTERM', async () => {
  await withServe(['--demo'], async (serving) => {
    await until(() => serving.out.includes('Dashboard'), 60_000)
    rmSync(dirname(serving.dataDir), { recursive: true })
    serving.child.kill('SIGTERM')
    await until(() => serving.child.exitCode !== null, 60_000)
  })
})

test('a second signal ends at once, with a line and 130, while live calls still go on', async () => {
  const server = await startServer({ config: { server: { drainMs: 600_000 } } })
  try {
    const { sid: accountSid, token: authToken } = testAccount
    const caller = new TwilioCaller({ url: server.url, publicUrl: testPublicUrl, accountSid, authToken })
    const stream = await caller.stream(randomSid('CA'))
    stream.media(new Uint8Array(160).fill(0xff))
    const told = (message: string) => server.lines.find(({ msg }) => msg === message)
    await eventually('a live call', async () => {
      const { calls } = (await server.get('/v1/calls?state=live')) as { calls: unknown[] }
      return calls.length > 0 ? calls : undefined
    })
    server.child.kill('SIGTERM')
    await until(() => told('draining') !== undefined)
    assert.equal(await server.end('SIGINT'), 130)
    await until(() => told('ended at once') !== undefined)
    assert.equal(told('ended at once')?.['signal'], 'SIGINT')
  } finally {
    await server.end('SIGKILL')
    rmSync(server.dataDir, { recursive: true, force: true })
  }
})

test('a demo that is killed takes its player with it', async () => {
  await withServe(['--demo'], async (serving) => {
    await until(() => serving.out.includes('call begins'), 60_000)
    const started = childrenOf(serving.child.pid ?? 0)
    serving.child.kill('SIGKILL')
    await until(() => started.every(isGone), 30_000)
  })
})

test('beyond loopback the demo does not start', async () => {
  const env = { ...process.env, VOICEFW__SERVER__HOST: '0.0.0.0' }
  const child = spawn(process.execPath, [join(projectRoot, 'dist/src/cli.js'), 'serve', '--demo'], { env })
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk
  })
  await until(() => child.exitCode !== null)
  assert.equal(child.exitCode, 2)
  assert.match(err, /the demo stays on loopback; server\.host is 0\.0\.0\.0/)
})
