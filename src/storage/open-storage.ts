/**
 * Storage put together: durable log, store, schema, writer, reports. Opening never waits for ClickHouse: rows are taken
 * at once and gather on disk, while the store is started, migrated and given its retention in the background, again and
 * again until it works. Only what a retry cannot mend (chdb not installed, a schema newer than us) is final: `ready`
 * rejects. Main thread.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { LogEnvironment } from '../log/log-environment.ts'
import { EmbeddedStore } from './embedded-store.ts'
import { endInterruptedCalls, interruptedBatchMax, runIdOf } from './interrupted-calls.ts'
import { applyRetention, migrate } from './migrations.ts'
import { Reports } from './reports.ts'
import { RowWriter } from './row-writer.ts'
import { ServerStore } from './server-store.ts'
import type { Store } from './store.ts'

export interface StorageParts {
  readonly config: Pick<Config, 'dataDir' | 'storage' | 'retention'>
  readonly counters: Counters
  readonly log: Log
  readonly clock: Clock
}

export interface Storage {
  readonly store: Store
  readonly writer: RowWriter
  readonly reports: Reports
  /** Where anything may become durable; the rows' spool lives in it. */
  readonly logs: LogEnvironment
  /** Name of this run, for `calls.run_id`. */
  readonly runId: string
  /** Resolves once the schema is there and rows flow; rejects when that can never be. */
  readonly ready: Promise<void>
  /** `up`, or why not: `starting` (rows gather on disk), `spooling`, `full`. */
  state(): 'up' | 'starting' | 'spooling' | 'full'
  close(): Promise<void>
}

const retryDelayMsMin = 200
const retryDelayMsMax = 5000

export function createStore({ config, counters, log }: Omit<StorageParts, 'clock'>): Store {
  const { url, username, password, database, embedded, requestTimeoutMs } = config.storage
  if (url !== null) return new ServerStore({ url, username, password, database, requestTimeoutMs })
  const { memoryBytesMax } = embedded
  return new EmbeddedStore({ dataDir: config.dataDir, database, memoryBytesMax, requestTimeoutMs, counters, log })
}

export function openStorage(parts: StorageParts): Storage {
  const { config, counters, log, clock } = parts
  const store = createStore(parts)
  const logs = LogEnvironment.open({ directory: `${config.dataDir}/spool`, counters, log })
  const { flushMs, batchRowsMax, spoolBytesMax } = config.storage
  const writer = new RowWriter({
    logs,
    store,
    counters,
    log,
    clock,
    flushMs,
    batchRowsMax,
    spoolBytesMax,
    quarantineFile: `${config.dataDir}/quarantined-rows.ndjson`,
  })
  // An embedded database is ours alone; a server may be shared, so our calls are told by the spool's random name.
  const serverId = config.storage.url === null ? 'embedded' : logs.id
  const runId = runIdOf(serverId, clock.wallMs())
  const closing = new AbortController()
  let begun = false
  const ready = (async () => {
    await bringUp(parts, store, closing.signal)
    writer.begin()
    begun = true
    void endLeftovers({ store, writer, serverId, runId, log, closing: closing.signal })
  })()
  ready.catch((thrown: unknown) => {
    if (!closing.signal.aborted) log.error('storage does not come up', { reason: messageOf(thrown) })
  })
  return {
    store,
    writer,
    reports: new Reports(store),
    logs,
    runId,
    ready,
    state() {
      const written = writer.state()
      if (written === 'full') return 'full'
      if (!begun) return 'starting'
      return store.state() === 'down' ? 'spooling' : written
    },
    async close() {
      closing.abort()
      await writer.close()
      await store.close()
      await ready.catch(() => {})
      await logs.close()
    },
  }
}

/** Starts and migrates, as often as it takes. */
async function bringUp(parts: StorageParts, store: Store, closing: AbortSignal): Promise<void> {
  const { config, log, clock } = parts
  let started = false
  for (let delayMs = retryDelayMsMin; ; delayMs = Math.min(retryDelayMsMax, delayMs * 2)) {
    try {
      if (!started) await store.start()
      started = true
      const applied = await migrate(store, clock.wallMs())
      await applyRetention(store, config.retention)
      if (applied.length > 0) log.info('schema migrated', { applied: applied.join(' ') })
      return
    } catch (thrown) {
      if (thrown instanceof OperatingError && !thrown.retryable) throw thrown
      if (closing.aborted) throw new OperatingError('draining', 'storage closes before it came up')
      log.warn('storage not up yet; rows gather on disk', { reason: messageOf(thrown), retry_ms: delayMs })
      await sleep(delayMs, undefined, { signal: closing }).catch(() => {})
      if (closing.aborted) throw new OperatingError('draining', 'storage closes before it came up')
    }
  }
}

interface Leftovers {
  readonly store: Store
  readonly writer: RowWriter
  readonly serverId: string
  readonly runId: string
  readonly log: Log
  readonly closing: AbortSignal
}

/** Ends what a crashed run left live, once its spooled rows are stored: they may hold the ends. Until it worked. */
async function endLeftovers(leftovers: Leftovers): Promise<void> {
  const { store, writer, serverId, runId, log, closing } = leftovers
  while (!closing.aborted) {
    try {
      await writer.flush()
      const ended = await endInterruptedCalls(store, writer, serverId, runId)
      if (ended > 0) log.warn('calls of a former run ended as interrupted', { calls: ended })
      if (ended < interruptedBatchMax) return
    } catch (thrown) {
      if (closing.aborted) return
      log.warn('calls of a former run not ended yet', { reason: messageOf(thrown) })
      await sleep(retryDelayMsMax, undefined, { signal: closing }).catch(() => {})
    }
  }
}
