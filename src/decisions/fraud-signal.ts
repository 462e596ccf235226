/** What a rule says when it fires, and the kinds of cases there are. Any thread. */

export const caseKinds = [
  'flash_call',
  'wangiri',
  'irsf',
  'robocall',
  'pbx_hack',
  'cli_spoof',
  'short_answer_burst',
  'anomaly',
] as const
export type CaseKind = (typeof caseKinds)[number]

export interface Reason {
  readonly code: string
  /** In words, with the number. */
  readonly text: string
}

export interface Signal {
  readonly kind: CaseKind
  /** 0..1, how sure. */
  readonly score: number
  /** Calls of the window that are of the kind. */
  readonly calls: number
  /** Which window: 0: 1 min, 1: 10 min, 2: 1 h, 3: 24 h. */
  readonly level: number
  /** Which recent calls are evidence: bits of `callMarks`, 0: all. */
  readonly marks: number
  readonly reasons: readonly Reason[]
  /** Who gave the score, when it was a scorer: label of a model, or `rule`. */
  readonly model?: string
  /** Of the window that a trained model judged. */
  readonly features?: readonly number[]
}

/** A flash call by all that rules can say; the scorer has the last word. */
export interface FlashCandidate {
  /** Its score is still open (0). */
  readonly signal: Signal
  /** As they were at the look. */
  readonly features: Float32Array
}

/** 0.5 at `middle`, towards 1 above it; `width` is the step to 0.73. */
export function logistic(value: number, middle: number, width: number): number {
  return 1 / (1 + Math.exp(-(value - middle) / width))
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
