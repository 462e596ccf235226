/**
 * The number vault of the real server in mode tokens, killed (SIGKILL) under load of numbers that are all new, its
 * master changed meanwhile: what was acknowledged can be revealed, and so can every name in the log.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { projectRoot } from '../../src/core/project.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { unpackChunk } from '../../src/log/row-chunks.ts'
import { NumberVault } from '../../src/privacy/number-vault.ts'
import { VaultKeys } from '../../src/privacy/vault-keys.ts'
import { decodeCdrRow } from '../../src/wire/cdr-row.ts'
import { say } from '../fakes/callers.ts'
import { makeKey } from '../fakes/keys.ts'
import { eventually, startServer } from '../fakes/server-process.ts'

const callee = '442079460958'
const json = { 'content-type': 'application/json' }
const rounds = 3

async function rotate(dataDir: string): Promise<void> {
  const cli = join(projectRoot, 'dist/src/cli.js')
  const args = [cli, 'vault', 'rotate', '--destroy-old', '--config', join(dataDir, 'test.yaml')]
  await promisify(execFile)(process.execPath, args)
}

/** Every row of the log after a kill, with what its names stand for. */
async function revealedRows(dataDir: string): Promise<Map<string, string | null>> {
  const logs = LogEnvironment.open({ directory: join(dataDir, 'spool'), counters: zeroCounters(), log: silentLog })
  const keys = VaultKeys.read(join(dataDir, 'vault-keys.json'))
  const vault = new NumberVault({ table: logs.table('vault'), keys, cacheNumbersMax: 10, counters: zeroCounters() })
  const rows = new Map<string, string | null>()
  for (const { bytes } of logs.log('cdr', new ByteBudget(2 ** 32)).read(0, Number.MAX_SAFE_INTEGER)) {
    const chunk = unpackChunk(bytes)
    assert.ok(chunk !== null)
    for (const line of Buffer.from(chunk.lines).toString('utf8').split('\n').slice(0, -1)) {
      const { record } = decodeCdrRow(line)
      rows.set(record.callId, vault.reveal(record.from ?? ''))
    }
  }
  await logs.close()
  return rows
}

test('a number is in the vault before its record is acknowledged, whenever the server is killed', async (t) => {
  const config = { privacy: { numbers: 'tokens' } }
  let server = await startServer({ config })
  t.after(() => server.end('SIGKILL'))
  const key = makeKey(server, 'ingest')
  const acknowledged = new Map<string, string>()
  let next = 0
  const send = async (url: string): Promise<void> => {
    for (;;) {
      const startUs = Date.now() * 1000
      const batch = Array.from({ length: 20 }, () => {
        const n = next++
        return { id: `k-${n}x`, callId: `k-${n}x`, startUs, from: `1303${String(5_550_000 + n)}`, to: callee }
      })
      const header = { authorization: `Bearer ${key}`, ...json }
      const said = await say(`${url}/v1/cdr?source=canonical`, { method: 'POST', header, body: JSON.stringify(batch) })
      if (said.status === 200) for (const { callId, from } of batch) acknowledged.set(callId, from)
    }
  }
  for (let round = 0; round < rounds; round += 1) {
    const before = acknowledged.size
    const senders = Array.from({ length: 4 }, () => send(server.url).catch(() => undefined))
    await eventually('load', async () => (acknowledged.size > before + 600 ? true : undefined), 60_000)
    if (round === 1) await rotate(server.dataDir)
    await sleep(37 * (round + 1))
    await server.end('SIGKILL')
    await Promise.all(senders)
    const rows = await revealedRows(server.dataDir)
    for (const [callId, from] of acknowledged) assert.equal(rows.get(callId), from, `${callId} of round ${round}`)
    assert.ok([...rows.values()].every((number) => number !== null))
    if (round < rounds - 1) server = await startServer({ dataDir: server.dataDir, config })
  }
  t.diagnostic(`${acknowledged.size} acknowledged records over ${rounds} kills, every number revealed`)
})
