/**
 * API keys: `vf_<id>_<secret>`. The secret is 32 random bytes and is shown once; what is stored is HMAC-SHA-256 of it
 * under a pepper that lies in its own file, so a copy of keys.json alone opens nothing (32 random bytes need no slow
 * hash). Every change replaces the whole file atomically under a lock file, so the command line may work beside a
 * running server, which notices within a second. Unreadable key files fail closed: no key is valid until they are
 * mended. When a key was used last is kept in a file of its own, a minute behind. Main thread.
 *
 *   dataDir/keys.json    { "version": 1, "keys": [ { "id": "0a1b2c3d4e5f", "name": "ci", "role": "viewer",
 *                          "scopes": [], "hash": "<64 hex>", "createdAt": "2026-01-01T00:00:00.000Z",
 *                          "expiresAt": null, "revokedAt": null } ] }
 *   dataDir/keys.used.json  { "0a1b2c3d4e5f": "2026-01-01T00:00:00.000Z" }
 *   dataDir/keys.pepper  32 bytes as hex
 *   dataDir/admin.key    the first key in clear, only when we made it ourselves
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { withFileLock } from '../core/file-lock.ts'
import { stampOf, writeWholeFile } from '../core/whole-file.ts'
import { type Role, roles, type Scope, scopes } from './roles.ts'

const keyRecord = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string().min(1).max(100),
  role: z.enum(roles),
  scopes: z.array(z.enum(scopes)).default([]),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.string(),
  expiresAt: z.iso.datetime().nullable().default(null),
  revokedAt: z.string().nullable(),
})
const keyFile = z.strictObject({ version: z.literal(1), keys: z.array(keyRecord) })

const usedFile = z.record(z.string(), z.string())

type KeyRecord = z.infer<typeof keyRecord>

/** A key without its hash, for lists. */
export interface KeyFacts extends Omit<KeyRecord, 'hash'> {
  /** What a key of this id begins with, to find it in a configuration by. */
  readonly prefix: string
  /** As a running server wrote it down last; null: never. */
  readonly lastUsedAt: string | null
}

export interface KeyBounds {
  readonly scopes?: readonly Scope[]
  /** ISO 8601. */
  readonly expiresAt?: string | null
}

export interface ApiKeysOptions {
  readonly dataDir: string
  readonly clock: Clock
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Buffer
}

/** Keys at a time, revoked ones included; more are refused. */
const keysMax = 10_000
/** How often a running server looks whether the file changed. */
const keysStatMs = 1000
/** How often the times of last use go to disk. */
const usedWriteMs = 60_000

const keyPrefix = 'vf_'
const keyPattern = /^vf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/
/** Compared when an id is unknown, so that both cases do the same work on the same kinds of things. */
const nobody: Known = { record: undefined, hash: Buffer.alloc(32) }

interface Known {
  readonly record: KeyRecord | undefined
  /** SHA-256. */
  readonly hash: Buffer
}

export class ApiKeys {
  readonly #path: string
  readonly #clock: Clock
  readonly #random: (bytes: number) => Buffer
  readonly #dataDir: string
  #pepper: Buffer | undefined
  #records = new Map<string, Known>()
  #fingerprint = 'never read'
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #problem: string | undefined
  readonly #usedPath: string
  /** By id, wall ms; what was used since the last write. */
  readonly #used = new Map<string, number>()
  #usedWrittenMs = Number.NEGATIVE_INFINITY

  constructor(options: ApiKeysOptions) {
    this.#dataDir = options.dataDir
    this.#path = join(options.dataDir, 'keys.json')
    this.#usedPath = join(options.dataDir, 'keys.used.json')
    this.#clock = options.clock
    this.#random = options.random
  }

  /** Makes a key. The returned text is the only copy of its secret. */
  create(role: Role, name: string, bounds: KeyBounds = {}): { id: string; key: string } {
    const { scopes: held = [], expiresAt = null } = bounds
    if (expiresAt !== null && Date.parse(expiresAt) <= this.#clock.wallMs()) {
      throw new OperatingError('bad_request', 'expiresAt: must lie in the future')
    }
    const id = this.#random(6).toString('hex')
    const secret = this.#random(32).toString('base64url')
    this.#change((records) => {
      if (records.length >= keysMax) throw new OperatingError('capacity_full', `there are ${keysMax} keys already`)
      const createdAt = this.#now()
      const hash = this.#digest(secret).toString('hex')
      const record = { id, name, role, scopes: held, hash, createdAt, expiresAt, revokedAt: null }
      records.push(keyRecord.parse(record))
    })
    return { id, key: `${keyPrefix}${id}_${secret}` }
  }

  /** Newest last; revoked ones included. */
  list(): KeyFacts[] {
    this.#refresh(true)
    if (this.#problem !== undefined) throw new OperatingError('config_invalid', this.#problem)
    const used = readUsed(this.#usedPath)
    for (const [id, ms] of this.#used) used[id] = new Date(ms).toISOString()
    const records = [...this.#records.values()].flatMap(({ record }) => record ?? [])
    return records.map(({ hash: _, ...facts }) => ({
      ...facts,
      prefix: `${keyPrefix}${facts.id}`,
      lastUsedAt: used[facts.id] ?? null,
    }))
  }

  /** False when there is no such key. Revoking twice keeps the first time. */
  revoke(id: string): boolean {
    let known = false
    this.#change((records) => {
      const record = records.find((candidate) => candidate.id === id)
      known = record !== undefined
      if (record && record.revokedAt === null) record.revokedAt = this.#now()
    })
    return known
  }

  /** Whose key it is, or undefined. The same work is done for unknown ids and wrong secrets. */
  verify(key: string): Omit<KeyRecord, 'hash'> | undefined {
    this.#refresh(false)
    // A key made beside this server a moment ago is good at once. Unknown ids and known ones look alike.
    return this.#matching(key) ?? (this.#refresh(true) ? this.#matching(key) : undefined)
  }

  #matching(key: string): KeyRecord | undefined {
    const match = keyPattern.exec(key)
    const { record, hash } = this.#records.get(match?.[1] ?? '') ?? nobody
    const equal = timingSafeEqual(this.#digest(match?.[2] ?? ''), hash)
    if (!equal || record === undefined || !this.#isValid(record)) return undefined
    this.#used.set(record.id, this.#clock.wallMs())
    if (this.#clock.steadyMs() - this.#usedWrittenMs >= usedWriteMs) this.writeUsed()
    return record
  }

  /** Whether a key that was verified before still stands (not revoked or expired since). */
  stands(id: string): boolean {
    this.#refresh(false)
    const record = this.#records.get(id)?.record
    return record !== undefined && this.#isValid(record)
  }

  /** Puts the times of last use on disk; also at the end. A disk that refuses costs the times only. */
  writeUsed(): void {
    this.#usedWrittenMs = this.#clock.steadyMs()
    if (this.#used.size === 0) return
    const used = readUsed(this.#usedPath)
    for (const [id, ms] of this.#used) used[id] = new Date(ms).toISOString()
    try {
      writeWholeFile(this.#usedPath, `${JSON.stringify(used)}\n`)
      this.#used.clear()
    } catch {
      // Tried again in a minute.
    }
  }

  #isValid(record: KeyRecord): boolean {
    const { revokedAt, expiresAt } = record
    return revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > this.#clock.wallMs())
  }

  /** Whether any key was ever made: "authentication is configured". */
  any(): boolean {
    return this.list().length > 0
  }

  /** Why no key can be checked at the moment, or undefined. */
  problem(): string | undefined {
    this.#refresh(false)
    return this.#problem
  }

  /** On first start: an admin key, also written to admin.key. Undefined when keys exist. */
  ensureFirstKey(): string | undefined {
    if (this.any()) return undefined
    const { key } = this.create('admin', 'first start')
    writeWholeFile(join(this.#dataDir, 'admin.key'), `${key}\n`)
    return key
  }

  #now(): string {
    return new Date(this.#clock.wallMs()).toISOString()
  }

  #digest(secret: string): Buffer {
    this.#pepper ??= readOrMakePepper(this.#dataDir, this.#random)
    return createHmac('sha256', this.#pepper).update(secret).digest()
  }

  /** Reads the file again when it changed; looks at most once in keysStatMs unless `now`. @returns whether it did */
  #refresh(now: boolean): boolean {
    const steadyMs = this.#clock.steadyMs()
    if (!now && steadyMs - this.#lookedAtMs < keysStatMs) return false
    this.#lookedAtMs = steadyMs
    const fingerprint = stampOf(this.#path)
    if (fingerprint === this.#fingerprint) return false
    this.#fingerprint = fingerprint
    try {
      this.#records = new Map(
        readRecords(this.#path).map((record) => [record.id, { record, hash: Buffer.from(record.hash, 'hex') }]),
      )
      this.#problem = undefined
    } catch (thrown) {
      this.#records = new Map()
      this.#problem = messageOf(thrown)
    }
    return true
  }

  #change(edit: (records: KeyRecord[]) => void): void {
    mkdirSync(this.#dataDir, { recursive: true, mode: 0o700 })
    withFileLock(this.#path, 'the keys', this.#clock, () => {
      const records = readRecords(this.#path)
      edit(records)
      writeWholeFile(this.#path, `${JSON.stringify({ version: 1, keys: records }, null, 2)}\n`)
    })
    this.#refresh(true)
  }
}

function readRecords(path: string): KeyRecord[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new OperatingError('config_invalid', `keys.json cannot be read: ${messageOf(thrown)}`)
  }
  try {
    return keyFile.parse(JSON.parse(text)).keys
  } catch {
    throw new OperatingError('config_invalid', 'keys.json is damaged; restore it, or remove it and make new keys')
  }
}

/** Times of last use by key id; what cannot be read is begun anew. */
function readUsed(path: string): Record<string, string> {
  try {
    return usedFile.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return {}
  }
}

/** The first process to link its draft wins; everybody reads what won. */
function readOrMakePepper(dataDir: string, random: (bytes: number) => Buffer): Buffer {
  const path = join(dataDir, 'keys.pepper')
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const draft = `${path}.${random(6).toString('hex')}`
    writeWholeFile(draft, `${random(32).toString('hex')}\n`)
    try {
      linkSync(draft, path)
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
    } finally {
      rmSync(draft, { force: true })
    }
  }
  const pepper = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')
  if (pepper.length !== 32) throw new OperatingError('config_invalid', 'keys.pepper must be 64 hexadecimal digits')
  return pepper
}
