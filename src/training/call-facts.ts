/**
 * What came of one labelled recording on its way through the decision engine: collected hop by hop, from the very hops
 * and verdict that live calls have. Pure; one object a recording.
 */
import type { Label } from '../decisions/verdict-view.ts'
import type { VoiceVerdict } from '../decisions/voice-verdict.ts'
import { isEvidence, type ScoredHop } from '../inference/scored-hop.ts'

/** Net speech after which the evidence is looked at, s. */
export const speechLengthsS = [0.5, 1, 2, 4, 8] as const

export interface LabelMoment {
  readonly label: Label
  readonly netSpeechMs: number
  /** Media time. */
  readonly afterMs: number
}

export interface CallFacts {
  readonly netSpeechMs: number
  readonly audioMs: number
  /** Evidence of the whole call; null: nothing was judged. */
  readonly endLlr: number | null
  /** Evidence after each of `speechLengthsS`; null: the call has less speech. */
  readonly llrAfter: readonly (number | null)[]
  /** Highest ratio that, as threshold, would have made the call likely_synthetic; null: none. */
  readonly alarmLlr: number | null
  readonly endLabel: Label
  /** Every label but insufficient_speech, as it was given. */
  readonly labels: readonly LabelMoment[]
}

export interface CallRules {
  readonly provisionalNetSpeechMs: number
  readonly dwellMs: number
}

export class CallCollector {
  readonly #rules: CallRules
  readonly #llrAfter: (number | null)[] = speechLengthsS.map(() => null)
  readonly #labels: LabelMoment[] = []
  /** Evidence, and new speech, of hops since there was enough speech for a label. */
  readonly #past: { readonly llr: number; readonly speechMs: number }[] = []
  #alarmLlr: number | null = null
  #label: Label = 'insufficient_speech'
  #netSpeechMs = 0
  #audioMs = 0
  #endLlr: number | null = null

  constructor(rules: CallRules) {
    this.#rules = rules
  }

  /** A hop, and the verdict after it. */
  heard(hop: ScoredHop, verdict: Pick<VoiceVerdict, 'figures' | 'llr'>): void {
    const { label, netSpeechMs, mediaMs } = verdict.figures()
    const { llr } = verdict
    this.#netSpeechMs = netSpeechMs
    this.#audioMs = mediaMs
    this.#endLlr = llr
    if (label !== this.#label) this.#labels.push({ label, netSpeechMs, afterMs: mediaMs })
    this.#label = label
    if (llr === null) return
    this.#weigh(llr, isEvidence(hop) ? hop.hopSpeechMs : 0)
    for (const [i, lengthS] of speechLengthsS.entries()) {
      if (this.#llrAfter[i] === null && netSpeechMs >= lengthS * 1000) this.#llrAfter[i] = llr
    }
  }

  /**
   * The engine gives its first label at once, later ones when they held for the dwell: so a threshold would have raised
   * an alarm if the first evidence reached it, or all evidence over a dwell did.
   */
  #weigh(llr: number, speechMs: number): void {
    if (this.#netSpeechMs < this.#rules.provisionalNetSpeechMs) return
    if (this.#past.length === 0) this.#alarmLlr = llr
    this.#past.push({ llr, speechMs })
    let heldMs = 0
    let least = Infinity
    for (let at = this.#past.length - 1; at >= 0 && heldMs < this.#rules.dwellMs; at -= 1) {
      heldMs += this.#past[at]!.speechMs
      least = Math.min(least, this.#past[at]!.llr)
    }
    if (heldMs >= this.#rules.dwellMs) this.#alarmLlr = Math.max(this.#alarmLlr ?? -Infinity, least)
  }

  facts(): CallFacts {
    return {
      netSpeechMs: this.#netSpeechMs,
      audioMs: this.#audioMs,
      endLlr: this.#endLlr,
      llrAfter: this.#llrAfter,
      alarmLlr: this.#alarmLlr,
      endLabel: this.#label,
      labels: this.#labels,
    }
  }
}
