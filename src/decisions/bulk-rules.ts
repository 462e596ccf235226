/**
 * Calls to very many people: lures to call back, and automated talk.
 * Sources of figures: see fraud-rules.ts. Any thread.
 */
import { kindOf } from '../features/call-windows.ts'
import { callMarks } from '../features/recent-calls.ts'
import { logistic, percent, type Signal } from './fraud-signal.ts'
import { oneDay, oneHour, type RuleContext } from './rule-context.ts'

/** Missed calls from few numbers to many people, so that they call back. [W] */
export function wangiri(c: RuleContext): Signal | null {
  const { distinctCalledMin, cancelShareMin, ringMeanMaxS } = c.rules.wangiri
  const attempts = c.sum('attempts')
  const sequential = c.of('sequentialShare')
  const callbacks = c.sum('callbacks')
  // People who were lured talk for a while (the lure plays music); a taxi that waits is told "coming" at once.
  const talkS = c.sum('callbackTalk')
  const calledBack = callbacks >= 2 && c.of('callbackShare') >= 0.005 && talkS >= 60 * callbacks
  const lured = sequential >= 0.3 || (calledBack && c.level < oneDay)
  const part = sequential >= 0.3 ? 1 / 3 : lured ? 1 / 2 : 1
  // Few fall for a lure; of people who know the caller, one in ten rings back.
  if (sequential < 0.3 && c.of('callbackShare') > 0.08) return null
  if (c.level === oneDay && sequential < 0.3) return null
  if (attempts < distinctCalledMin / 3) return null
  const quiet = c.of('cancelShare') + c.of('rejectShare')
  const ringS = c.of('ringMeanS')
  if (Math.max(quiet, c.of('blinkShare')) < cancelShareMin || ringS > ringMeanMaxS) return null
  const distinctB = c.of('distinctBShare') * attempts
  if (distinctB < distinctCalledMin * part || c.of('distinctBShare') < 0.6) return null
  // Many numbers of a range without a lure: that is the look of flash calls.
  if (!lured && c.of('distinctAShare') * attempts > 8) return null
  const score = logistic(Math.log10(distinctB) + (sequential >= 0.3 ? 0.8 : 0) + (callbacks > 1 ? 0.8 : 0), 1.7, 0.25)
  const reasons = [
    c.reason('missed', `${percent(quiet)} of ${attempts} attempts ${c.within()} given up while ringing`),
    c.reason('spread', `about ${Math.round(distinctB)} different people called`),
  ]
  if (ringS >= 0) reasons.push(c.reason('one_ring', c.ring()))
  if (sequential >= 0.1) reasons.push(c.reason('sequential', `${percent(sequential)} called in number order`))
  if (callbacks > 0) {
    reasons.push(c.reason('callbacks', `${callbacks} people called back and talked ${Math.round(talkS)} s in all`))
  }
  return { kind: 'wangiri', score, calls: attempts, level: c.level, marks: callMarks.quiet, reasons }
}

/** Short automated talk to ever new people, most do not answer or hang up. [U] */
export function robocall(c: RuleContext): Signal | null {
  const { attemptsMin, answeredShareMax, talkMeanMaxS } = c.rules.robocall
  const attempts = c.sum('attempts')
  const route = c.view.kind === kindOf.route_destination
  if (attempts < attemptsMin * (route ? 4 : 1) * (c.level === oneDay ? 2 : 1) || c.level < oneHour) return null
  const answered = c.sum('answered')
  const share = c.of('answeredShare')
  if (answered < 6 || share < 0.03 || share > answeredShareMax) return null
  const talkS = c.of('talkMeanS')
  if (talkS > talkMeanMaxS || c.of('blinkShare') > 0.15 || c.of('failedShare') > 0.6) return null
  // Who gives up after a few seconds wants to be seen, not heard.
  const ringS = c.of('ringMeanS')
  if (ringS >= 0 && ringS < 9) return null
  if (c.of('distinctBShare') < 0.75 || (route && c.of('distinctAShare') < 0.02)) return null
  const score = logistic(Math.log10(attempts) + (talkMeanMaxS - talkS) / talkMeanMaxS, 1.7, 0.25)
  const reasons = [
    c.reason('volume', `${attempts} attempts ${c.within()} to ever new people`),
    c.reason('short_talk', `${percent(share)} answered, for ${talkS.toFixed(0)} s on average`),
    c.reason('rotation', c.rotation(attempts)),
  ]
  return { kind: 'robocall', score, calls: attempts, level: c.level, marks: 0, reasons }
}

/** People give up when they lose patience, a machine after the same time always; s. [D] */
const machineGiveUpS = { leastMeanS: 9, sdMaxS: 0.3 } as const

/** Do the calls that were given up ring alike? */
function givesUpLikeMachine(c: RuleContext): boolean {
  const cancels = c.sum('callerCancel')
  if (cancels < 2) return false
  const meanS = c.sum('cancelRingSum') / cancels
  const sdS = Math.sqrt(Math.max(0, c.sum('cancelRingSquares') / cancels - meanS * meanS))
  return meanS >= machineGiveUpS.leastMeanS && sdS <= machineGiveUpS.sdMaxS
}

/**
 * A number that calls ever new people, lets it ring for the same time always, is seldom answered and then talks for a
 * moment: not enough for a case, enough for a mark.
 */
export function isSuspect(c: RuleContext): boolean {
  if (c.sum('attempts') < 4 || c.of('answeredShare') > 0.5 || c.of('blinkShare') > 0.3) return false
  if (c.of('talkMeanS') > c.rules.robocall.talkMeanMaxS || c.of('failedShare') > 0.6) return false
  return givesUpLikeMachine(c) && c.of('distinctBShare') > 0.9
}

/** A number that calls the same few again and again: test equipment, a line to one's own house. */
export function isRepeater(c: RuleContext): boolean {
  return c.sum('attempts') >= 6 && c.of('distinctBShare') < 0.7
}

/** Of the threshold of an hour, what a day asks of calls that are news. [A] */
const robotsLately = 8
/** Where nothing is known of the route, robots must be so many of its calls. [A] */
const robotsColdShare = 0.05

/** Many numbers of a route that behave like that, more than usual: one campaign that rotates its numbers. [U] */
export function robots(c: RuleContext): Signal | null {
  if (c.level < oneHour) return null
  const calls = c.sum('suspectA')
  const attempts = c.sum('attempts')
  const { attemptsMin, talkMeanMaxS } = c.rules.robocall
  const { usual } = c.view
  const known = usual.hours >= c.rules.anomaly.hoursMin
  if (calls < attemptsMin * (c.level === oneDay ? 1.5 : 0.5)) return null
  if (c.level === oneDay && c.view.sum(oneHour, 'suspectA') < robotsLately) return null
  const expected = known ? c.usually(usual.suspect) : 0
  if (known ? calls < 3 * expected : calls < Math.max(attemptsMin, robotsColdShare * attempts)) return null
  const score = logistic((calls - expected) / Math.sqrt(expected + 4), 9, 2)
  if (score < 0.5) return null
  const text =
    `${calls} of ${attempts} attempts ${c.within()} come from numbers that call ever new people, ` +
    `give up after the same time always, seldom reach one and then talk ${talkMeanMaxS} s or less`
  const reasons = [c.reason('robots', text), c.reason('rotation', c.rotation(attempts))]
  if (known) reasons.push(c.reason('usual', `usual here: ${expected.toFixed(expected < 10 ? 1 : 0)} in that time`))
  return { kind: 'robocall', score, calls, level: c.level, marks: callMarks.suspect, reasons }
}
