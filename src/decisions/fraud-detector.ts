/**
 * The whole CDR judgement behind one door: canonical records in, cases out. Orders calls by event time, updates the
 * windows, lets the rules look at keys that have moved enough, gathers signals into cases, and tells which open cases
 * each call falls under. What only the scorer can decide waits until event time has passed a whole second and is then
 * judged in one batch, so results depend on the order of records and never on how they were cut into batches. The same
 * object serves the live path and `replay`. Any thread, one owner.
 *
 *   record() -> heap by event time -> released calls -> advance(): windows, rules, cases -> flash queue -> scorer
 */
import type { CdrConfig } from '../config/schema.ts'
import { type CallEvent, callEventOf } from '../features/call-event.ts'
import { CallWindows, keyKinds, keyMarks, kindOf, longTalkS, shortTalkS, WindowView } from '../features/call-windows.ts'
import { ReorderBuffer, type ReorderLimits } from '../features/reorder-buffer.ts'
import { levelTicks, panesPerWindow, tickMs } from '../features/window-panes.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import type { NumberPlaces } from '../wire/number-places.ts'
import { type CaseListener, type CaseSeed, Cases, type FraudCase, type Sighting } from './cases.ts'
import { type FlashCallScorer, flashCallRule } from './flash-call-rule.ts'
import { FlashQueue, type KeyAt } from './flash-queue.ts'
import { type CandidateListener, FraudRules } from './fraud-rules.ts'
import { type CaseKind, caseKinds, type FlashCandidate, type Signal } from './fraud-signal.ts'

/** A key is looked at after so many calls, and the busier it is the rarer: after an eighth of its last ten minutes. */
const lookAfterMin = 4
const lookShare = 1 / 8

/** Is a call on a case's subject one of those the case is about? */
export function isOfKind(kind: CaseKind, event: CallEvent): boolean {
  if (kind === 'flash_call') return event.blink
  if (kind === 'wangiri') return !event.answered
  if (kind === 'short_answer_burst') return event.answered && event.talkS <= shortTalkS
  if (kind === 'irsf' || kind === 'pbx_hack') return event.talkS >= longTalkS
  return kind !== 'cli_spoof' || event.fromInvalid
}

export interface DetectorOptions {
  /** Where numbers stand; default: those in clear. */
  readonly places?: NumberPlaces | undefined
  readonly config: CdrConfig
  readonly onCase: CaseListener
  /** Told of every call in event order, with the open cases it falls under as it comes. */
  readonly onCall?: (event: CallEvent, cases: readonly FraudCase[]) => void
  readonly onCandidate?: CandidateListener
  readonly newCaseId: () => string
  readonly scorer?: FlashCallScorer
  /** Instead of the configured one: files have no arrival times. */
  readonly reorder?: ReorderLimits
}

export class FraudDetector {
  readonly windows: CallWindows
  readonly cases: Cases
  readonly #rules: FraudRules
  readonly #flash: FlashQueue
  readonly #reorder: ReorderBuffer
  readonly #config: CdrConfig
  readonly #onCall: (event: CallEvent, cases: readonly FraudCase[]) => void
  readonly #view = new WindowView()
  readonly #signals: Signal[] = []
  readonly #candidates: FlashCandidate[] = []
  readonly #matched: FraudCase[] = []
  /** Calls in event order that `advance` has not come to yet. */
  #released: CallEvent[] = []
  #turn: Promise<void> = Promise.resolve()
  /** Whole seconds of event time. */
  #second = Number.NEGATIVE_INFINITY
  /** Calls that came too late for the windows. */
  late = 0
  /** Calls whose end lay in the future when they came; their time of arrival was taken instead. */
  ahead = 0
  /** Records that are no attempt of their own: other legs, forks. */
  notAttempts = 0
  events = 0

  constructor(options: DetectorOptions) {
    const { config, scorer = flashCallRule, newCaseId, onCase } = options
    this.#config = config
    this.windows = new CallWindows({ ...config.keys, recentCallsMax: config.windows.recentCallsMax }, options.places)
    this.cases = new Cases(config.cases, config.keys.destinationDigits, newCaseId, onCase)
    this.#rules = new FraudRules(this.windows, config.rules, {
      trained: () => scorer.trained !== undefined,
      onCandidate: options.onCandidate,
    })
    this.#flash = new FlashQueue(scorer, config.rules.flashCall.scoreMin)
    this.#onCall = options.onCall ?? (() => undefined)
    this.#reorder = new ReorderBuffer(
      options.reorder ?? config.windows,
      (event) => this.#released.push(event),
      () => {
        this.late++
      },
    )
  }

  /** Takes a record in, `receivedMs` when it came (files have none); `advance` goes on with what it lets go. */
  record(record: CdrRecord, receivedMs = Number.POSITIVE_INFINITY): void {
    if (!record.isAttempt) {
      this.notAttempts++
      return
    }
    const event = callEventOf(record)
    if (event.timeMs <= receivedMs + this.#config.windows.latenessMs) this.#reorder.push(event)
    else {
      // A clock that is ahead would make the calls of all others late.
      this.ahead++
      this.#reorder.push({ ...event, timeMs: receivedMs })
    }
  }

  /** Goes on with cases of another run: later calls find them as if they had opened here. */
  restore(seeds: readonly CaseSeed[]): void {
    for (const seed of seeds) {
      const { kind, subject, firstSeenMs } = seed.it
      this.cases.restore(seed)
      const { caseBits } = this.windows.tables[seed.keyKind]!
      const slot = this.windows.slotOf(seed.keyKind, subject.value, firstSeenMs)
      caseBits[slot] = caseBits[slot]! | (1 << caseKinds.indexOf(kind))
    }
  }

  /** The newest time of a call so far. */
  get newestMs(): number {
    return this.#reorder.newestMs
  }

  /** Calls up to this time are wholly judged, told and gone; later ones may be too. */
  get settledMs(): number {
    if (this.#released.length > 0 || !this.#flash.isEmpty) return Number.NEGATIVE_INFINITY
    const held = this.#reorder.oldestHeldMs
    return held === Number.POSITIVE_INFINITY ? this.#reorder.newestMs : held - 1
  }

  /** Calls that wait for their turn. */
  get held(): number {
    return this.#reorder.held
  }

  /** Goes on with every call that need not wait any longer. One at a time; the next begins when this one is done. */
  advance(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#advance())
    return this.#turn
  }

  /** Calls up to this event time have waited long enough by another clock; looks are judged, too. */
  releaseUpTo(timeMs: number): Promise<void> {
    this.#reorder.releaseUpTo(timeMs)
    return this.#settle()
  }

  /** The input is at its end: calls that wait are let through. */
  flush(): Promise<void> {
    this.#reorder.flush()
    return this.#settle()
  }

  #settle(): Promise<void> {
    this.#turn = this.advance().then(() => this.#judge())
    return this.#turn
  }

  async #advance(): Promise<void> {
    const calls = this.#released
    this.#released = []
    for (const event of calls) {
      const second = Math.floor(event.timeMs / 1000)
      if (second !== this.#second || this.#flash.isFull) {
        this.#second = second
        if (!this.#flash.isEmpty) await this.#judge()
      }
      this.#observe(event)
    }
  }

  async #judge(): Promise<void> {
    if (!this.#flash.isEmpty) await this.#flash.judge((key, sighting) => this.#sight(key, sighting))
  }

  #observe(event: CallEvent): void {
    this.events++
    this.windows.observe(event)
    this.cases.tick(event.timeMs)
    this.#match(event)
    this.#onCall(event, this.#matched)
    const { slots, tables } = this.windows
    for (let kind = 0; kind < keyKinds.length; kind++) {
      const slot = slots[kind]!
      if (slot < 0) continue
      const table = tables[kind]!
      // Counts down to the next look; a new key begins at zero and is looked at when it has called often enough.
      const pending = table.pending[slot]! + 1
      table.pending[slot] = pending
      if (pending >= lookAfterMin) this.#look(kind, slot, event)
    }
  }

  #look(kind: number, slot: number, event: CallEvent): void {
    const { windows } = this
    const table = windows.tables[kind]!
    windows.read(kind, slot, event.timeMs, this.#view)
    const wait = Math.max(lookAfterMin, Math.floor(this.#view.sum(1, 'attempts') * lookShare))
    table.pending[slot] = lookAfterMin - wait
    this.#mark(kind, slot)
    this.#signals.length = 0
    this.#candidates.length = 0
    this.#rules.evaluate(this.#view, this.#signals, this.#candidates)
    if (this.#signals.length + this.#candidates.length === 0) return
    const key = { slot, hashLo: table.hashLo[slot]!, hashHi: table.hashHi[slot]! }
    const waits = this.#candidates.length > 0
    let otherwise: Sighting | null = null
    for (const signal of this.#signals) {
      const sighting = this.#sighting(kind, slot, event, signal)
      if (waits && signal.kind === 'flash_call') otherwise = sighting
      else this.#sight(key, sighting)
    }
    if (!waits) return
    const slots = windows.slots.slice()
    const candidates = this.#candidates.map(({ signal, features }) => {
      return { sighting: { ...this.#sighting(kind, slot, event, signal), slots }, features }
    })
    this.#flash.add({ key, candidates, otherwise: otherwise === null ? null : { ...otherwise, slots } })
  }

  /** What the key shows that its next calls are counted by. */
  #mark(kind: number, slot: number): void {
    const { windows } = this
    if (kind === kindOf.route) windows.mark(kind, slot, this.#rules.marksOfRoute(this.#view))
    if (kind !== kindOf.number) return
    const route = windows.slots[kindOf.route]!
    const fromAbroad = (windows.tables[kindOf.route]!.caseBits[route]! & keyMarks.fromAbroad) !== 0
    windows.mark(kind, slot, this.#rules.marksOfNumber(this.#view, fromAbroad))
  }

  /** A signal with the calls that led to it. */
  #sighting(keyKind: number, slot: number, event: CallEvent, signal: Signal): Sighting {
    const { windows } = this
    const sinceMs = event.timeMs - levelTicks[signal.level]! * panesPerWindow * tickMs
    const recent = windows.evidence(keyKind, slot, signal.marks, sinceMs, this.#config.cases.evidenceMax)
    const firstSeenMs = recent.length > 0 ? windows.recent.oldestMs : event.timeMs
    // What led here may be so long ago that its ids are gone: the call that tipped the scales is there at least.
    const evidence = recent.length > 0 ? recent : [event.id]
    return { keyKind, event, slots: windows.slots, signal, firstSeenMs, evidence }
  }

  #sight({ slot, hashLo, hashHi }: KeyAt, sighting: Sighting): FraudCase | null {
    const { keyKind, signal, event } = sighting
    const found = this.cases.sight(sighting)
    if (found === null || found.kind !== signal.kind) return found
    const table = this.windows.tables[keyKind]!
    if (table.hashLo[slot] !== hashLo || table.hashHi[slot] !== hashHi) return found
    // Marks the key so that later calls find the case without a search.
    const bit = caseKinds.indexOf(signal.kind)
    if (this.cases.at(bit, keyKind, event) === found) table.caseBits[slot] = table.caseBits[slot]! | (1 << bit)
    return found
  }

  /** Which open cases the call falls under, by the marks on its keys. */
  #match(event: CallEvent): void {
    this.#matched.length = 0
    const { slots, tables } = this.windows
    for (let kind = 0; kind < keyKinds.length; kind++) {
      const slot = slots[kind]!
      const bits = slot < 0 ? 0 : tables[kind]!.caseBits[slot]!
      if (bits === 0) continue
      for (let bit = 0; bit < caseKinds.length; bit++) {
        if ((bits & (1 << bit)) === 0) continue
        const found = this.cases.at(bit, kind, event)
        if (found === undefined) tables[kind]!.caseBits[slot] = tables[kind]!.caseBits[slot]! & ~(1 << bit)
        else {
          this.#matched.push(found)
          if (isOfKind(caseKinds[bit]!, event) && this.cases.isNews(found, event.timeMs)) found.calls++
        }
      }
    }
  }
}
