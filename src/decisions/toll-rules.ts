/**
 * Toll fraud: long calls pumped to where they are dear, by a route towards a destination and by the calling number.
 * Sources of figures: see fraud-rules.ts. Any thread.
 */
import { callMarks } from '../features/recent-calls.ts'
import { logistic, type Signal } from './fraud-signal.ts'
import { oneDay, oneHour, type RuleContext } from './rule-context.ts'

/** Long calls pumped into one destination from few numbers. [N] [T] */
export function irsf(c: RuleContext): Signal | null {
  const { longCallsMin, longShareMin } = c.rules.irsf
  if (c.level < oneHour || c.sum('nearB') < 0.2 * c.sum('attempts')) return null
  // A pump that has stopped is no news, though people go on calling there.
  if (c.level === oneDay && (c.view.sum(oneHour, 'longCalls') < 3 || c.view.sum(oneHour, 'nearB') < 2)) return null
  return longCalls(c, 'irsf', longCallsMin, longShareMin, 'to this destination')
}

/**
 * A number that suddenly talks long and abroad, on many lines or to numbers of one range. One that otherwise telephones
 * at home is a company's that was broken into; one that does not is a stolen or bought line. [T]
 */
export function tollNumber(c: RuleContext): Signal | null {
  const { pbxHack, irsf } = c.rules
  if (c.level < oneHour) return null
  const foreign = c.sum('foreign')
  if (c.sum('foreignLong') < 3 || c.sum('foreignLong') < 0.8 * c.sum('longCalls')) return null
  const pump = c.sum('nearB') >= 0.15 * foreign && c.sum('nearB') >= 2
  // Some people have family abroad, all day.
  if (c.level === oneDay && (!pump || c.view.sum(oneHour, 'foreignLong') < 2)) return null
  const kind = c.view.sum(oneDay, 'domestic') >= 8 ? 'pbx_hack' : 'irsf'
  const least = kind === 'irsf' ? irsf.longCallsMin : pbxHack.longCallsMin
  return longCalls(c, kind, pump ? Math.ceil(least / 2) : least, pbxHack.longShareMin, 'abroad')
}

function longCalls(
  c: RuleContext,
  kind: 'irsf' | 'pbx_hack',
  least: number,
  shareMin: number,
  where: string,
): Signal | null {
  const calls = c.sum('longCalls')
  if (calls < least * (c.level === oneDay ? 2 : 1) || c.of('longShare') < shareMin) return null
  // People who talk long are many; pumps are few.
  if (c.of('distinctAShare') > 0.4) return null
  const lines = c.sum('talkSum') / (c.level === oneHour ? 3600 : 86_400)
  const minutes = Math.round(c.sum('talkSum') / 60)
  const distinctA = Math.max(1, Math.round(c.of('distinctAShare') * c.sum('attempts')))
  const distinctB = Math.max(1, Math.round(c.of('distinctBShare') * c.sum('attempts')))
  const score = logistic(Math.log2(calls / least) + (lines >= 5 ? 1 : 0), -2, 0.9)
  const reasons = [
    c.reason('long_calls', `${calls} calls of 10 min or more ${where} ended ${c.within()}`),
    c.reason('minutes', `${minutes} minutes in all, as of ${lines.toFixed(1)} lines that never hang up`),
    c.reason('few_numbers', `${distinctA} calling numbers, ${distinctB} called numbers`),
  ]
  const marks = c.sum('foreignLong') > 0 ? callMarks.toll : callMarks.long
  return { kind, score, calls, level: c.level, marks, reasons }
}
