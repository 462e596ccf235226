/** Call records: doors -> lanes -> durable log; the log is what the drain inserts. Main thread. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import { CdrIntake } from '../ingest/cdr-intake.ts'
import { ByteBudget } from '../log/durable-log.ts'
import type { LogEnvironment } from '../log/log-environment.ts'
import type { NumberDoors } from '../privacy/number-doors.ts'
import { RowQuarantine } from '../storage/row-quarantine.ts'
import type { RowWriter } from '../storage/row-writer.ts'
import type { Store } from '../storage/store.ts'
import { TableDrain } from '../storage/table-drain.ts'
import { rowOf } from '../storage/tables.ts'

const quarantineBytesMax = 67_108_864
/** Scores on disk that ClickHouse has not confirmed; full: the fraud worker waits. */
const scoresBytesMax = 268_435_456

export interface Records {
  readonly intake: CdrIntake
  readonly drain: TableDrain
  /** Rows for calls under open cases. */
  readonly scoresDrain: TableDrain
  /** Resolves once they are on disk. @throws OperatingError spool_full */
  storeScores(chunks: readonly Uint8Array[], rows: number): Promise<void>
  /** Called when records have become durable. */
  readonly arrivals: Set<() => void>
}

interface RecordRooms {
  readonly config: Config
  readonly doors: NumberDoors
  readonly log: Log
  readonly clock: Clock
  readonly counters: Metrics['counters']
  readonly logs: LogEnvironment
  readonly store: Store
  readonly writer: RowWriter
}

/** Call records: doors -> lanes -> durable log; the log is what the drain inserts into table `cdrs`. */
export function openRecords({ config, doors, log, clock, counters, logs, store, writer }: RecordRooms): Records {
  const arrivals = new Set<() => void>()
  const intake: CdrIntake = new CdrIntake({
    config: config.cdr.doors,
    sourceDirectories: [...config.cdr.doors.sourceDirectories, `${config.dataDir}/sources`],
    logs,
    doors,
    clock,
    counters,
    log,
    writeCount: ({ hourMs: hour, source, defect, count }) =>
      void writer.write('source_quality', rowOf('source_quality', { hour, source, defect, count })),
    writeExample: ({ atMs: at, ...example }) =>
      void writer.write('source_quality_examples', rowOf('source_quality_examples', { at, ...example })),
    arrived(rows) {
      drain.arrived(rows)
      for (const arrived of arrivals) arrived()
    },
  })
  const { flushMs, batchRowsMax } = config.storage
  const file = `${config.dataDir}/quarantine-cdrs.ndjson`
  const quarantine = new RowQuarantine({ file, bytesMax: quarantineBytesMax, counters, log })
  const rooms = { store, quarantine, counters, log, clock, flushMs, batchRowsMax }
  const drain = new TableDrain({ ...rooms, table: 'cdrs', rows: intake.rows, logId: logs.id })
  // Until the memory of a former run is there batches are answered 503.
  intake.open().catch((thrown: unknown) => log.error('records cannot be taken', { reason: messageOf(thrown) }))
  const scores = logs.log('rows.cdr_scores', new ByteBudget(scoresBytesMax))
  const scoresDrain = new TableDrain({ ...rooms, table: 'cdr_scores', rows: scores, logId: logs.id })
  const storeScores = async (chunks: readonly Uint8Array[], rows: number): Promise<void> => {
    await scores.append(chunks)
    scoresDrain.arrived(rows)
  }
  return { intake, drain, scoresDrain, storeScores, arrivals }
}
