/**
 * Which detections are live, on disk: each change is an entry of a durable log, the newest entry of an id counts. When
 * far more was written than is live, the live ones are written once more and everything before is let go. Main thread.
 */
import type { DurableLog } from '../log/durable-log.ts'
import { type Detection, fromEntry, isActive, toEntry } from './detection.ts'

const reader = 'live'
/** Entries beyond those of live detections that are kept before the log is written anew. */
const entriesSpare = 1000
const readEntriesMax = 1000

export class DetectionJournal {
  readonly #log: DurableLog
  readonly #active = new Map<string, Detection>()
  #compacting: Promise<void> | null = null

  constructor(log: DurableLog) {
    this.#log = log
    // Asking registers the reader: nothing leaves before it.
    log.cursor(reader)
  }

  /** The detections that were live when the last process ended, in order of their last change. Once, at start. */
  read(): Detection[] {
    let from = this.#log.cursor(reader)
    for (;;) {
      const entries = this.#log.read(from, readEntriesMax)
      for (const { bytes } of entries) {
        const detection = fromEntry(bytes)
        if (detection === null) continue
        this.#active.delete(detection.id)
        if (isActive(detection)) this.#active.set(detection.id, detection)
      }
      const last = entries.at(-1)
      if (last === undefined) return [...this.#active.values()]
      from = last.seq + 1
    }
  }

  /** On disk when it resolves. @throws OperatingError spool_full, Error of the disk */
  async write(detection: Detection): Promise<void> {
    if (isActive(detection)) this.#active.set(detection.id, detection)
    else this.#active.delete(detection.id)
    await this.#log.append([toEntry(detection)])
    if (this.#log.end() - this.#log.cursor(reader) > entriesSpare + 2 * this.#active.size) await this.#compact()
  }

  #compact(): Promise<void> {
    this.#compacting ??= this.#compactNow().finally(() => {
      this.#compacting = null
    })
    return this.#compacting
  }

  async #compactNow(): Promise<void> {
    const first = await this.#log.append([...this.#active.values()].map(toEntry))
    await this.#log.advance(reader, Math.min(first, this.#log.end()))
  }
}
