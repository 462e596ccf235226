/**
 * A number is forgotten: the ledger first, then what lives in memory, the durable log with its freed pages, files
 * beside it, and every table, while nothing flows. What is left where, is told in a report that is kept. Asked for
 * again it does the same again, so an erasure that was cut off is simply repeated. Main thread.
 */
import { messageOf, OperatingError } from '../core/errors.ts'
import type { LiveCalls } from '../decisions/live-calls.ts'
import type { EventBus } from '../notify/event-bus.ts'
import type { Notifier } from '../notify/notifier.ts'
import { scrubEntry } from '../storage/entry-scrub.ts'
import { eraseInFiles, type FileFinding } from '../storage/erasure-files.ts'
import { ErasureLedger, type LedgerEntry } from '../storage/erasure-ledger.ts'
import { chainTable, TableErasure, type TableFinding } from '../storage/table-erasure.ts'
import { rowOf } from '../storage/tables.ts'
import type { PolicyWatch } from '../watch/policy-watch.ts'
import { NumberSpellings } from '../wire/number-spellings.ts'
import type { KeepingParts } from './backups.ts'
import type { Control } from './detections.ts'
import type { Fraud } from './fraud.ts'
import type { Ingest } from './ingest.ts'
import type { KeptAudio } from './recordings.ts'

export interface ErasureReport {
  readonly id: string
  readonly at: string
  readonly numberHash: string
  /** `rows_gone`: nobody finds it any more, and replaced files of ClickHouse are still being removed. */
  state: 'running' | 'rows_gone' | 'done' | 'failed'
  problem: string | null
  finishedAt: string | null
  /** Entries of the durable log that held it, by log; afterwards the log was written anew. */
  logs: Record<string, number>
  tables: TableFinding[]
  files: FileFinding[]
  memory: { cases: number; liveTracks: number; events: number }
  /** Calls whose kept audio was erased; null: not searched, that needs a running server. */
  recordings: number | null
  /** Where the operator's own words name it. */
  leftInConfiguration: string[]
}

/** What a running server has in memory. */
export interface LiveRooms {
  readonly fraud: Fraud
  readonly live: LiveCalls
  readonly policy: PolicyWatch
  readonly control: Control
  readonly ingest: Ingest
  readonly bus: EventBus
  readonly notifier: Notifier
  readonly audio: KeptAudio
}

export interface ErasuresOptions extends KeepingParts {
  /** Null: no server runs, there is nothing but files and tables. */
  readonly live: LiveRooms | null
}

/** Reports in memory; older ones are in their files. */
const reportsMax = 1000

export class Erasures {
  readonly #options: ErasuresOptions
  readonly #tables: TableErasure
  readonly #reports = new Map<string, ErasureReport>()

  constructor(options: ErasuresOptions) {
    this.#options = options
    const { config, clock, storage } = options
    this.#tables = new TableErasure({ store: storage.store, database: config.storage.database, clock })
  }

  /**
   * @param digits E.164 without +
   * @returns the report, which goes on changing, and a promise that resolves when it does not any more
   */
  begin(digits: string, askedBy: string): { readonly report: ErasureReport; readonly finished: Promise<void> } {
    const { ledger, clock } = this.#options
    const { forms } = this.#options.storage.privacy
    const entry = ledger.add(digits, forms.forms(digits), clock.wallMs())
    const report = freshReport(entry)
    this.#remember(report)
    ledger.writeReport(report.id, report)
    const finished = this.#run(digits, askedBy, report)
    return { report, finished }
  }

  report(id: string): ErasureReport | null {
    return this.#reports.get(id) ?? (this.#options.ledger.report(id) as ErasureReport | null)
  }

  async #run(digits: string, askedBy: string, report: ErasureReport): Promise<void> {
    const { log, clock, ledger, storage, stillness } = this.#options
    const { forms } = storage.privacy
    try {
      const spellings = new NumberSpellings(digits, forms.forms(digits))
      // Its key goes first: from then on nobody can read it, whatever comes after.
      await this.#forgetKey(digits)
      await stillness.inTurn(() => this.#erase(spellings, report))
      report.state = 'rows_gone'
      this.#writeRow(report, askedBy)
      ledger.writeReport(report.id, report)
      await this.#tables.settled(report.tables)
      report.state = 'done'
    } catch (thrown) {
      report.problem = messageOf(thrown)
      log.error('a number is not erased; ask again', { erasure: report.id, reason: report.problem })
      if (report.state === 'running') report.state = 'failed'
    }
    report.finishedAt = new Date(clock.wallMs()).toISOString()
    ledger.writeReport(report.id, report)
  }

  async #erase(spellings: NumberSpellings, report: ErasureReport): Promise<void> {
    const { storage, stillness, live, config } = this.#options
    const { names } = storage.privacy.doors
    // Before anything is held up.
    if (!storage.upkeep.prepared()) throw new OperatingError('storage_unavailable', 'ClickHouse is not ready')
    await stillness.ofTables(async () => {
      await stillness.ofRecords(live?.fraud ?? null, async () => {
        await this.#eraseInMemory(spellings, report)
        // It may have called while the erasure waited for its turn, and was stored anew.
        await this.#forgetKey(spellings.digits)
        await storage.writer.durable()
        const changed = await storage.logs.rewrite((name, payload) => scrubEntry(name, payload, spellings, names))
        report.logs = Object.fromEntries([...changed].filter(([, count]) => count > 0))
        await storage.records.intake.reload()
        await storage.logs.compact()
        report.files = eraseInFiles(config.dataDir, spellings)
      })
      report.tables = await this.#tables.erase(spellings)
    })
    const left = report.tables.filter(({ rowsAfter }) => rowsAfter > 0).map(({ table }) => table)
    if (left.includes(chainTable))
      throw new OperatingError('internal', 'the audit holds the number; it is never changed')
    if (left.length > 0) throw new OperatingError('storage_rejected', `rows are left in ${left.join(', ')}`)
    report.leftInConfiguration = this.#configured(spellings)
  }

  async #forgetKey(digits: string): Promise<void> {
    const { vault } = this.#options.storage.privacy
    vault?.forget(digits)
    await vault?.flush()
  }

  async #eraseInMemory(spellings: NumberSpellings, report: ErasureReport): Promise<void> {
    const { live } = this.#options
    if (live === null) return
    const { fraud, live: calls, policy, control, ingest, bus, notifier, audio } = live
    const facts = new Set(spellings.names.flatMap((name) => [name, `+${name}`]))
    report.recordings = (await audio.recordings.eraseOf(facts)).erased.length
    // Calls first: what is told and stored from now on does not name it.
    const liveTracks = calls.erase(spellings)
    policy.erase(spellings)
    control.detections.erase(spellings)
    ingest.erase(spellings)
    const cases = await fraud.book.erase(spellings)
    const events = bus.erase(spellings)
    notifier.erase(spellings)
    report.memory = { cases, liveTracks, events }
  }

  /** An operator who wrote it down (never listen to this number) did so on purpose. */
  #configured(spellings: NumberSpellings): string[] {
    const { config, live } = this.#options
    const places: [string, unknown][] = [
      ['configuration', config],
      ['detection-rules.json', live?.control.overrides.state.rules ?? []],
    ]
    return places.filter(([, value]) => spellings.scrubValue(value) !== value).map(([place]) => place)
  }

  #writeRow(report: ErasureReport, askedBy: string): void {
    const { storage } = this.#options
    const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
    const row = rowOf('erasures', {
      id: report.id,
      at: Date.parse(report.at),
      number_hash: report.numberHash,
      asked_by: askedBy,
      rows_found: sum(report.tables.map(({ rowsBefore }) => rowsBefore)),
      entries_found: sum(Object.values(report.logs)),
      report_json: JSON.stringify(report),
    })
    storage.writer.write('erasures', row)
  }

  #remember(report: ErasureReport): void {
    this.#reports.set(report.id, report)
    const oldest = this.#reports.size > reportsMax ? this.#reports.keys().next().value : undefined
    if (oldest !== undefined) this.#reports.delete(oldest)
  }
}

function freshReport({ id, at, hash }: LedgerEntry): ErasureReport {
  const nothing = { problem: null, finishedAt: null, logs: {}, tables: [], files: [], leftInConfiguration: [] }
  const memory = { cases: 0, liveTracks: 0, events: 0 }
  return { id, at, numberHash: hash, state: 'running', ...nothing, memory, recordings: null }
}

export function openLedger(dataDir: string): ErasureLedger {
  return new ErasureLedger(`${dataDir}/erasures`)
}
