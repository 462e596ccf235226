/**
 * Rows per second into the durable log, and from `write` to stored, beside bare inserts of the same finished bytes
 * into the same engine. Own scratch directory, removed at the end; a few seconds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { systemClock } from '../src/core/clock.ts'
import { silentLog } from '../src/core/log.ts'
import { zeroCounters } from '../src/core/metrics.ts'
import { ByteBudget } from '../src/log/durable-log.ts'
import { LogEnvironment } from '../src/log/log-environment.ts'
import { EmbeddedStore } from '../src/storage/embedded-store.ts'
import { migrate } from '../src/storage/migrations.ts'
import { encodeRow } from '../src/storage/row-encoding.ts'
import { RowWriter } from '../src/storage/row-writer.ts'
import { columnsOf, columnTypesOf, rowOf } from '../src/storage/tables.ts'
import type { BenchmarkRow } from './row.ts'

const budgetBytes = 1_000_000_000
const storedRows = 60_000
const batchRows = 20_000

export async function run(): Promise<BenchmarkRow[]> {
  const directory = mkdtempSync(`${tmpdir()}/voicefw-bench-`)
  const logs = LogEnvironment.open({ directory: `${directory}/spool`, counters: zeroCounters(), log: silentLog })
  const store = new EmbeddedStore({
    dataDir: directory,
    database: 'voicefw',
    memoryBytesMax: budgetBytes,
    requestTimeoutMs: 30_000,
    counters: zeroCounters(),
    log: silentLog,
  })
  try {
    const appended = await appendRate(logs)
    await store.start()
    await migrate(store, systemClock.wallMs())
    const bare = await bareInsertRate(store)
    const stored = await storedRate(logs, store, directory)
    return [
      { name: 'log append, 200-byte entries, 256 in flight', value: appended.single, unit: 'entries/s' },
      { name: 'log append, 200-byte entries, batches of 256', value: appended.batched, unit: 'entries/s' },
      {
        name: 'voice_windows row, write -> encoded -> durable -> stored',
        value: stored,
        unit: 'rows/s',
        baseline: { name: `bare chdb insert of finished bytes, ${batchRows} a batch`, value: bare },
        budget: { must: 10_000, aim: 40_000 },
      },
    ]
  } finally {
    await store.close()
    await logs.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

function perSecond(count: number, sinceMs: number): number {
  return Math.round((count * 1000) / (performance.now() - sinceMs))
}

async function appendRate(logs: LogEnvironment): Promise<{ single: number; batched: number }> {
  const log = logs.log('bench', new ByteBudget(budgetBytes))
  const entry = Buffer.alloc(200, 1)
  let since = performance.now()
  for (let round = 0; round < 30; round += 1) {
    await Promise.all(Array.from({ length: 256 }, () => log.append([entry])))
  }
  const single = perSecond(30 * 256, since)
  const batch = Array.from({ length: 256 }, () => entry)
  since = performance.now()
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 4 }, () => log.append(batch)))
  }
  return { single, batched: perSecond(20 * 4 * 256, since) }
}

function windowRow(index: number): readonly unknown[] {
  return rowOf('voice_windows', {
    call_sid: `CA${String(index % 500).padStart(32, '0')}`,
    track: 'inbound',
    started_at: 1_780_000_000_000,
    hop_start_ms: index * 500,
    start_ms: Math.max(0, index * 500 - 3500),
    end_ms: index * 500 + 500,
    score: (index % 1000) / 1000,
    has_score: true,
    llr: (index % 97) / 10 - 5,
    flags: index & 7,
    speech_ms: 420,
    filled_ms: 0,
    lost_ms: 0,
    label: 'inconclusive',
    model: 'voice/1',
    scored_at: 1_780_000_000_000 + index,
  })
}

async function bareInsertRate(store: EmbeddedStore): Promise<number> {
  const columns = columnsOf('voice_windows')
  const types = columnTypesOf('voice_windows')
  const lines = Array.from({ length: batchRows }, (_, index) => encodeRow(columns, types, windowRow(index)))
  const rows = Buffer.from(lines.join(''))
  await store.insert('voice_windows', columns, rows, 'warm')
  const since = performance.now()
  const batches = storedRows / batchRows
  for (let batch = 0; batch < batches; batch += 1) await store.insert('voice_windows', columns, rows, `bare-${batch}`)
  return perSecond(storedRows, since)
}

async function storedRate(logs: LogEnvironment, store: EmbeddedStore, directory: string): Promise<number> {
  const writer = new RowWriter({
    logs,
    store,
    counters: zeroCounters(),
    log: silentLog,
    clock: systemClock,
    flushMs: 500,
    batchRowsMax: batchRows,
    spoolBytesMax: budgetBytes,
    quarantineFile: `${directory}/quarantine.ndjson`,
  })
  writer.begin()
  const since = performance.now()
  for (let index = 0; index < storedRows; index += 1) {
    writer.write('voice_windows', windowRow(index))
    if (index % 200 === 0) await new Promise<void>((done) => setImmediate(done))
  }
  await writer.flush()
  const rate = perSecond(storedRows, since)
  await writer.close()
  return rate
}
