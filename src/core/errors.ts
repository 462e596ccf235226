/**
 * Operating errors: what may go wrong although the program is right. Each has a code from one table, whose fault it is,
 * whether trying again helps, and what was got. A broken promise of our own code is not here: that is `assert`, it
 * kills its thread and the pool replaces it. Any thread.
 */

/**
 * Whose fault an error is. `peer`: who talks to us; `dependency`: ClickHouse, disk, Twilio REST; `config`: the
 * operator.
 */
export type ErrorDomain = 'peer' | 'dependency' | 'config' | 'internal'

/** Every code that can leave the process (problem documents, logs, metrics): code -> HTTP status, domain, retryable. */
export const errorCodes = {
  bad_request: { status: 400, domain: 'peer', retryable: false },
  source_unknown: { status: 400, domain: 'peer', retryable: false },
  signature_missing: { status: 400, domain: 'peer', retryable: false },
  framing_ambiguous: { status: 400, domain: 'peer', retryable: false },
  unauthenticated: { status: 401, domain: 'peer', retryable: false },
  forbidden: { status: 403, domain: 'peer', retryable: false },
  signature_invalid: { status: 403, domain: 'peer', retryable: false },
  token_invalid: { status: 403, domain: 'peer', retryable: false },
  account_unknown: { status: 403, domain: 'peer', retryable: false },
  not_found: { status: 404, domain: 'peer', retryable: false },
  method_not_allowed: { status: 405, domain: 'peer', retryable: false },
  conflict: { status: 409, domain: 'peer', retryable: false },
  /** Sealed by another key, or changed since. */
  recording_unreadable: { status: 409, domain: 'config', retryable: false },
  body_too_slow: { status: 408, domain: 'peer', retryable: true },
  body_too_large: { status: 413, domain: 'peer', retryable: false },
  media_type_unsupported: { status: 415, domain: 'peer', retryable: false },
  too_many_requests: { status: 429, domain: 'peer', retryable: true },
  capacity_full: { status: 503, domain: 'internal', retryable: true },
  draining: { status: 503, domain: 'internal', retryable: true },
  storage_unavailable: { status: 503, domain: 'dependency', retryable: true },
  spool_full: { status: 503, domain: 'dependency', retryable: true },
  outward_failed: { status: 503, domain: 'dependency', retryable: true },
  storage_rejected: { status: 500, domain: 'internal', retryable: false },
  model_invalid: { status: 500, domain: 'config', retryable: false },
  model_refused: { status: 409, domain: 'config', retryable: false },
  config_invalid: { status: 500, domain: 'config', retryable: false },
  audio_unreadable: { status: 400, domain: 'peer', retryable: false },
  worker_lost: { status: 500, domain: 'internal', retryable: true },
  detection_disabled: { status: 409, domain: 'peer', retryable: false },
  call_not_answered: { status: 409, domain: 'peer', retryable: false },
  call_over: { status: 409, domain: 'peer', retryable: false },
  streams_full: { status: 409, domain: 'peer', retryable: false },
  twilio_unauthenticated: { status: 502, domain: 'config', retryable: false },
  twilio_rejected: { status: 502, domain: 'dependency', retryable: false },
  twilio_busy: { status: 503, domain: 'dependency', retryable: true },
  twilio_unavailable: { status: 503, domain: 'dependency', retryable: true },
  internal: { status: 500, domain: 'internal', retryable: false },
} as const satisfies Record<string, { status: number; domain: ErrorDomain; retryable: boolean }>

export type ErrorCode = keyof typeof errorCodes

/**
 * An expected failure. `detail` is for people and holds no secret and no phone number; `got` says what was received.
 */
export class OperatingError extends Error {
  readonly code: ErrorCode
  readonly got: string | undefined

  constructor(code: ErrorCode, detail: string, options: { got?: string; cause?: unknown } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'OperatingError'
    this.code = code
    this.got = options.got
  }

  get status(): number {
    return errorCodes[this.code].status
  }

  get domain(): ErrorDomain {
    return errorCodes[this.code].domain
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable
  }
}

/** The message of anything thrown, for logs. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
