/**
 * Flash calls: codes that are carried by the calling number of a call nobody is to answer, and codes that are spoken.
 * Sources of figures: see fraud-rules.ts. Any thread.
 */
import { kindOf } from '../features/call-windows.ts'
import { callMarks } from '../features/recent-calls.ts'
import { type FlashCandidate, logistic, percent, type Signal } from './fraud-signal.ts'
import { levelFactor, oneHour, type RuleContext, tenMinutes } from './rule-context.ts'

/**
 * Blinks of many numbers of a range or a route, or of one number, to ever new people. [S] Whether it is one the scorer
 * says, later and for many at once.
 */
export function flashCandidate(c: RuleContext): FlashCandidate | null {
  const { attemptsMin } = c.rules.flashCall
  const attempts = c.sum('attempts')
  const broad = c.view.kind >= kindOf.route_destination ? 2 : 1
  if (attempts < attemptsMin * broad * levelFactor[c.level]! || c.of('blinkShare') < 0.5) return null
  // Sequential numbers and people who call back: a lure, not a code.
  if (c.of('sequentialShare') > 0.3 || c.of('callbackShare') > 0.02) return null
  // One number, or a few, cannot carry a code.
  if (c.of('distinctAShare') * attempts < 5) return null
  const reasons = [
    c.reason(
      'blink',
      `${percent(c.of('blinkShare'))} of ${attempts} attempts ${c.within()} ended before anybody could answer`,
    ),
    c.reason('rotation', c.rotation(attempts)),
    c.reason('spread', `${percent(c.of('distinctBShare'))} of the called numbers differ`),
  ]
  if (c.of('ringSdS') >= 0) reasons.push(c.reason('steady_ring', c.ring()))
  const { level } = c
  const signal: Signal = {
    kind: 'flash_call',
    score: 0,
    calls: c.sum('blink'),
    level,
    marks: callMarks.blink,
    reasons,
  }
  return { signal, features: c.features.slice() }
}

/**
 * The same on a route that carries other calls too: blinks beyond the usual that all ring alike, of fresh numbers. [A]
 */
export function flashInMix(c: RuleContext): Signal | null {
  const { usual, kind } = c.view
  const blinks = c.sum('blink')
  const { attemptsMin } = c.rules.flashCall
  if (kind < kindOf.route_destination || c.level > oneHour || blinks < attemptsMin * levelFactor[c.level]!) {
    return null
  }
  // Without an hour to compare with, there must be twice as many.
  if (usual.hours === 0 && blinks < attemptsMin * 2) return null
  const meanS = c.sum('blinkRingSum') / blinks
  const sdS = Math.sqrt(Math.max(0, c.sum('blinkRingSquares') / blinks - meanS * meanS))
  const usualBlinks = Math.max(1, usual.hours === 0 ? 5 : usual.blink) / (c.level === tenMinutes ? 6 : 1)
  const fresh = c.sum('blinkFreshA') / blinks
  // Misdials ring for anything from nothing to 5 s: a deviation of 1.2 s or more.
  if (sdS > 0.6 || fresh < 0.4 || blinks < usualBlinks * 4) return null
  const score = logistic(blinks / usualBlinks / 4 + (0.6 - sdS) * 4 + fresh * 2, 2, 0.8)
  const reasons = [
    c.reason('blink', `${blinks} attempts ${c.within()} ended before anybody could answer`),
    c.reason('steady_ring', `they ring ${meanS.toFixed(1)} s, give or take ${sdS.toFixed(1)} s`),
    c.reason('rotation', `${percent(fresh)} of them from a number not seen in 24 h`),
  ]
  if (usual.hours > 0) reasons.push(c.reason('usual', `usual here: ${Math.round(usual.blink)} an hour`))
  return { kind: 'flash_call', score, calls: blinks, level: c.level, marks: callMarks.blink, reasons }
}

/** A code that is spoken: many numbers of a range, ever new people, and the same short talk every time. [A] */
export function spokenCode(c: RuleContext): Signal | null {
  const { kind } = c.view
  const attempts = c.sum('attempts')
  const answered = c.sum('answered')
  const least = c.rules.flashCall.attemptsMin * levelFactor[c.level]!
  if (kind === kindOf.number || kind === kindOf.route || answered < least || answered < 0.4 * attempts) return null
  const meanS = c.sum('talkSum') / answered
  const sdS = Math.sqrt(Math.max(0, c.sum('talkSquares') / answered - meanS * meanS))
  if (meanS < 4 || meanS > 40 || sdS > 0.4 * meanS) return null
  if (c.of('distinctAShare') < 0.2 || c.of('distinctBShare') < 0.4) return null
  if (c.of('distinctAShare') * attempts < 10) return null
  const score = logistic(Math.log10(answered) + (0.4 - sdS / meanS) * 3, 1.4, 0.25)
  const reasons = [
    c.reason('same_talk', sameTalk(c, answered)),
    c.reason('rotation', c.rotation(attempts)),
    c.reason('spread', `${percent(c.of('distinctBShare'))} of the called numbers differ`),
  ]
  return { kind: 'flash_call', score, calls: answered, level: c.level, marks: callMarks.answered, reasons }
}

/** Of calls that ended before an answer, or of talks all alike, there must be so many in 10 min. */
const modelCallsMin = 12
const modelTalkS = { least: 3, most: 45, variationMax: 0.6 }

/** What a window shows enough of: calls that nobody could answer, or talks of about one length. */
export type FlashLook = 'blink' | 'spoken'

/**
 * Is this a key and window that a trained model is asked about, and why? Wider than any rule here. One number alone
 * cannot carry a code.
 */
export function modelAsks(c: RuleContext): FlashLook | null {
  const { kind } = c.view
  if (kind === kindOf.number || kind === kindOf.called_number) return null
  const least = modelCallsMin * levelFactor[c.level]!
  const attempts = c.sum('attempts')
  if (attempts < least) return null
  const blinks = c.sum('blink')
  // A route has some all day: they tell something while they are news.
  if (blinks >= least && (c.of('blinkShare') >= 0.2 || (kind >= kindOf.route_destination && c.level <= oneHour))) {
    return 'blink'
  }
  const answered = c.sum('answered')
  if (kind === kindOf.route || answered < least || answered < 0.3 * attempts) return null
  const talkS = c.of('talkMeanS')
  const { least: leastS, most: mostS, variationMax } = modelTalkS
  return talkS >= leastS && talkS <= mostS && c.of('talkVariation') <= variationMax ? 'spoken' : null
}

/** A window for a trained model, with what there is to say of it: what it rings or talks like, and who takes turns. */
export function modelCandidate(c: RuleContext, look: FlashLook): FlashCandidate {
  c.distinct()
  const attempts = c.sum('attempts')
  const blinks = c.sum('blink')
  const answered = c.sum('answered')
  const spoken = look === 'spoken'
  const reasons = spoken
    ? [c.reason('same_talk', sameTalk(c, answered))]
    : [c.reason('blink', `${blinks} of ${attempts} attempts ${c.within()} ended before anybody could answer`)]
  if (!spoken && c.of('blinkRingSdS') >= 0) {
    const [meanS, sdS] = [c.of('blinkRingMeanS').toFixed(1), c.of('blinkRingSdS').toFixed(1)]
    reasons.push(c.reason('steady_ring', `they ring ${meanS} s, give or take ${sdS} s`))
  }
  reasons.push(c.reason('rotation', c.rotation(attempts)))
  reasons.push(c.reason('spread', `${percent(c.of('distinctBShare'))} of the called numbers differ`))
  const { usual } = c.view
  if (!spoken && usual.hours > 0) reasons.push(c.reason('usual', `usual here: ${Math.round(usual.blink)} an hour`))
  const calls = spoken ? answered : blinks
  const marks = spoken ? callMarks.answered : callMarks.blink
  const signal: Signal = { kind: 'flash_call', score: 0, calls, level: c.level, marks, reasons }
  return { signal, features: c.features.slice() }
}

function sameTalk(c: RuleContext, answered: number): string {
  const meanS = c.of('talkMeanS')
  const sdS = Math.max(0, c.of('talkVariation')) * meanS
  return `${answered} calls ${c.within()} talk ${meanS.toFixed(0)} s, give or take ${sdS.toFixed(0)} s`
}
