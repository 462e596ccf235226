/**
 * Numbers -> tokens: a keyed hash, so that the same number has the same name everywhere and who has no key can neither
 * make nor undo one. What is a number that a person can be found by: every text of 8 digits or more, and shorter ones
 * of 6 or 7 that are a subscriber's number in E.164 (small countries); other short ones are extensions and short codes
 * and stay as they are. A token shows all but the last 4 digits; where a whole number stands in front of digits dialled
 * behind it, of that number; and of what is no number at all (16 digits and more, `*`, `#`) at most 7. Remembers what
 * it made, bounded. Main thread.
 */
import { createHmac, type KeyObject } from 'node:crypto'
import { noPlace, PlacePads, placeChars, tokenLetters } from '../wire/number-places.ts'
import { hiddenDigits, isToken, tokenMark } from '../wire/number-token.ts'
import { isE164 } from '../wire/numbers.ts'

const hiddenLengthMin = 8
const subscriberLengthMin = 6
const shownUnknownMax = 7
/** Digits that a number may have in E.164. */
const digitsMax = 15
const groupsMax = 65_536

const hashChars = 12
const groupDigits = '0123456789*#'

export class TokenMaker {
  /** Opens the places of tokens, nothing else. */
  readonly placeKey: Uint8Array
  readonly #pads: PlacePads
  readonly #key: KeyObject
  readonly #namesMax: number
  /** Two generations: what is asked for again outlives the turn, what is not leaves with the old one. */
  #young = new Map<string, string>()
  #old = new Map<string, string>()
  #groups = new Map<string, string>()

  /** @param namesMax numbers remembered */
  constructor(key: KeyObject, namesMax: number) {
    this.#key = key
    this.placeKey = new Uint8Array(createHmac('sha256', key).update('place').digest())
    this.#pads = new PlacePads(this.placeKey)
    this.#namesMax = Math.max(1, namesMax >> 1)
  }

  /** The token if it was made a while ago. */
  known(number: string): string | undefined {
    const young = this.#young.get(number)
    if (young !== undefined) return young
    const old = this.#old.get(number)
    if (old !== undefined) this.remember(number, old)
    return old
  }

  remember(number: string, token: string): void {
    if (this.#young.size >= this.#namesMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(number, token)
  }

  forget(number: string): void {
    this.#young.delete(number)
    this.#old.delete(number)
  }

  /** @param number digits, perhaps with `*` and `#`; the same text when there is nothing to hide */
  make(number: string): string {
    if (number.length < subscriberLengthMin || isToken(number)) return number
    const valid = isE164(number)
    if (number.length < hiddenLengthMin && !valid) return number
    const shown = number.slice(0, valid ? number.length - hiddenDigits : shownOfOther(number))
    const bytes = createHmac('sha256', this.#key).update(`number:${number}`).digest()
    const hash = letters(bytes)
    const tail = number.slice(-hiddenDigits)
    const place = (/^\d+$/.test(tail) ? Number(tail) : noPlace) ^ this.#pads.of(shown, hash)
    const group = this.#group(shown, number.charAt(shown.length))
    return shown + tokenMark + group + placeLetters(place) + hash
  }

  /** What the token of every number in this range of a thousand (its digits but the last 3) begins with. */
  rangeName(digits: string): string {
    const shown = digits.slice(0, -1)
    return shown + tokenMark + this.#group(shown, digits.slice(-1))
  }

  #group(shown: string, digit: string): string {
    let order = this.#groups.get(shown)
    if (order === undefined) {
      if (this.#groups.size >= groupsMax) this.#groups.clear()
      order = shuffled(createHmac('sha256', this.#key).update(`group:${shown}`).digest())
      this.#groups.set(shown, order)
    }
    return order.charAt(groupDigits.indexOf(digit))
  }
}

/** How many characters of what is no number of E.164 may be shown. */
function shownOfOther(number: string): number {
  if (number.length > digitsMax || !/^\d+$/.test(number)) return Math.min(number.length - hiddenDigits, shownUnknownMax)
  for (let length = subscriberLengthMin; length < number.length; length += 1) {
    if (isE164(number.slice(0, length))) return length - hiddenDigits
  }
  return number.length - hiddenDigits
}

function placeLetters(place: number): string {
  let out = ''
  for (let at = placeChars - 1; at >= 0; at -= 1) out += tokenLetters[(place >> (at * 5)) & 31]
  return out
}

/** 12 characters, 60 bits: no two numbers that show the same digits have the same. */
function letters(bytes: Buffer): string {
  let out = ''
  let bits = 0
  let held = 0
  for (let at = 0; out.length < hashChars; ) {
    if (held < 5) {
      bits = ((bits << 8) | bytes[at]!) & 0xfff
      at += 1
      held += 8
    }
    held -= 5
    out += tokenLetters[(bits >> held) & 31]
  }
  return out
}

/** A letter for each of 0-9, * and #: the first ten stand for digits, in an order that the bytes decide. */
function shuffled(bytes: Buffer): string {
  const order = [...'abcdefghij']
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = bytes.readUInt16LE(at * 2) % (at + 1)
    const letter = order[at]!
    order[at] = order[other]!
    order[other] = letter
  }
  return `${order.join('')}kl`
}
