/**
 * Calls that a former run of this very server left `live` in the tables, because it crashed, end here: each gets a
 * new version with state `interrupted`. Run names begin with the server's id, so that servers which share a
 * ClickHouse never end one another's calls. Once per start, main thread.
 */

import type { Store } from './store.ts'
import { type ColumnType, columnsOf, type TableName, tables } from './tables.ts'

/** Name of one run of one server: `<server id>-<start, ms since the epoch, in base 36>`. */
export function runIdOf(serverId: string, startWallMs: number): string {
  return `${serverId}-${startWallMs.toString(36)}`
}

/** More than so many are ended in several rounds. */
export const interruptedBatchMax = 10_000

const sql = `
SELECT c.*, if(w.last_at > toDateTime64(0, 3, 'UTC'), w.last_at, c.started_at) AS ends_at
FROM (SELECT * FROM calls FINAL WHERE state = 'live') AS c
LEFT JOIN (
  SELECT call_sid, track, max(scored_at) AS last_at FROM voice_windows
  WHERE call_sid IN (SELECT call_sid FROM calls FINAL WHERE state = 'live')
  GROUP BY call_sid, track
) AS w ON w.call_sid = c.call_sid AND w.track = c.track
WHERE startsWith(c.run_id, {server:String}) AND c.run_id != {run:String}
LIMIT ${interruptedBatchMax}`

/**
 * Writes the new versions and returns how many. What the former run had spooled must be stored before: it may hold
 * the ends of those calls.
 */
export async function endInterruptedCalls(
  store: Pick<Store, 'query'>,
  writer: { write(table: TableName, row: readonly unknown[]): boolean },
  serverId: string,
  runId: string,
): Promise<number> {
  const rows = await store.query(sql, { server: `${serverId}-`, run: runId })
  let ended = 0
  for (const row of rows) {
    const changed: Record<string, unknown> = {
      ...row,
      state: 'interrupted',
      end_reason: 'interrupted',
      ended_at: row['ends_at'],
      version: BigInt(String(row['version'])) + 1n,
    }
    const types: Record<string, ColumnType> = tables.calls
    const values = columnsOf('calls').map((column) => fromAnswer(types[column], changed[column]))
    if (writer.write('calls', values)) ended += 1
  }
  return ended
}

/** A value of an answer (text for 64 bits, dates and NaN) as `write` takes it. */
function fromAnswer(type: ColumnType | undefined, value: unknown): unknown {
  if (type === 'Time') return new Date(String(value))
  if (type === 'UInt64') return typeof value === 'bigint' ? value : BigInt(String(value))
  if (type === 'Float32') return floatOf(value)
  return value
}

/** ClickHouse writes "nan", "inf" and "-inf" for what JSON numbers cannot hold. */
export function floatOf(value: unknown): number {
  if (value === 'inf') return Number.POSITIVE_INFINITY
  if (value === '-inf') return Number.NEGATIVE_INFINITY
  return Number(value)
}
