/**
 * Where records of every door come together: finds the source's lane, bounds what is in memory, and answers what
 * became of each batch once it is durable. The doors (HTTP, WebSocket, Twilio's call status) differ in how bytes come
 * and in nothing else. Main thread.
 */
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CdrDoorsConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { ByteBudget, type DurableLog, type LogEntry } from '../log/durable-log.ts'
import { RetainedLog } from '../log/retained-log.ts'
import type { NumberDoors } from '../privacy/number-doors.ts'
import type { CdrFormat } from '../wire/cdr-decode.ts'
import type { Envelope } from '../wire/cdr-envelope.ts'
import type { RawRecord } from '../wire/cdr-raw.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import { type Feed, feedOf, inflatedBody } from './cdr-body.ts'
import { type CdrAnswer, CdrLane, heldRowsOf } from './cdr-lane.ts'
import { CdrLedger, stampOfRecords } from './cdr-ledger.ts'
import { CdrQuality, type CdrQualityOptions } from './cdr-quality.ts'
import { listSources, loadSource } from './cdr-sources.ts'
import { SeenIds } from './seen-ids.ts'

export interface CdrIntakeOptions {
  readonly config: CdrDoorsConfig
  /** Directories with the user's own mappings; what lies there is read at start. */
  readonly sourceDirectories: readonly string[]
  readonly logs: { log(name: string, budget: ByteBudget): DurableLog }
  /** What becomes of numbers on their way in. */
  readonly doors: NumberDoors
  readonly clock: Clock
  readonly counters: Pick<Counters, 'cdrAccepted' | 'cdrDuplicates' | 'cdrRejected' | 'cdrRefused' | 'cdrGroups'>
  readonly log: Log
  readonly writeCount: CdrQualityOptions['writeCount']
  readonly writeExample: CdrQualityOptions['writeExample']
  /** Rows that have become durable; the drain of table `cdrs` wants to know. */
  readonly arrived: (rows: number) => void
  /**
   * Records in log order, each once: as they become durable (`live`), and at start those that the log has kept.
   * Without it a start reads only ids.
   */
  readonly accepted?: (records: readonly CdrRecord[], live: boolean) => void
}

/** Rows of split calls are kept so long; no shipped mapping lets them wait longer. */
const heldMsMax = 5 * 3_600_000
const heldBytesMax = 134_217_728

export class CdrIntake {
  /** What the drain of table `cdrs` reads. */
  readonly rows: DurableLog
  readonly #options: CdrIntakeOptions
  readonly #log: RetainedLog
  readonly #heldLog: RetainedLog
  readonly #seen: SeenIds
  readonly #ledger: CdrLedger
  readonly #quality: CdrQuality
  readonly #lanes = new Map<string, CdrLane>()
  #names: ReadonlySet<string>
  #ready = false
  #closing = false
  #pendingBytes = 0
  #unzipping: Promise<unknown> = Promise.resolve()
  /** While paused: resolves when batches may go on. */
  #gate: Promise<void> | null = null
  #openGate: () => void = () => {}
  /** Batches past the gate. */
  #working = 0

  /** @throws ConfigProblems with what is wrong in the user's own mappings. */
  constructor(options: CdrIntakeOptions) {
    const { config, logs, doors, clock, counters, log, sourceDirectories } = options
    this.#options = options
    const budget = new ByteBudget(config.logBytesMax)
    this.rows = logs.log('cdr', budget)
    const keepMs = config.keepHours * 3_600_000
    const { keepBytesMax } = config
    this.#log = new RetainedLog({ log: this.rows, clock, keepMs, keepBytesMax, stampOf: stampOfRecords })
    const held = logs.log('cdr.held', budget)
    const stampOf = (entry: LogEntry): number => heldRowsOf(entry, doors.names)[0]?.receivedMs ?? Number.NaN
    this.#heldLog = new RetainedLog({ log: held, clock, keepMs: heldMsMax, keepBytesMax: heldBytesMax, stampOf })
    this.#seen = new SeenIds({ idsMax: config.idsMax, seed: randomInt(2 ** 32) })
    const { lateMs } = config
    const { writeCount, writeExample, arrived } = options
    this.#quality = new CdrQuality({ clock, lateMs, writeCount, writeExample })
    this.#ledger = new CdrLedger({
      log: this.#log,
      heldLog: this.#heldLog,
      seen: this.#seen,
      numbers: doors.names,
      clock,
      counters,
      events: log,
      arrived,
      accepted: (records, live) => this.#accepted(records, live),
      wantsReplay: options.accepted !== undefined,
      duplicate: (record) => this.#quality.duplicate(record),
    })
    this.#names = new Set(listSources(sourceDirectories))
    for (const name of ownSources(sourceDirectories)) this.#lane(name)
  }

  /** Rebuilds what a former run had in memory; until it resolves batches are refused (503). */
  async open(): Promise<void> {
    const { clock, log } = this.#options
    const sinceMs = clock.steadyMs()
    const records = await this.#ledger.open()
    const rows = await this.#resume((visit) => this.#heldLog.replay(visit))
    this.#ready = true
    if (records + rows > 0) {
      log.info('memory of records rebuilt', { records, rows, ms: Math.round(clock.steadyMs() - sinceMs) })
    }
  }

  /** @throws OperatingError source_unknown, naming those that there are. */
  lane(name: string): CdrLane {
    // A mapping that was put there a moment ago needs no restart.
    if (!this.#names.has(name)) this.#names = new Set(listSources(this.#options.sourceDirectories))
    if (this.#names.has(name)) return this.#lane(name)
    const known = [...this.#names].join(', ')
    throw new OperatingError(
      'source_unknown',
      `${name === '' ? 'no source was named' : 'no such source'}; there are ${known}`,
    )
  }

  /** A request body. Resolves once durable. @throws OperatingError: nothing of it was taken. */
  takeBody(source: string, body: Buffer, format: CdrFormat, encoding: string): Promise<CdrAnswer> {
    // Refused before anything is read.
    this.lane(source)
    return this.#bounded(body.length, async () => {
      const bytes = await this.#inflate(body, encoding)
      const more = bytes.length - body.length
      return this.#bounded(Math.max(0, more), () =>
        this.#past(() => this.#take(source, (lane) => feedOf(bytes, format, lane.source.decodeOptions))),
      )
    })
  }

  /** The envelope of a WebSocket's message, its bytes our own. Resolves once durable. */
  takeEnvelope(source: string, envelope: Envelope, bytes: number): Promise<CdrAnswer> {
    this.lane(source)
    return this.#bounded(bytes, () => this.#past(() => this.#take(source, () => (sink) => envelope.next(sink))))
  }

  /** Batches wait from now on; resolves once those that were begun are on disk and nothing of them is in memory. */
  async pause(): Promise<void> {
    this.#gate ??= new Promise((open) => {
      this.#openGate = open
    })
    while (!this.#ready || this.#working > 0) await sleep(5)
    await this.#ledger.settled()
    this.#quality.flush()
    if ([...this.#lanes.values()].some((lane) => lane.owes)) {
      throw new OperatingError('capacity_full', 'records wait for the disk')
    }
  }

  /** Rows that wait for others are read from the log again, where they may have been changed. While paused. */
  async reload(): Promise<void> {
    for (const [name, lane] of this.#lanes) if (lane.joins) this.#lanes.delete(name)
    await this.#resume((visit) => this.#heldLog.visit(visit))
  }

  resume(): void {
    this.#gate = null
    this.#openGate()
  }

  /** Call it about once a second. */
  tick(): void {
    this.#quality.flush()
    if (!this.#ready || this.#gate !== null) return
    const failed = (thrown: unknown): void => {
      this.#options.log.warn('the log of records could not be moved on', { reason: messageOf(thrown) })
    }
    for (const lane of this.#lanes.values()) lane.tick().catch(failed)
    this.#log.trim().catch(failed)
    this.#heldLog.trim().catch(failed)
  }

  /** Refuses what comes from now on; resolves once everything that was begun is answered. */
  async close(): Promise<void> {
    this.#closing = true
    while (this.#pendingBytes > 0) await sleep(5)
    await this.#ledger.settled()
    this.#quality.flush()
  }

  check(): { state: 'ok' | 'degraded' | 'failed'; detail: string } {
    if (!this.#ready) return { state: 'degraded', detail: 'rebuilding the memory of record ids' }
    if (!this.rows.hasRoom(1_048_576)) return { state: 'failed', detail: 'the log of records is full' }
    return { state: 'ok', detail: `${this.#seen.size} ids remembered` }
  }

  /** For gauges. */
  stats(): { readonly ids: number; readonly pendingBytes: number; readonly logBytes: number } {
    return { ids: this.#seen.size, pendingBytes: this.#pendingBytes, logBytes: this.#log.bytes() }
  }

  async #past(work: () => Promise<CdrAnswer>): Promise<CdrAnswer> {
    while (this.#gate !== null) await this.#gate
    this.#working += 1
    try {
      return await work()
    } finally {
      this.#working -= 1
    }
  }

  async #take(source: string, feedFor: (lane: CdrLane) => Feed): Promise<CdrAnswer> {
    const lane = this.lane(source)
    const answer = await lane.take(feedFor(lane))
    this.#options.counters.cdrRejected += answer.rejected.length
    return answer
  }

  /** Counts bytes as in memory while the work lasts. */
  async #bounded(bytes: number, work: () => Promise<CdrAnswer>): Promise<CdrAnswer> {
    const { counters, config } = this.#options
    if (this.#closing) throw new OperatingError('draining', 'the server is going away')
    const isReady = this.#ready
    if (!isReady || this.#pendingBytes + bytes > config.pendingBytesMax) {
      counters.cdrRefused += 1
      const detail = isReady ? 'too many records wait for the disk' : 'the memory of record ids is being rebuilt'
      throw new OperatingError('capacity_full', detail)
    }
    this.#pendingBytes += bytes
    try {
      return await work()
    } finally {
      this.#pendingBytes -= bytes
    }
  }

  /** One at a time, so that many small bombs are no larger than one. */
  #inflate(body: Buffer, encoding: string): Promise<Buffer> {
    const result = this.#unzipping.then(() => inflatedBody(body, encoding, this.#options.config.inflatedBytesMax))
    this.#unzipping = result.catch(() => undefined)
    return result
  }

  #lane(name: string): CdrLane {
    const known = this.#lanes.get(name)
    if (known !== undefined) return known
    const { mapping } = loadSource(name, this.#options.sourceDirectories)
    const { clock, doors } = this.#options
    const lane = new CdrLane(name, mapping, { ledger: this.#ledger, quality: this.#quality, doors, clock })
    this.#lanes.set(name, lane)
    return lane
  }

  async #resume(read: (visit: (entry: LogEntry) => void) => Promise<void>): Promise<number> {
    const rows = new Map<string, RawRecord[]>()
    let count = 0
    await read((entry) => {
      for (const { source, raw } of heldRowsOf(entry, this.#options.doors.names)) {
        count += 1
        const list = rows.get(source)
        if (list === undefined) rows.set(source, [raw])
        else list.push(raw)
      }
    })
    for (const [source, list] of rows) if (this.#names.has(source)) await this.#lane(source).resume(list)
    return count
  }

  #accepted(records: readonly CdrRecord[], live: boolean): void {
    if (live) this.#quality.accepted(records)
    this.#options.accepted?.(records, live)
  }
}

/** Sources of the user's directories; what is shipped is read when it is first asked for. */
function ownSources(directories: readonly string[]): string[] {
  const isOwn = (name: string): boolean =>
    directories.some((directory) => ['yaml', 'yml'].some((ending) => existsSync(`${directory}/${name}.${ending}`)))
  return listSources(directories).filter(isOwn)
}
