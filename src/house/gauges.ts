/** Values read when somebody scrapes the metrics. Main thread. */
import { watchThread } from '../core/thread-load.ts'
import type { CallTable } from '../ingest/call-table.ts'
import type { VoicePoolStats } from '../worker/pool.ts'
import type { ApiRooms } from './api.ts'

export function registerGauges(rooms: ApiRooms, table: CallTable): void {
  const { live, metrics, server } = rooms
  const pool = rooms.models.generations
  const { writer } = rooms.storage
  const { intake, drain } = rooms.storage.records
  const seats = (read: (seat: VoicePoolStats['seats'][number]) => number): number =>
    pool.stats().seats.reduce((sum, seat) => sum + read(seat), 0)
  metrics.gauge('tracks_live', 'Detections (call and track) that are live', () => live.liveCount)
  metrics.gauge('tracks_fed', 'Detections that streams may feed', () => table.size)
  metrics.gauge('sockets_open', 'WebSockets open', () => server.openSockets())
  metrics.gauge('connections_open', 'Connections, WebSockets included', () => server.connections())
  metrics.gauge('ring_used_bytes', 'Audio that waits for voice workers', () => seats((seat) => seat.ringUsedBytes))
  metrics.gauge('worker_busy_milliseconds', 'Time voice workers spent computing', () => seats((seat) => seat.busyMs))
  metrics.gauge('spool_bytes', 'Rows on disk that ClickHouse has not confirmed', () => writer.spoolBytes())
  metrics.gauge('cdr_ids_remembered', 'Record ids that duplicates are found by', () => intake.stats().ids)
  metrics.gauge('cdr_pending_bytes', 'Batches of call records in memory', () => intake.stats().pendingBytes)
  metrics.gauge('cdr_waiting_entries', 'Entries of the log that ClickHouse has not confirmed', () => drain.waiting)
  metrics.gauge('cdr_log_bytes', 'Call records in the durable log', () => intake.stats().logBytes)
  const load = watchThread()
  metrics.gauge('event_loop_delay_p99_milliseconds', 'Main thread, since the last scrape', () => load.delayMsP99())
  metrics.gauge('event_loop_utilization', 'Main thread, since the last scrape, 0..1', () => load.utilization())
}
