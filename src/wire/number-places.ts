/**
 * Where numbers stand among their neighbours: calls in number order, and the last digits of a range, are signs of
 * fraud. A number in clear says so itself. Of a token only the place is opened, under a key that the fraud worker has
 * in memory, and the number's text is never made of it. Places opened are remembered, bounded. Any thread, one owner.
 */
import { createCipheriv } from 'node:crypto'
import { hiddenDigits, tokenMark } from './number-token.ts'

/** Letters of a token, five bits each. */
export const tokenLetters = 'abcdefghijklmnopqrstuvwxyz234567'

/** Characters of the place in a token: behind the mark and the group. */
export const placeChars = 3
/** A place that is none: the digits held `*` or `#`. */
export const noPlace = 0x7fff
const placesMax = 100_000

/** Makes the 15 bits that go over a place: one block of AES over the token's hash, which no other token has. */
export class PlacePads {
  /** One cipher for all: blocks are independent of one another, and making a cipher costs ten times a block. */
  readonly #cipher: ReturnType<typeof createCipheriv>
  readonly #block = Buffer.alloc(16)

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  }

  /** @param hash the last 12 characters of the token */
  of(shown: string, hash: string): number {
    this.#block.fill(0)
    this.#block.write(hash, 0, 'latin1')
    this.#block.write(shown.slice(-4), 12, 'latin1')
    return this.#cipher.update(this.#block).readUInt16LE(0) & 0x7fff
  }
}

export class NumberPlaces {
  readonly #pads: PlacePads | null
  /** Token -> its last four digits as a number, or -1. Two generations. */
  #young = new Map<string, number>()
  #old = new Map<string, number>()

  /** @param key null: tokens have no place, numbers in clear have */
  constructor(key: Uint8Array | null) {
    this.#pads = key === null ? null : new PlacePads(key)
  }

  /** The number as a number; NaN when it has no place. */
  position(number: string): number {
    const mark = number.indexOf(tokenMark)
    if (mark < 0) return Number(number)
    const tail = this.#tailOf(number, mark)
    return tail < 0 ? Number.NaN : Number(number.slice(0, mark)) * 10 ** hiddenDigits + tail
  }

  /** -1 when there is none. */
  lastDigit(number: string): number {
    const mark = number.indexOf(tokenMark)
    if (mark >= 0) {
      const tail = this.#tailOf(number, mark)
      return tail < 0 ? -1 : tail % 10
    }
    const digit = number.charCodeAt(number.length - 1) - 48
    return digit >= 0 && digit <= 9 ? digit : -1
  }

  #tailOf(token: string, mark: number): number {
    const known = this.#young.get(token) ?? this.#old.get(token)
    if (known !== undefined) return known
    const tail = this.#pads === null ? -1 : opened(this.#pads, token, mark)
    if (this.#young.size >= placesMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(token, tail)
    return tail
  }
}

function opened(pads: PlacePads, token: string, mark: number): number {
  const at = mark + 2
  let sealed = 0
  for (let i = at; i < at + placeChars; i++) sealed = (sealed << 5) | tokenLetters.indexOf(token.charAt(i))
  const place = sealed ^ pads.of(token.slice(0, mark), token.slice(at + placeChars))
  return place < 10 ** hiddenDigits ? place : -1
}
