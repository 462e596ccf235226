/** What the API reads: pages of calls, one call, counts; and calls that a crash left live. One engine for all. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import type { OperatingError } from '../../src/core/errors.ts'
import { endInterruptedCalls, runIdOf } from '../../src/storage/interrupted-calls.ts'
import { applyRetention, type Migration, migrate, readMigrations, statementsOf } from '../../src/storage/migrations.ts'
import { Reports } from '../../src/storage/reports.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import type { Store } from '../../src/storage/store.ts'
import { columnsOf, columnTypesOf, type TableName } from '../../src/storage/tables.ts'
import { callRow, windowRow } from '../fakes/rows.ts'
import { scratchStore } from '../fakes/scratch.ts'

const endings: (() => Promise<void> | void)[] = []
let store: Store
let reports: Reports
let inserts = 0

before(async () => {
  const scratch = await scratchStore({ after: (ending: () => Promise<void> | void) => void endings.push(ending) })
  store = scratch.store
  reports = new Reports(store)
  await migrate(store, 0)
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

async function put(table: TableName, ...rows: (readonly unknown[])[]): Promise<void> {
  const lines = rows.map((row) => encodeRow(columnsOf(table), columnTypesOf(table), row)).join('')
  await store.insert(table, columnsOf(table), Buffer.from(lines), `test-${inserts++}`)
}

async function clear(): Promise<void> {
  await store.command('TRUNCATE TABLE calls')
  await store.command('TRUNCATE TABLE voice_windows')
}

const noon = Date.UTC(2026, 5, 1, 12)

describe('reports', () => {
  it('give a call with its newest version, its tracks and its windows in order', async () => {
    await clear()
    await put('calls', callRow({ call_sid: 'CAx', started_at: noon, version: 1 }))
    await put(
      'calls',
      callRow({
        call_sid: 'CAx',
        started_at: noon,
        version: 2,
        state: 'ended',
        ended_at: noon + 60_000,
        end_reason: 'stop',
        label: 'likely_synthetic',
        score: 0.75,
        has_score: true,
        confidence: 0.5,
        provisional: false,
        net_speech_ms: 4000,
        audio_ms: 60_000,
        reasons_json: '[{"code":"r","text":"t"}]',
        gaps_json: '[{"startMs":1,"endMs":2}]',
        signals_json: '{"responses":3,"responseLatencyMsMedian":640}',
      }),
    )
    await put(
      'voice_windows',
      windowRow({ call_sid: 'CAx', end_ms: 1000, score: Number.NaN, has_score: false, llr: Number.NaN, flags: 5 }),
      windowRow({ call_sid: 'CAx', end_ms: 500, score: 0.25, llr: -1.5 }),
    )
    const call = await reports.call('CAx')
    assert(call !== undefined)
    const [track] = call.tracks
    assert(track !== undefined)
    assert.deepEqual(
      [call.state, call.startedAt, call.endedAt, call.endReason, call.from],
      ['ended', '2026-06-01T12:00:00.000Z', '2026-06-01T12:01:00.000Z', 'stop', '+15550001111'],
    )
    assert.deepEqual(
      [track.label, track.score, track.confidence, track.provisional, track.netSpeechMs],
      ['likely_synthetic', 0.75, 0.5, false, 4000],
    )
    assert.deepEqual([track.reasons, track.gaps], [[{ code: 'r', text: 't' }], [{ startMs: 1, endMs: 2 }]])
    assert.deepEqual(track.signals, { responses: 3, responseLatencyMsMedian: 640 })
    assert.deepEqual(
      track.windows.map((window) => [window.endMs, window.score, window.llr, window.flags]),
      [
        [500, 0.25, -1.5, 0],
        [1000, null, null, 5],
      ],
    )
    assert.equal(track.windows[0]?.scoredAt, '2026-01-01T00:00:01.000Z')
  })

  it('know no call of a strange name', async () => {
    assert.equal(await reports.call("CA' OR 1=1 --"), undefined)
  })

  it('page newest first, without gap or repeat, also among calls of the same millisecond', async () => {
    await clear()
    const sids = ['CAa', 'CAb', 'CAc', 'CAd', 'CAe', 'CAf', 'CAg']
    await put(
      'calls',
      ...sids.flatMap((call_sid, index) => {
        const started_at = noon + Math.floor(index / 3) * 1000
        return [callRow({ call_sid, started_at }), callRow({ call_sid, started_at, track: 'outbound' })]
      }),
    )
    const seen: string[] = []
    let page = await reports.listCalls({ limit: 2 })
    for (let pages = 0; pages < 10; pages += 1) {
      for (const call of page.calls) {
        seen.push(call.callSid)
        assert.deepEqual(
          call.tracks.map((track) => track.track),
          ['inbound', 'outbound'],
        )
      }
      if (page.next === null) break
      page = await reports.listCalls({ limit: 2, before: page.next })
    }
    assert.deepEqual(seen, ['CAg', 'CAf', 'CAe', 'CAd', 'CAc', 'CAb', 'CAa'])
  })

  it('show the last 60 windows of each call on a page, oldest first', async () => {
    await clear()
    await put('calls', callRow({ call_sid: 'CAa' }))
    await put('voice_windows', ...Array.from({ length: 70 }, (_, hop) => windowRow({ call_sid: 'CAa', end_ms: hop })))
    const page = await reports.listCalls({ limit: 10 })
    const ends = page.calls[0]?.tracks[0]?.windows.map((window) => window.endMs)
    assert.deepEqual(
      ends,
      Array.from({ length: 60 }, (_, hop) => hop + 10),
    )
  })

  it('filter by state, where a call is live while one of its tracks is', async () => {
    await clear()
    await put(
      'calls',
      callRow({ call_sid: 'CAlive', state: 'ended', ended_at: noon }),
      callRow({ call_sid: 'CAlive', track: 'outbound', state: 'live' }),
      callRow({ call_sid: 'CAdone', state: 'ended', ended_at: noon }),
    )
    const live = await reports.listCalls({ limit: 10, states: ['live'] })
    assert.deepEqual(
      live.calls.map((call) => [call.callSid, call.endedAt]),
      [['CAlive', null]],
    )
    const ended = await reports.listCalls({ limit: 10, states: ['ended'] })
    assert.deepEqual(
      ended.calls.map((call) => call.callSid),
      ['CAdone'],
    )
    assert.deepEqual(await reports.counts(), { calls: 2, live: 1, interrupted: 0, windows: 0 })
  })
})

describe('calls that a crash left live', () => {
  it('end as interrupted at their last window, other servers’ and this run’s calls stay', async () => {
    await clear()
    const run = runIdOf('one', noon)
    const former = runIdOf('one', noon - 1000)
    await put(
      'calls',
      callRow({ call_sid: 'CAcrashed', run_id: former, version: 9_007_199_254_740_993n, score: 0.5, has_score: true }),
      callRow({ call_sid: 'CAsilent', run_id: former, started_at: noon }),
      callRow({ call_sid: 'CAdone', run_id: former, state: 'ended', ended_at: noon }),
      callRow({ call_sid: 'CAours', run_id: run }),
      callRow({ call_sid: 'CAtheirs', run_id: runIdOf('two', noon) }),
    )
    await put(
      'voice_windows',
      windowRow({ call_sid: 'CAcrashed', end_ms: 500, scored_at: noon + 1000 }),
      windowRow({ call_sid: 'CAcrashed', end_ms: 1000, scored_at: noon + 2000 }),
    )
    const written: (readonly unknown[])[] = []
    const writer = { write: (_: TableName, row: readonly unknown[]) => written.push(row) > 0 }
    assert.equal(await endInterruptedCalls(store, writer, 'one', run), 2)
    await put('calls', ...written)
    const states = await Promise.all(
      ['CAcrashed', 'CAsilent', 'CAdone', 'CAours', 'CAtheirs'].map(async (sid) => {
        const call = await reports.call(sid)
        return [call?.state, call?.endedAt]
      }),
    )
    assert.deepEqual(states, [
      ['interrupted', new Date(noon + 2000).toISOString()],
      ['interrupted', new Date(noon).toISOString()],
      ['ended', new Date(noon).toISOString()],
      ['live', null],
      ['live', null],
    ])
    assert.equal((await reports.call('CAcrashed'))?.tracks[0]?.score, 0.5)
    assert.equal(await endInterruptedCalls(store, writer, 'one', run), 0)
  })
})

describe('migrations', () => {
  it('stop the start when a file was changed after it was applied', async () => {
    const changed = readMigrations().map((migration) => ({ ...migration, checksum: 'other' }))
    await assert.rejects(migrate(store, 0, changed), (thrown) => {
      assert.match(String(thrown), /was changed after it was applied/)
      return (thrown as OperatingError).code === 'config_invalid'
    })
  })

  it('stop the start when the database is newer than the program', async () => {
    await assert.rejects(migrate(store, 0, []), /we know 0/)
  })

  it('go on where a start died half way', async () => {
    const next = readMigrations().length + 1
    const broken: Migration = {
      version: next,
      name: 'two_steps',
      sql: 'CREATE TABLE IF NOT EXISTS step_one (a String) ENGINE = Memory;\nCREATE TABLE step_two (oops;\n',
      checksum: 'c',
    }
    await assert.rejects(migrate(store, 0, [...readMigrations(), broken]))
    const mended = { ...broken, sql: broken.sql.replace('oops', 'a String) ENGINE = Memory') }
    assert.deepEqual(await migrate(store, 0, [...readMigrations(), mended]), ['two_steps'])
  })

  it('are split into statements at semicolons that end a line, comments left out', () => {
    assert.deepEqual(statementsOf("-- a;\nSELECT ';';\n\n  -- b\nSELECT\n 2;\n"), ["SELECT ';'", 'SELECT\n 2'])
  })
})

describe('retention', () => {
  it('follows the configuration and is left alone when it is right', async () => {
    const { retention } = loadConfig({ env: {} })
    const quality = ['source_quality', 'source_quality_examples']
    const fraud = ['cases', 'cdr_scores', 'shadow_scores']
    const all = ['calls', 'voice_windows', 'actions', 'audit', 'cdrs', 'traffic_minutes', ...fraud, ...quality]
    const changed = await applyRetention(store, retention)
    assert.deepEqual(
      changed.map(({ table }) => table),
      all,
    )
    assert.deepEqual(await applyRetention(store, retention), [])
    assert.deepEqual(await applyRetention(store, { ...retention, auditDays: 7 }), [{ table: 'audit', days: 7 }])
    const [row] = await store.query(
      "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'audit'",
      {},
    )
    assert.match(String(row?.['engine_full']), /toIntervalDay\(7\)/)
  })
})
