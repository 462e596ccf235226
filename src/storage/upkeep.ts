/**
 * Brings the store up and keeps trying: connect, migrate, retention, let rows flow, then end the calls that a former
 * run left live. Until it succeeds rows gather in the spool and the server serves. An embedded engine that cannot be
 * loaded at all, or whose data is held by another process, stops the start. Main thread.
 */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { endInterruptedCalls, interruptedBatchMax } from './interrupted-calls.ts'
import { applyRetention, migrate } from './migrations.ts'
import type { RowWriter } from './row-writer.ts'
import type { Store } from './store.ts'

export interface UpkeepOptions {
  readonly store: Store
  readonly writer: RowWriter
  /** Called when the schema stands, for drains that are not the writer's. */
  readonly begin?: () => void
  readonly retention: Config['retention']
  readonly serverId: string
  readonly runId: string
  readonly clock: Clock
  readonly log: Log
}

export interface Upkeep {
  /** Resolves after the first try, good or not; rejects when no try can ever succeed. */
  readonly started: Promise<void>
  /** The schema stands and rows flow. */
  prepared(): boolean
  stop(): Promise<void>
}

const retryMs = 2000

export function keepStore(options: UpkeepOptions): Upkeep {
  const { log } = options
  let isPrepared = false
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  const attempt = async (): Promise<void> => {
    try {
      await prepare(options)
      isPrepared = true
    } catch (thrown) {
      log.warn('ClickHouse is not ready; rows gather on disk', { reason: messageOf(thrown) })
      if (!isStopped) timer = setTimeout(() => void begin(), retryMs)
      if (thrown instanceof OperatingError && thrown.code === 'config_invalid') throw thrown
      return
    }
    running = endCalls()
  }
  /** Tried until it worked: a call left live would be live for ever. */
  const endCalls = async (): Promise<void> => {
    try {
      await endFormerCalls(options)
    } catch (thrown) {
      log.warn('calls of a former run not ended yet', { reason: messageOf(thrown) })
      if (!isStopped) timer = setTimeout(() => void endCalls(), retryMs)
    }
  }
  const begin = (): Promise<void> => {
    running = attempt().catch(() => {})
    return running
  }

  return {
    started: attempt(),
    prepared: () => isPrepared,
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, retryMs).unref())])
    },
  }
}

async function prepare({ store, writer, begin, retention, clock, log }: UpkeepOptions): Promise<void> {
  if (store.state() === 'down') await store.start()
  const applied = await migrate(store, clock.wallMs())
  if (applied.length > 0) log.info('schema migrated', { migrations: applied.join(', ') })
  await applyRetention(store, retention)
  writer.begin()
  begin?.()
}

/** What the former run had spooled comes first: it may hold the ends of those calls. */
async function endFormerCalls({ store, writer, serverId, runId, log }: UpkeepOptions): Promise<void> {
  let ended = interruptedBatchMax
  while (ended === interruptedBatchMax) {
    await writer.flush()
    ended = await endInterruptedCalls(store, writer, serverId, runId)
    if (ended > 0) log.info('calls of a former run ended as interrupted', { ended })
  }
}
