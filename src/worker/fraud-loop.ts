/**
 * What the fraud worker does with rows of the log: decodes them, lets the detector judge them in event order, and
 * gathers what there is to tell: changes of cases (a strengthened one at most once a second), rows of scores, counts.
 * Knows up to which entry every call is judged and gone. Time comes in as an argument. Fraud worker.
 */
import type { CdrConfig } from '../config/schema.ts'
import type { CaseChange, CaseSeed, FraudCase } from '../decisions/cases.ts'
import { FraudDetector, isOfKind } from '../decisions/fraud-detector.ts'
import { FraudPolicy } from '../decisions/fraud-policy.ts'
import type { CallEvent } from '../features/call-event.ts'
import { kindOf, WindowView } from '../features/call-windows.ts'
import { packChunk, unpackChunk } from '../log/row-chunks.ts'
import { cdrColumnNames, decodeCdrRow } from '../wire/cdr-row.ts'
import { cdrScoreColumnNames, encodeCdrScore } from '../wire/cdr-score-row.ts'
import type { NumberPlaces } from '../wire/number-places.ts'
import type { FlashScoring } from './flash-scoring.ts'
import type { CaseTold, FraudCounts, FraudDone, FraudRows, NumberWindows, Quiet, ToFraud } from './fraud-protocol.ts'

/** A strengthened case is told at most so often. */
const tellMs = 1000
const chunkBytesMax = 131_072

export interface FraudLoopOptions {
  readonly cdr: CdrConfig
  readonly scorer: FlashScoring
  readonly places?: NumberPlaces | undefined
  readonly newCaseId: () => string
  readonly wallMs: () => number
  readonly steadyMs: () => number
  /** Called now and then while it computes. */
  readonly beat: () => void
}

/** After reading the entries before `toSeq` the newest call was of `newestMs`. */
interface Mark {
  readonly toSeq: number
  readonly newestMs: number
  readonly wallMs: number
}

const recordsPerBeat = 64

export class FraudLoop {
  readonly #options: FraudLoopOptions
  readonly #detector: FraudDetector
  readonly #policy: FraudPolicy
  readonly #marks: Mark[] = []
  readonly #view = new WindowView()
  #muted = true
  /** What is to be told, by case. */
  readonly #changed = new Map<FraudCase, CaseChange>()
  readonly #toldMs = new Map<string, number>()
  /** Of `begin`, until the muted part is over. */
  readonly #seeds = new Map<string, CaseSeed>()
  #lines: string[] = []
  #doneSeq = 0
  #records = 0
  #calls = 0
  #unreadable = 0
  /** Wall time of the last rows. */
  #arrivedMs = Number.NaN
  /** Event time of the newest case of `begin`. */
  #beganAtMs = Number.NEGATIVE_INFINITY
  #sent = { calls: 0, late: 0, ahead: 0, unreadable: 0, keysEvicted: 0, casesRefused: 0 }

  constructor(options: FraudLoopOptions) {
    const { cdr, scorer, places, newCaseId } = options
    this.#options = options
    this.#policy = new FraudPolicy(cdr.policy)
    this.#detector = new FraudDetector({
      config: cdr,
      scorer,
      places,
      newCaseId,
      onCase: (change, it) => this.#onCase(change, it),
      onCall: (event, cases) => this.#onCall(event, cases),
    })
  }

  begin(seeds: readonly CaseSeed[], quiet: readonly Quiet[]): void {
    for (const seed of seeds) {
      this.#seeds.set(seed.it.id, seed)
      this.#beganAtMs = Math.max(this.#beganAtMs, seed.asOfMs)
    }
    this.#arrivedMs = this.#options.wallMs()
    for (const { seed, untilMs } of quiet) this.#detector.cases.quiet(seed, untilMs)
    this.#detector.restore(seeds)
  }

  /** Empty rows let time pass. */
  async take({ bytes, ends, toSeq, muted }: FraudRows): Promise<FraudDone> {
    const { steadyMs, wallMs } = this.#options
    const beganMs = steadyMs()
    const nowMs = wallMs()
    if (this.#muted && !muted) this.#unmute()
    this.#options.scorer.muted = muted
    let start = 0
    for (const end of ends) {
      this.#read(bytes.subarray(start, end))
      start = end
    }
    const detector = this.#detector
    if (ends.length > 0) {
      this.#arrivedMs = nowMs
      this.#marks.push({ toSeq, newestMs: detector.newestMs, wallMs: nowMs })
    }
    await detector.advance()
    await this.#letTimePass(nowMs)
    for (let oldest = this.#marks[0]; oldest !== undefined; oldest = this.#marks[0]) {
      if (oldest.newestMs > detector.settledMs) break
      this.#doneSeq = oldest.toSeq
      this.#marks.shift()
    }
    return this.#tell(nowMs, beganMs)
  }

  decided({ id, verdict, quiet, ends, restore }: Extract<ToFraud, { kind: 'decided' }>): void {
    const { cases } = this.#detector
    const it = cases.live().find((each) => each.id === id)
    if (it !== undefined) {
      it.verdict = verdict
      if (ends) cases.close(it)
      // Who decided knows.
      if (ends) this.#changed.delete(it)
      if (ends) this.#toldMs.delete(id)
    }
    cases.quiet(quiet.seed, quiet.untilMs)
    if (restore !== null) this.#detector.restore([restore])
  }

  /** What the windows hold of a number that calls, at the present event time; null: nothing. */
  number(digits: string): NumberWindows | null {
    const { windows, cases } = this.#detector
    const slot = windows.find(kindOf.number, digits)
    if (slot < 0) return null
    const view = this.#view
    windows.read(kindOf.number, slot, cases.nowMs, view)
    const level = (n: number) => {
      windows.countDistinct(view, n)
      const [attempts, answered] = [view.sum(n, 'attempts'), view.sum(n, 'answered')]
      return {
        attempts,
        answered,
        unanswered: attempts - answered,
        short: view.sum(n, 'shortTalk'),
        blink: view.sum(n, 'blink'),
        talkSeconds: Math.round(view.sum(n, 'talkSum')),
        called: Math.min(attempts, Math.round(view.distinctB[n] ?? 0)),
      }
    }
    return { '1m': level(0), '10m': level(1), '1h': level(2), '24h': level(3) }
  }

  #read(entry: Uint8Array): void {
    const chunk = unpackChunk(entry)
    if (chunk === null || chunk.columns !== cdrColumnNames) {
      this.#unreadable++
      return
    }
    const text = Buffer.from(chunk.lines.buffer, chunk.lines.byteOffset, chunk.lines.byteLength).toString('utf8')
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf('\n', at)
      if (end < 0) break
      if (++this.#records % recordsPerBeat === 0) this.#options.beat()
      try {
        const { record, receivedMs } = decodeCdrRow(text.slice(at, end))
        this.#detector.record(record, receivedMs)
      } catch {
        this.#unreadable++
      }
      at = end + 1
    }
  }

  /** What came `latenessMs` ago has waited long enough, whether newer calls came or not; cases grow old. */
  async #letTimePass(nowMs: number): Promise<void> {
    if (this.#muted) return
    const { latenessMs } = this.#options.cdr.windows
    let releaseMs = Number.NaN
    for (const mark of this.#marks) {
      if (mark.wallMs > nowMs - latenessMs) break
      releaseMs = mark.newestMs
    }
    if (!Number.isNaN(releaseMs)) await this.#detector.releaseUpTo(releaseMs)
    const idleMs = nowMs - this.#arrivedMs
    const lastMs = Math.max(this.#detector.newestMs, this.#beganAtMs)
    if (idleMs > latenessMs) this.#detector.cases.sweep(lastMs + idleMs)
  }

  #onCase(change: CaseChange, it: FraudCase): void {
    const before = this.#changed.get(it)
    // What opened and went on is news of an opening, whatever ended is news of its end.
    if (before === 'opened' && change === 'strengthened') return
    if (change === 'strengthened' && before === 'cooled') this.#changed.set(it, 'strengthened')
    else if (change !== 'strengthened' || before === undefined) this.#changed.set(it, change)
  }

  #onCall(event: CallEvent, cases: readonly FraudCase[]): void {
    // Many may be let go at once.
    if (++this.#calls % recordsPerBeat === 0) this.#options.beat()
    if (cases.length === 0 || this.#muted) return
    const scoredMs = this.#options.wallMs()
    for (const it of cases) {
      // Nobody could have stopped a call that began before its case opened.
      const inTime = it.openedMs <= event.startMs
      const decision = inTime ? this.#policy.decide([it], event.from, event.route, event.startMs) : null
      const line = encodeCdrScore({
        id: event.id,
        source: event.source,
        startMs: event.startMs,
        caseId: it.id,
        kind: it.kind,
        score: it.score,
        ofKind: isOfKind(it.kind, event),
        intended: decision?.intended ?? 'allow',
        effective: decision?.action ?? 'allow',
        scoredMs,
        model: it.model ?? '',
      })
      this.#lines.push(line)
      if (!this.#changed.has(it)) this.#changed.set(it, 'strengthened')
    }
  }

  /** The windows are rebuilt: keeps of what happened meanwhile only how it differs from where the cases stood. */
  #unmute(): void {
    this.#muted = false
    for (const it of [...this.#changed.keys()]) {
      const seed = this.#seeds.get(it.id)
      const isOver = it.state === 'closed' || it.state === 'merged'
      if (seed === undefined) {
        if (isOver) this.#changed.delete(it)
        else this.#changed.set(it, 'opened')
      } else if (isOver) this.#changed.set(it, it.state === 'merged' ? 'merged' : 'closed')
      else this.#changed.set(it, it.state === 'cooled' && seed.it.state === 'open' ? 'cooled' : 'strengthened')
    }
    this.#seeds.clear()
  }

  #tell(nowMs: number, beganMs: number): FraudDone {
    const changes = this.#muted ? [] : this.#dueChanges(nowMs)
    const scoreRows = this.#lines.length
    const scores = chunked(this.#lines)
    this.#lines = []
    const waits = this.#detector.held > 0 || this.#changed.size > 0 || this.#marks.length > 0
    const busyMs = this.#options.steadyMs() - beganMs
    const flashCall = this.#options.scorer.take()
    return { doneSeq: this.#doneSeq, changes, scores, scoreRows, counts: this.#counts(), flashCall, busyMs, waits }
  }

  #dueChanges(nowMs: number): CaseTold[] {
    const told: CaseTold[] = []
    for (const [it, change] of this.#changed) {
      if (change === 'strengthened' && nowMs < (this.#toldMs.get(it.id) ?? 0) + tellMs) continue
      this.#changed.delete(it)
      if (it.state === 'closed' || it.state === 'merged') this.#toldMs.delete(it.id)
      else this.#toldMs.set(it.id, nowMs)
      told.push({ change, seed: this.#detector.cases.seedOf(it) })
    }
    return told
  }

  #counts(): FraudCounts {
    const { windows, cases, events, late, ahead, held } = this.#detector
    const now = {
      calls: events,
      late,
      ahead,
      unreadable: this.#unreadable,
      keysEvicted: windows.evicted,
      casesRefused: cases.refused,
    }
    const before = this.#sent
    this.#sent = now
    return {
      calls: now.calls - before.calls,
      late: now.late - before.late,
      ahead: now.ahead - before.ahead,
      unreadable: now.unreadable - before.unreadable,
      keysEvicted: now.keysEvicted - before.keysEvicted,
      casesRefused: now.casesRefused - before.casesRefused,
      keys: windows.keys,
      held,
    }
  }
}

function chunked(lines: readonly string[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let from = 0
  let bytes = 0
  for (const [index, line] of lines.entries()) {
    bytes += line.length
    if (bytes < chunkBytesMax && index < lines.length - 1) continue
    // A copy of its own: the chunk may lie in Node's pool, which cannot be transferred.
    chunks.push(new Uint8Array(packChunk(cdrScoreColumnNames, lines.slice(from, index + 1))))
    from = index + 1
    bytes = 0
  }
  return chunks
}
