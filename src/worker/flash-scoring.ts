/**
 * What scores flash calls in the fraud worker: the active model or the rule, which may be replaced between two batches
 * (looks that wait are then judged by the new one; each score names who gave it), and a candidate beside it that is
 * asked about the same rows as far as its budget reaches: it may be busy for a share of the time that passes, saved up
 * for at most `savedMsMax`. Counts distributions for the drift watch. While windows are only rebuilt nothing is
 * compared or counted. A candidate that throws is out; one that hangs is put out by the feed. Fraud worker.
 */
import type { FlashCallScorer } from '../decisions/flash-call-rule.ts'
import { type FeatureName, feature, featureCount } from '../features/call-features.ts'
import { flashCallQuantities } from '../inference/drift-watch.ts'
import { Histograms } from '../inference/histograms.ts'
import type { NamedScorer } from './flash-call-scorer.ts'

const savedMsMax = 200
/** Rows compared that one message may carry; more are judged and not told. */
const toldMax = 20_000

/** What came of a while of scoring. */
export interface FlashScored {
  readonly model: string
  /** Rows that the active one judged. */
  readonly judged: number
  /** Increments, as `Histograms.counts`; null: none. */
  readonly counts: Uint32Array | null
  readonly candidate: string | null
  /** Rows of `flashPairStride` floats: active score, candidate's score, kind of key, window. */
  readonly pairs: Float32Array
  readonly candidateBusyMs: number
  /** Why the candidate is out. */
  readonly problem: string | null
}

export const flashPairStride = 4

export class FlashScoring implements FlashCallScorer {
  readonly #steadyMs: () => number
  readonly #cpuShareMax: number
  #active: NamedScorer
  #candidate: NamedScorer | null = null
  #seen = new Histograms(flashCallQuantities)
  #pairs: number[] = []
  #judged = 0
  #busyMs = 0
  #problem: string | null = null
  #savedMs = savedMsMax
  #savedAtMs: number
  /** Windows are being rebuilt from calls that were judged before. */
  muted = false

  constructor(active: NamedScorer, options: { readonly cpuShareMax: number; readonly steadyMs: () => number }) {
    this.#active = active
    this.#cpuShareMax = options.cpuShareMax
    this.#steadyMs = options.steadyMs
    this.#savedAtMs = options.steadyMs()
  }

  get name(): string {
    return this.#active.name
  }

  get trained(): NonNullable<FlashCallScorer['trained']> | undefined {
    return this.#active.scorer.trained
  }

  /** The active one alone: for questions that are no traffic. */
  unwatched(): FlashCallScorer {
    return this.#active.scorer
  }

  use(active: NamedScorer): void {
    this.#tellNobody()
    this.#active = active
  }

  shadow(candidate: NamedScorer | null): void {
    this.#candidate = candidate
    this.#pairs = []
    this.#problem = null
  }

  async scores(features: Float32Array, count: number): Promise<Float32Array> {
    const scores = await this.#active.scorer.scores(features, count)
    if (this.muted || count === 0) return scores
    this.#judged += count
    this.#count(features, scores)
    if (this.#candidate !== null) await this.#compare(this.#candidate, features, scores)
    return scores
  }

  /** What came since the last time. */
  take(): FlashScored {
    const told: FlashScored = {
      model: this.#active.name,
      judged: this.#judged,
      counts: this.#judged === 0 ? null : this.#seen.counts,
      candidate: this.#candidate?.name ?? null,
      pairs: Float32Array.from(this.#pairs),
      candidateBusyMs: this.#busyMs,
      problem: this.#problem,
    }
    this.#tellNobody()
    return told
  }

  #tellNobody(): void {
    if (this.#judged > 0) this.#seen = new Histograms(flashCallQuantities)
    this.#judged = 0
    this.#pairs = []
    this.#busyMs = 0
    this.#problem = null
  }

  #count(features: Float32Array, scores: Float32Array): void {
    for (let row = 0; row < scores.length; row++) {
      const at = row * featureCount
      for (const [i, { name }] of flashCallQuantities.entries()) {
        this.#seen.add(i, (name === 'score' ? scores[row] : features[at + feature[name as FeatureName]]) ?? Number.NaN)
      }
    }
  }

  async #compare(candidate: NamedScorer, features: Float32Array, scores: Float32Array): Promise<void> {
    const beganMs = this.#steadyMs()
    const earnedMs = (beganMs - this.#savedAtMs) * this.#cpuShareMax
    this.#savedMs = Math.min(savedMsMax, this.#savedMs + earnedMs)
    this.#savedAtMs = beganMs
    if (this.#savedMs <= 0) return
    try {
      const others = await candidate.scorer.scores(features, scores.length)
      for (const [row, score] of scores.entries()) {
        if (this.#pairs.length >= toldMax * flashPairStride) break
        const at = row * featureCount
        this.#pairs.push(score, others[row] ?? Number.NaN)
        this.#pairs.push(features[at + feature.keyKind] ?? 0, features[at + feature.windowLevel] ?? 0)
      }
    } catch (thrown) {
      this.#candidate = null
      this.#problem = thrown instanceof Error ? thrown.message : String(thrown)
    }
    const tookMs = this.#steadyMs() - beganMs
    this.#busyMs += tookMs
    this.#savedMs -= tookMs
  }
}
