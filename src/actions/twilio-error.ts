/**
 * What Twilio's REST API says when it refuses, told apart: whose fault it is and whether trying again helps. Twilio
 * answers `{"code":20404,"message":"...","more_info":"...","status":404}`. Pure, any thread.
 */
import { type ErrorCode, messageOf, OperatingError } from '../core/errors.ts'

/** A refusal or a silence of Twilio. The detail holds no phone number. */
export class TwilioError extends OperatingError {
  /** Twilio's own code, or null when there was no answer of Twilio's. */
  readonly twilioCode: number | null
  /** What Retry-After asked for. */
  readonly retryAfterMs: number | null
  /** The request may have been carried out all the same: it went out, and Twilio itself did not answer. */
  readonly isUnanswered: boolean

  constructor(
    code: ErrorCode,
    detail: string,
    more: { twilioCode?: number | null; retryAfterMs?: number | null; isUnanswered?: boolean } = {},
  ) {
    super(code, detail)
    this.name = 'TwilioError'
    this.twilioCode = more.twilioCode ?? null
    this.retryAfterMs = more.retryAfterMs ?? null
    this.isUnanswered = more.isUnanswered ?? false
  }
}

/** Not found, and "a realtime operation on a call that was not in-progress". */
const overCodes: readonly number[] = [20404, 21220]
/** Twilio documents no code for a fifth track of a call; its words tell. */
const tooManyStreams = /(?=.*\b(stream|track|fork)s?\b)(?=.*\b(too many|limit|maximum|exceed\w*)\b)/is
/** Something in between gave up on Twilio. */
const gatewayStatuses: readonly number[] = [502, 504]
/** There was no connection, so nothing went out. */
const neverLeft: readonly unknown[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']
const detailCharsMax = 200
const retryAfterMsMax = 600_000

export interface RestAnswer {
  readonly status: number
  readonly body: unknown
  /** The header, if there was one. */
  readonly retryAfter?: string | undefined
  readonly nowMs: number
}

/** The error of an answer that is not 2xx. */
export function refusalOf({ status, body, retryAfter, nowMs }: RestAnswer): TwilioError {
  const { code: twilioCode, message } = bodyOf(body)
  const said = message === '' ? `Twilio answered ${status}` : `Twilio answered ${status}: ${message}`
  const detail = twilioCode === null ? said : `${said} (${twilioCode})`
  const make = (code: ErrorCode): TwilioError =>
    new TwilioError(code, detail, {
      twilioCode,
      retryAfterMs: retryAfterOf(retryAfter, nowMs),
      isUnanswered: gatewayStatuses.includes(status),
    })
  if (status === 429 || twilioCode === 20429) return make('twilio_busy')
  if (status === 401 || twilioCode === 20003) return make('twilio_unauthenticated')
  if (twilioCode !== null && overCodes.includes(twilioCode)) return make('call_over')
  if ((status === 400 || status === 409) && tooManyStreams.test(message)) return make('streams_full')
  if (status === 408 || status >= 500) return make('twilio_unavailable')
  // A 404 without Twilio's code comes from something else: apiBaseUrl, or a proxy.
  return make('twilio_rejected')
}

/** No answer at all: time-out, refused or broken connection, a name that does not resolve. */
export function silenceOf(thrown: unknown, timeoutMs: number): TwilioError {
  if (thrown instanceof TwilioError) return thrown
  const code = (thrown as { code?: unknown } | null)?.code
  const timedOut = code === 'ECONNABORTED' || code === 'ETIMEDOUT' || code === 'ERR_CANCELED'
  const why = timedOut ? `no answer within ${timeoutMs} ms` : typeof code === 'string' ? code : messageOf(thrown)
  const isUnanswered = !neverLeft.includes(code)
  return new TwilioError('twilio_unavailable', `Twilio's REST API cannot be reached: ${withoutNumbers(why)}`, {
    isUnanswered,
  })
}

function bodyOf(body: unknown): { code: number | null; message: string } {
  if (typeof body !== 'object' || body === null) return { code: null, message: '' }
  const { code, message } = body as { code?: unknown; message?: unknown }
  return {
    code: typeof code === 'number' ? code : null,
    message: typeof message === 'string' ? withoutNumbers(message) : '',
  }
}

function withoutNumbers(text: string): string {
  return text.replace(/\+\d{7,15}\b/g, '+***').slice(0, detailCharsMax)
}

/** Seconds, or an HTTP date. */
function retryAfterOf(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), retryAfterMsMax) : null
}
