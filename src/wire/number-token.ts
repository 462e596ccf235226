/**
 * Names that stand for phone numbers in mode `privacy.numbers: tokens`, and what can be told from a number whether it
 * is in clear or such a name. Windows, rules and lists ask here, so that they need not know the mode. Pure, any thread.
 *
 *   12025550123  ->  1202555~fk3j9x2mbq7tz5ahc
 *                    ^shown  ^ ^ 15 characters of a keyed hash of the whole number
 *                            | group: the digit after the shown ones, permuted by a key that depends on them, so that
 *                            | numbers of one thousand are seen to be of one thousand, but not of which
 */

export const tokenMark = '~'

/** Digits that a token does not show. */
export const hiddenDigits = 4

const groupLetters = 'abcdefghijkl'
const wholeToken = /^[0-9*#]{0,11}~[a-l][a-z2-7]{15}$/
const anyToken = /(?<![0-9*#])[0-9*#]{0,11}~[a-l][a-z2-7]{15}(?![a-z2-7])/g

export function isToken(text: string): boolean {
  return wholeToken.test(text)
}

/** The text with each token in it replaced. */
export function replaceTokens(text: string, by: (token: string) => string): string {
  return text.includes(tokenMark) ? text.replace(anyToken, by) : text
}

/** The digits of a number, hidden ones counted. */
export function digitCount(number: string): number {
  const mark = number.indexOf(tokenMark)
  return mark < 0 ? number.length : mark + hiddenDigits
}

/**
 * How many characters of a number are the same for all numbers that differ in the last `off` digits only. A token
 * cannot tell less than 3.
 */
export function rangeChars(number: string, off: number): number {
  const mark = number.indexOf(tokenMark)
  if (mark < 0) return number.length - off
  return off >= hiddenDigits ? mark + hiddenDigits - off : mark + 2
}

/** How many characters stand for the first `digits` digits; of a token no more than it shows. */
export function leadingChars(number: string, digits: number): number {
  const mark = number.indexOf(tokenMark)
  return Math.min(mark < 0 ? number.length : mark, digits)
}

/**
 * Where a number stands among its neighbours: the number itself; of a token one that is the same each time, in the
 * right ten thousand, and in one thousand exactly with those that truly are.
 */
export function positionOf(number: string): number {
  const mark = number.indexOf(tokenMark)
  return mark < 0 ? Number(number) : Number(number.slice(0, mark)) * 10_000 + tailOf(number, mark)
}

/** The last digit, -1 when there is none; of a token one that is the same each time. */
export function lastDigit(number: string): number {
  const mark = number.indexOf(tokenMark)
  if (mark >= 0) return tailOf(number, mark) % 10
  const digit = number.charCodeAt(number.length - 1) - 48
  return digit >= 0 && digit <= 9 ? digit : -1
}

/** A made-up tail: its thousand by the group, the rest by the hash. */
function tailOf(token: string, mark: number): number {
  const group = groupLetters.indexOf(token.charAt(mark + 1))
  const rest = letterOf(token.charCodeAt(token.length - 1)) * 32 + letterOf(token.charCodeAt(token.length - 2))
  return Math.max(0, Math.min(group, 9)) * 1000 + (rest % 1000)
}

/** a-z: 0..25, 2-7: 26..31. */
function letterOf(code: number): number {
  return code >= 97 ? code - 97 : code - 24
}
