/**
 * Which numbers were to be forgotten, without saying them: keyed hashes, appended and flushed before an erasure begins,
 * so that a restore of an older backup forgets them again. With it the report of each erasure. Lives beside the spool,
 * outside of what a restore replaces. Main thread.
 *
 *   dataDir/erasures/key            32 bytes as hex
 *   dataDir/erasures/ledger.ndjson  {"id":"er_0a1b...","at":"2026-01-01T00:00:00.000Z","hash":"<64 hex>","names":[]}
 *   dataDir/erasures/er_0a1b....json
 */
import { createHmac, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import { writeWholeFile } from '../core/whole-file.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
/** `names`: of what else stood for the number. */
const entryShape = z.object({ id: z.string(), at: z.iso.datetime(), hash, names: z.array(hash).default([]) })

export type LedgerEntry = z.infer<typeof entryShape>

export const erasureId = /^er_[0-9a-f]{16}$/

export class ErasureLedger {
  readonly directory: string
  #key: string
  readonly #entries: LedgerEntry[]
  readonly #hashes: Set<string>

  /** @throws OperatingError config_invalid: there are entries and no key, or lines that are none */
  constructor(directory: string) {
    this.directory = directory
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (existsSync(this.#file)) mendTail(this.#file)
    this.#entries = existsSync(this.#file) ? readEntries(readFileSync(this.#file, 'utf8'), this.#file) : []
    this.#hashes = new Set(this.#entries.flatMap((entry) => [entry.hash, ...entry.names]))
    const key = `${directory}/key`
    if (!existsSync(key)) {
      if (this.#entries.length > 0) {
        throw new OperatingError(
          'config_invalid',
          `${key} is missing: without it the erasures beside it cannot be kept`,
        )
      }
      writeWholeFile(key, `${randomBytes(32).toString('hex')}\n`)
    }
    this.#key = readFileSync(key, 'utf8').trim()
  }

  get size(): number {
    return this.#entries.length
  }

  hashOf(digits: string): string {
    return createHmac('sha256', this.#key).update(digits).digest('hex')
  }

  /** The number, or what stands for it, was to be forgotten at some time. */
  has(digits: string): boolean {
    return this.#hashes.size > 0 && this.#hashes.has(this.hashOf(digits))
  }

  /** On disk when it returns. */
  add(digits: string, forms: readonly string[], wallMs: number): LedgerEntry {
    const id = `er_${randomBytes(8).toString('hex')}`
    const names = forms.filter((form) => !/^\+?\d+$/.test(form)).map((form) => this.hashOf(form))
    const entry = { id, at: new Date(wallMs).toISOString(), hash: this.hashOf(digits), names }
    this.#append([entry])
    return entry
  }

  /** Takes in what another copy of this ledger knows. @returns how many were new */
  merge(directory: string): number {
    const [key, file] = [`${directory}/key`, `${directory}/ledger.ndjson`]
    if (!existsSync(file)) return 0
    const others = readEntries(readFileSync(file, 'utf8'), file)
    const theirs = readFileSync(key, 'utf8').trim()
    if (this.#entries.length === 0 && theirs !== this.#key) {
      writeWholeFile(`${this.directory}/key`, `${theirs}\n`)
      this.#key = theirs
    }
    if (others.length > 0 && theirs !== this.#key) {
      throw new OperatingError(
        'config_invalid',
        `${key} is not the key of ${this.directory}: two ledgers cannot be one`,
      )
    }
    const known = new Set(this.#entries.map(({ id }) => id))
    const fresh = others.filter(({ id }) => !known.has(id))
    if (fresh.length > 0) this.#append(fresh)
    return fresh.length
  }

  writeReport(id: string, report: object): void {
    writeWholeFile(`${this.directory}/${id}.json`, `${JSON.stringify(report, null, 2)}\n`)
  }

  /** As it was written; null: there is none of that id. */
  report(id: string): unknown {
    const file = `${this.directory}/${id}.json`
    if (!erasureId.test(id) || !existsSync(file)) return null
    return JSON.parse(readFileSync(file, 'utf8'))
  }

  get #file(): string {
    return `${this.directory}/ledger.ndjson`
  }

  /** All of them or none. @throws Error of the disk */
  #append(entries: readonly LedgerEntry[]): void {
    const file = openSync(this.#file, 'a', 0o600)
    const { size } = fstatSync(file)
    try {
      writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      fsyncSync(file)
    } catch (thrown) {
      ftruncateSync(file, size)
      throw thrown
    } finally {
      closeSync(file)
    }
    this.#entries.push(...entries)
    for (const { hash: number, names } of entries) for (const each of [number, ...names]) this.#hashes.add(each)
  }
}

/** Ends the last line where a crash left it without an end: what comes next must not run into it. */
function mendTail(file: string): void {
  const text = readFileSync(file, 'utf8')
  const begin = text.lastIndexOf('\n') + 1
  if (begin === text.length) return
  if (entryOf(text.slice(begin)) !== null) writeFileSync(file, '\n', { flag: 'a' })
  else truncateSync(file, Buffer.byteLength(text.slice(0, begin)))
}

function readEntries(text: string, file: string): LedgerEntry[] {
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  const entries = lines.flatMap((line, at) => {
    const entry = line === '' ? [] : entryOf(line)
    if (entry !== null) return entry
    throw new OperatingError(
      'config_invalid',
      `${file}: line ${at + 1} is no erasure; put the file back as it was, or take that line out`,
    )
  })
  // A line that a crash cut off was never acted upon: the erasure begins when it is on disk.
  return [...entries, ...[entryOf(last)].filter((entry) => entry !== null)]
}

function entryOf(line: string): LedgerEntry | null {
  try {
    return entryShape.parse(JSON.parse(line))
  } catch {
    return null
  }
}
