/** Storage as a whole: taking rows before ClickHouse is there, coming up by itself, ending what a crash left. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { ClickHouseFront } from '../fakes/clickhouse-front.ts'
import { auditRow, callRow } from '../fakes/rows.ts'
import { eventually, scratchDirectory, scratchStore } from '../fakes/scratch.ts'
import { storageHouse } from '../fakes/storage-house.ts'

describe('the upkeep of storage', () => {
  it('takes rows before ClickHouse is there, comes up by itself and ends calls of a former run', async (t) => {
    const engine = await scratchStore(t)
    const front = new ClickHouseFront(engine.store)
    await front.listen()
    await front.refuse()
    const dataDir = scratchDirectory(t)
    const config = loadConfig({
      env: {
        VOICEFW__DATA_DIR: dataDir,
        VOICEFW__STORAGE__URL: front.url,
        VOICEFW__STORAGE__DATABASE: 'voicefw_test',
        VOICEFW__STORAGE__FLUSH_MS: '10',
      },
    })

    const first = storageHouse(config)
    assert.equal(first.writer.write('audit', auditRow('early')), true)
    first.writer.write('calls', callRow({ call_sid: 'CAlive', run_id: first.runId }))
    first.writer.write('calls', callRow({ call_sid: 'CAover', run_id: first.runId }))
    await first.upkeep.started
    assert.equal(first.upkeep.prepared(), false)
    await first.writer.durable()
    assert.equal(first.counters.rowsStored, 0)
    await front.listen()
    await first.writer.flush()
    assert.equal(first.upkeep.prepared(), true)
    assert.equal((await first.reports.call('CAlive'))?.state, 'live')

    await front.refuse()
    const ended = callRow({ call_sid: 'CAover', run_id: first.runId, state: 'ended', ended_at: 1000, version: 2 })
    first.writer.write('calls', ended)
    await eventually(() => first.writer.state() === 'spooling')
    await first.close()

    const second = storageHouse(config)
    await front.listen()
    t.after(() => front.refuse())
    await eventually(async () => (await second.reports.call('CAlive'))?.state === 'interrupted')
    assert.equal((await second.reports.call('CAover'))?.state, 'ended')
    assert.equal(second.writer.state(), 'up')
    assert.notEqual(second.runId, first.runId)
    await second.close()
  })
})
