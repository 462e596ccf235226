/** What an erasure of a running server does about the vault. The rest of it is under test with a whole server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { Erasures } from '../../src/house/erasures.ts'
import type { Stillness } from '../../src/house/stillness.ts'
import type { Storage } from '../../src/house/storage.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { hidingDoors } from '../../src/privacy/number-doors.ts'
import { NumberVault } from '../../src/privacy/number-vault.ts'
import { VaultKeys } from '../../src/privacy/vault-keys.ts'
import { ErasureLedger } from '../../src/storage/erasure-ledger.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

describe('an erasure in mode tokens', () => {
  it('takes the key of a number away, also when it called while the erasure waited for its turn', async (t) => {
    const dataDir = scratchDirectory(t)
    const logs = LogEnvironment.open({ directory: `${dataDir}/spool`, counters: zeroCounters(), log: silentLog })
    const keys = VaultKeys.readOrMake(`${dataDir}/vault-keys.json`, 0)
    const vault = new NumberVault({ table: logs.table('vault'), keys, cacheNumbersMax: 10, counters: zeroCounters() })
    const token = vault.token('12025550123')
    const storage = {
      ...{ logs, privacy: { vault, forms: vault, doors: hidingDoors(vault) }, upkeep: { prepared: () => true } },
      writer: { durable: async () => {}, write: () => true },
      records: { intake: { reload: async () => {} } },
      store: { query: async () => [], command: async () => {}, insert: async () => {} },
    }
    const stillness = {
      inTurn: (work: () => Promise<void>) => {
        vault.token('12025550123')
        return work()
      },
      ofTables: (work: () => Promise<void>) => work(),
      ofRecords: (_: null, work: () => Promise<void>) => work(),
    }
    const config = { ...loadConfig({ env: {} }), dataDir }
    const ledger = new ErasureLedger(`${dataDir}/erasures`)
    const rooms = { storage: storage as unknown as Storage, stillness: stillness as unknown as Stillness }
    const common = { config, log: silentLog, clock: new ManualClock(), ledger, live: null }
    const { report, finished } = new Erasures({ ...common, ...rooms }).begin('12025550123', 'key:1 desk')
    await finished
    assert.deepEqual([report.state, report.problem], ['done', null])
    assert.equal(vault.reveal(token), null)
    assert.equal(vault.size, 0)
    await logs.close()
  })
})
