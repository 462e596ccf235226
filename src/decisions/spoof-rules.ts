/**
 * Calling numbers that lie: numbers that cannot be, and numbers of the called country on a route that brings calls from
 * abroad. Operators are asked to look at just these two: ECC Recommendation (23)03 and Ofcom, "Calling Line
 * Identification guidance" (2022): calls from abroad that show a number at home, numbers that are not in the plan.
 * Counted without blinks (codes carried by made-up numbers are flash calls), without robots and without test lines. A
 * route is compared with itself: some bring home numbers by right (people who roam, offices abroad). Any thread.
 */
import { kindOf } from '../features/call-windows.ts'
import { callMarks } from '../features/recent-calls.ts'
import { logistic, percent, type Signal } from './fraud-signal.ts'
import { oneDay, oneHour, type RuleContext, tenMinutes } from './rule-context.ts'

/** Of the threshold of an hour, what other windows ask. [A] */
const levelShare = [1, 0.8, 1, 3] as const
/** Of a route's calls, those with a number of the called country; more of them and it brings calls of all kinds. [A] */
const homeShareMax = 0.2
/** Calls an hour that tell what is usual on a route. [A] */
const knownCallsMin = 10
/** Hours behind us that tell it: the first may be a few minutes of one, in which a fraud can be all there is. [A] */
const knownHoursMin = 2
/** Robots are called by their own name when they are so many of it. [A] */
const robotShare = 0.3

/** Does the route of this view bring calls from other countries, by what is usual on it? */
export function bringsCallsFromAbroad(c: RuleContext): boolean {
  const { usual } = c.view
  if (usual.hours < knownHoursMin || usual.attempts < knownCallsMin) return false
  return usual.domestic <= homeShareMax * usual.attempts
}

export function cliSpoof(c: RuleContext): Signal | null {
  const { usual } = c.view
  if (usual.hours < knownHoursMin || usual.attempts < knownCallsMin) return null
  const impossible = c.sum('impossibleA')
  const invalid = excess(c, 'invalid', impossible, usual.invalid, 'cannot be', callMarks.invalid)
  if (invalid !== null) return invalid
  const calls = c.sum('homeAbroad')
  if (c.sum('suspectA') >= robotShare * calls) return null
  const words = 'are of the called country, on a route that brings calls from abroad'
  return excess(c, 'domestic', calls, usual.domestic, words, callMarks.homeAbroad)
}

/** So many more than usual that chance does not make them, and that most of what is shown is of the kind. */
function excess(
  c: RuleContext,
  code: string,
  calls: number,
  usualPerHour: number,
  words: string,
  marks: number,
): Signal | null {
  const { invalidMin, invalidShareMin } = c.rules.cliSpoof
  const attempts = c.sum('attempts')
  if (calls < invalidMin * levelShare[c.level]! || calls < invalidShareMin * attempts) return null
  if (c.level > tenMinutes && c.view.sum(c.level - 1, code === 'invalid' ? 'impossibleA' : 'homeAbroad') < 3)
    return null
  const expected = c.usually(usualPerHour)
  const deviations = (calls - expected) / Math.sqrt(expected + 4)
  if (calls < expected * 2.5 || deviations < 6.5) return null
  const score = logistic(deviations, 6, 1.5)
  const reasons = [
    c.reason(code, `${calls} of ${attempts} calling numbers ${c.within()} ${words}`),
    c.reason('usual', `usual here: ${expected.toFixed(expected < 10 ? 1 : 0)} in that time`),
  ]
  return { kind: 'cli_spoof', score, calls, level: c.level, marks, reasons }
}

/** One well-known number at home, shown by calls from abroad to ever new people. */
export function spoofedNumber(c: RuleContext): Signal | null {
  if (c.view.kind !== kindOf.number || c.level < oneHour) return null
  const { invalidMin } = c.rules.cliSpoof
  const calls = c.sum('homeAbroad')
  if (calls < invalidMin * (c.level === oneDay ? 2 : 1)) return null
  if (c.view.sum(c.level - 1, 'homeAbroad') < 2 || c.of('distinctBShare') < 0.7) return null
  const attempts = c.sum('attempts')
  const score = logistic(Math.log10(calls), 1.25, 0.1)
  const reasons = [
    c.reason('domestic', `${calls} calls of this number at home ${c.within()} came over a route from abroad`),
    c.reason('spread', `${percent(c.of('distinctBShare'))} of the numbers called in ${attempts} attempts differ`),
  ]
  return { kind: 'cli_spoof', score, calls, level: c.level, marks: callMarks.homeAbroad, reasons }
}
