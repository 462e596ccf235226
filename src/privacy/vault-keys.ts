/**
 * The keys of the number vault, in a file of their own (mode 0600), best on another disk than the data: who has only
 * the data directory's copy or a backup has tokens and ciphertext. The token key makes names and never changes, or
 * every number would get a second name; masters wrap the keys of single numbers and may be changed at will. The newest
 * master wraps, older ones only open. Main thread.
 *
 *   { "version": 1, "tokenKey": "<64 hex>",
 *     "masters": [ { "id": "0a1b2c3d", "key": "<64 hex>", "createdAt": "2026-01-01T00:00:00.000Z" } ] }
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { z } from 'zod'
import { messageOf, OperatingError } from '../core/errors.ts'
import { writeWholeFile } from '../core/whole-file.ts'

const hexKey = z.string().regex(/^[0-9a-f]{64}$/)
const fileShape = z.strictObject({
  version: z.literal(1),
  tokenKey: hexKey,
  masters: z
    .array(z.strictObject({ id: z.string().regex(/^[0-9a-f]{8}$/), key: hexKey, createdAt: z.string() }))
    .min(1),
})
type KeyFile = z.infer<typeof fileShape>

/** Wraps the keys of single numbers: random bytes, so that blocks by themselves tell nothing. */
export class Master {
  readonly id: string
  readonly createdAt: string
  /** One cipher for all: making one costs ten times what it does. */
  readonly #cipher: ReturnType<typeof createCipheriv>
  readonly #decipher: ReturnType<typeof createDecipheriv>

  constructor(id: string, key: KeyObject, createdAt: string) {
    this.id = id
    this.createdAt = createdAt
    this.#cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
    this.#decipher = createDecipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  }

  /** @param key 32 bytes */
  wrap(key: Uint8Array): Buffer {
    return this.#cipher.update(key)
  }

  unwrap(wrapped: Uint8Array): Buffer {
    return this.#decipher.update(wrapped)
  }
}

export class VaultKeys {
  readonly tokenKey: KeyObject
  /** Oldest first; the last one wraps. */
  readonly masters: readonly Master[]
  readonly #byId: ReadonlyMap<string, Master>

  private constructor(file: KeyFile) {
    this.tokenKey = secretOf(file.tokenKey)
    this.masters = file.masters.map(({ id, key, createdAt }) => new Master(id, secretOf(key), createdAt))
    this.#byId = new Map(this.masters.map((master) => [master.id, master]))
  }

  get newest(): Master {
    const master = this.masters.at(-1)
    if (master === undefined) throw new Error('a key file holds a master')
    return master
  }

  master(id: string): Master | undefined {
    return this.#byId.get(id)
  }

  /** @throws OperatingError config_invalid: not there, not readable by us, readable by others, or no key file */
  static read(path: string): VaultKeys {
    return new VaultKeys(readFile(path))
  }

  /** Makes the file when there is none. */
  static readOrMake(path: string, wallMs: number): VaultKeys {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      const file: KeyFile = { version: 1, tokenKey: randomBytes(32).toString('hex'), masters: [freshMaster(wallMs)] }
      write(path, file)
    }
    return VaultKeys.read(path)
  }

  /** Adds a master, which wraps from now on. @returns its id */
  static addMaster(path: string, wallMs: number): string {
    const file = readFile(path)
    const master = freshMaster(wallMs)
    write(path, { ...file, masters: [...file.masters, master] })
    return master.id
  }

  /** Takes all masters but the newest away: what they wrapped, in any copy, is lost for good. @returns how many */
  static dropOldMasters(path: string): number {
    const file = readFile(path)
    write(path, { ...file, masters: file.masters.slice(-1) })
    return file.masters.length - 1
  }
}

function secretOf(hex: string): KeyObject {
  return createSecretKey(Buffer.from(hex, 'hex'))
}

function freshMaster(wallMs: number): KeyFile['masters'][number] {
  const createdAt = new Date(wallMs).toISOString()
  return { id: randomBytes(4).toString('hex'), key: randomBytes(32).toString('hex'), createdAt }
}

function write(path: string, file: KeyFile): void {
  try {
    writeWholeFile(path, `${JSON.stringify(file, null, 2)}\n`)
  } catch (thrown) {
    throw new OperatingError('config_invalid', `privacy.keyFile cannot be written: ${messageOf(thrown)}`)
  }
}

function readFile(path: string): KeyFile {
  let text: string
  try {
    const { mode } = statSync(path)
    if ((mode & 0o077) !== 0) throw new Error(`others may read it; chmod 600 ${path}`)
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    throw new OperatingError('config_invalid', `privacy.keyFile: ${messageOf(thrown)}`)
  }
  try {
    return fileShape.parse(JSON.parse(text))
  } catch {
    // Never the parser's own words: they may quote a key.
    throw new OperatingError('config_invalid', `privacy.keyFile: ${path} is no key file of a number vault`)
  }
}
