/**
 * Data quality per source: counts by hour of arrival of everything that is odd about records, and a few examples of
 * each, so that a broken clock or a wrong mapping is seen before it is taken for fraud. Gathered in memory and handed
 * to storage once a second; a killed process loses the counts of its last second, never a record. Bounded. Main thread.
 *
 *   records, duplicate, rejected:<code>, skipped:<reason>    what became of them
 *   the flags of a canonical record                          bad_utf8, time_ambiguous, answered_zero, ...
 *   late, from_future, out_of_order, sequence_gap            against the clock and against their neighbours
 *   talk_impossible, released_by_unknown
 *
 * `sequence_gap` counts numbers that are missing from `attributes.sequence` (by `attributes.node`), where a mapping
 * has it.
 */
import type { Clock } from '../core/clock.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'

/** One count, to be added to what is stored. */
export interface QualityCount {
  readonly hourMs: number
  readonly source: string
  readonly defect: string
  readonly count: number
}

export interface QualityExample {
  readonly atMs: number
  readonly source: string
  readonly defect: string
  /** The record's id, or its place in the batch. */
  readonly record: string
  readonly detail: string
}

export interface CdrQualityOptions {
  readonly clock: Clock
  /** A record that comes longer after its end counts as late. */
  readonly lateMs: number
  readonly writeCount: (count: QualityCount) => void
  readonly writeExample: (example: QualityExample) => void
}

/** Examples of one defect of one source in an hour. */
const examplesMax = 5
const defectsMax = 1000
const nodesMax = 64
const hourMs = 3_600_000
const talkMsMax = 86_400_000
const futureMsMax = 60_000
const orderToleranceMs = 5000
/** A larger jump is another counter, not a loss. */
const gapMax = 100_000

interface Defect {
  hourMs: number
  count: number
  examples: number
}

interface Neighbours {
  newestEndMs: number
  readonly sequences: Map<string, number>
}

export class CdrQuality {
  readonly #options: CdrQualityOptions
  readonly #defects = new Map<string, Map<string, Defect>>()
  readonly #neighbours = new Map<string, Neighbours>()
  #kinds = 0
  #nowMs = 0

  constructor(options: CdrQualityOptions) {
    this.#options = options
  }

  /** Records that were accepted, in the order of acceptance. */
  accepted(records: readonly CdrRecord[]): void {
    this.#nowMs = this.#options.clock.wallMs()
    for (const record of records) this.#accepted(record)
  }

  #accepted(record: CdrRecord): void {
    const { source, id } = record
    this.#count(source, 'records', 1)
    if (record.flags !== undefined) for (const flag of record.flags) this.#example(source, flag, id, record.callId)
    if (record.releasedBy === 'unknown') this.#example(source, 'released_by_unknown', id, record.causeRaw ?? '')
    if ((record.talkMs ?? 0) > talkMsMax) this.#example(source, 'talk_impossible', id, `talkMs ${record.talkMs}`)
    this.#compare(record)
  }

  duplicate(record: CdrRecord): void {
    this.#nowMs = this.#options.clock.wallMs()
    this.#example(record.source, 'duplicate', record.id, '')
  }

  rejected(source: string, code: string, place: string, detail: string): void {
    this.#nowMs = this.#options.clock.wallMs()
    this.#example(source, `rejected:${code}`, place, detail)
  }

  skipped(source: string, reason: string): void {
    this.#nowMs = this.#options.clock.wallMs()
    this.#count(source, `skipped:${reason}`, 1)
  }

  /** Hands over what was counted since. */
  flush(): void {
    const nowHourMs = hourOf(this.#options.clock.wallMs())
    for (const [source, defects] of this.#defects) {
      for (const [defect, kept] of defects) {
        if (kept.count > 0) {
          this.#options.writeCount({ hourMs: kept.hourMs, source, defect, count: kept.count })
          kept.count = 0
        }
        if (kept.hourMs < nowHourMs) {
          defects.delete(defect)
          this.#kinds -= 1
        }
      }
    }
  }

  #compare(record: CdrRecord): void {
    const { source, id } = record
    const nowMs = this.#nowMs
    const endMs = (record.endUs ?? record.startUs) / 1000
    if (endMs < nowMs - this.#options.lateMs) {
      this.#example(source, 'late', id, `${Math.round((nowMs - endMs) / 1000)} s after its end`)
    } else if (endMs > nowMs + futureMsMax) {
      this.#example(source, 'from_future', id, `${Math.round((endMs - nowMs) / 1000)} s ahead`)
    }
    let neighbours = this.#neighbours.get(source)
    if (neighbours === undefined) {
      neighbours = { newestEndMs: 0, sequences: new Map() }
      this.#neighbours.set(source, neighbours)
    }
    if (endMs < neighbours.newestEndMs - orderToleranceMs) {
      this.#example(source, 'out_of_order', id, `${Math.round(neighbours.newestEndMs - endMs)} ms behind the newest`)
    }
    // A clock that is ahead must not make everything after it look old.
    if (endMs <= nowMs + futureMsMax) neighbours.newestEndMs = Math.max(neighbours.newestEndMs, endMs)
    this.#sequence(record, neighbours)
  }

  #sequence(record: CdrRecord, { sequences }: Neighbours): void {
    const text = record.attributes['sequence']
    if (text === undefined || !/^\d{1,15}$/.test(text)) return
    const node = record.attributes['node'] ?? ''
    const known = sequences.get(node)
    const sequence = Number(text)
    if (known === undefined && sequences.size >= nodesMax) return
    sequences.set(node, Math.max(sequence, known ?? 0))
    const missing = known === undefined ? 0 : sequence - known - 1
    if (missing <= 0 || missing > gapMax) return
    this.#example(record.source, 'sequence_gap', record.id, `${missing} missing before ${text}`, missing)
  }

  #example(source: string, defect: string, record: string, detail: string, count = 1): void {
    const kept = this.#count(source, defect, count)
    if (kept === null || kept.examples >= examplesMax) return
    kept.examples += 1
    this.#options.writeExample({ atMs: this.#nowMs, source, defect, record, detail })
  }

  /** Null: too many kinds of defects, not counted. */
  #count(source: string, defect: string, count: number): Defect | null {
    let defects = this.#defects.get(source)
    if (defects === undefined) {
      defects = new Map()
      this.#defects.set(source, defects)
    }
    const nowHourMs = hourOf(this.#nowMs)
    let kept = defects.get(defect)
    if (kept === undefined) {
      if (this.#kinds >= defectsMax) return null
      this.#kinds += 1
      kept = { hourMs: nowHourMs, count: 0, examples: 0 }
      defects.set(defect, kept)
    }
    if (kept.hourMs !== nowHourMs) {
      if (kept.count > 0) this.#options.writeCount({ hourMs: kept.hourMs, source, defect, count: kept.count })
      kept.hourMs = nowHourMs
      kept.count = 0
      kept.examples = 0
    }
    kept.count += count
    return kept
  }
}

function hourOf(ms: number): number {
  return Math.floor(ms / hourMs) * hourMs
}
