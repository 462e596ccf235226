/**
 * What a route or a called number shows against its own usual hours: short answers and surges. Sources of figures: see
 * fraud-rules.ts. Any thread.
 */
import { kindOf } from '../features/call-windows.ts'
import { callMarks } from '../features/recent-calls.ts'
import { logistic, percent, type Signal } from './fraud-signal.ts'
import { levelFactor, oneHour, type RuleContext, tenMinutes } from './rule-context.ts'

/** Calls answered and over at once, far more than the route usually has. [O] */
export function shortAnswer(c: RuleContext): Signal | null {
  const { shortMin, shortShareMin } = c.rules.shortAnswer
  const { usual, kind } = c.view
  if (c.level > oneHour) return null
  const short = c.sum('shortTalk')
  const answered = c.sum('answered')
  if (short < shortMin * levelFactor[c.level]! || short < shortShareMin * answered) return null
  const range = kind >= kindOf.range3 && kind <= kindOf.range5
  if (c.of('distinctAShare') < (range ? 0.5 : 0.4)) return null
  // An hour's burst that is over is no news.
  const lately = c.view.sum(tenMinutes, 'shortTalk')
  if (c.level > tenMinutes && lately < 0.5 * c.view.sum(tenMinutes, 'answered')) return null
  const known = usual.hours > 0 && usual.answered >= 5
  const usualShare = Math.min(0.95, Math.max(0.1, known ? usual.short / usual.answered : 0.1))
  const deviation = (short - answered * usualShare) / Math.sqrt(answered * usualShare * (1 - usualShare))
  const rotation = c.of('distinctAShare')
  const score = logistic(deviation + 6 * rotation, 14, 3)
  if (deviation < 6 || score < 0.5) return null
  const attempts = c.sum('attempts')
  const reasons = [
    c.reason('short', `${short} of ${answered} answered calls ${c.within()} were over within 3 s`),
    c.reason('rotation', c.rotation(attempts)),
    c.reason('called', `about ${Math.round(c.of('distinctBShare') * attempts)} different called numbers`),
  ]
  if (known) reasons.push(c.reason('usual', `usual here at this hour: ${percent(usualShare)} short`))
  const marks = callMarks.short
  return { kind: 'short_answer_burst', score, calls: short, level: c.level, marks, reasons }
}

/** A route against its own hours: far more calls, or far more blinks, than it ever has. [A] */
export function anomaly(c: RuleContext): Signal | null {
  const { attemptsMin, timesUsual, hoursMin } = c.rules.anomaly
  const { usual } = c.view
  if (c.level !== tenMinutes || usual.hours < hoursMin || usual.attempts < 6) return null
  const attempts = c.sum('attempts')
  const expected = Math.max(usual.attempts / 6, usual.lastAttempts / 6, 5)
  if (attempts >= attemptsMin && attempts >= expected * timesUsual && !storm(c) && !fewCallers(c)) {
    const text = `${attempts} attempts ${c.within()}, usual is ${Math.round(expected)}`
    const score = logistic(attempts / expected, timesUsual * 1.5, timesUsual / 2)
    if (score < 0.5) return null
    const reasons = [c.reason('volume', text), c.reason('rotation', c.rotation(attempts))]
    return { kind: 'anomaly', score, calls: attempts, level: c.level, marks: 0, reasons }
  }
  const blinks = c.sum('blink')
  const usualBlinks = Math.max(usual.blink / 6, usual.lastBlink / 6, 3)
  if (blinks < attemptsMin / 2 || blinks < usualBlinks * timesUsual || storm(c) || fewCallers(c)) return null
  // One number that rings and rings is judged by its own key.
  if (c.sum('blinkFreshA') < 0.3 * blinks) return null
  const text = `${blinks} attempts ${c.within()} ended before anybody could answer, usual is ${Math.round(usualBlinks)}`
  const score = logistic(blinks / usualBlinks, timesUsual * 1.5, timesUsual / 2)
  if (score < 0.5) return null
  const reasons = [c.reason('blink', text), c.reason('rotation', c.rotation(attempts))]
  return { kind: 'anomaly', score, calls: blinks, level: c.level, marks: callMarks.blink, reasons }
}

/** A handful of numbers make the surge: their own keys judge them. */
function fewCallers(c: RuleContext): boolean {
  return c.of('distinctAShare') < 0.3
}

/** Callers that try again and again on a route that fails: a fault, not a fraud. */
function storm(c: RuleContext): boolean {
  return c.of('failedShare') > 0.5 || c.of('distinctBShare') < 0.1
}

/** One number is rung by many others and hardly ever reached: somebody is made to drown in calls. [A] */
export function flooded(c: RuleContext): Signal | null {
  const attempts = c.sum('attempts')
  if (c.level !== tenMinutes || attempts < 60 || c.of('answeredShare') > 0.2) return null
  const distinctA = c.of('distinctAShare') * attempts
  if (distinctA < 40) return null
  const answered = percent(c.of('answeredShare'))
  const text = `${attempts} calls ${c.within()} from about ${Math.round(distinctA)} numbers, ${answered} answered`
  const score = logistic(distinctA, 80, 20)
  const reasons = [c.reason('flooded', text)]
  return { kind: 'anomaly', score, calls: attempts, level: c.level, marks: callMarks.quiet, reasons }
}
