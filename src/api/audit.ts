/**
 * Who did what: rows for the `audit` table, handed to whoever stores them. Never a secret, never a phone number. Main
 * thread.
 */
import type { Clock } from '../core/clock.ts'

/** One row, in the table's order. */
export interface AuditRow {
  /** Wall time, ms. */
  readonly at: number
  readonly actor: string
  readonly role: string
  /** `session.open`, `access.denied` ... */
  readonly action: string
  /** What it was done to: a path, a key's id. */
  readonly subject: string
  readonly result: string
  readonly remote: string
  readonly detail: string
}

export class Audit {
  readonly #write: (row: AuditRow) => void
  readonly #clock: Clock

  constructor(options: { write: (row: AuditRow) => void; clock: Clock }) {
    this.#write = options.write
    this.#clock = options.clock
  }

  note(
    request: { method: string; path: string; remoteAddress: string },
    who: { actor: string; role: string } | null,
    what: { action: string; result: string; detail?: string },
  ): void {
    this.#write({
      at: this.#clock.wallMs(),
      actor: who?.actor ?? '',
      role: who?.role ?? '',
      action: what.action,
      subject: `${request.method} ${request.path}`.slice(0, 200),
      result: what.result,
      remote: request.remoteAddress,
      detail: what.detail ?? '',
    })
  }
}
