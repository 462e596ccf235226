/**
 * How the evidence of one track adds up. Each judged window brings a calibrated log-likelihood ratio (LLR, positive =
 * synthetic). They are averaged with forgetting over net speech, because a voice may change; and the average is
 * scaled by how much independent speech it rests on. Windows of one call share speaker and channel, so they are not
 * independent: the design effect of a cluster sample (Kish, Survey Sampling, 1965) with intra-call correlation 0.5
 * bounds the gain of a long call to twice a single window's LLR. Pure; main thread.
 */

/**
 * Intra-call correlation of window LLRs. 0 would let errors of the model add up without bound, 1 would learn nothing.
 */
const intraCallCorrelation = 0.5
/** Speech of one full window, ms: the unit in which independent evidence is counted. */
const windowFullMs = 4000
/** Half-life of the fast average that notices another voice, ms of net speech. */
const fastHalfLifeMs = 1500
/** How far the fast average must be on the other side, in nats, to reopen the question. */
const reopenNats = 3
/** And for how much net speech, ms. */
const reopenHoldMs = 1500
/** LLRs beyond this (odds 1 : 3000) are cut: no single window may be that sure. */
const llrMax = 8

export class Evidence {
  readonly #halfLifeMs: number
  #slowSum = 0
  #slowWeight = 0
  #fastSum = 0
  #fastWeight = 0
  #reopenHeldMs = 0

  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs
  }

  /**
   * @param llr natural log-likelihood ratio of the window
   * @param speechMs new speech in its last hop
   * @param quality 0..1, lower for gaps and clipping
   * @returns true when another voice reopened the question: older evidence is gone
   */
  add(llr: number, speechMs: number, quality: number): boolean {
    const bounded = Math.max(-llrMax, Math.min(llrMax, llr))
    const weight = speechMs * quality
    const slowKeep = 0.5 ** (speechMs / this.#halfLifeMs)
    const fastKeep = 0.5 ** (speechMs / fastHalfLifeMs)
    this.#slowSum = this.#slowSum * slowKeep + bounded * weight
    this.#slowWeight = this.#slowWeight * slowKeep + weight
    this.#fastSum = this.#fastSum * fastKeep + bounded * weight
    this.#fastWeight = this.#fastWeight * fastKeep + weight
    return this.#reopen(speechMs)
  }

  #reopen(speechMs: number): boolean {
    const slow = this.#slowWeight > 0 ? this.#slowSum / this.#slowWeight : 0
    const fast = this.#fastWeight > 0 ? this.#fastSum / this.#fastWeight : 0
    const opposed = slow * fast < 0 && Math.abs(fast - slow) > reopenNats
    this.#reopenHeldMs = opposed ? this.#reopenHeldMs + speechMs : 0
    if (this.#reopenHeldMs < reopenHoldMs) return false
    this.#slowSum = this.#fastSum
    this.#slowWeight = this.#fastWeight
    this.#reopenHeldMs = 0
    return true
  }

  /** Evidence of the whole track as one LLR; 0 before anything was added. */
  llr(): number {
    if (this.#slowWeight <= 0) return 0
    const windows = Math.max(1, this.#slowWeight / windowFullMs)
    const gain = windows / (1 + (windows - 1) * intraCallCorrelation)
    return (this.#slowSum / this.#slowWeight) * gain
  }

  /** Probability that the speech is synthetic at equal priors. */
  probability(): number {
    return 1 / (1 + Math.exp(-this.llr()))
  }
}
