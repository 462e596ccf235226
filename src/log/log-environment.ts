/**
 * One LMDB environment: the files, the logs by name, and one transaction at a time that carries what all of them
 * append meanwhile, so that one flush to disk serves many (group commit). `id` names this very environment, so that a
 * token made of it and a sequence number is unique. Damaged files are moved aside, kept and counted. Main thread;
 * commits and flushes run on lmdb's own.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, open, type RootDatabase } from 'lmdb'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { ByteBudget, type DurableLog, LmdbLog, told } from './durable-log.ts'
import { type KeyTable, LmdbKeyTable } from './key-table.ts'
import { damageOf } from './lmdb-file.ts'
import { releaseOwnership, takeOwnership } from './owner.ts'

export interface LogEnvironmentOptions {
  /** Directory of the environment; created with mode 0700. */
  readonly directory: string
  readonly counters: Pick<Counters, 'logEntriesCorrupt'>
  readonly log: Log
}

/** Logs and tables. */
const logsMax = 64
const flushWaitMsMax = 30_000
const logPrefix = 'log.'
/** LMDB takes a name with a dot in it for a file. */
const copyPrefix = 'log-copy-'

function openRoot(path: string): RootDatabase<Uint8Array, number> {
  // Its own batching makes a promise that nobody can catch when the disk is full; commit() does the batching.
  return open<Uint8Array, number>({ path, encoding: 'binary', maxDbs: logsMax, eventTurnBatching: false })
}

function metaIn(root: RootDatabase<Uint8Array, number>): Database<unknown, string> {
  return root.openDB<unknown, string>({ name: 'meta', encoding: 'json' })
}

function entriesIn(root: RootDatabase<Uint8Array, number>, name: string): Database<Uint8Array, number> {
  return root.openDB<Uint8Array, number>({ name: `${logPrefix}${name}`, encoding: 'binary' })
}

function tableIn(root: RootDatabase<Uint8Array, number>, name: string): Database<Uint8Array, string> {
  return root.openDB<Uint8Array, string>({ name: `table.${name}`, encoding: 'binary' })
}

/**
 * One small transaction. In a copy that LMDB compacted, lmdb 3.5 takes the process down (SIGSEGV) when the first one
 * frees many pages at once; after a small one it does not.
 */
function breakIn(meta: Database<unknown, string>): void {
  meta.putSync('opened', randomUUID())
}

/** What was written, and the names themselves, are on disk. */
function syncDirectory(...paths: readonly string[]): void {
  for (const path of paths) {
    const handle = openSync(path, 'r')
    try {
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
  }
}

interface Commit {
  readonly writes: () => void
  readonly done: () => void
  readonly failed: (reason: unknown) => void
}

/** One LMDB environment: the files, the shared flush, the logs by name. */
export class LogEnvironment {
  readonly directory: string
  readonly counters: Pick<Counters, 'logEntriesCorrupt'>
  readonly events: Log
  /** Random name of this environment, kept in it. Part of every token made from its sequence numbers. */
  readonly id: string
  #root: RootDatabase<Uint8Array, number>
  #meta: Database<unknown, string>
  readonly #logs = new Map<string, LmdbLog>()
  readonly #tables = new Map<string, LmdbKeyTable>()
  readonly #queue: Commit[] = []
  /** Work that no commit may run beside. */
  readonly #alone: (() => Promise<void>)[] = []
  #committing = false
  #turn = 0

  private constructor(options: LogEnvironmentOptions, root: RootDatabase<Uint8Array, number>) {
    this.directory = options.directory
    this.counters = options.counters
    this.events = options.log
    this.#root = root
    this.#meta = metaIn(root)
    // The files may be such a copy: a backup that was put back.
    breakIn(this.#meta)
    const known = this.#meta.get('id')
    this.id = typeof known === 'string' ? known : randomUUID().slice(0, 13)
    if (known === undefined) this.#meta.putSync('id', this.id)
  }

  /** Opens or creates. Files that LMDB cannot open are moved aside (kept for inspection), counted, and begun anew. */
  static open(options: LogEnvironmentOptions): LogEnvironment {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 })
    takeOwnership(options.directory)
    const path = `${options.directory}/log`
    const damage = damageOf(`${path}/data.mdb`)
    if (damage !== null) {
      const aside = `${path}.damaged-${randomUUID().slice(0, 8)}`
      renameSync(path, aside)
      options.counters.logEntriesCorrupt += 1
      options.log.error('the durable log is damaged; moved aside and begun anew', { aside, damage })
    }
    // Of a compaction that was cut off: what it copied is still in the log.
    for (const name of readdirSync(options.directory)) {
      if (name.startsWith(copyPrefix)) rmSync(`${options.directory}/${name}`, { recursive: true })
    }
    return new LogEnvironment(options, openRoot(path))
  }

  /** The log of that name; logs that share a budget are bounded together. The same name gives the same log. */
  log(name: string, budget: ByteBudget): DurableLog {
    const known = this.#logs.get(name)
    if (known !== undefined) return known
    assert(this.#logs.size < logsMax - 2, 'more named logs than the environment holds')
    const entries = entriesIn(this.#root, name)
    const log = new LmdbLog(this, name, entries, this.#meta, budget)
    this.#logs.set(name, log)
    return log
  }

  /** The durable map of that name. */
  table(name: string): KeyTable {
    const known = this.#tables.get(name)
    if (known !== undefined) return known
    const table = new LmdbKeyTable(this, tableIn(this.#root, name))
    this.#tables.set(name, table)
    return table
  }

  /**
   * Runs puts and removes in one transaction; resolves once it is flushed to disk. One transaction is in flight at a
   * time, and all that is asked for meanwhile goes into the next: under load one flush serves many (group commit).
   * @throws Error with the disk's reason; also when the disk says nothing for flushWaitMsMax (lmdb is silent then).
   */
  commit(writes: () => void): Promise<void> {
    return new Promise((done, failed) => {
      this.#queue.push({ writes, done, failed })
      if (!this.#committing) void this.#commitQueue()
    })
  }

  /** Names of all logs in the environment, also of those that nobody has opened. */
  names(): string[] {
    const keys = [...this.#root.getKeys()].map(String)
    return keys.filter((key) => key.startsWith(logPrefix)).map((key) => key.slice(logPrefix.length))
  }

  /** How many entries a log holds. */
  entriesOf(name: string): number {
    return entriesIn(this.#root, name).getKeysCount()
  }

  /**
   * Changes entries of all logs, see `LmdbLog.rewrite`. What the entries were stays in freed pages of the file until
   * `compact`. @returns entries changed, by log
   */
  async rewrite(change: (log: string, payload: Uint8Array) => Uint8Array | null): Promise<Map<string, number>> {
    const changed = new Map<string, number>()
    for (const name of this.names()) {
      this.log(name, new ByteBudget(Number.POSITIVE_INFINITY))
      const count = await this.#logs.get(name)?.rewrite((payload) => change(name, payload))
      changed.set(name, count ?? 0)
    }
    return changed
  }

  /**
   * Writes what is live to a new file and goes on in it; the old file, with all that was freed in it, is gone. Commits
   * wait meanwhile, reading goes on. The new file takes the old one's name in one step.
   */
  async compact(): Promise<void> {
    await this.#inSilence(async () => {
      const path = `${this.directory}/${copyPrefix}${randomUUID().slice(0, 8)}`
      try {
        await this.copyTo(path)
        const [root, old] = [openRoot(path), this.#root]
        const meta = metaIn(root)
        breakIn(meta)
        // The lock file comes along: in it the writer sees who reads in another process, and spares what they read.
        for (const name of ['lock.mdb', 'data.mdb']) renameSync(`${path}/${name}`, `${this.directory}/log/${name}`)
        syncDirectory(`${this.directory}/log`)
        this.#root = root
        this.#meta = meta
        for (const [name, log] of this.#logs) log.moved(entriesIn(root, name), this.#meta)
        for (const [name, table] of this.#tables) table.moved(tableIn(root, name))
        await old.close()
      } finally {
        rmSync(path, { recursive: true, force: true })
      }
    })
  }

  /** A copy as it stands at one moment, as a directory `open` takes as its `log`; commits go on. */
  async copyTo(directory: string): Promise<void> {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    await this.#root.flushed
    await this.#root.backup(directory, true)
    syncDirectory(directory, `${directory}/data.mdb`)
  }

  #inSilence(work: () => Promise<void>): Promise<void> {
    return new Promise((done, failed) => {
      this.#alone.push(() => work().then(done, failed))
      if (!this.#committing) void this.#commitQueue()
    })
  }

  async #commitQueue(): Promise<void> {
    this.#committing = true
    // What else this turn of the event loop appends comes along.
    await null
    while (this.#queue.length > 0 || this.#alone.length > 0) {
      const alone = this.#alone.shift()
      if (alone !== undefined) {
        await alone()
        continue
      }
      const group = this.#queue.splice(0)
      try {
        await this.#commitGroup(group)
        for (const { done } of group) done()
      } catch (thrown) {
        for (const { failed } of group) failed(thrown)
        await this.#turnOver()
      }
    }
    this.#committing = false
  }

  async #commitGroup(group: readonly Commit[]): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_, reject) => {
      const tooLong = (): void => reject(new Error(`the disk did not confirm a flush within ${flushWaitMsMax} ms`))
      timer = setTimeout(tooLong, flushWaitMsMax)
    })
    const write = (): void => {
      for (const { writes } of group) writes()
    }
    try {
      await Promise.race([silence, this.#commitAndFlush(write)])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Pages that were freed may be used from the next but one transaction on: after a failure, a small one is made. */
  async #turnOver(): Promise<void> {
    this.#turn += 1
    try {
      const writes = (): void => told(this.#meta.put('turn', this.#turn))
      await this.#commitGroup([{ writes, done: () => {}, failed: () => {} }])
    } catch {
      // The disk has no room for that either.
    }
  }

  async #commitAndFlush(writes: () => void): Promise<void> {
    try {
      await this.#root.batch(writes)
    } catch (thrown) {
      // lmdb hands the reason on in a promise of its own, a moment later.
      const { commitError } = thrown as { commitError?: Promise<never> }
      const reason = commitError?.catch((error: unknown) => error) ?? thrown
      throw new Error(`the disk refuses the log: ${messageOf(await Promise.race([reason, sleep(100, thrown)]))}`)
    }
    await this.#root.flushed
  }

  async close(): Promise<void> {
    await this.#root.flushed
    await this.#root.close()
    releaseOwnership(this.directory)
  }
}
