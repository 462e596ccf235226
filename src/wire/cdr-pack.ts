/**
 * JSON values as MessagePack, for senders of many records: written into one growing buffer, strings as Latin-1 bytes,
 * so that a byte that is no UTF-8 on purpose stays as it is. Whole numbers take the shortest form, as every library
 * writes them. Any thread.
 *
 *   {"seq":1,"events":[{}]}  ->  82 | a3 seq | 01 | a6 events | 91 80
 */
import { Buffer } from 'node:buffer'

const bytesAtFirst = 65_536

export class MessagePacker {
  #bytes = Buffer.allocUnsafe(bytesAtFirst)
  #at = 0

  /** A copy of what was written, then empty again. */
  take(): Buffer {
    const copy = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.#at = 0
    return copy
  }

  mapHead(keys: number): void {
    this.#head(keys, 0x80, 15, 0xde)
  }

  arrayHead(items: number): void {
    this.#head(items, 0x90, 15, 0xdc)
  }

  /** @param value what JSON.parse gives */
  value(value: unknown): void {
    if (typeof value === 'string') this.text(value)
    else if (typeof value === 'number') this.number(value)
    else if (value === null || value === undefined) this.#byte(0xc0)
    else if (typeof value === 'boolean') this.#byte(value ? 0xc3 : 0xc2)
    else if (Array.isArray(value)) {
      this.arrayHead(value.length)
      for (const each of value) this.value(each)
    } else {
      const keys = Object.keys(value)
      this.mapHead(keys.length)
      for (const key of keys) {
        this.text(key)
        this.value((value as Record<string, unknown>)[key])
      }
    }
  }

  text(text: string): void {
    const { length } = text
    if (length < 32) this.#byte(0xa0 | length)
    else if (length < 256) this.#sized(0xd9, 1, length)
    else if (length < 65_536) this.#sized(0xda, 2, length)
    else this.#sized(0xdb, 4, length)
    this.#reserve(length)
    const bytes = this.#bytes
    let at = this.#at
    // Short texts are written faster so than by a call out of JavaScript.
    for (let index = 0; index < length; index += 1) bytes[at++] = text.charCodeAt(index)
    this.#at = at
  }

  number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.#reserve(9)
      this.#bytes[this.#at] = 0xcb
      this.#at = this.#bytes.writeDoubleBE(value, this.#at + 1)
    } else if (value >= 0) this.#whole(value)
    else if (value >= -32) this.#byte(value & 0xff)
    else {
      this.#reserve(9)
      this.#bytes[this.#at] = 0xd3
      this.#at = this.#bytes.writeBigInt64BE(BigInt(value), this.#at + 1)
    }
  }

  #whole(value: number): void {
    if (value < 128) this.#byte(value)
    else if (value < 256) this.#sized(0xcc, 1, value)
    else if (value < 65_536) this.#sized(0xcd, 2, value)
    else if (value < 2 ** 32) this.#sized(0xce, 4, value)
    else {
      this.#sized(0xcf, 4, Math.floor(value / 2 ** 32))
      this.#reserve(4)
      this.#at = this.#bytes.writeUInt32BE(value % 2 ** 32, this.#at)
    }
  }

  #head(count: number, small: number, smallMax: number, large: number): void {
    if (count <= smallMax) this.#byte(small | count)
    else if (count < 65_536) this.#sized(large, 2, count)
    else this.#sized(large + 1, 4, count)
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#at++] = value
  }

  #sized(type: number, width: number, value: number): void {
    this.#reserve(1 + width)
    this.#bytes[this.#at] = type
    this.#at = this.#bytes.writeUIntBE(value, this.#at + 1, width)
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + more))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }
}
