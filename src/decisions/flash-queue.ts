/**
 * Looks whose flash call only the scorer can decide: they wait with what they saw, and are judged in one batch. The
 * order of looks is kept, so what comes of them depends on event order alone. Any thread, one owner.
 */
import { featureCount } from '../features/call-features.ts'
import type { FraudCase, Sighting } from './cases.ts'
import type { FlashCallScorer } from './flash-call-rule.ts'
import { movedBy } from './flash-influence.ts'

/** A key at a look; another one may have its slot by now. */
export interface KeyAt {
  readonly slot: number
  readonly hashLo: number
  readonly hashHi: number
}

export interface WaitingLook {
  readonly key: KeyAt
  /** Shortest window first; scores are open. */
  readonly candidates: readonly { readonly sighting: Sighting; readonly features: Float32Array }[]
  /** What stands when the scorer takes none of them. */
  readonly otherwise: Sighting | null
}

/** More rows than these are not gathered: they are judged before the next call. */
const rowsMax = 4096

export class FlashQueue {
  readonly #scoreMinOfRule: number
  readonly #scorer: FlashCallScorer
  #looks: WaitingLook[] = []
  #rows = 0

  /** @param scoreMinOfRule what counts while no trained model says otherwise */
  constructor(scorer: FlashCallScorer, scoreMinOfRule: number) {
    this.#scorer = scorer
    this.#scoreMinOfRule = scoreMinOfRule
  }

  get isEmpty(): boolean {
    return this.#looks.length === 0
  }

  get isFull(): boolean {
    return this.#rows >= rowsMax
  }

  add(look: WaitingLook): void {
    this.#looks.push(look)
    this.#rows += look.candidates.length
  }

  /** Judges all that wait; `settle` is told, look by look, what it comes to. */
  async judge(settle: (key: KeyAt, sighting: Sighting) => FraudCase | null): Promise<void> {
    const looks = this.#looks
    const features = new Float32Array(this.#rows * featureCount)
    let row = 0
    for (const { candidates } of looks) {
      for (const each of candidates) features.set(each.features, row++ * featureCount)
    }
    this.#looks = []
    this.#rows = 0
    // The scorer may be replaced while it computes.
    const { name, trained } = this.#scorer
    const scoreMin = trained?.scoreMin ?? this.#scoreMinOfRule
    const scores = await this.#scorer.scores(features, row)
    row = 0
    for (const { key, candidates, otherwise } of looks) {
      let chosen = otherwise
      let isOpen = true
      for (const { sighting, features: seen } of candidates) {
        const score = scores[row++] ?? 0
        if (!isOpen || !(score >= scoreMin)) continue
        const model = name === undefined ? {} : { model: name }
        chosen = { ...sighting, signal: { ...sighting.signal, score, features: Array.from(seen), ...model } }
        isOpen = false
      }
      if (chosen === null) continue
      const found = settle(key, chosen)
      const seen = chosen.signal.features
      // It has just opened on this window: why?
      if (found === null || seen === undefined || found.features !== seen) continue
      found.reasons = [...found.reasons, ...(await movedBy(this.#scorer.unwatched?.() ?? this.#scorer, seen))]
    }
  }
}
