/**
 * Takes mapped records into the durable log, each id once. Batches wait in line; as many as fit are made one group,
 * which is checked against the memory of ids, appended in one transaction and answered when it is on disk: a batch is
 * wholly taken or not at all, and one flush serves all that came meanwhile. The memory of ids is what the log has
 * kept (rebuilt from it at start). Accepted records are told in log order, after they are durable. Main thread.
 *
 *   submit -> waiting -> group: ids checked -> log append (flush) -> told in order, batches answered
 *                        the next group is made when this one is on disk
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { LogEntry } from '../log/durable-log.ts'
import type { RetainedLog } from '../log/retained-log.ts'
import { packChunk, unpackChunk } from '../log/row-chunks.ts'
import type { NumberNames } from '../privacy/number-vault.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import { cdrColumnNames, decodeCdrRow, keyOfRow, receivedMsOfRow } from '../wire/cdr-row.ts'
import type { SeenIds } from './seen-ids.ts'

export interface CdrLedgerOptions {
  readonly log: RetainedLog
  /** Rows of split calls that wait for their other rows, so that an acknowledged row outlives this process. */
  readonly heldLog: RetainedLog
  readonly seen: SeenIds
  /** Numbers that the records of a group bear as tokens are on disk before the group is answered. */
  readonly numbers: Pick<NumberNames, 'flush'>
  readonly clock: Clock
  readonly counters: Pick<Counters, 'cdrAccepted' | 'cdrDuplicates' | 'cdrRefused' | 'cdrGroups'>
  readonly events: Log
  /** Records that have become durable, in log order; `live` is false for those that a restart reads again. */
  readonly accepted: (records: readonly CdrRecord[], live: boolean) => void
  /** Whether somebody wants the records of a restart; reading only their ids is ten times faster. */
  readonly wantsReplay: boolean
  readonly duplicate: (record: CdrRecord) => void
  /** Rows that have become durable, for the drain. */
  readonly arrived: (rows: number) => void
}

/** One batch of a sender, mapped and encoded. */
export interface LedgerBatch {
  readonly records: readonly CdrRecord[]
  readonly lines: readonly string[]
  /** Entries for the log of held rows. */
  readonly heldEntries: readonly Uint8Array[]
  /** Of the lines; for the size of groups. */
  readonly bytes: number
}

export interface LedgerAnswer {
  readonly accepted: number
  readonly duplicates: number
}

interface Waiting {
  readonly batch: LedgerBatch
  readonly done: (answer: LedgerAnswer) => void
  readonly failed: (reason: unknown) => void
}

/** A group is at least one batch, whatever its size, and else at most so many bytes. */
const groupBytesMax = 1_048_576
const chunkBytesMax = 131_072
/** Clocks of switches may be ahead of ours by so much; a longer one makes a record count as older than our memory. */
const clockSkewMsMax = 3_600_000

export class CdrLedger {
  readonly #options: CdrLedgerOptions
  readonly #waiting: Waiting[] = []
  #running = false
  #sinceMs: number
  #idle: (() => void)[] = []

  constructor(options: CdrLedgerOptions) {
    this.#options = options
    this.#sinceMs = options.clock.wallMs()
  }

  /** Rebuilds the memory of ids from the log. Until it resolves nothing is taken. Returns the records read. */
  async open(): Promise<number> {
    const { log, seen, accepted, wantsReplay } = this.#options
    let records = 0
    await log.replay((entry) => {
      const replayed: CdrRecord[] = []
      for (const line of linesOf(entry)) {
        records += 1
        seen.add(keyOfRow(line), receivedMsOfRow(line))
        if (wantsReplay) replayed.push(decodeCdrRow(line).record)
      }
      if (replayed.length > 0) accepted(replayed, false)
    })
    this.#sinceMs = Math.min(this.#sinceMs, seen.sinceMs())
    return records
  }

  /** Records that began before it may have been taken, and forgotten since: they are marked as backfill. */
  horizonMs(): number {
    const { seen, clock } = this.#options
    return Math.max(this.#sinceMs, Math.min(seen.sinceMs(), clock.wallMs())) + clockSkewMsMax
  }

  /** Resolves once the batch is on disk. @throws OperatingError spool_full: none of it was taken. */
  submit(batch: LedgerBatch): Promise<LedgerAnswer> {
    return new Promise((done, failed) => {
      this.#waiting.push({ batch, done, failed })
      if (!this.#running) void this.#run()
    })
  }

  /** Resolves once nothing waits. */
  settled(): Promise<void> {
    return this.#running ? new Promise((done) => this.#idle.push(done)) : Promise.resolve()
  }

  async #run(): Promise<void> {
    this.#running = true
    // What else this turn brings comes along.
    await null
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup()
      await this.#commit(group)
      await turn()
    }
    this.#running = false
    for (const done of this.#idle.splice(0)) done()
  }

  #takeGroup(): Waiting[] {
    let count = 0
    let bytes = 0
    for (const { batch } of this.#waiting) {
      if (count > 0 && bytes + batch.bytes > groupBytesMax) break
      bytes += batch.bytes
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const { log, heldLog, seen, numbers, counters, clock } = this.#options
    const fresh: CdrRecord[] = []
    const duplicates: CdrRecord[] = []
    const lines: string[] = []
    const answers: LedgerAnswer[] = []
    const nowMs = clock.wallMs()
    for (const { batch } of group) {
      const before = fresh.length
      for (const [index, record] of batch.records.entries()) {
        const line = batch.lines[index] ?? ''
        if (seen.add(keyOfRow(line), nowMs)) {
          fresh.push(record)
          lines.push(line)
        } else duplicates.push(record)
      }
      const accepted = fresh.length - before
      answers.push({ accepted, duplicates: batch.records.length - accepted })
    }
    try {
      // One after the other: rows that are held without their records do no harm, records without an answer would.
      const heldEntries = group.flatMap(({ batch }) => batch.heldEntries)
      if (heldEntries.length > 0) await heldLog.append(heldEntries)
      // Asked for in one turn: one transaction, so that they stand or fall together.
      await Promise.all([numbers.flush(), log.append(chunked(lines))])
    } catch (thrown) {
      for (const line of lines) seen.remove(keyOfRow(line))
      this.#refuse(group, thrown)
      return
    }
    counters.cdrGroups += 1
    counters.cdrAccepted += fresh.length
    counters.cdrDuplicates += duplicates.length
    this.#tell(fresh, duplicates)
    for (const [index, { done }] of group.entries()) done(answers[index] ?? { accepted: 0, duplicates: 0 })
  }

  /** A listener that fails must not take back what is durable. */
  #tell(fresh: readonly CdrRecord[], duplicates: readonly CdrRecord[]): void {
    const { accepted, duplicate, arrived, events } = this.#options
    try {
      if (fresh.length > 0) {
        arrived(fresh.length)
        accepted(fresh, true)
      }
      for (const record of duplicates) duplicate(record)
    } catch (thrown) {
      events.error('a listener of accepted records threw', { reason: messageOf(thrown) })
    }
  }

  #refuse(group: readonly Waiting[], thrown: unknown): void {
    const { counters, events } = this.#options
    counters.cdrRefused += group.length
    const isFull = thrown instanceof OperatingError
    if (!isFull) events.error('records refused: the disk does not take them', { reason: messageOf(thrown) })
    const reason = isFull ? thrown : new OperatingError('spool_full', 'records cannot be written to disk')
    for (const { failed } of group) failed(reason)
  }
}

/** Chunks for the log; an entry for each. */
function chunked(lines: readonly string[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let from = 0
  let bytes = 0
  for (const [index, line] of lines.entries()) {
    if (bytes > 0 && bytes + line.length > chunkBytesMax) {
      chunks.push(packChunk(cdrColumnNames, lines.slice(from, index)))
      from = index
      bytes = 0
    }
    bytes += line.length
  }
  if (from < lines.length) chunks.push(packChunk(cdrColumnNames, lines.slice(from)))
  return chunks
}

/** The rows of an entry; none when it is no chunk, or of columns of another version. */
function linesOf(entry: LogEntry): string[] {
  const chunk = unpackChunk(entry.bytes)
  if (chunk === null || chunk.columns !== cdrColumnNames) return []
  return Buffer.from(chunk.lines).toString('utf8').split('\n').slice(0, -1)
}

/** When an entry of the log of records was made. */
export function stampOfRecords(entry: LogEntry): number {
  const last = linesOf(entry).at(-1)
  return last === undefined ? Number.NaN : receivedMsOfRow(last)
}
