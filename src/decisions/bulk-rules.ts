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

/**
 * A number that calls ever new people, who seldom answer and hang up soon: not enough for a case, enough for a mark.
 */
export function isSuspect(c: RuleContext): boolean {
  const attempts = c.sum('attempts')
  if (attempts < 4 || c.of('answeredShare') > 0.4 || c.of('blinkShare') > 0.2) return false
  if (c.of('talkMeanS') > c.rules.robocall.talkMeanMaxS || c.of('ringMeanS') < 9) return false
  return c.of('failedShare') < 0.5 && c.of('freshBShare') > 0.3 && c.of('distinctBShare') > 0.9
}

/** Many numbers of a route that each behave like that: one campaign that rotates its numbers. [U] */
export function robots(c: RuleContext): Signal | null {
  const calls = c.sum('suspectA')
  const attempts = c.sum('attempts')
  const { attemptsMin, talkMeanMaxS } = c.rules.robocall
  if (c.level !== oneHour || calls < attemptsMin || calls < 0.15 * attempts) return null
  const score = logistic(Math.log10(calls) + calls / attempts, 1.9, 0.25)
  const text =
    `${calls} of ${attempts} attempts ${c.within()} come from numbers that call ever new people, ` +
    `seldom reach one and then talk ${talkMeanMaxS} s or less`
  const reasons = [c.reason('robots', text), c.reason('rotation', c.rotation(attempts))]
  return { kind: 'robocall', score, calls, level: c.level, marks: callMarks.suspect, reasons }
}
