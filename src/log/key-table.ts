/**
 * A durable map beside the logs of an environment: what is put comes to disk in the same group commits as entries of
 * the logs, so that both asked for in one turn stand or fall together. Main thread.
 */
import type { Database } from 'lmdb'
import { type LogGround, told } from './durable-log.ts'

export interface KeyTable {
  get(key: string): Uint8Array | undefined
  has(key: string): boolean
  /** Keys from `after` (left out) on, in their order; null: from the first. */
  keys(after: string | null, keysMax: number): string[]
  count(): number
  /** Runs the writes in one transaction; resolves once it is flushed. @throws Error of the disk: none was written */
  commit(writes: (table: KeyTableWrites) => void): Promise<void>
}

export interface KeyTableWrites {
  put(key: string, value: Uint8Array): void
  remove(key: string): void
}

export class LmdbKeyTable implements KeyTable {
  readonly #ground: Pick<LogGround, 'commit'>
  #entries: Database<Uint8Array, string>
  readonly #writes: KeyTableWrites

  constructor(ground: Pick<LogGround, 'commit'>, entries: Database<Uint8Array, string>) {
    this.#ground = ground
    this.#entries = entries
    this.#writes = {
      put: (key, value) => told(this.#entries.put(key, value)),
      remove: (key) => told(this.#entries.remove(key)),
    }
  }

  /** The environment goes on in another file, with the same content. */
  moved(entries: Database<Uint8Array, string>): void {
    this.#entries = entries
  }

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key)
  }

  has(key: string): boolean {
    return this.#entries.doesExist(key)
  }

  keys(after: string | null, keysMax: number): string[] {
    const range = after === null ? { limit: keysMax } : { start: after, limit: keysMax + 1 }
    return [...this.#entries.getKeys(range)].filter((key) => key !== after).slice(0, keysMax)
  }

  count(): number {
    return this.#entries.getCount({})
  }

  commit(writes: (table: KeyTableWrites) => void): Promise<void> {
    return this.#ground.commit(() => writes(this.#writes))
  }
}
