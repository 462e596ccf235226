/**
 * How a number may stand in stored text: its digits with or without +, 00 or 011 before them and signs between them
 * (`12025550123`, `+1 (202) 555-0123`, `%2B12025550123`), and whatever other forms stand for it (tokens). In a record
 * that is known to be the number's own, its national spelling counts too. Digits before or after make it another
 * number. Replaces what it finds; tells the same patterns for ClickHouse (RE2, no look-around). Pure, any thread.
 */

/** What stands where a number stood. */
export const erasedWord = 'erased'

const sign = '[-. ()/]{0,3}'
const prefix = `(?:\\+|%2[bB]|00|011)?${sign}`
/** Shorter ones are too common to be told from others. */
const nationalDigitsMin = 7

/** Country codes of two digits (ITU-T E.164); 1 and 7 have one, all others three. */
const twoDigitCodes: ReadonlySet<string> = new Set(
  (
    '20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 ' +
    '90 91 92 93 94 95 98'
  ).split(' '),
)

export class NumberSpellings {
  /** Empty: only other forms are known. */
  readonly digits: string
  /** What may stand in a column of numbers. */
  readonly names: readonly string[]
  /** RE2 of a whole value that is the number. */
  readonly wholePattern: string
  /** RE2 of the number within text: three groups, what is before, the number, what is after. */
  readonly withinPattern: string
  /** The same for text of a record of the number, national spellings too. */
  readonly nationalPattern: string
  readonly #quick: RegExp
  readonly #whole: RegExp
  readonly #within: RegExp
  readonly #national: RegExp

  /** @param forms what else stands for the number, letter by letter */
  constructor(digits: string, forms: readonly string[] = []) {
    this.digits = digits
    const others = forms.filter((form) => !/^\+?\d+$/.test(form)).map(escaped)
    this.names = [digits, ...forms]
    const spelled = digits === '' ? [] : [prefix + [...digits].join(sign)]
    const any = [...spelled, ...others].join('|')
    const national = [nationalOf(digits), any].filter((pattern) => pattern !== null).join('|')
    this.wholePattern = `^[ ]*(?:${any})[ ]*$`
    this.withinPattern = `(^|[^0-9])(${any})($|[^0-9])`
    this.nationalPattern = `(^|[^0-9])(${national})($|[^0-9])`
    this.#whole = new RegExp(this.wholePattern)
    this.#within = new RegExp(`(?<![0-9])(?:${any})(?![0-9])`, 'g')
    this.#national = new RegExp(`(?<![0-9])(?:${national})(?![0-9])`, 'g')
    const tail = digits === '' ? [] : [[...digits.slice(-nationalDigitsMin)].join(sign)]
    this.#quick = new RegExp([...tail, ...others].join('|'))
  }

  /** The value is the number and nothing else. */
  is(value: string): boolean {
    return this.#whole.test(value)
  }

  /** False: the text holds the number in no spelling. Quick; true may be another number's. */
  mayHold(text: string): boolean {
    return this.#quick.test(text)
  }

  holds(text: string): boolean {
    return this.#quick.test(text) && this.scrub(text) !== text
  }

  /** The text without the number; `own`: text of a record of this number. */
  scrub(text: string, own = false): string {
    return text.replace(own ? this.#national : this.#within, erasedWord)
  }

  /** The same for all texts in a value of JSON; the very value when nothing was in it. */
  scrubValue<T>(value: T, own = false): T {
    return this.#scrubbed(value, own) as T
  }

  #scrubbed(value: unknown, own: boolean): unknown {
    if (typeof value === 'string') return this.scrub(value, own)
    if (typeof value === 'number') return String(value) === this.digits ? erasedWord : value
    if (Array.isArray(value)) {
      const items = value.map((item: unknown) => this.#scrubbed(item, own))
      return items.every((item, at) => item === value[at]) ? value : items
    }
    if (value === null || typeof value !== 'object') return value
    const entries = Object.entries(value)
    const scrubbed = entries.map(([key, item]) => [this.scrub(key, own), this.#scrubbed(item, own)] as const)
    const isSame = scrubbed.every(([key, item], at) => key === entries[at]?.[0] && item === entries[at]?.[1])
    return isSame ? value : Object.fromEntries(scrubbed)
  }
}

/** Without the country code, with or without a trunk 0; null: too short to be told from others. */
function nationalOf(digits: string): string | null {
  const code = digits[0] === '1' || digits[0] === '7' ? 1 : twoDigitCodes.has(digits.slice(0, 2)) ? 2 : 3
  const national = digits.slice(code)
  return national.length < nationalDigitsMin ? null : `0?[(]?${[...national].join(sign)}`
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
