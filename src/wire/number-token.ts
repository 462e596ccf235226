/**
 * Names that stand for phone numbers in mode `privacy.numbers: tokens`, and what can be told from a number whether it
 * is in clear or such a name. Windows, rules and lists ask here, so that they need not know the mode. Pure, any thread.
 *
 *   12025550123  ->  1202555~fk3j9x2mbq7tz5ahc
 *                    ^shown  ^^  ^ 12 characters of a keyed hash of the whole number
 *                            ||  place: the last four digits, sealed; only who has the key can tell neighbours
 *                            |group: the digit after the shown ones, permuted by a key that depends on them, so that
 *                            |numbers of one thousand are seen to be of one thousand, but not of which
 */

export const tokenMark = '~'

/** Digits that a token does not show. */
export const hiddenDigits = 4

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
