/**
 * How people telephone: how long it rings before they answer or give up, why calls fail, how long they talk. Shared by
 * normal traffic, by hard negatives and by the human side of campaigns. One per simulated part, with its own
 * generator.
 */
import type { CallShape, Outcome } from './cdr-call.ts'
import { clamp, logNormal, logNormalOfMean, type Pair, uniform, WeightedChoice } from './cdr-draws.ts'
import type { Scenario } from './cdr-scenario.ts'
import type { Random } from './seeded-random.ts'

/** Share of answered calls that the caller ends; nearly all others end with the callee. */
const callerEndsShare = 0.56

export class Habits {
  readonly #random: Random
  readonly #scenario: Scenario
  readonly #failures: WeightedChoice<Exclude<Outcome, 'answered'>>

  constructor(random: Random, scenario: Scenario) {
    this.#random = random
    this.#scenario = scenario
    this.#failures = new WeightedChoice(scenario.failures)
  }

  postDialS(abroad: boolean): number {
    const { postDialMedianS, abroadPostDialMedianS, postDialSigma } = this.#scenario.ring
    const medianS = abroad ? abroadPostDialMedianS : postDialMedianS
    return Math.min(30, logNormal(this.#random, Math.log(medianS), postDialSigma))
  }

  answerRingS(): number {
    const { answerMeanS, answerSigma } = this.#scenario.ring
    return Math.min(55, logNormalOfMean(this.#random, answerMeanS, answerSigma))
  }

  answered(talkS: number, abroad: boolean): CallShape {
    const releasedBy = this.#random() < callerEndsShare ? 'caller' : 'callee'
    const { unknownReleaseShare } = this.#scenario.people
    return {
      outcome: 'answered',
      postDialS: this.postDialS(abroad),
      ringS: this.answerRingS(),
      talkS: clamp(talkS, this.#scenario.talkS),
      releasedBy: this.#random() < unknownReleaseShare ? 'unknown' : releasedBy,
    }
  }

  holdingS(figures: { mu: number; sigma: number }, shortShare: number): number {
    if (this.#random() < shortShare) return uniform(this.#random, [0.5, 2])
    return logNormal(this.#random, figures.mu, figures.sigma)
  }

  /** A call that nobody answered, for any of the ordinary reasons. */
  failed(abroad: boolean): CallShape {
    return this.failure(this.#failures.draw(this.#random), abroad)
  }

  failure(outcome: Exclude<Outcome, 'answered'>, abroad: boolean): CallShape {
    const postDialS = this.postDialS(abroad)
    switch (outcome) {
      case 'cancel':
        return { outcome, postDialS, ringS: this.giveUpS(), talkS: 0 }
      case 'no_answer':
        return { outcome, postDialS, ringS: uniform(this.#random, this.#scenario.ring.noAnswerS), talkS: 0 }
      case 'rejected':
        return { outcome, postDialS, ringS: clamp(logNormal(this.#random, 1.6, 0.6), [0.8, 25]), talkS: 0 }
      default:
        return { outcome, postDialS, ringS: 0, talkS: 0 }
    }
  }

  /** How long the caller lets it ring before hanging up. */
  giveUpS(): number {
    const { quickCancelShare, quickCancelS, giveUpMeanS, giveUpSigma } = this.#scenario.ring
    if (this.#random() < quickCancelShare) return uniform(this.#random, quickCancelS)
    return clamp(logNormalOfMean(this.#random, giveUpMeanS, giveUpSigma), [1, 60])
  }

  /** Answered with the given probability, else failed as usual. */
  attempt(asr: number, talkS: number, abroad: boolean): CallShape {
    return this.#random() < asr ? this.answered(talkS, abroad) : this.failed(abroad)
  }

  /** A machine calls, people answer or do not; the machine gives up after the same time always. */
  machineAttempt(asr: number, talk: Pair, giveUpS: number): CallShape {
    const random = this.#random
    if (random() < asr) return this.answered(uniform(random, talk), false)
    if (random() < 0.7) {
      const ringS = giveUpS + 0.15 * (random() - 0.5)
      return { outcome: 'cancel', postDialS: this.postDialS(false), ringS, talkS: 0 }
    }
    return this.failure(random() < 0.5 ? 'busy' : random() < 0.6 ? 'not_found' : 'rejected', false)
  }
}
