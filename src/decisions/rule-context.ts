/**
 * What a rule looks at: the windows of one key at one moment, its features in one of them, the thresholds, and the
 * words that reasons are made of. One object, pointed at key after key. Any thread, one owner.
 */
import type { FraudRulesConfig } from '../config/schema.ts'
import { callFeatures, distinctFeatures, type FeatureName, feature, featureCount } from '../features/call-features.ts'
import { type CallWindows, WindowView } from '../features/call-windows.ts'
import type { PaneField } from '../features/window-panes.ts'
import { percent, type Reason } from './fraud-signal.ts'

export const tenMinutes = 1
export const oneHour = 2
export const oneDay = 3
const windowWords = ['1 min', '10 min', '1 h', '24 h'] as const

/** How many times the ten-minute threshold a longer window asks for. [A] */
export const levelFactor = [1, 1, 1.6, 2.4] as const

/** Hours in a window, by level. */
const windowHours = [1 / 60, 1 / 6, 1, 24] as const

export class RuleContext {
  readonly rules: FraudRulesConfig
  readonly features = new Float32Array(featureCount)
  view = new WindowView()
  level = tenMinutes
  readonly #windows: CallWindows

  constructor(windows: CallWindows, rules: FraudRulesConfig) {
    this.#windows = windows
    this.rules = rules
  }

  /** Points at a window of a key. */
  look(view: WindowView, level: number): void {
    this.view = view
    this.level = level
    callFeatures(view, level, this.features)
  }

  of(name: FeatureName): number {
    const distinct = name === 'distinctAShare' || name === 'distinctBShare'
    if (distinct && this.features[feature[name]] === -1) this.distinct()
    return this.features[feature[name]] ?? 0
  }

  /** Counts different numbers; done by itself when a rule asks for one of the two shares. */
  distinct(): void {
    distinctFeatures(this.#windows, this.view, this.level, this.features)
  }

  sum(name: PaneField): number {
    return this.view.sum(this.level, name)
  }

  reason(code: string, text: string): Reason {
    return { code, text }
  }

  /**
   * What is usual on this route in the window, from what is usual in an hour; where the route carries more than usual,
   * as much more: a morning's rise is no surge of anything.
   */
  usually(perHour: number): number {
    const share = perHour / Math.max(1, this.view.usual.attempts)
    return Math.max(perHour * windowHours[this.level]!, share * this.sum('attempts'))
  }

  within(): string {
    return `within ${windowWords[this.level]}`
  }

  /** How many numbers take turns. */
  rotation(attempts: number): string {
    const distinct = Math.round(this.of('distinctAShare') * attempts)
    const fresh = percent(this.of('freshAShare'))
    return `${distinct} calling numbers in ${attempts} attempts, ${fresh} of the attempts from one not seen in 24 h`
  }

  ring(): string {
    return `rings ${this.of('ringMeanS').toFixed(1)} s, give or take ${this.of('ringSdS').toFixed(1)} s`
  }
}
