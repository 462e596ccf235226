/** Sources whose rows wait for one another: nothing that was acknowledged is lost, and nothing counts twice. */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { LogEnvironment } from '../../src/log/log-environment.ts'
import { hidingDoors, type NumberDoors } from '../../src/privacy/number-doors.ts'
import { NumberVault } from '../../src/privacy/number-vault.ts'
import { VaultKeys } from '../../src/privacy/vault-keys.ts'
import { isToken } from '../../src/wire/number-token.ts'
import { startCdrDoors } from '../fakes/cdr-doors.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

/** db_flatstore of the shipped `opensips`: method|from tag|to tag|Call-ID|code|reason|time|account|caller|callee|… */
const invite = 'INVITE|f1|t1|call-1|200|OK|1772359207|acc|12025550123|442079460123|192.0.2.1|d1'
const bye = 'BYE|f1|t1|call-1|200|OK|1772359249|acc|12025550123|442079460123|192.0.2.1|d1'
const missed = 'INVITE|f2|t2|call-2|486|Busy Here|1772359207|acc|12025550123|442079460124|192.0.2.1|d2'

describe('a call whose rows come apart', () => {
  it('is one record when the last row has come, and each row was acknowledged', async (t) => {
    const server = await startCdrDoors(t)
    const one = await server.post('opensips', 'text/csv', `${invite}\n`)
    assert.deepEqual(one.body, { accepted: 1, duplicates: 0, rejected: [] })
    assert.equal(server.accepted.length, 0)
    const two = await server.post('opensips', 'text/csv', `${bye}\n${missed}\n`)
    assert.deepEqual(two.body, { accepted: 2, duplicates: 0, rejected: [] })
    assert.deepEqual(
      server.accepted.map(({ callId, talkMs, causeSip }) => [callId, talkMs, causeSip]),
      [
        ['call-1', 42_000, 200],
        ['call-2', 0, 486],
      ],
    )
    const again = await server.post('opensips', 'text/csv', `${invite}\n${bye}\n${missed}\n`)
    assert.deepEqual(again.body, { accepted: 0, duplicates: 3, rejected: [] })
    assert.equal(server.accepted.length, 2)
  })

  it('is completed after a restart by a row that comes then, once', async (t) => {
    const directory = scratchDirectory(t)
    const first = await startCdrDoors(t, { directory })
    assert.equal((await first.post('opensips', 'text/csv', `${invite}\n${missed}\n`)).status, 200)
    await first.close()
    const second = await startCdrDoors(t, { directory })
    assert.deepEqual((await second.post('opensips', 'text/csv', `${bye}\n${invite}\n`)).body['accepted'], 1)
    await second.close()
    const third = await startCdrDoors(t, { directory })
    const ids = third.accepted.map(({ callId, talkMs }) => [callId, talkMs])
    assert.deepEqual(ids, [
      ['call-2', 0],
      ['call-1', 42_000],
    ])
    assert.deepEqual((await third.post('opensips', 'text/csv', `${invite}\n${bye}\n`)).body['accepted'], 0)
    assert.equal(third.accepted.length, 2)
  })

  it('waits sealed on disk where numbers are tokens, and is completed after a restart', async (t) => {
    const directory = scratchDirectory(t)
    const doors = (logs: LogEnvironment): NumberDoors => {
      const keys = VaultKeys.readOrMake(`${directory}/vault-keys.json`, 0)
      const parts = { table: logs.table('vault'), keys, cacheNumbersMax: 100, counters: zeroCounters() }
      return hidingDoors(new NumberVault(parts))
    }
    const first = await startCdrDoors(t, { directory, doors })
    assert.equal((await first.post('opensips', 'text/csv', `${invite}\n`)).status, 200)
    await first.close()
    assert.ok(!readFileSync(`${directory}/spool/log/data.mdb`).includes('12025550123'))
    const second = await startCdrDoors(t, { directory, doors })
    assert.deepEqual((await second.post('opensips', 'text/csv', `${bye}\n`)).body['accepted'], 1)
    const [record] = second.accepted
    assert.ok(isToken(record?.from ?? '') && record?.fromRaw === record?.from, JSON.stringify(record))
    assert.equal(record?.talkMs, 42_000)
  })

  it('is not lost when the disk refuses the row that completes it', async (t) => {
    const server = await startCdrDoors(t)
    await server.post('opensips', 'text/csv', `${invite}\n`)
    server.disk.refuses = true
    assert.equal((await server.post('opensips', 'text/csv', `${bye}\n`)).status, 503)
    assert.equal((await server.post('opensips', 'text/csv', `${bye}\n`)).status, 503)
    assert.equal(server.accepted.length, 0)
    server.disk.refuses = false
    assert.equal((await server.post('opensips', 'text/csv', `${bye}\n`)).status, 200)
    assert.deepEqual(
      server.accepted.map(({ callId, talkMs }) => [callId, talkMs]),
      [['call-1', 42_000]],
    )
  })

  it('is told without its end when that has not come in the time its mapping gives', async (t) => {
    const clock = new ManualClock(Date.UTC(2026, 2, 1, 10))
    const server = await startCdrDoors(t, { clock })
    server.intake.tick()
    await server.post('opensips', 'text/csv', `${invite}\n`)
    clock.advance(14_400_000 + 60_000)
    server.intake.tick()
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(
      server.accepted.map(({ callId, flags }) => [callId, flags?.includes('stop_missing')]),
      [['call-1', true]],
    )
  })
})
