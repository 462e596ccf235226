/**
 * Sends simulated CDRs to a server in real time: each record goes out when its call ends, gathered into batches, with
 * a bounded number of batches unanswered. When the server is slower than the traffic the sender falls behind and says
 * by how much; it never drops a record. Main thread.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { cdrLine, type LabelledCdr } from './cdr-call.ts'
import type { CdrDoor } from './cdr-door.ts'
import { Lateness } from './lateness.ts'

/** Records of one batch at most. */
export const batchRecordsMax = 500
/** Records that are due within this time of one another go out together. */
const gatherMs = 20

export interface CdrLoadOptions {
  readonly source: { next(): LabelledCdr | undefined }
  readonly door: CdrDoor
  readonly clock: Clock
  /** Event time that is now. */
  readonly startUs: number
  /** Calls that end later are not sent. */
  readonly endUs: number
  /** Told of every record when it goes out. */
  readonly sent: (cdr: LabelledCdr) => void
}

export interface CdrLoadReport {
  sent: number
  accepted: number
  duplicates: number
  rejected: number
  /** Batches that had to be sent again. */
  resent: number
  sentPerSecond: number
  /** How late records went out, ms; 1000 means that or more. */
  readonly lateness: { p50: number; p99: number; max: number }
  /** From sending a batch to its answer, ms. */
  readonly answer: { p50: number; p99: number; max: number }
}

/** @throws OperatingError when the server refuses for good */
export async function runCdrLoad(options: CdrLoadOptions): Promise<CdrLoadReport> {
  return new CdrLoad(options).run()
}

class CdrLoad {
  readonly #options: CdrLoadOptions
  readonly #lateness = new Lateness()
  readonly #answers = new Lateness()
  readonly #counts = { sent: 0, accepted: 0, duplicates: 0, rejected: 0 }
  #unanswered = 0
  #failure: unknown
  #wake: () => void = () => undefined

  constructor(options: CdrLoadOptions) {
    this.#options = options
  }

  async run(): Promise<CdrLoadReport> {
    const { source, door, clock, startUs, endUs } = this.#options
    const startMs = clock.steadyMs()
    let batch: LabelledCdr[] = []
    for (let cdr = source.next(); cdr !== undefined && cdr.emitUs <= endUs; cdr = source.next()) {
      const dueMs = startMs + (cdr.emitUs - startUs) / 1000
      if (batch.length >= batchRecordsMax || dueMs > clock.steadyMs()) {
        await this.#send(batch, startMs)
        batch = []
        if (dueMs > clock.steadyMs()) await sleep(Math.max(gatherMs, dueMs - clock.steadyMs()))
      }
      batch.push(cdr)
    }
    await this.#send(batch, startMs)
    while (this.#unanswered > 0 && this.#failure === undefined) await this.#answered()
    if (this.#failure !== undefined) throw this.#failure
    const elapsedS = Math.max(0.001, (clock.steadyMs() - startMs) / 1000)
    return {
      ...this.#counts,
      resent: door.resent,
      sentPerSecond: this.#counts.sent / elapsedS,
      lateness: summary(this.#lateness),
      answer: summary(this.#answers),
    }
  }

  /** Waits for room among the unanswered, then sends. */
  async #send(batch: readonly LabelledCdr[], startMs: number): Promise<void> {
    if (batch.length === 0) return
    const { door, clock, startUs, sent } = this.#options
    while (this.#unanswered >= door.windowMax && this.#failure === undefined) await this.#answered()
    if (this.#failure !== undefined) throw this.#failure
    const nowMs = clock.steadyMs()
    for (const cdr of batch) {
      this.#lateness.add(nowMs - startMs - (cdr.emitUs - startUs) / 1000, 1)
      sent(cdr)
    }
    this.#counts.sent += batch.length
    this.#unanswered++
    void this.#deliver(batch.map((cdr) => cdr.line ?? cdrLine(cdr.record)))
    // A sender that is behind must still hear answers.
    await turn()
  }

  async #deliver(lines: readonly string[]): Promise<void> {
    const { door, clock } = this.#options
    const sentMs = clock.steadyMs()
    try {
      const receipt = await door.send(lines)
      this.#answers.add(clock.steadyMs() - sentMs, 1)
      this.#counts.accepted += receipt.accepted
      this.#counts.duplicates += receipt.duplicates
      this.#counts.rejected += receipt.rejected
    } catch (thrown) {
      this.#failure ??= thrown
    }
    this.#unanswered--
    this.#wake()
  }

  #answered(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

function summary(times: Lateness): { p50: number; p99: number; max: number } {
  return { p50: times.percentileMs(0.5), p99: times.percentileMs(0.99), max: times.maxMs }
}
