/** Storage put together as main.ts does it: durable log, store, row writer, upkeep, reports. */
import type { Config } from '../../src/config/schema.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { runIdOf } from '../../src/storage/interrupted-calls.ts'
import { Reports } from '../../src/storage/reports.ts'
import { RowWriter } from '../../src/storage/row-writer.ts'
import type { Store } from '../../src/storage/store.ts'
import { createStore } from '../../src/storage/stores.ts'
import { keepStore, type Upkeep } from '../../src/storage/upkeep.ts'

export interface StorageHouse {
  readonly counters: Counters
  readonly store: Store
  readonly writer: RowWriter
  readonly reports: Reports
  readonly upkeep: Upkeep
  readonly runId: string
  close(): Promise<void>
}

export function storageHouse(config: Config): StorageHouse {
  const counters = zeroCounters()
  const logs = LogEnvironment.open({ directory: `${config.dataDir}/spool`, counters, log: silentLog })
  const store = createStore(config, { counters, log: silentLog })
  const { flushMs, batchRowsMax, spoolBytesMax } = config.storage
  const writer = new RowWriter({
    logs,
    store,
    counters,
    log: silentLog,
    clock: systemClock,
    flushMs,
    batchRowsMax,
    spoolBytesMax,
    quarantineFile: `${config.dataDir}/quarantine.ndjson`,
  })
  const runId = runIdOf(logs.id, systemClock.wallMs())
  const { retention } = config
  const upkeep = keepStore({
    store,
    writer,
    retention,
    serverId: logs.id,
    runId,
    clock: systemClock,
    log: silentLog,
  })
  return {
    counters,
    store,
    writer,
    reports: new Reports(store),
    upkeep,
    runId,
    async close() {
      await upkeep.stop()
      await writer.close()
      await store.close()
      await logs.close()
    },
  }
}
