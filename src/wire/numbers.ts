/**
 * Telephone numbers as switches write them -> E.164 digits without +, and whether they can exist. The only importer
 * of libphonenumber-js. Nothing is dropped: what is no number keeps its digits and `valid: false`, and `Restricted`
 * is a state of its own. Verdicts are remembered per range (all but the last three digits, and the length), because
 * patterns of national plans do not look further and flash-call senders rotate exactly those digits. Any thread; one
 * reader a source.
 */
import { type CountryCode, isSupportedCountry, Metadata, parsePhoneNumberFromString } from 'libphonenumber-js'

export interface NumberPlan {
  /** ISO 3166 country whose national format the switch writes; null: none, bare digits are international. */
  readonly country: string | null
  /** Taken off the front, first match only: tech prefixes, trunk access codes. */
  readonly strip: readonly string[]
  /** Prefixes that mean +. */
  readonly international: readonly string[]
  /**
   * How bare digits are read first; the other reading is tried when the first gives no valid number. Where national
   * numbers begin with a trunk 0 (most of Europe), digits without it are read as international first all the same.
   */
  readonly bare: 'national' | 'international'
  /** Numbers of so many digits or fewer are extensions or short codes. */
  readonly shortDigitsMax: number
  /** Words for a withheld number, lower case. */
  readonly withheld: readonly string[]
}

export interface ReadNumber {
  /** E.164 without +, or the digits as dialled; undefined when there are none. */
  readonly digits: string | undefined
  readonly valid: boolean
  readonly state: 'number' | 'short' | 'withheld' | 'unreadable'
}

export const defaultNumberPlan: NumberPlan = {
  country: null,
  strip: [],
  international: ['00', '011'],
  bare: 'international',
  shortDigitsMax: 6,
  withheld: [
    'anonymous',
    'restricted',
    'private',
    'unknown',
    'unavailable',
    'withheld',
    'blocked',
    'no number',
    'null',
    'none',
    'n/a',
    '<unknown>',
    '+266696687', // ANONYMOUS on a keypad: Twilio's older spelling
    '+7378742833', // RESTRICTED
    '+86282452253', // UNAVAILABLE
    '+464', // ING, of the same kind
  ],
}

/** Ranges whose verdict is remembered, per generation; two generations are kept, so memory is bounded by twice this. */
const rangesMax = 65_536

/** Digits that a number may have in E.164. */
const digitsMax = 15

const withheldNumber: ReadNumber = { digits: undefined, valid: false, state: 'withheld' }

export class NumberReader {
  readonly #plan: NumberPlan
  readonly #country: CountryCode | undefined
  readonly #withheld: ReadonlySet<string>
  readonly #trunkPrefix: string
  #young = new Map<string, string | null>()
  #old = new Map<string, string | null>()

  constructor(plan: NumberPlan) {
    this.#plan = plan
    this.#country = plan.country !== null && isSupportedCountry(plan.country) ? plan.country : undefined
    this.#withheld = new Set(plan.withheld)
    this.#trunkPrefix = this.#country === undefined ? '' : trunkPrefix(this.#country)
  }

  read(raw: string): ReadNumber {
    const user = userPart(raw)
    if (user === '' || this.#withheld.has(user.toLowerCase())) return withheldNumber
    const plus = user.startsWith('+')
    let digits = user.replace(/[\s().\-/\u00a0+]/g, '')
    if (!/^[0-9*#]+$/.test(digits)) return { digits: undefined, valid: false, state: 'unreadable' }
    const stripped = plus ? undefined : this.#plan.strip.find((prefix) => digits.startsWith(prefix))
    if (stripped !== undefined) digits = digits.slice(stripped.length)
    const international = plus ? '' : this.#plan.international.find((prefix) => digits.startsWith(prefix))
    if (international !== undefined && digits.length - international.length > this.#plan.shortDigitsMax) {
      const e164 = digits.slice(international.length)
      return { digits: e164 || undefined, valid: this.#international(e164), state: 'number' }
    }
    if (digits.length <= this.#plan.shortDigitsMax || /[*#]/.test(digits)) {
      return { digits: digits || undefined, valid: false, state: digits === '' ? 'unreadable' : 'short' }
    }
    return this.#bare(digits)
  }

  /** Whether digits, country code first, are a number that can exist. */
  isE164(digits: string): boolean {
    return /^[0-9]+$/.test(digits) && this.#international(digits)
  }

  #bare(digits: string): ReadNumber {
    const national = () => (this.#country === undefined ? null : this.#national(digits))
    const international = () => (this.#international(digits) ? digits : null)
    const nationalFirst = this.#plan.bare === 'national' && digits.startsWith(this.#trunkPrefix)
    const e164 = nationalFirst ? (national() ?? international()) : (international() ?? national())
    return { digits: e164 ?? digits, valid: e164 !== null, state: 'number' }
  }

  #international(digits: string): boolean {
    if (digits.length > digitsMax || digits.startsWith('0')) return false
    return (
      this.#verdict(digits, 'i', () => {
        const parsed = parsePhoneNumberFromString(`+${digits}`)
        return parsed?.isValid() && parsed.number === `+${digits}` ? '' : null
      }) !== null
    )
  }

  /** What goes in front of the digits behind the trunk prefix, so that a range can be remembered. */
  #national(digits: string): string | null {
    const verdict = this.#verdict(digits, 'n', () => {
      const parsed = parsePhoneNumberFromString(digits, this.#country)
      if (!parsed?.isValid()) return null
      const e164 = parsed.number.slice(1)
      // The tail of the dialled digits must be the tail of the number; how much of the front changed is the verdict.
      for (let kept = Math.min(digits.length, e164.length); kept > 3; kept--) {
        if (digits.slice(-kept) === e164.slice(-kept)) return `${digits.length - kept}:${e164.slice(0, -kept)}`
      }
      return null
    })
    if (verdict === null) return null
    const colon = verdict.indexOf(':')
    return verdict.slice(colon + 1) + digits.slice(Number(verdict.slice(0, colon)))
  }

  #verdict(digits: string, kind: 'i' | 'n', decide: () => string | null): string | null {
    const key = `${kind}${digits.length}${digits.length >= 10 ? digits.slice(0, -3) : `=${digits}`}`
    const known = this.#young.get(key) ?? this.#old.get(key)
    if (known !== undefined) return known
    if (this.#young.has(key) || this.#old.has(key)) return null
    const verdict = decide()
    if (this.#young.size >= rangesMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, verdict)
    return verdict
  }
}

/** `0` in Germany; empty where numbers have none or, as in North America, are written without it. */
function trunkPrefix(country: CountryCode): string {
  const metadata = new Metadata()
  metadata.selectNumberingPlan(country)
  // The method is there; only the package's types leave it out.
  const plan = metadata.numberingPlan as { nationalPrefix?: () => string | undefined } | undefined
  const prefix = plan?.nationalPrefix?.() ?? ''
  return prefix === '0' ? prefix : ''
}

/** `"Bob" <+12025550123>`, `sip:+1202…@host;user=phone`, `tel:…;ext=1` -> what was dialled. */
export function userPart(raw: string): string {
  let text = raw.trim()
  const open = text.lastIndexOf('<')
  if (open >= 0 && text.endsWith('>')) {
    const inside = text.slice(open + 1, -1).trim()
    // `<unknown>` is a word of its own.
    if (open > 0 || inside.includes(':') || /\d/.test(inside)) text = inside
  }
  const scheme = /^(sips?|tel):/i.exec(text)
  if (scheme !== null) text = text.slice(scheme[0].length)
  const at = text.indexOf('@')
  if (at >= 0) text = text.slice(0, at)
  const semicolon = text.indexOf(';')
  if (semicolon >= 0) text = text.slice(0, semicolon)
  return text.trim()
}

const plainReader = new NumberReader(defaultNumberPlan)

/** Whether these digits are a number of E.164 that can exist. */
export function isE164(digits: string): boolean {
  return plainReader.isE164(digits)
}

export function isCountry(code: string): boolean {
  return isSupportedCountry(code)
}
