/**
 * A transparent rule that scores flash calls: a logistic of named features with weights written down here. It is no
 * model: nobody trained it. A trained one takes its place behind the same interface. Any thread.
 *
 * What it says: the sender ends the call before anybody answers (blink), each person is called once or thrice
 * (distinct B), the calling numbers are many of one range with even tail digits, and the machine rings for the same
 * time every time.
 */
import { type FeatureName, feature, featureCount } from '../features/call-features.ts'

/** Judges windows of keys in batches; the rule below, or a trained model. */
export interface FlashCallScorer {
  /** `rule`, or the label of a model; may change between two calls of `scores`. */
  readonly name?: string
  /** Set by a trained model: what it calls a flash call, instead of the configured `scoreMin` of the rule. */
  readonly trained?:
    | {
        readonly scoreMin: number
        /** By kind of key, what a clean window is like: to say what moved a probability. */
        readonly reference?: ReadonlyMap<number, readonly number[]>
      }
    | undefined
  /** For questions that are no traffic: they are not counted, where rows are. */
  unwatched?(): FlashCallScorer
  /** `features`: `count` rows of `featureCount` floats. Answers a probability per row, in order. */
  scores(features: Float32Array, count: number): Promise<Float32Array>
}

const offset = -9
/** What a feature adds at its full value. */
const weights: readonly (readonly [FeatureName, number])[] = [
  ['blinkShare', 8],
  ['distinctAShare', 2],
  ['distinctBShare', 2.5],
  ['tailEntropy', 1.5],
  ['freshAShare', 0.5],
  ['answeredShare', -3],
  ['failedShare', -4],
  ['callbackShare', -20],
]
/** A machine rings for the same time: full weight at no deviation, none from 2 s on. */
const steadyRing = { weight: 1.2, sdMaxS: 2 }

export const flashCallRule: FlashCallScorer = {
  async scores(features, count) {
    return Float32Array.from({ length: count }, (_, row) => scoreOf(features, row * featureCount))
  },
}

function scoreOf(features: Float32Array, at: number): number {
  let sum = offset
  for (const [name, weight] of weights) sum += weight * (features[at + feature[name]] ?? 0)
  const sd = features[at + feature.ringSdS] ?? -1
  if (sd >= 0) sum += steadyRing.weight * Math.max(0, 1 - sd / steadyRing.sdMaxS)
  return 1 / (1 + Math.exp(-sum))
}
