/**
 * Expected errors as `application/problem+json` (RFC 9457) and everything else the API answers as JSON. Nothing here
 * may be cached: answers are about calls. Main thread.
 */
import { AccessRefused } from '../access/authenticate.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer } from '../http/exchange.ts'
import { problemAnswer } from '../http/problem.ts'

/** Sent with every answer of the API. */
export const plainHeaders = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const

export function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return {
    status,
    headers: { 'Content-Type': 'application/json', ...plainHeaders, ...headers },
    body: JSON.stringify(body),
  }
}

/** @throws what is not an OperatingError: a bug is not an answer. */
export function problemOf(thrown: unknown): HttpAnswer {
  if (!(thrown instanceof OperatingError)) throw thrown
  const headers = thrown instanceof AccessRefused ? thrown.headers() : {}
  return problemAnswer(thrown.code, thrown.message, { ...plainHeaders, ...headers })
}
