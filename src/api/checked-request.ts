/** The query and the JSON body of a request, checked against the schemas that also make the document. Pure. */
import type { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import type { HttpRequest } from '../http/exchange.ts'

/** The query as an object of the schema. @throws OperatingError bad_request naming every problem. */
export function checkedQuery<T>(schema: z.ZodType<T>, query: string): T {
  const parameters = new URLSearchParams(query)
  const names = [...parameters.keys()]
  if (new Set(names).size < names.length) throw new OperatingError('bad_request', 'a parameter is given twice')
  return checked(schema, Object.fromEntries(parameters))
}

/** Like `jsonBody`, but no body is an empty object. */
export function optionalJsonBody<T>(schema: z.ZodType<T>, request: Pick<HttpRequest, 'headers' | 'body'>): T {
  return request.body.length === 0 ? checked(schema, {}) : jsonBody(schema, request)
}

/**
 * JSON only: a form of another site cannot send that without the browser asking us first.
 * @throws OperatingError media_type_unsupported, bad_request
 */
export function jsonBody<T>(schema: z.ZodType<T>, request: Pick<HttpRequest, 'headers' | 'body'>): T {
  const mediaType = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (mediaType !== 'application/json') {
    throw new OperatingError('media_type_unsupported', 'Content-Type must be application/json')
  }
  let body: unknown
  try {
    body = JSON.parse(request.body.toString('utf8'))
  } catch {
    throw new OperatingError('bad_request', 'the body is not JSON')
  }
  return checked(schema, body)
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': '))
  throw new OperatingError('bad_request', problems.join('; ').slice(0, 1000))
}
