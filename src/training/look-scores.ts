/**
 * What a flash-call scorer says of every window it could be asked about, beside what is true of it: the whole curve of
 * precision and recall, not only the point of the shipped threshold. Any thread, one owner.
 */
import type { FlashCallScorer } from '../decisions/flash-call-rule.ts'
import { featureCount } from '../features/call-features.ts'
import type { CallWindows, WindowView } from '../features/call-windows.ts'
import { LookLabels, labelOf, lookLabel } from './look-labels.ts'
import type { RankedLook } from './measures.ts'

export class LookScores {
  readonly looks: RankedLook[] = []
  /** Windows with a few calls of a campaign among many others: left out. */
  grey = 0
  readonly #windows: CallWindows
  readonly #labels: LookLabels
  readonly #scorer: FlashCallScorer
  readonly #subjects = new Map<string, number>()
  #waiting: { features: Float32Array; isCampaign: boolean; subject: number }[] = []

  constructor(windows: CallWindows, scorer: FlashCallScorer) {
    this.#windows = windows
    this.#labels = new LookLabels(windows)
    this.#scorer = scorer
  }

  /** The call that the windows have just observed is one of a flash-call campaign. */
  campaignCall(timeMs: number): void {
    this.#labels.add(timeMs)
  }

  look(view: WindowView, level: number, features: Float32Array): void {
    const label = labelOf(this.#labels.inWindow(view, level), view.sum(level, 'attempts'))
    if (label === lookLabel.grey) {
      this.grey++
      return
    }
    const isCampaign = label === lookLabel.campaign
    this.#waiting.push({ features: features.slice(), isCampaign, subject: this.#subject(view) })
  }

  /** Scores what waits. */
  async judge(): Promise<void> {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    const rows = new Float32Array(waiting.length * featureCount)
    for (const [row, { features }] of waiting.entries()) rows.set(features, row * featureCount)
    const scores = await this.#scorer.scores(rows, waiting.length)
    for (const [row, { isCampaign, subject }] of waiting.entries()) {
      this.looks.push({ score: scores[row] ?? 0, isCampaign, subject })
    }
  }

  #subject(view: WindowView): number {
    const key = `${view.kind} ${view.slot} ${this.#windows.tables[view.kind]!.firstMs[view.slot]!}`
    const known = this.#subjects.get(key)
    if (known !== undefined) return known
    this.#subjects.set(key, this.#subjects.size)
    return this.#subjects.size - 1
  }
}
