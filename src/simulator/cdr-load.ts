/**
 * Sends simulated CDRs to a server in real time: each record goes out when its call ends, gathered into batches, with
 * a bounded number of batches unanswered. When the server is slower than the traffic the sender falls behind and says
 * by how much; it never drops a record. When told to, it asks for decisions at an even pace beside it, about the
 * parties of the records that went out last. Main thread.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { cdrLine, type LabelledCdr } from './cdr-call.ts'
import type { CdrDoor, Question } from './cdr-receipt.ts'
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
  /** Decisions asked for; none when left out. */
  readonly asksPerSecond?: number | undefined
}

export interface DecisionReport {
  asked: number
  answered: number
  /** Not answered: refused, or the connection broke. */
  failed: number
  readonly actions: Record<string, number>
  /** From question to answer, ms. */
  readonly answer: Percentiles
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface CdrLoadReport {
  sent: number
  accepted: number
  duplicates: number
  rejected: number
  /** Batches that had to be sent again. */
  resent: number
  reconnects: number
  sentPerSecond: number
  /** From the first record to the last answer. */
  elapsedS: number
  /** How late records went out, ms; 1000 means that or more. */
  readonly lateness: Percentiles
  /** From handing a batch to the door to its answer, ms. */
  readonly answer: Percentiles
  readonly decisions?: DecisionReport | undefined
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
  readonly #asking: Asking | undefined
  #unanswered = 0
  #failure: unknown
  #wake: () => void = () => undefined

  constructor(options: CdrLoadOptions) {
    this.#options = options
    const { asksPerSecond = 0, door, clock } = options
    this.#asking = asksPerSecond > 0 ? new Asking(door, clock, asksPerSecond) : undefined
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
    const decisions = await this.#asking?.end()
    if (this.#failure !== undefined) throw this.#failure
    const elapsedS = Math.max(0.001, (clock.steadyMs() - startMs) / 1000)
    return {
      ...this.#counts,
      resent: door.resent,
      reconnects: door.reconnects,
      sentPerSecond: this.#counts.sent / elapsedS,
      elapsedS,
      lateness: summary(this.#lateness),
      answer: summary(this.#answers),
      decisions,
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
    this.#asking?.about(batch[0]!)
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

/** Questions at an even pace, each about the record that was told last. */
class Asking {
  readonly #door: CdrDoor
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #sinceMs: number
  readonly #times = new Lateness()
  readonly #report = { asked: 0, answered: 0, failed: 0, actions: {} as Record<string, number> }
  readonly #timer: NodeJS.Timeout
  #last: LabelledCdr | undefined
  #waiting: Promise<unknown>[] = []

  constructor(door: CdrDoor, clock: Clock, perSecond: number) {
    this.#door = door
    this.#clock = clock
    this.#everyMs = 1000 / perSecond
    this.#sinceMs = clock.steadyMs()
    this.#timer = setInterval(() => this.#catchUp(), Math.max(1, this.#everyMs / 2))
  }

  about(cdr: LabelledCdr): void {
    this.#last = cdr
  }

  async end(): Promise<DecisionReport> {
    clearInterval(this.#timer)
    await Promise.all(this.#waiting)
    return { ...this.#report, answer: summary(this.#times) }
  }

  #catchUp(): void {
    const due = Math.floor((this.#clock.steadyMs() - this.#sinceMs) / this.#everyMs)
    const { record } = this.#last ?? {}
    if (record?.from === undefined || record.to === undefined) return
    // A sender that was held up does not ask everything at once afterwards: one question a turn.
    if (this.#report.asked >= due) return
    this.#report.asked++
    const asked = this.#ask({ from: record.from, to: record.to, route: record.ingress })
    this.#waiting.push(asked)
    if (this.#waiting.length >= waitingMax) this.#waiting = this.#waiting.slice(waitingMax / 2)
  }

  async #ask(question: Question): Promise<void> {
    const sinceMs = this.#clock.steadyMs()
    try {
      const action = await this.#door.ask(question)
      this.#times.add(this.#clock.steadyMs() - sinceMs, 1)
      this.#report.answered++
      this.#report.actions[action] = (this.#report.actions[action] ?? 0) + 1
    } catch {
      this.#report.failed++
    }
  }
}

/** Questions remembered until the end, so that the last ones are waited for. */
const waitingMax = 2000

function summary(times: Lateness): Percentiles {
  return { p50: times.percentileMs(0.5), p99: times.percentileMs(0.99), max: times.maxMs }
}
