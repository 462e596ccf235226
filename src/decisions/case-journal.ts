/**
 * The durable memory of cases: every state of a case is appended to a log of its own, the last one of each counts at a
 * start. When the log has grown well beyond what is in memory, it is begun anew with that. Main thread.
 */
import type { DurableLog } from '../log/durable-log.ts'
import type { CaseSeed } from './cases.ts'

/** A case with what people said of it. */
export interface BookedCase {
  readonly seed: CaseSeed
  readonly decidedBy: string | null
  readonly decidedMs: number | null
  readonly note: string | null
  /** Up to this event time the subject opens no case of the kind; 0: it may. */
  readonly quietUntilMs: number
  /** Grows with every state. */
  readonly version: number
}

const reader = 'book'
const readBytesMax = 4_194_304
/** States of one entry. */
const statesMax = 100
/** The log may be so much larger than its states in memory. */
const growth = 4
const slackBytes = 8_388_608

export class CaseJournal {
  readonly #log: DurableLog
  #compactAtBytes = slackBytes

  constructor(log: DurableLog) {
    this.#log = log
    log.cursor(reader)
  }

  /** The last state of each case, in the order of their first ones. States that cannot be read are left out. */
  read(): BookedCase[] {
    const last = new Map<string, BookedCase>()
    const log = this.#log
    for (let from = 0; from < log.end(); ) {
      const entries = log.read(from, 1000, readBytesMax)
      if (entries.length === 0) break
      for (const { bytes } of entries) for (const state of statesOf(bytes)) last.set(state.seed.it.id, state)
      from = (entries.at(-1)?.seq ?? from) + 1
    }
    return [...last.values()]
  }

  /** Resolves once the states are on disk. */
  async write(states: readonly BookedCase[]): Promise<void> {
    if (states.length > 0) await this.#log.append(entriesOf(states))
  }

  get isLarge(): boolean {
    return this.#log.bytes() > this.#compactAtBytes
  }

  /** Begins anew with these states. */
  async compact(states: readonly BookedCase[]): Promise<void> {
    const log = this.#log
    const first = await log.append(entriesOf(states))
    await log.advance(reader, first)
    this.#compactAtBytes = log.bytes() * growth + slackBytes
  }
}

function entriesOf(states: readonly BookedCase[]): Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < states.length; at += statesMax) {
    entries.push(Buffer.from(JSON.stringify(states.slice(at, at + statesMax))))
  }
  return entries
}

function statesOf(bytes: Uint8Array): BookedCase[] {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as BookedCase[]
  } catch {
    return []
  }
}
