/**
 * How far a candidate says the same as the active model on the same input: counts, kept in a few numbers however much
 * is compared. A label is what each model's own thresholds make of its own score. Pure; any thread.
 */

export const scoreLabels = ['synthetic', 'between', 'human'] as const
export type ScoreLabel = (typeof scoreLabels)[number]

export interface ScoreThresholds {
  /** A score from here on is called synthetic (a flash call). */
  readonly upper: number
  /** Up to here human; without it there is no such label, everything below `upper` is `between`. */
  readonly lower?: number
}

export function labelOf(score: number, { upper, lower }: ScoreThresholds): ScoreLabel {
  if (score >= upper) return 'synthetic'
  return lower !== undefined && score <= lower ? 'human' : 'between'
}

export interface AgreementView {
  /** Inputs that both judged. */
  readonly compared: number
  /** Share of them with the same label; null before the first. */
  readonly labelAgreement: number | null
  /** Candidate minus active, as probabilities. */
  readonly meanDifference: number | null
  readonly meanAbsoluteDifference: number | null
  /** Labels by the active model, then by the candidate. */
  readonly labels: Readonly<Record<ScoreLabel, Readonly<Record<ScoreLabel, number>>>>
}

export class Agreement {
  readonly #active: ScoreThresholds
  readonly #candidate: ScoreThresholds
  /** [active label][candidate label] */
  readonly #labels = new Float64Array(scoreLabels.length ** 2)
  #compared = 0
  #sum = 0
  #absoluteSum = 0

  constructor(active: ScoreThresholds, candidate: ScoreThresholds) {
    this.#active = active
    this.#candidate = candidate
  }

  get compared(): number {
    return this.#compared
  }

  add(active: number, candidate: number): void {
    const row = scoreLabels.indexOf(labelOf(active, this.#active))
    const at = row * scoreLabels.length + scoreLabels.indexOf(labelOf(candidate, this.#candidate))
    this.#labels[at] = (this.#labels[at] ?? 0) + 1
    this.#compared += 1
    this.#sum += candidate - active
    this.#absoluteSum += Math.abs(candidate - active)
  }

  view(): AgreementView {
    const n = this.#compared
    const at = (row: number, column: number): number => this.#labels[row * scoreLabels.length + column] ?? 0
    const same = scoreLabels.reduce((sum, _, i) => sum + at(i, i), 0)
    const rowOf = (row: number) => Object.fromEntries(scoreLabels.map((label, i) => [label, at(row, i)]))
    return {
      compared: n,
      labelAgreement: n === 0 ? null : rounded(same / n),
      meanDifference: n === 0 ? null : rounded(this.#sum / n),
      meanAbsoluteDifference: n === 0 ? null : rounded(this.#absoluteSum / n),
      labels: Object.fromEntries(scoreLabels.map((label, i) => [label, rowOf(i)])) as AgreementView['labels'],
    }
  }
}

export function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
