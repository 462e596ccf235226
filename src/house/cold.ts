/**
 * Storage without a server, for commands that look after data: what a start would do first, and a clean end. Main
 * thread.
 */

import { makeDataDir } from '../config/data-dir.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { createMetrics } from '../core/metrics.ts'
import { type Keeping, openKeeping } from './keeping.ts'
import { openStorage, type Storage } from './storage.ts'

export interface Cold {
  readonly storage: Storage
  readonly keeping: Keeping
  /** A row of the audit: who is at this machine's command line has its files. */
  note(action: string, subject: string, result: string): void
  close(): Promise<void>
}

/**
 * Rows that a server left on their way are stored first, so that nothing is unclear.
 * @throws OperatingError config_invalid: a server runs; storage_unavailable
 */
export async function openCold(rooms: { config: Config; clock: Clock; log: Log }): Promise<Cold> {
  const { config, clock, log } = rooms
  makeDataDir(config.dataDir)
  const storage = openStorage(rooms, createMetrics({ processMetrics: false }))
  const { writer, records, trail, store, logs, upkeep, privacy } = storage
  const close = async (): Promise<void> => {
    await records.intake.close()
    await upkeep.stop()
    await writer.close()
    await trail.close()
    await Promise.all([records.drain.close(), records.scoresDrain.close()])
    await store.close()
    await privacy.stop()
    await logs.close()
  }
  try {
    await upkeep.started
    if (!upkeep.prepared()) throw new OperatingError('storage_unavailable', 'ClickHouse does not answer')
    await writer.flush()
    await trail.stored()
    await records.drain.drained(records.intake.rows.end())
  } catch (thrown) {
    await close()
    throw thrown
  }
  return {
    storage,
    keeping: openKeeping({ config, log, clock, storage, live: null }),
    note(action, subject, result) {
      const who = { actor: 'command line', role: 'admin', remote: 'local' }
      trail.write({ at: clock.wallMs(), ...who, action, subject, result, detail: '' })
    },
    close,
  }
}
