/**
 * A backup as a directory: rows of each table as gzipped JSON lines, the durable log as LMDB copied it, files of the
 * data directory, and the manifest, which is written last: without one a backup was cut off. The manifest has the
 * SHA-256 of every file and the rows of every table. Main thread; gzip runs on Node's own.
 *
 *   DIR/tables/cdrs.ndjson.gz   DIR/log/data.mdb   DIR/files/erasures/ledger.ndjson   DIR/manifest.json
 */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import { writeWholeFile } from '../core/whole-file.ts'

const fileShape = z.strictObject({
  path: z
    .string()
    .regex(/^(tables|log|files)\/[\w./-]+$/)
    .refine((path) => !path.split('/').includes('..')),
  bytes: z.number().int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

const manifestShape = z.strictObject({
  format: z.literal(1),
  voicefw: z.string(),
  schemaVersion: z.number().int().min(1),
  takenAt: z.iso.datetime(),
  store: z.enum(['embedded', 'server']),
  /** Name of the durable log. */
  logId: z.string(),
  erasures: z.number().int().min(0),
  tables: z.array(
    z.strictObject({
      table: z.string().regex(/^\w+$/),
      rows: z.number().int().min(0),
      /** When rows of one key are one. */
      merged: z.number().int().min(0),
      columns: z.array(z.string().min(1)),
      path: fileShape.shape.path,
    }),
  ),
  files: z.array(fileShape),
})

export type BackupFile = z.infer<typeof fileShape>
export type Manifest = z.infer<typeof manifestShape>

const manifestName = 'manifest.json'
/** Fast; numbers and ids do not get much smaller by more. */
const gzipLevel = 1
const newline = 10
/** Of one insert; one block of ClickHouse's. */
const chunkBytes = 2_097_152
const readBytes = 1_048_576

/** @throws OperatingError conflict: the directory holds something */
export function checkEmpty(directory: string, but: readonly string[] = []): void {
  const found = existsSync(directory) ? readdirSync(directory).filter((name) => !but.includes(name)) : []
  if (found.length > 0) {
    throw new OperatingError('conflict', `${directory} is not empty (${found[0]} ...); name a new directory`)
  }
}

export function writeManifest(directory: string, manifest: Manifest): void {
  writeWholeFile(`${directory}/${manifestName}`, `${JSON.stringify(manifest, null, 2)}\n`)
}

/** @throws OperatingError bad_request: there is none, or not one that we can read */
export function readManifest(directory: string): Manifest {
  const file = `${directory}/${manifestName}`
  if (!existsSync(file)) {
    const what = existsSync(directory)
      ? 'the backup was cut off before it was complete, or it is none'
      : 'no such directory'
    throw new OperatingError('bad_request', `${file} is missing: ${what}`)
  }
  const parsed = manifestShape.safeParse(jsonIn(file))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const why = `${issue?.path.join('.')} ${issue?.message}`.trim()
  throw new OperatingError('bad_request', `${file} is no manifest of ours (${why}); take another backup`)
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

/** Lines of a table into a gzipped file. */
export class LineFile {
  readonly #path: string
  readonly #gzip = createGzip({ level: gzipLevel })
  readonly #written: Promise<void>

  constructor(path: string) {
    this.#path = path
    const file = createWriteStream(path, { mode: 0o600, flags: 'wx' })
    this.#written = new Promise((done, failed) => {
      file.once('finish', done)
      file.once('error', failed)
      this.#gzip.once('error', failed)
    })
    // Told by `close`.
    this.#written.catch(() => {})
    this.#gzip.pipe(file)
  }

  async write(lines: Uint8Array): Promise<void> {
    if (!this.#gzip.write(lines)) await Promise.race([once(this.#gzip, 'drain'), this.#written])
  }

  /** On disk when it resolves. */
  async close(): Promise<void> {
    this.#gzip.end()
    await this.#written
    const handle = await open(this.#path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

/** Whole lines of such a file, in chunks for an insert. */
export async function* chunksOf(path: string): AsyncIterable<Buffer> {
  let [parts, bytes]: [Buffer[], number] = [[], 0]
  for await (const part of createReadStream(path).pipe(createGunzip())) {
    parts.push(part as Buffer)
    bytes += (part as Buffer).length
    if (bytes < chunkBytes) continue
    const all = Buffer.concat(parts)
    const end = all.lastIndexOf(newline) + 1
    if (end > 0) yield all.subarray(0, end)
    parts = [all.subarray(end)]
    bytes = all.length - end
  }
  if (bytes > 0) yield Buffer.concat(parts)
}

export async function describeFile(directory: string, path: string): Promise<BackupFile> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(`${directory}/${path}`, { highWaterMark: readBytes })) {
    hash.update(chunk as Buffer)
  }
  return { path, bytes: statSync(`${directory}/${path}`).size, sha256: hash.digest('hex') }
}

/** @returns what is wrong with the files, by their paths; empty: they are what the manifest says */
export async function damagedFiles(directory: string, manifest: Manifest): Promise<string[]> {
  const problems: string[] = []
  for (const expected of manifest.files) {
    if (!existsSync(`${directory}/${expected.path}`)) {
      problems.push(`${expected.path} is missing`)
      continue
    }
    const found = await describeFile(directory, expected.path)
    if (found.bytes !== expected.bytes) {
      problems.push(`${expected.path} has ${found.bytes} bytes instead of ${expected.bytes}`)
    } else if (found.sha256 !== expected.sha256) problems.push(`${expected.path} is not what was written`)
  }
  return problems
}
