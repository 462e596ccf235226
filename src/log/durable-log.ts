/**
 * The durable log: appended entries are on disk before `append` resolves, are read in order by named cursors, and
 * leave when every cursor has passed them. Bytes are bounded by a budget; an entry whose checksum fails is moved to a
 * quarantine file, counted and skipped, it never stops the rest. Sequence numbers are never used twice. Main thread.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import type { Database } from 'lmdb'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { crc32 } from './checksum.ts'

/** One entry as it was appended. The bytes are the reader's own copy. */
export interface LogEntry {
  readonly seq: number
  readonly bytes: Uint8Array
}

export interface DurableLog {
  /**
   * Appends all entries or none. Resolves with the first one's sequence number once they are flushed to disk.
   * @throws OperatingError spool_full when the budget has no room; others when the disk refuses.
   */
  append(batch: readonly Uint8Array[]): Promise<number>
  /** Flushed entries from `fromSeq` on, at most so many entries and bytes (but at least one entry). */
  read(fromSeq: number, entriesMax: number, bytesMax?: number): LogEntry[]
  /** Where a named reader stands: the first entry it has not passed. Asking registers the reader. */
  cursor(name: string): number
  /** Names of all readers that were ever registered and not forgotten. */
  readers(): string[]
  /** Ends a reader that will not come back; nothing is kept for it any more. */
  forget(name: string): Promise<void>
  /** Moves a reader on and lets go of what every reader has passed. Also ends its reservation. */
  advance(name: string, seq: number): Promise<void>
  /** Claims [cursor, toSeq) as one indivisible batch of a reader; it survives a crash. Resolves once on disk. */
  reserve(name: string, toSeq: number): Promise<void>
  /** End of the batch a reader had claimed and not passed, or null. */
  reserved(name: string): number | null
  /** One past the last flushed entry. */
  end(): number
  /** Disk bytes held by this log, as the budget counts them. */
  bytes(): number
  /** Whether an append of so many bytes would fit. */
  hasRoom(bytes: number): boolean
}

/** Bytes that one or several logs may hold together. */
export class ByteBudget {
  readonly bytesMax: number
  used = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }
}

/** What a log needs of the environment it lies in. */
export interface LogGround {
  readonly directory: string
  readonly counters: Pick<Counters, 'logEntriesCorrupt'>
  readonly events: Log
  /** One transaction, flushed to disk. */
  commit(writes: () => void): Promise<void>
}

const tailKey = 'tail'

interface Tail {
  readonly next: number
  readonly bytes: number
}

/** Each write has a promise of its own that fails with its transaction, which is told by `commit`. */
export function told(write: PromiseLike<unknown>): void {
  write.then(undefined, () => {})
}

/*
 * An entry as a value in LMDB, key = sequence number:
 *
 *   | crc32 of the payload, u32 LE | payload ... |
 *
 * and in the `meta` database, written in the same transaction as what they describe:
 *
 *   <log>/tail            {"next": first unused sequence number, "bytes": bytes held}
 *   <log>/cursor/<name>   first entry the reader has not passed
 *   <log>/reserve/<name>  end of the batch the reader has claimed
 */
const headerBytes = 4
/** Of one slice of a rewrite. */
const rewriteEntriesMax = 500
const rewriteBytesMax = 524_288
const pageBytes = 4096
/** Longer values lie on pages of their own (LMDB keeps at least two nodes a page). */
const inPageBytesMax = 1950
const nodeOverheadBytes = 40

/** What an entry takes on disk, near enough for a budget. */
export function footprintBytes(payloadBytes: number): number {
  const value = payloadBytes + headerBytes
  if (value <= inPageBytesMax) return value + nodeOverheadBytes
  return Math.ceil((value + 16) / pageBytes) * pageBytes + nodeOverheadBytes
}

export class LmdbLog implements DurableLog {
  readonly #environment: LogGround
  readonly #name: string
  #entries: Database<Uint8Array, number>
  #meta: Database<unknown, string>
  readonly #budget: ByteBudget
  readonly #cursors = new Map<string, number>()
  readonly #reserved = new Map<string, number>()
  /** Sequence numbers of appends that failed. */
  readonly #disowned: number[] = []
  /** Entries whose removal to quarantine may not be committed yet. */
  readonly #damaged = new Set<number>()
  #first: number
  #next: number
  #end: number
  #bytes: number
  /** As of the last transaction begun; what `tail` says. `#bytes` also counts appends that wait their turn. */
  #diskBytes: number

  constructor(
    environment: LogGround,
    name: string,
    entries: Database<Uint8Array, number>,
    meta: Database<unknown, string>,
    budget: ByteBudget,
  ) {
    this.#environment = environment
    this.#name = name
    this.#entries = entries
    this.#meta = meta
    this.#budget = budget
    const tail = (meta.get(`${name}/${tailKey}`) ?? { next: 1, bytes: 0 }) as Tail
    const prefix = `${name}/`
    for (const { key, value } of meta.getRange({ start: prefix, end: `${prefix}\uffff` })) {
      const [kind, reader] = key.slice(prefix.length).split('/')
      if (kind === 'cursor' && reader !== undefined) this.#cursors.set(reader, value as number)
      if (kind === 'reserve' && reader !== undefined) this.#reserved.set(reader, value as number)
    }
    this.#next = Math.max(tail.next, ...this.#cursors.values())
    this.#end = this.#next
    this.#bytes = tail.bytes
    this.#diskBytes = tail.bytes
    this.#budget.used += tail.bytes
    this.#first = this.#next
    for (const key of entries.getKeys({ limit: 1 })) this.#first = key
  }

  async append(batch: readonly Uint8Array[]): Promise<number> {
    const first = this.#next
    if (batch.length === 0) return first
    let bytes = 0
    for (const payload of batch) bytes += footprintBytes(payload.length)
    if (!this.#fits(bytes)) {
      throw new OperatingError(
        'spool_full',
        `log ${this.#name} holds ${this.#budget.used} of ${this.#budget.bytesMax} bytes`,
      )
    }
    const next = first + batch.length
    this.#next = next
    this.#hold(bytes)
    const disowned = this.#disowned.splice(0)
    let begun = 0
    try {
      await this.#environment.commit(() => {
        for (const seq of disowned) told(this.#entries.remove(seq))
        for (const [index, payload] of batch.entries()) told(this.#entries.put(first + index, sealed(payload)))
        begun = bytes
        this.#diskBytes += begun
        this.#putTail()
      })
    } catch (thrown) {
      // Their numbers stay used, and they are removed with the next append: a failed flush may have left them visible.
      this.#disowned.push(...disowned, ...Array.from(batch, (_, index) => first + index))
      this.#hold(-bytes)
      this.#diskBytes -= begun
      throw thrown
    }
    this.#end = Math.max(this.#end, next)
    return first
  }

  read(fromSeq: number, entriesMax: number, bytesMax = Number.POSITIVE_INFINITY): LogEntry[] {
    const out: LogEntry[] = []
    let bytes = 0
    // Copied out of the iterator first: quarantine removes entries, which must not happen under an open range.
    const damaged: LogEntry[] = []
    for (const { key, value } of this.#entries.getRange({ start: fromSeq, end: this.#end })) {
      if (this.#damaged.has(key)) continue
      const payload = opened(value)
      if (payload === null) {
        damaged.push({ seq: key, bytes: value })
        continue
      }
      bytes += payload.length
      if (out.length > 0 && bytes > bytesMax) break
      out.push({ seq: key, bytes: payload })
      if (out.length >= entriesMax) break
    }
    for (const entry of damaged) this.#quarantine(entry)
    return out
  }

  cursor(name: string): number {
    const known = this.#cursors.get(name)
    if (known !== undefined) return known
    this.#cursors.set(name, this.#first)
    told(this.#meta.put(`${this.#name}/cursor/${name}`, this.#first))
    return this.#first
  }

  readers(): string[] {
    return [...this.#cursors.keys()]
  }

  async forget(name: string): Promise<void> {
    if (!this.#cursors.has(name)) return
    // To the end first: what only this reader held leaves with it.
    await this.advance(name, this.#end)
    await this.#environment.commit(() => told(this.#meta.remove(`${this.#name}/cursor/${name}`)))
    this.#cursors.delete(name)
  }

  async reserve(name: string, toSeq: number): Promise<void> {
    assert(toSeq > this.cursor(name) && toSeq <= this.#end, 'a reservation covers flushed entries only')
    await this.#environment.commit(() => told(this.#meta.put(`${this.#name}/reserve/${name}`, toSeq)))
    this.#reserved.set(name, toSeq)
  }

  reserved(name: string): number | null {
    return this.#reserved.get(name) ?? null
  }

  async advance(name: string, seq: number): Promise<void> {
    const from = this.cursor(name)
    assert(seq >= from && seq <= this.#end, 'a cursor moves forward, over flushed entries only')
    this.#cursors.set(name, seq)
    const passed = Math.min(...this.#cursors.values())
    const gone: number[] = []
    let bytes = 0
    for (const { key, value } of this.#entries.getRange({ start: this.#first, end: passed })) {
      gone.push(key)
      if (!this.#damaged.has(key)) bytes += footprintBytes(value.length - headerBytes)
    }
    this.#hold(-bytes)
    let begun = 0
    try {
      await this.#environment.commit(() => {
        told(this.#meta.put(`${this.#name}/cursor/${name}`, seq))
        told(this.#meta.remove(`${this.#name}/reserve/${name}`))
        for (const key of gone) told(this.#entries.remove(key))
        begun = bytes
        this.#diskBytes -= begun
        this.#putTail()
      })
    } catch (thrown) {
      this.#cursors.set(name, from)
      this.#hold(bytes)
      this.#diskBytes += begun
      throw thrown
    }
    this.#reserved.delete(name)
    this.#first = Math.max(this.#first, passed)
    for (const key of gone) this.#damaged.delete(key)
  }

  /**
   * Puts what `change` makes of an entry in its place (null: it stays as it is), all the way to the end, in slices that
   * leave the thread to others in between. Sequence numbers, readers and reservations stay. @returns entries changed
   */
  async rewrite(change: (payload: Uint8Array) => Uint8Array | null): Promise<number> {
    let count = 0
    for (let from = this.#first; from < this.#end; ) {
      const entries = this.read(from, rewriteEntriesMax, rewriteBytesMax)
      if (entries.length === 0) break
      const changed = entries.flatMap(({ seq, bytes }) => {
        const payload = change(bytes)
        const grown = payload === null ? 0 : footprintBytes(payload.length) - footprintBytes(bytes.length)
        return payload === null ? [] : [{ seq, payload, grown }]
      })
      if (changed.length > 0) await this.#replace(changed)
      count += changed.length
      from = (entries.at(-1)?.seq ?? this.#end) + 1
      await turn()
    }
    return count
  }

  async #replace(changed: readonly { seq: number; payload: Uint8Array; grown: number }[]): Promise<void> {
    await this.#environment.commit(() => {
      for (const { seq, payload, grown } of changed) {
        // Its last reader may have passed it meanwhile.
        if (seq < this.#first) continue
        told(this.#entries.put(seq, sealed(payload)))
        this.#hold(grown)
        this.#diskBytes += grown
      }
      this.#putTail()
    })
  }

  /** The environment goes on in another file, with the same content. */
  moved(entries: Database<Uint8Array, number>, meta: Database<unknown, string>): void {
    this.#entries = entries
    this.#meta = meta
  }

  end(): number {
    return this.#end
  }

  bytes(): number {
    return this.#bytes
  }

  hasRoom(bytes: number): boolean {
    return this.#fits(footprintBytes(bytes))
  }

  #fits(bytes: number): boolean {
    return this.#budget.used + bytes <= this.#budget.bytesMax
  }

  #putTail(): void {
    told(this.#meta.put(`${this.#name}/${tailKey}`, { next: this.#next, bytes: this.#diskBytes } satisfies Tail))
  }

  #hold(bytes: number): void {
    this.#bytes = Math.max(0, this.#bytes + bytes)
    this.#budget.used = Math.max(0, this.#budget.used + bytes)
  }

  /** The damaged entry leaves the log for a file of its own, so that a retried batch reads the same entries again. */
  #quarantine(entry: LogEntry): void {
    const file = `${this.#environment.directory}/quarantine-${this.#name}-${entry.seq}.bin`
    this.#environment.counters.logEntriesCorrupt += 1
    this.#environment.events.error('log entry with a wrong checksum moved to quarantine', {
      log_name: this.#name,
      seq: entry.seq,
      file,
    })
    try {
      writeFileSync(file, entry.bytes, { mode: 0o600 })
    } catch (thrown) {
      this.#environment.events.error('quarantine file not written', { file, reason: messageOf(thrown) })
    }
    this.#damaged.add(entry.seq)
    const bytes = footprintBytes(entry.bytes.length - headerBytes)
    this.#hold(-bytes)
    this.#diskBytes -= bytes
    told(this.#entries.remove(entry.seq))
    this.#putTail()
  }
}

function sealed(payload: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(headerBytes + payload.length)
  value.writeUInt32LE(crc32(payload), 0)
  value.set(payload, headerBytes)
  return value
}

/** The payload, or null when its checksum is wrong. */
function opened(value: Uint8Array): Uint8Array | null {
  if (value.length < headerBytes) return null
  const payload = value.subarray(headerBytes)
  const expected = Buffer.from(value.buffer, value.byteOffset, headerBytes).readUInt32LE(0)
  return crc32(payload) === expected ? payload : null
}
