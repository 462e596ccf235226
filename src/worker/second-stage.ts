/**
 * A cascade: the first detector hears every hop, a dearer one (of another maker, on a thread of its own) only windows
 * that the first finds suspicious, within a share of one core. What the second found takes the place of the first's
 * ratio on the suspicious hops of that track, until it is older than two of its hops; then, and where there is no CPU
 * left, the first stands alone. What is unfamiliar to the first need not be so to the second: its ratio counts. Live it
 * never waits: an answer counts from the hop after it came. Voice worker.
 *
 *     embedding   [ first's embedding | hop as the second wants it | ticket ]      the ticket finds the track again
 *     hop n   first: suspicious --window--> judge thread
 *     hop n+2 first: suspicious, answer is there: its ratio counts
 */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { HopDetector, VoiceInputs, VoiceRowSizes } from '../inference/hop-detector.ts'
import type { Stretch, WindowInput } from '../inference/window-input.ts'

/** Windows that may wait for the judge; more would be old when their turn comes. */
export const windowsWaitingMax = 4
/** Tracks whose answers are kept; the one that was quiet longest leaves. */
const tracksKeptMax = 4096
/** Unused allowance is kept for so long. */
const allowanceKeptMs = 2000
/** Tickets stand in float32, which counts whole numbers up to here. */
const ticketsMax = 16_777_216

export interface JudgedWindow {
  readonly llr: number
  readonly busyMs: number
}

/** Takes a window and answers later. Rejects when it is lost. */
export interface WindowJudge {
  judge(window: Float32Array): Promise<JudgedWindow>
  close(): Promise<void>
}

export const secondStageCounterNames = [
  'secondStageJudged',
  'secondStageOverBudget',
  'secondStageLost',
  'secondStageMs',
] as const satisfies readonly (keyof Counters)[]

export interface SecondStageOptions {
  readonly first: HopDetector
  /** Built for the first's hops. */
  readonly window: WindowInput
  readonly judge: WindowJudge
  /** Pipeline hops from one window of a track to the next. */
  readonly every: number
  /** Samples that stand behind the first's features in a row; 0 when the second takes these features too. */
  readonly audioSamples: number
  /** First's ratio from which a hop is suspicious. */
  readonly suspectLlr: number
  /** Of one core; null: no limit, and every answer is waited for (recordings). */
  readonly cpuShareMax: number | null
  readonly clock: Clock
  readonly counters: Pick<Counters, (typeof secondStageCounterNames)[number]>
}

interface Seen {
  llr: number
  /** Hops since the window of `llr` was taken; infinite: none yet. */
  age: number
  sinceAsked: number
  waiting: boolean
}

/** A share of wall time that may be spent computing. */
class CpuBudget {
  readonly #share: number
  readonly #clock: Clock
  #allowanceMs: number
  #atMs: number

  constructor(share: number, clock: Clock) {
    this.#share = share
    this.#clock = clock
    this.#allowanceMs = share * allowanceKeptMs
    this.#atMs = clock.steadyMs()
  }

  isLeft(): boolean {
    const nowMs = this.#clock.steadyMs()
    const earned = this.#allowanceMs + (nowMs - this.#atMs) * this.#share
    this.#allowanceMs = Math.min(this.#share * allowanceKeptMs, earned)
    this.#atMs = nowMs
    return this.#allowanceMs > 0
  }

  spend(ms: number): void {
    this.#allowanceMs -= ms
  }
}

export class SecondStage implements HopDetector {
  readonly row: VoiceRowSizes
  readonly batchMax: number
  readonly inputs: VoiceInputs
  readonly embedding: Float32Array
  readonly logit: Float32Array
  readonly novelty: Float32Array
  readonly #options: SecondStageOptions
  readonly #budget: CpuBudget | null
  readonly #seen = new Map<number, Seen>()
  #waiting = 0
  #tickets = 0

  constructor(options: SecondStageOptions) {
    const { first, window, audioSamples, cpuShareMax, clock } = options
    this.#options = options
    this.#budget = cpuShareMax === null ? null : new CpuBudget(cpuShareMax, clock)
    this.batchMax = first.batchMax
    this.row = {
      features: first.row.features + audioSamples,
      speech: first.row.speech,
      historyHops: Math.max(first.row.historyHops, window.pastHops),
      embedding: first.row.embedding + window.hopFloats + 1,
    }
    const rows = (floats: number): Float32Array => new Float32Array(this.batchMax * floats)
    this.inputs = {
      features: rows(this.row.features),
      speech: rows(this.row.speech),
      history: rows(this.row.historyHops * this.row.embedding),
      historyWeight: rows(this.row.historyHops),
    }
    this.embedding = rows(this.row.embedding)
    this.logit = rows(1)
    this.novelty = rows(1)
  }

  async run(count: number): Promise<void> {
    const { first, suspectLlr } = this.#options
    for (let row = 0; row < count; row += 1) this.#showFirst(row)
    await first.run(count)
    const asked: Promise<void>[] = []
    for (let row = 0; row < count; row += 1) {
      const ticket = this.#remember(row)
      const llr = first.logit[row]!
      this.logit[row] = llr
      this.novelty[row] = first.novelty?.[row] ?? 0
      const seen = this.#older(ticket)
      if (!(llr >= suspectLlr)) continue
      const answer = this.#ask(row, seen ?? this.#keep(ticket))
      if (answer !== null) asked.push(answer)
    }
    if (this.#budget === null) await Promise.all(asked)
    for (let row = 0; row < count; row += 1) {
      if (this.logit[row]! >= suspectLlr) this.#take(row)
    }
  }

  /** The first alone: nothing of it is suspicious. */
  warm(count: number): Promise<void> {
    return this.#options.first.warm(count)
  }

  async release(): Promise<void> {
    await Promise.all([this.#options.first.release(), this.#options.judge.close()])
  }

  /** The first's part of a row. */
  #showFirst(row: number): void {
    const { first } = this.#options
    const { features, speech, historyHops, embedding } = this.row
    const own = first.row
    const from = row * features
    first.inputs.features.set(this.inputs.features.subarray(from, from + own.features), row * own.features)
    first.inputs.speech.set(this.inputs.speech.subarray(row * speech, (row + 1) * speech), row * speech)
    for (let hop = 0; hop < own.historyHops; hop += 1) {
      const source = (row + 1) * historyHops - own.historyHops + hop
      const target = row * own.historyHops + hop
      first.inputs.historyWeight[target] = this.inputs.historyWeight[source]!
      const at = source * embedding
      first.inputs.history.set(this.inputs.history.subarray(at, at + own.embedding), target * own.embedding)
    }
  }

  /** Writes the row's embedding and returns its ticket: that of the hop before, or a new one. */
  #remember(row: number): number {
    const { first, window } = this.#options
    const { features, historyHops, embedding } = this.row
    const own = first.row.embedding
    const newest = (row + 1) * historyHops - 1
    const isKnown = this.inputs.historyWeight[newest]! > 0
    if (!isKnown) this.#tickets = (this.#tickets + 1) % ticketsMax
    const ticket = isKnown ? this.inputs.history[(newest + 1) * embedding - 1]! : this.#tickets
    const at = row * embedding
    const end = (row + 1) * features
    this.embedding.set(first.embedding.subarray(row * own, (row + 1) * own), at)
    this.embedding.set(this.inputs.features.subarray(end - window.hopFloats, end), at + own)
    this.embedding[at + embedding - 1] = ticket
    return ticket
  }

  #older(ticket: number): Seen | undefined {
    const seen = this.#seen.get(ticket)
    if (seen === undefined) return undefined
    seen.age += 1
    seen.sinceAsked += 1
    return seen
  }

  #keep(ticket: number): Seen {
    const seen = { llr: Number.NaN, age: Infinity, sinceAsked: Infinity, waiting: false }
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size < tracksKeptMax) break
      this.#seen.delete(oldest)
    }
    this.#seen.set(ticket, seen)
    return seen
  }

  #ask(row: number, seen: Seen): Promise<void> | null {
    const { every, judge, window, counters } = this.#options
    if (seen.waiting || seen.sinceAsked < every) return null
    if (this.#budget !== null && (this.#waiting >= windowsWaitingMax || !this.#budget.isLeft())) {
      counters.secondStageOverBudget += 1
      return null
    }
    const floats = new Float32Array(window.floats)
    window.build(this.#stretches(row), floats, 0)
    seen.waiting = true
    seen.sinceAsked = 0
    this.#waiting += 1
    return judge.judge(floats).then(
      ({ llr, busyMs }) => this.#answered(seen, llr, busyMs),
      (thrown: unknown) => this.#lost(seen, thrown),
    )
  }

  #answered(seen: Seen, llr: number, busyMs: number): void {
    const { counters } = this.#options
    this.#waiting -= 1
    this.#budget?.spend(busyMs)
    counters.secondStageJudged += 1
    counters.secondStageMs += busyMs
    seen.waiting = false
    if (!Number.isFinite(llr)) return
    seen.llr = llr
    seen.age = seen.sinceAsked
  }

  #lost(seen: Seen, thrown: unknown): void {
    this.#waiting -= 1
    seen.waiting = false
    this.#options.counters.secondStageLost += 1
    if (this.#budget === null) throw new Error(`the second stage was lost: ${messageOf(thrown)}`, { cause: thrown })
  }

  /** The second's newest answer on the row's track in place of the first's, while it still counts. */
  #take(row: number): void {
    const seen = this.#seen.get(this.embedding[(row + 1) * this.row.embedding - 1]!)
    if (seen === undefined || seen.age >= 2 * this.#options.every) return
    this.logit[row] = seen.llr
    this.novelty[row] = 0
  }

  #stretches(row: number): Stretch[] {
    const { window } = this.#options
    const { features, historyHops, embedding } = this.row
    const out: Stretch[] = []
    for (let hop = (row + 1) * historyHops - window.pastHops; hop < (row + 1) * historyHops; hop += 1) {
      if (this.inputs.historyWeight[hop]! <= 0) continue
      out.push({ values: this.inputs.history, at: (hop + 1) * embedding - 1 - window.hopFloats })
    }
    out.push({ values: this.inputs.features, at: (row + 1) * features - window.hopFloats })
    return out
  }
}
