/**
 * `voicefw map FILE --source NAME [--json]`: runs a switch's file through its source mapping and prints canonical
 * CDRs as NDJSON on stdout; rejected records as JSON lines on stderr, and a last stderr line with counts. The way to
 * find out whether a mapping is right before a switch is pointed at the server. Streams: memory does not grow with
 * the file, gzip is taken as it is, `-` reads stdin. Main thread of the command.
 */
import { createReadStream, statSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { messageOf, OperatingError } from '../core/errors.ts'
import { loadSource } from '../ingest/cdr-sources.ts'
import { type CdrFormat, cdrFormats, createRecordDecoder, isGzip, sniffBytes, sniffFormat } from '../wire/cdr-decode.ts'
import type { RecordDecoder } from '../wire/cdr-raw.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import { type CdrSink, CdrSource, type Rejection } from '../wire/cdr-source.ts'
import type { ExitCode } from './terminal.ts'

export interface MapOptions {
  /** A path, or `-` for stdin. */
  readonly file: string
  /** A source's name, or the path of a mapping file. */
  readonly source: string
  /** Directories with the user's own mappings, looked through before the shipped ones. */
  readonly sourceDirectories?: readonly string[]
  /** Overrides what the first bytes tell. */
  readonly format?: string
  /** Counts as one JSON object instead of words. */
  readonly json: boolean
  readonly input?: Readable
  readonly stdout?: Writable
  readonly stderr?: Writable
}

/** Bytes that are read, mapped and written at a time. */
const chunkBytes = 256 * 1024

interface Tally {
  records: number
  rejected: number
  attempts: number
  answered: number
  readonly codes: Record<string, number>
  readonly skipped: Record<string, number>
  readonly flags: Record<string, number>
}

/**
 * @returns the exit code: 0 when at least one record mapped or the file was empty, 1 when none did or it cannot be
 * read.
 */
export async function runMap(options: MapOptions): Promise<ExitCode> {
  const stdout = options.stdout ?? process.stdout
  const stderr = options.stderr ?? process.stderr
  const tally: Tally = { records: 0, rejected: 0, attempts: 0, answered: 0, codes: {}, skipped: {}, flags: {} }
  const lines = new LineWriter(stdout)
  const problems = new LineWriter(stderr)
  try {
    const { name, mapping } = loadSource(options.source, options.sourceDirectories)
    const source = new CdrSource(name, mapping, tallySink(tally, lines, problems))
    const format = chosenFormat(options.format)
    const progress = progressFor(options, stderr, tally)
    await pump(options, source, format, async (bytes) => {
      progress(bytes)
      await lines.drain()
      await problems.drain()
      return !lines.gone
    })
    source.end()
    problems.write(summary(tally, source, options.json))
    await lines.finish()
    await problems.finish()
  } catch (thrown) {
    problems.write(messageOf(thrown))
    await lines.finish()
    await problems.finish()
    return thrown instanceof OperatingError && thrown.domain !== 'dependency' ? 2 : 1
  }
  return tally.records === 0 && tally.rejected > 0 ? 1 : 0
}

function tallySink(tally: Tally, lines: LineWriter, problems: LineWriter): CdrSink {
  return {
    cdr(record: CdrRecord) {
      tally.records++
      if (record.isAttempt) tally.attempts++
      if (record.answerUs !== null) tally.answered++
      for (const flag of record.flags ?? []) count(tally.flags, flag)
      lines.write(JSON.stringify(record))
    },
    rejected({ line, code, detail }: Rejection) {
      tally.rejected++
      count(tally.codes, code)
      problems.write(JSON.stringify({ line, code, detail }))
    },
    skipped(reason) {
      count(tally.skipped, reason)
    },
  }
}

export function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}

export function chosenFormat(name: string | undefined): CdrFormat | null {
  if (name === undefined) return null
  const format = cdrFormats.find((known) => known === name)
  if (format === undefined) throw new OperatingError('bad_request', `--format: one of ${cdrFormats.join(', ')}`)
  return format
}

/** Reads, unzips, decodes and maps; `afterChunk` is told the compressed bytes so far, and says whether to go on. */
export async function pump(
  options: Pick<MapOptions, 'file' | 'input'>,
  source: CdrSource,
  format: CdrFormat | null,
  afterChunk: (bytes: number) => Promise<boolean>,
): Promise<void> {
  const raw = options.input ?? openInput(options.file)
  let readBytes = 0
  let decoder: RecordDecoder | null = null
  let head: Buffer[] = []
  let headBytes = 0
  const start = (): RecordDecoder => {
    const bytes = Buffer.concat(head)
    head = []
    const made = createRecordDecoder(format ?? sniffFormat(bytes, source.decodeOptions.formats), source.decodeOptions)
    made.push(bytes, source)
    return made
  }
  for await (const chunk of await inflated(raw, (bytes) => (readBytes += bytes))) {
    if (decoder !== null) decoder.push(chunk, source)
    else {
      head.push(chunk)
      headBytes += chunk.length
      if (headBytes >= sniffBytes) decoder = start()
    }
    if (!(await afterChunk(readBytes))) return
  }
  decoder ??= start()
  decoder.end(source)
}

function openInput(file: string): Readable {
  if (file === '-') return process.stdin
  try {
    if (!statSync(file).isFile()) throw new OperatingError('bad_request', `${file} is not a file`)
  } catch (thrown) {
    throw thrown instanceof OperatingError ? thrown : new OperatingError('not_found', messageOf(thrown))
  }
  return createReadStream(file, { highWaterMark: chunkBytes })
}

/** The bytes of the input, unzipped when they begin like gzip. */
async function inflated(input: Readable, onRead: (bytes: number) => void): Promise<AsyncIterable<Buffer>> {
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const first = await chunks.next()
  async function* all(): AsyncGenerator<Buffer> {
    for (let next = first; next.done !== true; next = await chunks.next()) {
      const chunk = Buffer.from(next.value)
      onRead(chunk.length)
      yield chunk
    }
  }
  if (first.done === true || !isGzip(Buffer.from(first.value))) return all()
  const gunzip = createGunzip()
  feed(all(), gunzip).catch((thrown: unknown) =>
    gunzip.destroy(thrown instanceof Error ? thrown : new Error(String(thrown))),
  )
  return gunzip
}

async function feed(chunks: AsyncIterable<Buffer>, target: Writable): Promise<void> {
  for await (const chunk of chunks) {
    if (!target.write(chunk)) await new Promise((resolve) => target.once('drain', resolve))
  }
  target.end()
}

/** Gathers lines and writes them chunk by chunk, at the pace of whoever reads; `| head` ends it without an error. */
class LineWriter {
  readonly #target: Writable
  #lines: string[] = []
  #onGone: (() => void) | null = null
  /** The reader has gone: nothing more need be done. */
  gone = false

  constructor(target: Writable) {
    this.#target = target
    target.on('error', () => {
      this.gone = true
      this.#onGone?.()
    })
  }

  write(line: string): void {
    if (!this.gone) this.#lines.push(line)
  }

  async drain(): Promise<void> {
    if (this.#lines.length === 0 || this.gone) return
    const text = `${this.#lines.join('\n')}\n`
    this.#lines = []
    if (!this.#target.write(text)) await this.#until((done) => this.#target.once('drain', done))
  }

  /** Everything has reached the system: the process may exit. */
  async finish(): Promise<void> {
    await this.drain()
    if (!this.gone) await this.#until((done) => this.#target.write('', () => done()))
  }

  #until(begin: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      this.#onGone = resolve
      begin(resolve)
    })
  }
}

/** Once a second, on a terminal only; the line is overwritten. */
function progressFor(options: MapOptions, stderr: Writable, tally: Tally): (bytes: number) => void {
  const isTerminal = 'isTTY' in stderr && stderr.isTTY === true
  if (!isTerminal || options.file === '-' || options.input !== undefined) return () => undefined
  const total = statSync(options.file).size
  let lastMs = performance.now()
  return (bytes) => {
    const nowMs = performance.now()
    if (nowMs - lastMs < 1000) return
    lastMs = nowMs
    const share = total === 0 ? 100 : Math.floor((bytes * 100) / total)
    stderr.write(`\r${share} %  ${tally.records} records, ${tally.rejected} rejected `)
  }
}

/** The last line. `read` = mapped + rejected + skipped + joined: nothing is lost on the way. */
function summary(tally: Tally, source: CdrSource, json: boolean): string {
  const skipped = Object.values(tally.skipped).reduce((sum, each) => sum + each, 0)
  const { joinedRows } = source
  const counts = {
    source: source.name,
    read: tally.records + tally.rejected + skipped + joinedRows,
    mapped: tally.records,
    rejected: tally.rejected,
    skipped,
    joinedRows,
    attempts: tally.attempts,
    answered: tally.answered,
  }
  const reasons = { rejectedBy: tally.codes, skippedBy: tally.skipped, flags: tally.flags }
  if (json) return JSON.stringify({ ...counts, ...reasons })
  const words = Object.entries(counts).map(([key, value]) => `${key}=${value}`)
  for (const [key, values] of Object.entries(reasons)) {
    const list = Object.entries(values).map(([name, value]) => `${name}:${value}`)
    if (list.length > 0) words.push(`${key}=${list.join(',')}`)
  }
  return words.join(' ')
}
