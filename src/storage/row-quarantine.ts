/**
 * Where rows go that no table takes: a file of JSON lines, each with the table, the batch's token and why. Bounded;
 * when full, further rows are counted and lost. A batch that is bisected again after a crash may name a row twice,
 * under the same token. Main thread, rare.
 *
 * Example line:
 *   {"table":"calls","token":"1f2e-44/calls/17-18/3-4","why":"Cannot parse input","row":"[\"CA1\",...]"}
 */
import { appendFileSync, statSync } from 'node:fs'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { withoutNumbers } from '../privacy/number-doors.ts'

export interface RowQuarantineOptions {
  readonly file: string
  readonly bytesMax: number
  readonly counters: Pick<Counters, 'rowsQuarantined' | 'rowsQuarantineLost'>
  readonly log: Log
}

export class RowQuarantine {
  readonly #options: RowQuarantineOptions
  #bytes: number

  constructor(options: RowQuarantineOptions) {
    this.#options = options
    this.#bytes = statSync(options.file, { throwIfNoEntry: false })?.size ?? 0
  }

  put(table: string, token: string, why: string, row: string): void {
    const { counters, log, file, bytesMax } = this.#options
    counters.rowsQuarantined += 1
    // The engine quotes from the row.
    log.error('row quarantined', { table, token, why: withoutNumbers(why), file })
    const line = `${JSON.stringify({ table, token, why, row })}\n`
    const bytes = Buffer.byteLength(line)
    try {
      if (this.#bytes + bytes > bytesMax) throw new Error(`the file holds its ${bytesMax} bytes`)
      appendFileSync(file, line, { mode: 0o600 })
      this.#bytes += bytes
    } catch (thrown) {
      counters.rowsQuarantineLost += 1
      log.error('quarantined row not kept', { table, reason: messageOf(thrown) })
    }
  }
}
