/** JSON bodies of requests, checked against their schema. Main thread. */
import type { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import type { HttpRequest } from '../http/exchange.ts'

/**
 * The body as an object of the schema; no body is an empty object. JSON only: a form of another site cannot send that
 * without the browser asking us first.
 * @throws OperatingError media_type_unsupported, bad_request naming every problem.
 */
export function bodyOf<T>(request: HttpRequest, schema: z.ZodType<T>): T {
  const mediaType = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (request.body.length > 0 && mediaType !== 'application/json') {
    throw new OperatingError('media_type_unsupported', 'Content-Type must be application/json')
  }
  let body: unknown = {}
  try {
    if (request.body.length > 0) body = JSON.parse(request.body.toString('utf8'))
  } catch {
    throw new OperatingError('bad_request', 'the body is not JSON')
  }
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': '))
  throw new OperatingError('bad_request', problems.join('; '))
}
