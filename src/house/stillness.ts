/**
 * Moments in which nothing flows: for a copy of log and tables that fits together, and for a number to be forgotten
 * everywhere at once. One at a time. What is accepted meanwhile is on disk as ever, only stored and judged later. Main
 * thread.
 */
import { OperatingError } from '../core/errors.ts'
import type { Fraud } from './fraud.ts'
import type { Storage } from './storage.ts'

export class Stillness {
  readonly #storage: Pick<Storage, 'writer' | 'records' | 'trail'>
  #turn: Promise<unknown> = Promise.resolve()

  constructor(storage: Pick<Storage, 'writer' | 'records' | 'trail'>) {
    this.#storage = storage
  }

  /** One after the other. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** Resolves when nobody has a turn. */
  async over(): Promise<void> {
    for (let seen: Promise<unknown> | null = null; seen !== this.#turn; await seen) seen = this.#turn
  }

  /**
   * No row goes from the log to a table while the work lasts.
   * @param isClear of every row it must be known on which side it is
   */
  async ofTables<T>(work: () => Promise<T>, { isClear = false } = {}): Promise<T> {
    const { writer, records, trail } = this.#storage
    const drains = [writer, records.drain, records.scoresDrain, trail]
    try {
      await Promise.all(drains.map((drain) => drain.pause()))
      if (isClear && drains.some((drain) => drain.isUnclear)) {
        throw new OperatingError('storage_unavailable', 'ClickHouse has not confirmed the last rows; try again')
      }
      return await work()
    } finally {
      for (const drain of drains) drain.resume()
    }
  }

  /** No call record is taken and none is judged; senders wait. */
  async ofRecords<T>(fraud: Pick<Fraud, 'feed'> | null, work: () => Promise<T>): Promise<T> {
    const { intake } = this.#storage.records
    try {
      await intake.pause()
      await fraud?.feed.pause()
      return await work()
    } finally {
      fraud?.feed.resume()
      intake.resume()
    }
  }
}
