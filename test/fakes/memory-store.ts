/**
 * A store in memory that keeps ClickHouse's promises as the writer relies on them: the same token is stored once, a
 * bad row refuses the whole batch, and an insert may fail before or after it took effect.
 */
import { insertError, type Store, StoreError } from '../../src/storage/store.ts'

export type InsertFault = 'before' | 'after'

export class MemoryStore implements Store {
  /** Every attempt, stored or not. */
  readonly attempts: { table: string; token: string; text: string; columns: readonly string[] }[] = []
  readonly lines: string[] = []
  readonly #tokens = new Set<string>()
  /** What happens to the next inserts, oldest first. */
  faults: InsertFault[] = []
  down = false
  /** Goes down after so many inserts were stored. */
  storesUntilDown = Number.POSITIVE_INFINITY
  /** Lines with this text are refused as bad rows. */
  poison = '<poison>'

  async start(): Promise<void> {}

  state(): 'up' | 'down' {
    return this.down ? 'down' : 'up'
  }

  async insert(table: string, columns: readonly string[], rows: Uint8Array, token: string): Promise<void> {
    const text = Buffer.from(rows).toString('utf8')
    this.attempts.push({ table, token, text, columns })
    if (this.down) throw new StoreError('storage_unavailable', 'down', null, false)
    const fault = this.faults.shift()
    if (fault === 'before') throw new StoreError('storage_unavailable', 'reset', null, false)
    if (text.includes(this.poison)) throw insertError(27, 'Cannot parse input')
    if (!this.#tokens.has(token)) {
      this.#tokens.add(token)
      this.storesUntilDown -= 1
      if (this.storesUntilDown === 0) this.down = true
      this.lines.push(...text.split('\n').filter((line) => line !== ''))
    }
    if (fault === 'after') throw new StoreError('storage_unavailable', 'reset', null, false)
  }

  async query(): Promise<Record<string, unknown>[]> {
    return []
  }

  async command(): Promise<void> {}

  async close(): Promise<void> {}
}
