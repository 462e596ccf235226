/**
 * Keys of kept audio. Each call has a random key of its own, which lies beside its audio, wrapped (AES-256-GCM, bound
 * to the call) by the master key: a file of 32 bytes as hex, mode 0600, made at first use. Without the master key a
 * copy of the recordings is noise; without the call's own file so is that call, wherever copies of its audio went.
 * Main thread.
 *
 *   dataDir/recordings/CA.../key     12 bytes nonce, 32 bytes key (sealed), 16 bytes tag
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, OperatingError } from '../core/errors.ts'
import { writeWholeFile } from '../core/whole-file.ts'

const nonceBytes = 12
const keyBytes = 32
const tagBytes = 16

export class RecordingKeys {
  readonly #directory: string
  readonly #masterFile: string
  #master: Buffer | null = null
  /** Keys being made: both tracks of a call begin at once and share one. */
  readonly #making = new Map<string, Promise<Buffer>>()

  constructor(directory: string, masterFile: string) {
    this.#directory = directory
    this.#masterFile = masterFile
  }

  /**
   * The master key; made when there is none.
   * @throws OperatingError config_invalid: it cannot be read, is damaged, or others may read it
   */
  master(): Buffer {
    this.#master ??= readMaster(this.#masterFile)
    return this.#master
  }

  folderOf(callSid: string): string {
    return join(this.#directory, callSid)
  }

  /** The call's key, durable before the first byte of audio; made when it has none. */
  async keyFor(callSid: string): Promise<Buffer> {
    const making = this.#making.get(callSid) ?? this.#findOrMake(callSid)
    this.#making.set(callSid, making)
    return await making.finally(() => this.#making.delete(callSid))
  }

  async #findOrMake(callSid: string): Promise<Buffer> {
    const folder = this.folderOf(callSid)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const known = await this.find(callSid)
    if (known !== null) return known
    const key = randomBytes(keyBytes)
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.master(), nonce).setAAD(Buffer.from(callSid))
    const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
    const file = await open(join(folder, 'key'), 'wx', 0o600)
    await written(file, sealed)
    await synced(folder)
    return key
  }

  /** Null: the call has none (any more). @throws OperatingError recording_unreadable: another master, or changed */
  async find(callSid: string): Promise<Buffer | null> {
    let sealed: Buffer
    try {
      sealed = await readFile(join(this.folderOf(callSid), 'key'))
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw thrown
    }
    try {
      const nonce = sealed.subarray(0, nonceBytes)
      const decipher = createDecipheriv('aes-256-gcm', this.master(), nonce, { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(callSid)).setAuthTag(sealed.subarray(-tagBytes))
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()])
    } catch {
      throw new OperatingError('recording_unreadable', 'the key of this call does not open with the master key')
    }
  }

  /** From here on the call's audio is noise, also in copies that lack this file. False: there was no key. */
  async destroy(callSid: string): Promise<boolean> {
    try {
      await unlink(join(this.folderOf(callSid), 'key'))
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw thrown
    }
    await synced(this.folderOf(callSid))
    return true
  }
}

async function written(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function synced(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

function readMaster(path: string): Buffer {
  if (!existsSync(path)) writeWholeFile(path, `${randomBytes(keyBytes).toString('hex')}\n`)
  try {
    if ((statSync(path).mode & 0o077) !== 0) throw new Error('others may read it; chmod 600')
    const master = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')
    if (master.length !== keyBytes) throw new Error('it must be 64 hexadecimal digits')
    return master
  } catch (thrown) {
    throw new OperatingError('config_invalid', `audio.keyFile: ${path}: ${messageOf(thrown)}`)
  }
}
