/** Spool, store, row writer, and whoever brings the store up and keeps trying. Main thread. */
import { existsSync } from 'node:fs'
import { OperatingError } from '../core/errors.ts'
import type { Metrics } from '../core/metrics.ts'
import { LogEnvironment } from '../log/log-environment.ts'
import { AuditTrail } from '../storage/audit-trail.ts'
import { runIdOf } from '../storage/interrupted-calls.ts'
import { RowQuarantine } from '../storage/row-quarantine.ts'
import { RowWriter } from '../storage/row-writer.ts'
import type { DumpStore, SqlStore, Store } from '../storage/store.ts'
import { createStore } from '../storage/stores.ts'
import { keepStore, type Upkeep } from '../storage/upkeep.ts'
import type { FirewallOptions } from './options.ts'
import { openPrivacy, type Privacy } from './privacy.ts'
import { openRecords, type Records } from './records.ts'

/** Stands in the data directory while a restore is under way. */
export const restoringName = 'restoring'
const auditQuarantineBytesMax = 16_777_216

export interface Storage {
  readonly logs: LogEnvironment
  readonly runId: string
  readonly store: Store & SqlStore & DumpStore
  readonly writer: RowWriter
  readonly records: Records
  readonly trail: AuditTrail
  readonly upkeep: Upkeep
  readonly privacy: Privacy
}

/** Spool, store, writer, and whoever brings the store up and keeps trying. */
export function openStorage({ config, log, clock }: FirewallOptions, metrics: Metrics): Storage {
  const { counters } = metrics
  if (existsSync(`${config.dataDir}/${restoringName}`)) {
    throw new OperatingError('config_invalid', 'a restore was cut off: run it again with --replace')
  }
  const logs = LogEnvironment.open({ directory: `${config.dataDir}/spool`, counters, log })
  const runId = runIdOf(logs.id, clock.wallMs())
  const store = createStore(config, { counters, log })
  const { flushMs, batchRowsMax, spoolBytesMax } = config.storage
  const quarantineFile = `${config.dataDir}/quarantine.ndjson`
  const limits = { flushMs, batchRowsMax, spoolBytesMax, quarantineFile }
  const writer = new RowWriter({ logs, store, counters, clock, log, ...limits })
  const privacy = openPrivacy({ config, clock, log }, logs, metrics)
  const { doors } = privacy
  const records = openRecords({ doors, config, log, clock, counters, logs, store, writer })
  const quarantine = new RowQuarantine({
    ...{ file: `${config.dataDir}/quarantine-audit.ndjson`, bytesMax: auditQuarantineBytesMax, counters, log },
  })
  const trail = new AuditTrail({ logs, store, quarantine, counters, log, clock, flushMs, batchRowsMax })
  const { retention } = config
  const begin = (): void => {
    records.drain.begin()
    records.scoresDrain.begin()
    trail.begin()
  }
  const upkeep = keepStore({ store, writer, begin, retention, serverId: logs.id, runId, clock, log })
  return { logs, runId, store, writer, records, trail, upkeep, privacy }
}
