/**
 * Error answers as problem documents (RFC 9457): `type`, `title`, `status`, `detail` and our members `code` and
 * `retryable`. Every refusal of the server leaves through here, so that peers can rely on one shape. Main thread.
 */
import { type ErrorCode, errorCodes, OperatingError } from '../core/errors.ts'
import type { HttpAnswer } from './exchange.ts'

/** s that a peer is asked to wait before it repeats a retryable request. */
export const retryAfterSeconds = 2

/**
 * `{"type":"urn:voicefw:problem:body_too_large","title":"Body too
 * large","status":413,"detail":"...","code":"body_too_large", "retryable":false}`
 */
export function problemAnswer(
  code: ErrorCode,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  const { status, retryable } = errorCodes[code]
  const title = (code.charAt(0).toUpperCase() + code.slice(1)).replaceAll('_', ' ')
  return {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      ...(retryable ? { 'Retry-After': String(retryAfterSeconds) } : {}),
      ...headers,
    },
    body: JSON.stringify({ type: `urn:voicefw:problem:${code}`, title, status, detail, code, retryable }),
  }
}

/**
 * The answer to anything a route threw. An unexpected error tells the peer nothing of itself; it belongs in the log.
 */
export function thrownAnswer(thrown: unknown): HttpAnswer {
  if (thrown instanceof OperatingError) return problemAnswer(thrown.code, thrown.message)
  return problemAnswer('internal', 'an unexpected error; it has been logged')
}
