/** Numbers of the ledger that a restored backup brought back are found where they stand in the log. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { packChunk } from '../../src/log/row-chunks.ts'
import { NumberVault } from '../../src/privacy/number-vault.ts'
import { VaultKeys } from '../../src/privacy/vault-keys.ts'
import { scrubEntry } from '../../src/storage/entry-scrub.ts'
import { ErasedNumbers } from '../../src/storage/erased-numbers.ts'
import { ErasureLedger } from '../../src/storage/erasure-ledger.ts'
import { NumberSpellings } from '../../src/wire/number-spellings.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

describe('an erased number that came back', () => {
  it('is found, and taken out, in rows that wait for others, which mode tokens seals', async (t) => {
    const directory = scratchDirectory(t)
    const logs = LogEnvironment.open({ directory: `${directory}/spool`, counters: zeroCounters(), log: silentLog })
    const keys = VaultKeys.readOrMake(`${directory}/vault-keys.json`, 0)
    const vault = new NumberVault({ table: logs.table('vault'), keys, cacheNumbersMax: 10, counters: zeroCounters() })
    const held = logs.log('cdr.held', new ByteBudget(1_000_000))
    held.cursor('kept')
    const row = '[1767225600000,"opensips",["INVITE","sip:+12025550123@example.com"],["method","from"],0]\n'
    await held.append([vault.seal(packChunk('received,source,fields,columns,bad', [row]))])
    const ledger = new ErasureLedger(`${directory}/erasures`)
    ledger.add('12025550123', [], 0)
    const numbers = new ErasedNumbers(ledger)
    await numbers.lookInLogs(logs, vault)
    assert.deepEqual(numbers.found, ['12025550123'])
    const spellings = new NumberSpellings('12025550123')
    await logs.rewrite((name, payload) => scrubEntry(name, payload, spellings, vault))
    const again = new ErasedNumbers(ledger)
    await again.lookInLogs(logs, vault)
    assert.deepEqual(again.found, [])
    await logs.close()
  })
})
