/** `vault status` and `vault rotate`, alone and beside a process that has the data. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { rotateVault, vaultStatus } from '../../src/cli/vault.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { NumberVault } from '../../src/privacy/number-vault.ts'
import { VaultKeys } from '../../src/privacy/vault-keys.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

interface Parts {
  readonly logs: LogEnvironment
  readonly vault: NumberVault
}

function contextIn(t: TestContext) {
  const dataDir = scratchDirectory(t)
  const config = { ...loadConfig({ env: {} }), dataDir }
  return { config, clock: systemClock, terminal: capturedTerminal() }
}

function open({ config: { dataDir } }: ReturnType<typeof contextIn>): Parts {
  const counters = zeroCounters()
  const logs = LogEnvironment.open({ directory: `${dataDir}/spool`, counters, log: silentLog })
  const keys = VaultKeys.readOrMake(`${dataDir}/vault-keys.json`, 0)
  return { logs, vault: new NumberVault({ table: logs.table('vault'), keys, cacheNumbersMax: 10, counters }) }
}

const numbers = Array.from({ length: 30 }, (_, n) => `120255501${String(n).padStart(2, '0')}`)

describe('the vault on the command line', () => {
  it('wraps all numbers under a new master and destroys the old one, while no server runs', async (t) => {
    const context = contextIn(t)
    const first = open(context)
    const tokens = numbers.map((number) => first.vault.token(number))
    await first.vault.flush()
    await first.logs.close()
    const lines = context.terminal.out
    assert.equal(await rotateVault(context, true), 0)
    assert.equal(await vaultStatus(context, true), 0)
    const status = JSON.parse(lines.at(-1) ?? '') as { numbers: number; masters: { id: string; numbers: number }[] }
    assert.deepEqual([status.numbers, status.masters.length, status.masters[0]?.numbers], [30, 1, 30])
    const { logs, vault } = open(context)
    t.after(() => logs.close())
    assert.deepEqual(
      tokens.map((token) => vault.reveal(token)),
      numbers,
    )
    // Beside a process that has the data it can be looked at.
    assert.equal(await vaultStatus(context, false), 0)
    assert.match(lines.at(-1) ?? '', /^[0-9a-f]{8} .* 30$/)
  })
})
