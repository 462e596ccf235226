/**
 * Expected errors as `application/problem+json` (RFC 9457) and everything else the API answers as JSON. Nothing here
 * may be cached: answers are about calls. Main thread.
 */
import { AccessRefused } from '../access/authenticate.ts'
import { type ErrorCode, OperatingError } from '../core/errors.ts'
import type { HttpAnswer } from '../http/exchange.ts'

/** Sent with every answer of the API. */
export const plainHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

export function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...plainHeaders, ...headers },
    body: JSON.stringify(body),
  }
}

/** @throws what is not an OperatingError: a bug is not an answer. */
export function problemOf(thrown: unknown): HttpAnswer {
  if (!(thrown instanceof OperatingError)) throw thrown
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', ...plainHeaders }
  if (thrown instanceof AccessRefused) Object.assign(headers, thrown.headers())
  else if (thrown.status === 503 || thrown.status === 429) headers['retry-after'] = '2'
  const { status, code, retryable } = thrown
  const body = {
    type: `urn:voicefw:problem:${code}`,
    title: titleOf(code),
    status,
    code,
    retryable,
    detail: thrown.message,
  }
  return { status, headers, body: JSON.stringify(body) }
}

function titleOf(code: ErrorCode): string {
  return (code.charAt(0).toUpperCase() + code.slice(1)).replaceAll('_', ' ')
}
