/**
 * The number vault: token -> the number, encrypted under a key of its own that the newest master wraps. What `token`
 * gave is on disk when `flush` asked for afterwards resolves; asked for in the same turn as an append to a log, both
 * are one transaction. Forgetting a number takes its key and ciphertext away: the token stays, a name for nobody. Main
 * thread.
 *
 *   value: version u8 | master id 4 | wrapped key 32 | ciphertext n | tag 16
 *
 * The number is sealed by AES-256-GCM with the token as associated data, so that entries cannot be exchanged; the nonce
 * is zero, because its key encrypts once. That key, 32 random bytes, is wrapped by AES-256 block by block: nothing can
 * be told of random bytes from that, and a wrong or damaged key fails at the seal.
 */
import { createCipheriv, createDecipheriv, createHmac, type KeyObject, randomFillSync } from 'node:crypto'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import { isToken, replaceTokens } from '../wire/number-token.ts'
import { TokenMaker } from './token-maker.ts'
import type { VaultKeys } from './vault-keys.ts'

/** What of a number may stand in stored text. */
export interface NumberForms {
  /** In clear (with and without `+`) and as token; the number is E.164 digits, `+` may stand before. */
  forms(e164: string): string[]
}

/** Names for numbers at the doors; in mode `clear` a number is its own name. */
export interface NumberNames extends NumberForms {
  /** The name of a number that will be stored: it can be revealed later. @throws OperatingError spool_full */
  token(number: string): string
  /** The same name; nothing is stored. */
  nameOf(number: string): string
  /** Bytes that hold numbers and lie on disk for a while. */
  seal(bytes: Uint8Array): Uint8Array
  /** What `seal` sealed, in either mode; null: under another key, or damaged. */
  unseal(bytes: Uint8Array): Uint8Array | null
  /** Resolves once every name given so far can be revealed after a crash. @throws OperatingError spool_full */
  flush(): Promise<void>
}

/** Mode `clear`. */
export const clearNumbers: NumberNames = {
  token: (number) => number,
  nameOf: (number) => number,
  seal: (bytes) => bytes,
  unseal: (bytes) => bytes,
  flush: () => Promise.resolve(),
  forms: (e164) => clearForms(e164),
}

function clearForms(e164: string): string[] {
  const digits = e164.replace(/^\+/, '')
  return [digits, `+${digits}`]
}

/** Where entries lie; a KeyTable of the log fits. */
export interface VaultTable {
  get(key: string): Uint8Array | undefined
  has(key: string): boolean
  keys(after: string | null, keysMax: number): string[]
  count(): number
  commit(
    writes: (table: { put(key: string, value: Uint8Array): void; remove(key: string): void }) => void,
  ): Promise<void>
}

export interface NumberVaultOptions {
  readonly table: VaultTable
  readonly keys: VaultKeys
  /** Numbers whose token is remembered in memory. */
  readonly cacheNumbersMax: number
  /** Entries that may wait for the disk; more are refused. */
  readonly unsavedMax?: number
  readonly counters: Pick<Counters, 'vaultNumbersStored' | 'vaultNumbersForgotten' | 'vaultRefused'>
}

const unsavedDefault = 200_000
/** Names the token key, so that another key file is found out before it makes second names. */
const markKey = '!token-key'
const cipherName = 'aes-256-gcm'
const noNonce = Buffer.alloc(12)
const tagBytes = 16
const headBytes = 5
const wrapEnd = headBytes + 32
const version = 1
const sealMark = Buffer.from('vf-sealed-1\0')

export class NumberVault implements NumberNames {
  readonly #options: NumberVaultOptions
  readonly #maker: TokenMaker
  /** What disk does not have yet; null: to be removed. */
  readonly #unsaved = new Map<string, Uint8Array | null>()
  readonly #sealKey: Buffer
  #keys: VaultKeys
  #size: number

  /** @throws OperatingError config_invalid: the entries are of another key file */
  constructor(options: NumberVaultOptions) {
    this.#options = options
    this.#keys = options.keys
    this.#maker = new TokenMaker(options.keys.tokenKey, options.cacheNumbersMax)
    this.#sealKey = createHmac('sha256', options.keys.tokenKey).update('seal').digest()
    const mark = createHmac('sha256', options.keys.tokenKey).update('mark').digest()
    const known = options.table.get(markKey)
    if (known !== undefined && !mark.equals(known)) {
      throw new OperatingError('config_invalid', 'privacy.keyFile: not the key file that the numbers were stored with')
    }
    if (known === undefined) this.#unsaved.set(markKey, mark)
    this.#size = options.table.count() - (known === undefined ? 0 : 1)
  }

  /** For the fraud worker: tells neighbours by their tokens. */
  get placeKey(): Uint8Array {
    return this.#maker.placeKey
  }

  /** Numbers that can be revealed. */
  get size(): number {
    return this.#size
  }

  /** Entries that wait for the disk. */
  get unsaved(): number {
    return this.#unsaved.size
  }

  token(number: string): string {
    const known = this.#maker.known(number)
    if (known !== undefined) return known
    const token = this.#maker.make(number)
    if (token !== number && !this.#holds(token)) this.#store(token, number)
    this.#maker.remember(number, token)
    return token
  }

  nameOf(number: string): string {
    // Not remembered: what is only asked for must not pass for stored.
    return this.#maker.known(number) ?? this.#maker.make(number)
  }

  /** What the tokens of this range of a thousand begin with. */
  rangeName(digits: string): string {
    return this.#maker.rangeName(digits)
  }

  /** The number of a token, or null when it is none, was never stored here, or is forgotten. */
  reveal(token: string): string | null {
    if (!isToken(token)) return null
    const entry = this.#entry(token)
    return entry === null ? null : opened(entry, token, this.#keys)
  }

  /** The text with every token in it that can be revealed in clear. */
  revealIn(text: string): string {
    return replaceTokens(text, (token) => this.reveal(token) ?? token)
  }

  /** Takes the number's key away; durable with the next `flush`. @returns whether there was one */
  forget(e164: string): boolean {
    const digits = e164.replace(/^\+/, '')
    const token = isToken(digits) ? digits : this.#maker.make(digits)
    const clear = this.reveal(token)
    this.#maker.forget(clear ?? digits)
    if (!this.#holds(token)) return false
    this.#unsaved.set(token, null)
    this.#size -= 1
    this.#options.counters.vaultNumbersForgotten += 1
    return true
  }

  forms(e164: string): string[] {
    const digits = e164.replace(/^\+/, '')
    const token = this.#maker.make(digits)
    return token === digits ? clearForms(digits) : [...clearForms(digits), token]
  }

  async flush(): Promise<void> {
    if (this.#unsaved.size === 0) return
    let written: [string, Uint8Array | null][] = []
    await this.#options.table.commit((table) => {
      // Looked at when the transaction begins: what an earlier one could not write goes into this one.
      written = [...this.#unsaved]
      for (const [token, entry] of written) {
        if (entry === null) table.remove(token)
        else table.put(token, entry)
      }
    })
    for (const [token, entry] of written) if (this.#unsaved.get(token) === entry) this.#unsaved.delete(token)
  }

  seal(bytes: Uint8Array): Uint8Array {
    const nonce = random(12)
    const cipher = createCipheriv(cipherName, this.#sealKey, nonce)
    return Buffer.concat([sealMark, nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
  }

  unseal(bytes: Uint8Array): Uint8Array | null {
    if (!sealMark.equals(bytes.subarray(0, sealMark.length))) return bytes
    const at = sealMark.length
    return decrypted(bytes.subarray(at + 12), this.#sealKey, bytes.subarray(at, at + 12), '')
  }

  /** Takes over a changed key file. @throws OperatingError config_invalid: of another vault */
  adopt(keys: VaultKeys): void {
    if (!keys.tokenKey.equals(this.#keys.tokenKey)) {
      throw new OperatingError('config_invalid', 'privacy.keyFile: not the key file that the numbers were stored with')
    }
    this.#keys = keys
    // What waits for the disk is not in the table that `rewrap` goes through.
    for (const [token, entry] of this.#unsaved) {
      if (entry !== null && token !== markKey) this.#wrapAnew(token, entry)
    }
  }

  /**
   * Wraps the keys of the next `entriesMax` numbers behind `after` anew where an old master wraps them.
   * @returns where to go on; null: that was the end
   */
  async rewrap(after: string | null, entriesMax: number): Promise<string | null> {
    const tokens = this.#options.table.keys(after, entriesMax)
    for (const token of tokens) {
      const entry = token === markKey ? null : this.#entry(token)
      if (entry !== null) this.#wrapAnew(token, entry)
    }
    await this.flush()
    return tokens.length < entriesMax ? null : (tokens.at(-1) ?? null)
  }

  #wrapAnew(token: string, entry: Uint8Array): void {
    if (masterOf(entry) === this.#keys.newest.id) return
    const key = unwrapped(entry, this.#keys)
    if (key !== null) this.#unsaved.set(token, Buffer.concat([wrapped(key, this.#keys), entry.subarray(wrapEnd)]))
  }

  #holds(token: string): boolean {
    const unsaved = this.#unsaved.get(token)
    return unsaved === undefined ? this.#options.table.has(token) : unsaved !== null
  }

  #entry(token: string): Uint8Array | null {
    const unsaved = this.#unsaved.get(token)
    return unsaved === undefined ? (this.#options.table.get(token) ?? null) : unsaved
  }

  #store(token: string, number: string): void {
    const { unsavedMax = unsavedDefault } = this.#options
    if (this.#unsaved.size >= unsavedMax) {
      this.#options.counters.vaultRefused += 1
      throw new OperatingError('spool_full', `${unsavedMax} numbers wait to be written to disk`)
    }
    const key = random(32)
    const cipher = createCipheriv(cipherName, key, noNonce).setAAD(Buffer.from(token))
    const text = [cipher.update(number, 'utf8'), cipher.final()]
    this.#unsaved.set(token, Buffer.concat([wrapped(key, this.#keys), ...text, cipher.getAuthTag()]))
    this.#size += 1
    this.#options.counters.vaultNumbersStored += 1
  }
}

/** Id of the master that wraps an entry's key. */
export function masterOf(entry: Uint8Array): string {
  return Buffer.from(entry.subarray(1, headBytes)).toString('hex')
}

/** Keys of the table that are no entries. */
export function isMark(key: string): boolean {
  return key === markKey
}

function wrapped(key: Buffer, keys: VaultKeys): Buffer {
  const { newest } = keys
  const head = Buffer.from([version, ...Buffer.from(newest.id, 'hex')])
  return Buffer.concat([head, newest.wrap(key)])
}

/** The number's own key; null when its master is gone. */
function unwrapped(entry: Uint8Array, keys: VaultKeys): Buffer | null {
  if (entry[0] !== version || entry.length < wrapEnd) return null
  return keys.master(masterOf(entry))?.unwrap(entry.subarray(headBytes, wrapEnd)) ?? null
}

function opened(entry: Uint8Array, token: string, keys: VaultKeys): string | null {
  const key = unwrapped(entry, keys)
  return key === null ? null : (decrypted(entry.subarray(wrapEnd), key, noNonce, token)?.toString('utf8') ?? null)
}

function decrypted(sealed: Uint8Array, key: KeyObject | Buffer, nonce: Uint8Array, token: string): Buffer | null {
  if (sealed.length < tagBytes) return null
  const decipher = createDecipheriv(cipherName, key, nonce).setAAD(Buffer.from(token))
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()])
  } catch {
    return null
  }
}

/** Random bytes, many numbers' worth at a time. */
const pool = Buffer.alloc(4096)
let poolAt = pool.length

function random(bytes: number): Buffer {
  if (poolAt + bytes > pool.length) {
    randomFillSync(pool)
    poolAt = 0
  }
  poolAt += bytes
  const out = Buffer.from(pool.subarray(poolAt - bytes, poolAt))
  pool.fill(0, poolAt - bytes, poolAt)
  return out
}
