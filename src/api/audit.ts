/**
 * Who did what, handed to whoever stores it. Never a secret, never a phone number: of a path's digits nothing is told.
 * What one asker repeats (denials, reads) is told once at first and then counted, a row a minute, so that hammering on
 * a door cannot fill the disk. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { AuditEntry } from '../storage/audit-chain.ts'

export type AuditRow = AuditEntry

export interface AuditOptions {
  readonly write: (row: AuditRow) => void
  readonly clock: Clock
}

/** What of a request is told. */
export interface AuditedRequest {
  readonly method?: string
  readonly path: string
  readonly remoteAddress: string
}

export interface AuditedAct {
  /** `session.open`, `access.denied` ... */
  readonly action: string
  readonly result: string
  readonly detail?: string
  /** What it was done to, where the path does not say it. */
  readonly subject?: string
}

interface Repeats {
  readonly row: AuditRow
  readonly untilMs: number
  count: number
}

/** Repeats are told after so long. */
const repeatMs = 60_000
/** Askers whose repeats are counted at a time; more are told each time. */
const repeatersMax = 10_000
const subjectCharsMax = 200
const detailCharsMax = 1000

export class Audit {
  readonly #write: (row: AuditRow) => void
  readonly #clock: Clock
  readonly #repeats = new Map<string, Repeats>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: AuditOptions) {
    this.#write = options.write
    this.#clock = options.clock
  }

  note(request: AuditedRequest, who: { actor: string; role: string } | null, what: AuditedAct): void {
    this.#write(this.#rowOf(request, who, what))
  }

  /** For what the same asker may do many times a second. */
  noteOften(request: AuditedRequest, who: { actor: string; role: string } | null, what: AuditedAct): void {
    const row = this.#rowOf(request, who, what)
    const key = [row.action, row.result, row.actor, row.remote, row.subject].join('\n')
    const known = this.#repeats.get(key)
    if (known !== undefined && known.untilMs > this.#clock.steadyMs()) {
      known.count += 1
      return
    }
    if (known !== undefined) this.#tellRepeats(key, known)
    this.#write(row)
    if (this.#repeats.size >= repeatersMax) return
    this.#repeats.set(key, { row, untilMs: this.#clock.steadyMs() + repeatMs, count: 0 })
    this.#timer ??= setInterval(() => this.sweep(), repeatMs).unref()
  }

  /** At Twilio's doors, whose tokens stand in the path: they are not told. */
  refusedAtTwilio(request: AuditedRequest, code: ErrorCode): void {
    const action = ['bad_request', 'body_too_large', 'body_too_slow'].includes(code)
      ? 'request.refused'
      : 'access.denied'
    const path = request.path.replace(/^(\/twilio\/media\/).*/, '$1***')
    this.noteOften({ ...request, path }, null, { action, result: code })
  }

  /** Tells the repeats whose minute is over; all of them with `final`. */
  sweep(final = false): void {
    for (const [key, repeats] of this.#repeats) {
      if (final || repeats.untilMs <= this.#clock.steadyMs()) this.#tellRepeats(key, repeats)
    }
    if (this.#timer === null || (!final && this.#repeats.size > 0)) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #tellRepeats(key: string, { row, count }: Repeats): void {
    this.#repeats.delete(key)
    if (count === 0) return
    const detail = `${count} more since ${new Date(row.at).toISOString()}; ${row.detail}`.slice(0, detailCharsMax)
    this.#write({ ...row, at: this.#clock.wallMs(), detail })
  }

  #rowOf(request: AuditedRequest, who: { actor: string; role: string } | null, what: AuditedAct): AuditRow {
    return {
      at: this.#clock.wallMs(),
      actor: who?.actor ?? '',
      role: who?.role ?? '',
      action: what.action,
      subject: (what.subject ?? `${request.method ?? 'WS'} ${numberless(request.path)}`).slice(0, subjectCharsMax),
      result: what.result,
      remote: request.remoteAddress,
      detail: (what.detail ?? '').slice(0, detailCharsMax),
    }
  }
}

/** Ids that we or Twilio make: their digits are no phone number. */
const idShape = /^(?:[A-Z]{2}[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|det_[0-9a-f]{24}|[0-9a-f]{12})$/i

/** A number in groups, its signs as they are or as a URL writes them. */
const numberRun = /\d(?:(?:[-.()]|%[0-9a-f]{2}){0,3}\d){6,}/gi

/** A path without what may be a phone number, whole or with something behind it. */
function numberless(path: string): string {
  return path
    .split('/')
    .map((segment) => {
      if (/^(\+|%2[bB])?\d{4,}$/.test(segment)) return '***'
      return idShape.test(segment) ? segment : segment.replace(numberRun, '***').replace(/\d{5,}/g, '***')
    })
    .join('/')
}
