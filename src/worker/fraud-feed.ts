/**
 * Feeds the fraud worker from the log of call records, in order: reads on from where it stands whenever the worker is
 * idle, one message in flight, so a slow worker only lags and nothing is dropped. What the worker tells is made durable
 * (states of cases, rows of scores) and only then the cursor `fraud` moves on, up to where no call waits any more. At a
 * start, and when a worker was lost, a new one is fed from the oldest entry that is kept, muted up to the cursor. Main
 * thread.
 *
 *   oldest kept          cursor `fraud`       next          end
 *   | muted: windows only | told, scored, stored | not read yet |
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CdrConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { CaseBook, Ruling } from '../decisions/case-book.ts'
import type { BookedCase } from '../decisions/case-journal.ts'
import type { DurableLog, LogEntry } from '../log/durable-log.ts'
import type { FlashScored } from './flash-scoring.ts'
import type { FlashCallFolders, FraudDone, FraudQuestion } from './fraud-protocol.ts'
import { FraudThread } from './fraud-thread.ts'

export interface FraudFeedOptions {
  readonly cdr: CdrConfig
  /** Undefined: the package's active model. */
  readonly flashCall?: FlashCallFolders
  /** Told what flash calls were scored by, each time something was. */
  readonly flashCallScored?: (scored: FlashScored) => void
  /** The worker was lost while a candidate ran in it: the candidate is out. */
  readonly candidateLost?: (why: string) => void
  /** Tells neighbours where numbers have tokens; default: they are in clear. */
  readonly placeKey?: Uint8Array | null
  readonly rows: DurableLog
  readonly book: Pick<CaseBook, 'apply' | 'write' | 'seeds' | 'quiet'>
  /** Resolves once the rows are on disk. */
  readonly storeScores: (chunks: readonly Uint8Array[], rows: number) => Promise<void>
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<
    Counters,
    | 'cdrLate'
    | 'cdrAhead'
    | 'keysEvicted'
    | 'casesRefused'
    | 'fraudCalls'
    | 'fraudUnreadable'
    | 'fraudScores'
    | 'fraudWorkerThrew'
    | 'fraudWorkerHung'
  >
  readonly faults: boolean
}

const reader = 'fraud'
const messageBytesMax = 262_144
const entriesMax = 256
/** Answers of the worker that are not durable yet; with so many the worker waits. */
const unwrittenMax = 4
/** The cursor moves on at most so often: each time costs a flush. */
const advanceMs = 200
const tickMs = 500
/** Without calls the worker is asked so often what has grown old. */
const idleMs = 10_000
const watchMs = 200
/** Pauses before another worker is tried: doubles while they are lost before they have done anything. */
const respawnMsMin = 100
const respawnMsMax = 30_000
const diskRetryMs = 1000
/**
 * A worker is silent for so long only when it hangs, or when the machine has no time for it: then replacing it makes
 * matters worse, so each that is given up leaves the next twice as long, until one has caught up.
 */
const hungMsMin = 4000
const hungMsMax = 120_000
const noCandidate: FlashCallFolders = { active: null, candidate: null, cpuShareMax: 0 }

export class FraudFeed {
  readonly #options: FraudFeedOptions
  #thread: FraudThread | null = null
  #timers: NodeJS.Timeout[] = []
  #respawnMs = respawnMsMin
  #hungMs = hungMsMin
  #inFlight = false
  #postedMs = 0
  #next = 0
  #liveFrom = 0
  #isLive = false
  #waits = false
  #unwritten = 0
  #writing: Promise<void> = Promise.resolve()
  #doneSeq = 0
  #advancedMs = Number.NEGATIVE_INFINITY
  #stopped = false
  #isPaused = false
  #watchedMs = 0
  #busyMs = 0
  #keys = 0
  #held = 0
  #scorer = ''
  #flashCall: FlashCallFolders | undefined
  /** What the present worker was started with. */
  #spawnedWith: string | null | undefined

  constructor(options: FraudFeedOptions) {
    this.#options = options
    this.#flashCall = options.flashCall
    // Asking registers the reader: nothing leaves before it.
    options.rows.cursor(reader)
  }

  start(): void {
    this.#watchedMs = this.#options.clock.steadyMs()
    this.#spawn()
    this.#timers = [setInterval(() => this.#tick(), tickMs), setInterval(() => this.#watch(), watchMs)]
    for (const timer of this.#timers) timer.unref()
  }

  /** Entries have come. */
  arrived(): void {
    this.#pump()
  }

  ruled(ruling: Ruling): void {
    this.#thread?.send({ kind: 'decided', ...ruling })
  }

  /** @throws OperatingError worker_lost, capacity_full, bad_request */
  async ask(question: FraudQuestion): Promise<unknown> {
    const thread = this.#thread
    if (thread === null) throw new OperatingError('worker_lost', 'the fraud worker is being replaced')
    return thread.ask(question)
  }

  /** Loads a model in the worker, beside the active one. @throws OperatingError bad_request, worker_lost */
  async loadModel(dir: string): Promise<void> {
    await this.ask({ of: 'model', dir })
  }

  /** Looks from the next one on are judged by what was loaded last. */
  useModel(dir: string, label: string): void {
    this.#flashCall = { ...(this.#flashCall ?? noCandidate), active: dir }
    this.#scorer = label
    this.#thread?.send({ kind: 'useModel', dir })
  }

  /** @throws OperatingError bad_request, worker_lost */
  async tryModel(dir: string | null): Promise<void> {
    this.#flashCall = { ...(this.#flashCall ?? noCandidate), candidate: null }
    await this.ask({ of: 'candidate', dir })
    this.#flashCall = { ...this.#flashCall, candidate: dir }
  }

  /** `rebuilding`: windows are being read from the log again. */
  state(): 'live' | 'rebuilding' | 'starting' {
    if (this.#thread?.isReady !== true) return 'starting'
    return this.#isLive ? 'live' : 'rebuilding'
  }

  /** For gauges. */
  stats() {
    const { rows } = this.#options
    return {
      lagEntries: rows.end() - Math.max(this.#next, 1),
      // What a new worker holds of entries that were settled before counts too.
      unsettledEntries: Math.max(rows.end() - rows.cursor(reader), this.#waits ? 1 : 0),
      busyMs: this.#busyMs,
      keys: this.#keys,
      held: this.#held,
      scorer: this.#scorer,
    }
  }

  /** What the worker has answered becomes durable; the rest is read again at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) clearInterval(timer)
    await this.#thread?.stop()
    await this.#writing
  }

  /** The worker ends and what it has told is on disk; `resume` begins another, which reads the kept log again. */
  async pause(): Promise<void> {
    this.#isPaused = true
    const thread = this.#thread
    this.#thread = null
    this.#inFlight = false
    this.#isLive = false
    await thread?.stop()
    await this.#writing
  }

  resume(): void {
    this.#isPaused = false
    this.#spawn()
  }

  /** For tests, when started with `faults`. */
  fault(fault: 'throw' | 'hang'): void {
    this.#thread?.send({ kind: 'fault', fault })
  }

  #spawn(): void {
    if (this.#stopped || this.#isPaused || this.#thread !== null) return
    const { cdr, placeKey = null, faults } = this.#options
    this.#spawnedWith = this.#flashCall?.active
    this.#thread = new FraudThread({
      cdr,
      flashCall: this.#flashCall,
      placeKey,
      faults,
      hungMs: this.#hungMs,
      ready: (thread, scorer) => this.#begin(thread, scorer),
      done: (thread, done) => this.#done(thread, done),
      lost: (thread, reason, detail) => this.#lost(thread, reason, detail),
    })
  }

  #begin(thread: FraudThread, scorer: string): void {
    const { book, rows, log } = this.#options
    const [seeds, quiet] = [book.seeds(), book.quiet()]
    thread.send({ kind: 'begin', seeds, quiet })
    this.#scorer = scorer
    this.#catchUpModel()
    this.#next = 0
    this.#liveFrom = rows.cursor(reader)
    this.#doneSeq = this.#liveFrom
    this.#isLive = false
    this.#waits = true
    log.info('fraud worker begins', { scorer, cases: seeds.length, entries: rows.end() - this.#liveFrom })
    this.#pump()
  }

  /** A swap while this worker was starting passed it by. */
  #catchUpModel(): void {
    const active = this.#flashCall?.active
    if (active === this.#spawnedWith || active === null || active === undefined) return
    const thread = this.#thread
    const use = () => thread?.send({ kind: 'useModel', dir: active })
    const tell = (thrown: unknown) =>
      this.#options.log.error('flash calls are judged by an older model', { reason: messageOf(thrown) })
    thread?.ask({ of: 'model', dir: active }).then(use, tell)
  }

  #pump(): void {
    const thread = this.#thread
    if (thread?.isReady !== true || this.#inFlight || this.#stopped || this.#unwritten >= unwrittenMax) return
    const { rows } = this.#options
    const end = rows.end()
    if (this.#next >= end && this.#isLive) return
    const entries = this.#next < end ? rows.read(this.#next, entriesMax, messageBytesMax) : []
    const muted = entries.filter((entry) => entry.seq < this.#liveFrom)
    if (muted.length > 0) this.#post(thread, muted, true)
    else {
      // Entries that could not be read are gone: there is nothing to come back to.
      if (entries.length === 0) this.#next = end
      this.#post(thread, entries, false)
    }
  }

  #post(thread: FraudThread, entries: readonly LogEntry[], muted: boolean): void {
    const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + entry.bytes.length, 0))
    const ends: number[] = []
    let at = 0
    for (const entry of entries) {
      bytes.set(entry.bytes, at)
      at += entry.bytes.length
      ends.push(at)
      this.#next = entry.seq + 1
    }
    this.#inFlight = true
    this.#postedMs = this.#options.clock.steadyMs()
    this.#isLive = !muted
    thread.send({ kind: 'rows', bytes, ends, toSeq: this.#next, muted }, [bytes.buffer])
  }

  /** Lets time pass in the worker: calls that wait are let go, changes told. */
  #tick(): void {
    this.#pump()
    const thread = this.#thread
    const isDue = this.#waits || this.#options.clock.steadyMs() - this.#postedMs >= idleMs
    if (isDue && thread?.isReady === true && !this.#inFlight && this.#isLive && !this.#stopped) {
      this.#post(thread, [], false)
    }
  }

  #watch(): void {
    const nowMs = this.#options.clock.steadyMs()
    const elapsedMs = Math.min(nowMs - this.#watchedMs, 2 * watchMs)
    this.#watchedMs = nowMs
    this.#thread?.watch(elapsedMs)
  }

  #done(thread: FraudThread, done: FraudDone): void {
    if (thread !== this.#thread) return
    this.#inFlight = false
    this.#respawnMs = respawnMsMin
    this.#waits = done.waits
    if (this.#isLive && this.#next >= this.#options.rows.end()) this.#hungMs = hungMsMin
    this.#count(done)
    if (done.flashCall.judged > 0 || done.flashCall.problem !== null) this.#options.flashCallScored?.(done.flashCall)
    this.#doneSeq = Math.max(this.#doneSeq, done.doneSeq)
    const states = this.#options.book.apply(done.changes)
    this.#unwritten += 1
    const toSeq = this.#doneSeq
    this.#writing = this.#writing.then(async () => {
      const isWritten = await this.#untilWritten(states, done)
      this.#unwritten -= 1
      if (isWritten) await this.#advance(toSeq)
      this.#pump()
    })
    this.#pump()
  }

  #count({ counts, scoreRows, busyMs }: FraudDone): void {
    const { counters } = this.#options
    counters.fraudCalls += counts.calls
    counters.fraudScores += scoreRows
    counters.fraudUnreadable += counts.unreadable
    counters.keysEvicted += counts.keysEvicted
    counters.casesRefused += counts.casesRefused
    this.#busyMs += busyMs
    this.#keys = counts.keys
    this.#held = counts.held
    // Rows that are read again were counted by the run that saw them first.
    if (!this.#isLive) return
    counters.cdrLate += counts.late
    counters.cdrAhead += counts.ahead
  }

  /** Tried until the disk takes it; false: a stop leaves it to the next start. */
  async #untilWritten(states: readonly BookedCase[], { scores, scoreRows }: FraudDone): Promise<boolean> {
    const { book, storeScores, log } = this.#options
    let left = states
    for (;;) {
      try {
        if (left.length > 0) await book.write(left)
        left = []
        if (scoreRows > 0) await storeScores(scores, scoreRows)
        return true
      } catch (thrown) {
        log.error('what the fraud worker found is not on disk yet; tried again', { reason: messageOf(thrown) })
        if (this.#stopped) return false
        await sleep(diskRetryMs)
      }
    }
  }

  async #advance(toSeq: number): Promise<void> {
    const { rows, clock, log } = this.#options
    const nowMs = clock.steadyMs()
    const isBusy = this.#next < rows.end() && nowMs - this.#advancedMs < advanceMs
    if (toSeq <= rows.cursor(reader) || (isBusy && !this.#stopped)) return
    this.#advancedMs = nowMs
    try {
      await rows.advance(reader, toSeq)
    } catch (thrown) {
      log.warn('the cursor of the fraud worker was not moved; tried again', { reason: messageOf(thrown) })
    }
  }

  #lost(thread: FraudThread, reason: 'threw' | 'hung', detail: string): void {
    if (thread !== this.#thread || this.#stopped) return
    const { counters, log } = this.#options
    if (reason === 'hung') {
      counters.fraudWorkerHung += 1
      this.#hungMs = Math.min(hungMsMax, this.#hungMs * 2)
    } else counters.fraudWorkerThrew += 1
    log.error('fraud worker lost', { reason, detail })
    if (this.#flashCall?.candidate) {
      this.#flashCall = { ...this.#flashCall, candidate: null }
      this.#options.candidateLost?.(`the fraud worker was lost while it ran: ${detail}`)
    }
    this.#thread = null
    this.#inFlight = false
    this.#isLive = false
    const pauseMs = this.#respawnMs
    this.#respawnMs = Math.min(respawnMsMax, pauseMs * 2)
    // What the lost one had told is written first: the new one begins where that ends.
    void this.#writing.then(() => setTimeout(() => this.#spawn(), pauseMs).unref())
  }
}
