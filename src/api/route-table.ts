/**
 * What a route of the API declares, in one place: method, path, who may, what is asked and answered. The gate enforces
 * it, the OpenAPI document is made of it. Pure.
 */
import type { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import type { Role, Scope } from '../access/roles.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest, HttpStream, Route, SocketRoute } from '../http/exchange.ts'

export type Answer = HttpAnswer | HttpStream | Promise<HttpAnswer | HttpStream>

/** A schema is JSON of that shape; else the media types that may come, beside JSON of that shape when there is one. */
export type AnswerShape =
  | z.ZodType
  | { readonly mediaTypes: readonly string[]; readonly description: string; readonly schema?: z.ZodType }

export interface BodyShape {
  readonly schema?: z.ZodType
  readonly mediaTypes?: readonly string[]
  /** No body stands for an empty object. */
  readonly isOptional?: boolean
}

interface Declared {
  readonly method: Route['method']
  /** Literal segments and `:name`. */
  readonly pattern: string
  readonly summary: string
  /** The query's parameters; a strict object, so that an unknown one is refused. The gate checks it. */
  readonly query?: z.ZodObject
  /** With a schema the body is JSON and the gate checks it; else the route reads what the media types say. */
  readonly body?: BodyShape
  /** Default: server.bodyBytesMax. */
  readonly bodyBytesMax?: number
  /** Takes a body in chunks; see http/framing.ts. */
  readonly acceptsChunked?: boolean
  /** Beside another route of this method and pattern: for requests whose query has this parameter. */
  readonly onlyWith?: string
  /** Status -> what comes with it, when all goes well. */
  readonly answers: Readonly<Record<number, AnswerShape>>
  /** Problems beside those that its role, query and body bring along. */
  readonly problems?: readonly ErrorCode[]
}

export interface OpenRoute extends Declared {
  readonly role: 'anyone'
  readonly answer: (request: HttpRequest) => Answer
}

export interface GuardedRoute extends Declared {
  readonly role: Role
  /** Needed beside the role. */
  readonly scope?: Scope
  /** Its answers show phone numbers: that it was read is audited. */
  readonly showsNumbers?: boolean
  /** With `?numbers=clear` its answers show numbers that are stored as tokens, to whom has that scope. */
  readonly reveals?: boolean
  readonly answer: (request: HttpRequest, identity: Identity) => Answer
}

export type ApiRoute = OpenRoute | GuardedRoute

type Rest<T extends ApiRoute> = Omit<T, 'method' | 'pattern' | 'role' | 'summary'>

/** A route for everybody. */
export function open(method: Route['method'], pattern: string, summary: string, rest: Rest<OpenRoute>): ApiRoute {
  return { ...rest, method, pattern, summary, role: 'anyone' }
}

/** A route for a role and those above it. */
export function route(
  method: Route['method'],
  pattern: string,
  role: Role,
  summary: string,
  rest: Rest<GuardedRoute>,
): ApiRoute {
  return { ...rest, method, pattern, summary, role }
}

/** A WebSocket with who may open it; its state stays the route's own business. */
export interface ApiSocket {
  readonly role: Role
  readonly summary: string
  readonly query?: z.ZodObject
  /** As of a route. */
  readonly reveals?: boolean
  readonly problems?: readonly ErrorCode[]
  readonly route: SocketRoute<unknown>
}

export function socket<State>(
  route: SocketRoute<State>,
  role: Role,
  summary: string,
  rest: Pick<ApiSocket, 'query' | 'problems' | 'reveals'>,
): ApiSocket {
  return { ...rest, role, summary, route: route as unknown as SocketRoute<unknown> }
}

/** Routes that check who asks by themselves (Twilio's signature): for the document only. */
export interface ForeignRoute extends Declared {
  readonly role: 'twilio'
  readonly isSocket?: boolean
}

/** Everything that the gate and the server may say to a request of this route. */
export function problemCodesOf(route: ApiRoute | ForeignRoute | ApiSocket): ErrorCode[] {
  const codes: ErrorCode[] = ['bad_request', 'framing_ambiguous', 'too_many_requests', 'draining', 'internal']
  if (route.role !== 'anyone') codes.push('unauthenticated', 'forbidden')
  if ('body' in route && route.body !== undefined) {
    codes.push('body_too_large', 'body_too_slow', 'capacity_full')
    if (route.body.schema !== undefined || route.body.mediaTypes !== undefined) codes.push('media_type_unsupported')
  }
  if ('pattern' in route && route.pattern.includes(':')) codes.push('not_found')
  return [...new Set([...codes, ...(route.problems ?? [])])]
}
