/**
 * A candidate beside the current voice model: it hears the same audio of some of the tracks, from their first frame on,
 * in a worker of its own, so that whatever it does no live hop waits for it. Hops that end at the same media time are
 * compared. How many tracks it hears follows from a budget: the share of one core that its worker may be busy; once a
 * second tracks are let go, newest first, until it keeps to it, and new ones are taken while there is room. A candidate
 * whose worker throws or hangs is out. Time comes in by the clock. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import { Agreement, rounded, type ScoreThresholds } from '../inference/agreement.ts'
import { isEvidence, type ScoredHop } from '../inference/scored-hop.ts'
import type { ShadowView } from './model-view.ts'
import type { HopShadow, TrackPool } from './voice-generations.ts'

/** Hops of a track that wait for the other model's. */
const waitingMax = 64
/** A track that is over waits so long for its last hops. */
const lastHopsMs = 5000
/** Busy share of a track before anything is measured: a hop of two a second takes well below a millisecond. */
const trackShareGuess = 0.002
const smoothing = 0.3

export interface ScoredBy {
  readonly label: string
  readonly thresholds: ScoreThresholds
}

export interface ShadowPair {
  readonly trackId: number
  readonly hopStartMs: number
  readonly hopEndMs: number
  readonly activeScore: number
  readonly candidateScore: number
}

export interface VoiceShadowOptions {
  readonly active: ScoredBy
  readonly candidate: ScoredBy
  readonly pool: TrackPool
  /** The pool's own. */
  readonly counters: Pick<Counters, 'workerThrew' | 'workerHung'>
  readonly cpuShareMax: number
  readonly clock: Clock
  /** Which call a track is of, while it is known. */
  readonly aboutOf: (trackId: number) => ShadowAbout | null
  readonly compared: (pair: ShadowPair, about: ShadowAbout) => void
}

export interface ShadowAbout {
  readonly callSid: string
  readonly track: string
}

interface Heard {
  /** Scores by end of the hop; NaN: not judged, or left out. */
  readonly active: Map<number, number>
  readonly candidate: Map<number, number>
  closedMs: number | null
  about: ShadowAbout | null
}

export class VoiceShadow implements HopShadow {
  readonly #options: VoiceShadowOptions
  readonly #agreement: Agreement
  /** Oldest first. */
  readonly #tracks = new Map<number, Heard>()
  readonly #since: string
  #open = 0
  #judged = 0
  #problem: string | null = null
  #busyMs = 0
  #lookedMs: number
  #cpuShare = 0

  constructor(options: VoiceShadowOptions) {
    const { active, candidate, pool, clock } = options
    this.#options = options
    this.#agreement = new Agreement(active.thresholds, candidate.thresholds)
    this.#since = new Date(clock.wallMs()).toISOString()
    this.#lookedMs = clock.steadyMs()
    pool.onHop((hop) => this.#judgedBy('candidate', hop))
  }

  open(trackId: number): void {
    if (this.#problem !== null || !this.#hasRoom() || !this.#options.pool.open(trackId)) return
    this.#open += 1
    this.#tracks.set(trackId, { active: new Map(), candidate: new Map(), closedMs: null, about: null })
  }

  frame(trackId: number, mediaMs: number, message: Uint8Array, start: number, end: number, enteredMs: number): void {
    const isHeard = this.#tracks.get(trackId)?.closedMs === null
    if (isHeard) this.#options.pool.frame(trackId, mediaMs, message, start, end, enteredMs)
  }

  close(trackId: number): void {
    const track = this.#tracks.get(trackId)
    if (track === undefined || track.closedMs !== null) return
    track.closedMs = this.#options.clock.steadyMs()
    this.#open -= 1
    this.#options.pool.close(trackId)
  }

  /** The current model judged a hop. */
  heard(hop: ScoredHop): void {
    if (isEvidence(hop)) this.#judged += 1
    this.#judgedBy('active', hop)
  }

  /** Once a second. */
  tick(): void {
    const { pool, clock, counters, cpuShareMax } = this.#options
    const nowMs = clock.steadyMs()
    const busyMs = pool.stats().seats.reduce((sum, seat) => sum + seat.busyMs, 0)
    const share = (busyMs - this.#busyMs) / Math.max(1, nowMs - this.#lookedMs)
    this.#busyMs = busyMs
    this.#lookedMs = nowMs
    this.#cpuShare += smoothing * (share - this.#cpuShare)
    for (const [trackId, { closedMs }] of this.#tracks) {
      if (closedMs !== null && nowMs - closedMs > lastHopsMs) this.#tracks.delete(trackId)
    }
    if (counters.workerThrew + counters.workerHung > 0) {
      const how = counters.workerThrew > 0 ? 'threw' : 'hung'
      this.fail(`its worker ${how} and was ended; the active model is not touched by it`)
    }
    if (this.#cpuShare > cpuShareMax) this.#letGo(Math.ceil(this.#open * (1 - cpuShareMax / this.#cpuShare)))
  }

  /** It hears nothing from now on; what was compared stays to be read. */
  fail(problem: string): void {
    if (this.#problem !== null) return
    this.#problem = problem
    for (const trackId of [...this.#tracks.keys()]) this.close(trackId)
    void this.#options.pool.stop()
  }

  async stop(): Promise<void> {
    await this.#options.pool.stop()
  }

  view(): ShadowView {
    const { active, candidate, cpuShareMax } = this.#options
    const agreement = this.#agreement.view()
    return {
      candidate: candidate.label,
      active: active.label,
      state: this.#problem === null ? 'running' : 'failed',
      problem: this.#problem,
      since: this.#since,
      judged: this.#judged,
      share: this.#judged === 0 ? null : rounded(agreement.compared / this.#judged),
      cpuShare: rounded(this.#cpuShare),
      cpuShareMax,
      agreement,
    }
  }

  #hasRoom(): boolean {
    const one = this.#open === 0 ? trackShareGuess : Math.max(this.#cpuShare / this.#open, trackShareGuess)
    return Math.max(this.#cpuShare, this.#open * one) + one <= this.#options.cpuShareMax
  }

  #letGo(count: number): void {
    const open = [...this.#tracks].filter(([, { closedMs }]) => closedMs === null)
    for (const [trackId] of open.reverse().slice(0, count)) this.close(trackId)
  }

  #judgedBy(who: 'active' | 'candidate', hop: ScoredHop): void {
    const track = this.#tracks.get(hop.trackId)
    if (track === undefined) return
    track.about ??= this.#options.aboutOf(hop.trackId)
    const score = isEvidence(hop) ? 1 / (1 + Math.exp(-hop.llr)) : Number.NaN
    const other = track[who === 'active' ? 'candidate' : 'active']
    const said = other.get(hop.hopEndMs)
    if (said === undefined) {
      const mine = track[who]
      mine.set(hop.hopEndMs, score)
      const [oldest] = mine.keys()
      if (mine.size > waitingMax && oldest !== undefined) mine.delete(oldest)
      return
    }
    other.delete(hop.hopEndMs)
    if (Number.isNaN(score) || Number.isNaN(said)) return
    const [activeScore, candidateScore] = who === 'active' ? [score, said] : [said, score]
    this.#agreement.add(activeScore, candidateScore)
    const { trackId, hopStartMs, hopEndMs } = hop
    const pair = { trackId, hopStartMs, hopEndMs, activeScore, candidateScore }
    if (track.about !== null) this.#options.compared(pair, track.about)
  }
}
