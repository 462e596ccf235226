import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { doctor } from '../../src/cli/doctor.ts'
import { systemClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { writeTinyFlashModel } from '../fakes/tiny-flash-model.ts'
import { writeTinyModel } from '../fakes/tiny-model.ts'

interface Seen {
  readonly code: number
  /** Status of a check by its name. */
  status(name: string): string | undefined
  line(name: string): string
}

async function examine(config: Record<string, unknown>, spoil?: (folder: string) => void): Promise<Seen> {
  const folder = lastingDirectory()
  chmodSync(folder, 0o700)
  writeTinyModel(join(folder, 'models'))
  spoil?.(folder)
  const file = join(folder, 'test.yaml')
  writeFileSync(file, JSON.stringify({ dataDir: folder, ...config }))
  const terminal = capturedTerminal()
  const sources = { file, env: {} }
  const code = await doctor({ sources, clock: systemClock, terminal, modelsDir: join(folder, 'models') })
  const line = (name: string) => terminal.out.find((text) => text.slice(6).startsWith(name)) ?? ''
  return { code, line, status: (name) => line(name).slice(0, 4).trim() }
}

test('on a sound machine with a plain configuration nothing fails, and what Twilio needs is warned of', async () => {
  const seen = await examine({ server: { port: 0 } })
  const checks = ['node', 'glibc', 'natives', 'wasm simd', 'config', 'data directory', 'disk', 'models', 'onnxruntime']
  for (const name of [...checks, 'storage', 'clock', 'port']) assert.equal(seen.status(name), 'ok', seen.line(name))
  assert.equal(seen.status('twilio url'), 'warn')
  assert.match(seen.line('twilio accounts'), /^warn .* -> set twilio\.accounts/)
  assert.equal(seen.code, 0)
})

test('each thing that would stop or spoil a start fails with how to mend it', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  try {
    const config = {
      server: { port, publicUrl: 'http://voice.example.com' },
      storage: { url: 'http://127.0.0.1:9', requestTimeoutMs: 1000 },
    }
    const seen = await examine(config, (folder) => {
      writeFileSync(join(folder, 'models/voice/tiny/model.onnx'), 'changed')
      chmodSync(folder, 0o755)
    })
    assert.match(seen.line('models'), /^fail .*sha256 must be .* -> restore models/)
    assert.match(seen.line('onnxruntime'), /^fail /)
    assert.match(seen.line('storage'), /^fail .* -> check storage\.url/)
    assert.match(seen.line('port'), /^fail .*EADDRINUSE.* -> stop what uses it/)
    assert.match(seen.line('twilio url'), /^fail .*not https -> /)
    assert.match(seen.line('data directory'), /^warn .* -> chmod 700/)
    assert.equal(seen.code, 1)
  } finally {
    taken.close()
  }
})

test('a server that runs with this data is asked whether its counts of call records agree', async () => {
  const noon = { day: '2026-03-01', source: 'pbx', records: 7, table: {}, report: {}, differs: [] as string[] }
  const lost = { day: '2026-03-01', source: 'pbx', accepted: 9, stored: 7, state: 'fewer_stored' }
  const answers = [
    { agrees: true, waitingEntries: 0, days: [noon], arrivals: [] },
    { agrees: false, waitingEntries: 0, days: [{ ...noon, differs: ['busy', 'cancelled'] }], arrivals: [] },
    { agrees: false, waitingEntries: 4, days: [noon], arrivals: [lost] },
  ]
  const lines: string[] = []
  for (const answer of answers) {
    const running = createHttpServer((request, response) => {
      const known = request.url === '/healthz' || request.headers.authorization === 'Bearer vf_admin'
      response.writeHead(known ? 200 : 401).end(JSON.stringify(answer))
    })
    await new Promise<void>((resolve) => running.listen(0, '127.0.0.1', resolve))
    const { port } = running.address() as AddressInfo
    const seen = await examine({ server: { port }, storage: { url: 'http://127.0.0.1:9' } }, (folder) => {
      writeFileSync(join(folder, 'admin.key'), 'vf_admin\n')
    })
    running.closeAllConnections()
    running.close()
    lines.push(seen.line('call records').replaceAll(/ +/g, ' '))
  }
  assert.deepEqual(lines, [
    'ok call records 7 of 7 days: table, reports and what was accepted agree',
    'warn call records 2026-03-01 pbx: busy, cancelled differ -> look at GET /v1/analytics/selfcheck',
    'warn call records 2 records accepted and not stored, 4 log entries wait -> look at GET /v1/analytics/selfcheck',
  ])
})

test('a bad configuration is told problem by problem, and the rest is still examined', async () => {
  const seen = await examine({ server: { port: 'x' }, nonsense: 1, storage: { url: 'http://127.0.0.1:9' } })
  assert.match(seen.line('config'), /^fail .*server\.port: got "x"|unknown key "nonsense"/)
  assert.equal(seen.status('models'), 'ok')
  assert.equal(seen.code, 1)
})

test('a model of flash calls is tried too, and one whose file was changed fails', async () => {
  const lay = (folder: string, spoiled: boolean) => {
    const version = writeTinyFlashModel(join(folder, 'models'))
    const active = { active: 'tiny', previous: null }
    writeFileSync(join(folder, 'models/registry.json'), JSON.stringify({ voice: active, flash_call: active }))
    if (spoiled) writeFileSync(join(version, 'model.onnx'), 'changed')
  }
  const sound = await examine({ server: { port: 0 } }, (folder) => lay(folder, false))
  assert.match(sound.line('onnxruntime'), /^ok .*so does flash_call\/tiny/)
  const spoiled = await examine({ server: { port: 0 } }, (folder) => lay(folder, true))
  assert.match(spoiled.line('onnxruntime'), /^fail .*sha256 must be/)
})
