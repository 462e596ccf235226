/**
 * Named features of a key's window: what rules read and models are trained on. One code for live, replay and training;
 * a feature that is not known (no ring times, no gaps) reads as -1, which no true value is. Any thread.
 */
import { type CallWindows, kindOf, type WindowView } from './call-windows.ts'
import type { PaneField } from './window-panes.ts'

export const featureNames = [
  'logAttempts',
  'answeredShare',
  'blinkShare',
  'cancelShare',
  'rejectShare',
  'failedShare',
  'shortShare', // of answered calls
  'longShare', // of answered calls
  'talkMeanS',
  'ringMeanS',
  'ringSdS',
  'gapMeanS',
  'gapVariation', // sd / mean
  'distinctAShare', // different calling numbers / attempts, at most 1
  'distinctBShare',
  'freshAShare', // of attempts: first of their calling number in 24 h
  'freshBShare',
  'sequentialShare',
  'invalidShare',
  'foreignShare',
  'callbackShare', // calls back / attempts
  'newDestinations',
  'tailEntropy', // ranges only
  'burstShare', // share of the window's attempts in its last minute
  'talkVariation', // of answered calls: sd / mean
  'blinkRingMeanS', // of calls that were over before anybody could answer
  'blinkRingSdS',
  'blinkFreshShare', // of these calls, those of numbers not seen in 24 h
  'blinkTimesUsual', // of these calls, times what is usual at this hour; routes only, up to 1 h
  'keyKind', // which key: index in `keyKinds`
  'windowLevel', // which window: 1: 10 min, 2: 1 h, 3: 24 h
] as const
export type FeatureName = (typeof featureNames)[number]
export const featureCount = featureNames.length
export const feature = Object.fromEntries(featureNames.map((name, index) => [name, index])) as Record<
  FeatureName,
  number
>

/** Writes the features of window `level` of the view; the two distinct shares are left at -1 for `distinctFeatures`. */
export function callFeatures(view: WindowView, level: number, out: Float32Array): void {
  const sum = (name: PaneField) => view.sum(level, name)
  const attempts = sum('attempts')
  const per = attempts > 0 ? 1 / attempts : 0
  const answered = sum('answered')
  const perAnswered = answered > 0 ? 1 / answered : 0
  out[feature.logAttempts] = Math.log10(1 + attempts)
  out[feature.answeredShare] = answered * per
  out[feature.blinkShare] = sum('blink') * per
  out[feature.cancelShare] = sum('callerCancel') * per
  out[feature.rejectShare] = sum('calleeReject') * per
  out[feature.failedShare] = sum('networkFailed') * per
  out[feature.shortShare] = sum('shortTalk') * perAnswered
  out[feature.longShare] = sum('longCalls') * perAnswered
  out[feature.talkMeanS] = answered > 0 ? sum('talkSum') * perAnswered : -1
  const rings = sum('ringCount')
  const ringMeanS = rings > 0 ? sum('ringSum') / rings : -1
  out[feature.ringMeanS] = ringMeanS
  out[feature.ringSdS] = rings > 1 ? Math.sqrt(Math.max(0, sum('ringSquares') / rings - ringMeanS * ringMeanS)) : -1
  const gapMeanS = attempts > 1 ? sum('gapSum') * per : -1
  out[feature.gapMeanS] = gapMeanS
  const gapSd = Math.sqrt(Math.max(0, sum('gapSquares') * per - gapMeanS * gapMeanS))
  out[feature.gapVariation] = gapMeanS > 0 ? gapSd / gapMeanS : -1
  out[feature.distinctAShare] = -1
  out[feature.distinctBShare] = -1
  out[feature.freshAShare] = sum('freshA') * per
  out[feature.freshBShare] = sum('freshB') * per
  out[feature.sequentialShare] = sum('sequentialB') * per
  out[feature.invalidShare] = sum('invalidA') * per
  out[feature.foreignShare] = sum('foreign') * per
  out[feature.callbackShare] = sum('callbacks') * per
  out[feature.newDestinations] = sum('newDestinations')
  out[feature.tailEntropy] = view.tailEntropy
  out[feature.burstShare] = view.sum(0, 'attempts') * per
  const talkSd = Math.sqrt(Math.max(0, sum('talkSquares') * perAnswered - (sum('talkSum') * perAnswered) ** 2))
  out[feature.talkVariation] = answered > 1 && sum('talkSum') > 0 ? talkSd / (sum('talkSum') * perAnswered) : -1
  blinkFeatures(view, level, out)
  out[feature.keyKind] = view.kind
  out[feature.windowLevel] = level
}

/** Hours in a window, by level. */
const windowHours = [1 / 60, 1 / 6, 1, 24] as const

/** What the short calls among others are like: on a route they are few of many. */
function blinkFeatures(view: WindowView, level: number, out: Float32Array): void {
  const blinks = view.sum(level, 'blink')
  const meanS = blinks > 0 ? view.sum(level, 'blinkRingSum') / blinks : -1
  const squares = blinks > 1 ? view.sum(level, 'blinkRingSquares') / blinks : -1
  out[feature.blinkRingMeanS] = meanS
  out[feature.blinkRingSdS] = blinks > 1 ? Math.sqrt(Math.max(0, squares - meanS * meanS)) : -1
  out[feature.blinkFreshShare] = blinks > 0 ? view.sum(level, 'blinkFreshA') / blinks : -1
  const { usual } = view
  const expected = usual.blink * windowHours[level]!
  out[feature.blinkTimesUsual] = usual.hours > 0 && level <= 2 ? (blinks + 1) / (expected + 1) : -1
}

/** Fills in the distinct shares of a view just read. */
export function distinctFeatures(windows: CallWindows, view: WindowView, level: number, out: Float32Array): void {
  windows.countDistinct(view, level)
  const attempts = view.sum(level, 'attempts')
  const per = attempts > 0 ? 1 / attempts : 0
  const { kind } = view
  out[feature.distinctAShare] = kind === kindOf.number ? per : Math.min(1, (view.distinctA[level] ?? 0) * per)
  out[feature.distinctBShare] = kind === kindOf.called_number ? per : Math.min(1, (view.distinctB[level] ?? 0) * per)
}
