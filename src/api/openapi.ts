/**
 * The OpenAPI 3.1 document, made of what the routes declare and of the very schemas that check requests. Pure.
 */
import { z } from 'zod'
import { errorCodes } from '../core/errors.ts'
import {
  type AnswerShape,
  type ApiRoute,
  type ApiSocket,
  type BodyShape,
  type ForeignRoute,
  problemCodesOf,
} from './route-table.ts'
import { problemShape } from './shapes.ts'

type Json = Readonly<Record<string, unknown>>

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: Json
  readonly servers: readonly Json[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Json
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly security: readonly Json[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: Json
  readonly responses: Readonly<Record<string, Json>>
  /** A WebSocket is opened here. */
  readonly 'x-websocket'?: true
  /** With this parameter in the query it is another route, of the same answers and more. */
  readonly 'x-only-with'?: string
}

export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path'
  readonly required: boolean
  readonly schema: Json
}

export interface DocumentParts {
  readonly version: string
  readonly routes: readonly ApiRoute[]
  readonly sockets: readonly ApiSocket[]
  readonly foreign: readonly ForeignRoute[]
}

export function openApiDocument({ version, routes, sockets, foreign }: DocumentParts): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {}
  const put = (pattern: string, method: string, operation: Operation): void => {
    const path = pattern.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [method]: operation }
  }
  const plainFirst = [...routes, ...foreign].sort((a, b) => Number('onlyWith' in a) - Number('onlyWith' in b))
  for (const route of plainFirst) {
    const method = route.method.toLowerCase()
    const known = route.onlyWith === undefined ? undefined : paths[route.pattern]?.[method]
    const operation = operationOf(route)
    put(route.pattern, method, known === undefined ? operation : eitherOf(known, operation, route.onlyWith ?? ''))
  }
  for (const socket of sockets) {
    const { pattern } = socket.route
    const known = paths[pattern]?.['get']
    const operation = socketOperation(socket)
    // A path may be a stream of events and a socket: then what the socket may answer is added.
    const responses = { ...operation.responses, ...known?.responses }
    put(pattern, 'get', known === undefined ? operation : { ...known, responses, 'x-websocket': true })
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'voicefw',
      version,
      description:
        'Real-time voice firewall. Every error is a problem document (RFC 9457) with `code` and `retryable`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas: { Problem: schemaOf(problemShape, 'output') }, securitySchemes },
  }
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key (`vf_...`), or a JWT of the configured issuer' },
  basic: { type: 'http', scheme: 'basic', description: 'Any user, the API key as password' },
  session: { type: 'apiKey', in: 'cookie', name: 'voicefw_session', description: 'Set by POST /v1/session' },
  twilio: { type: 'apiKey', in: 'header', name: 'X-Twilio-Signature', description: 'Twilio signs its requests' },
}

function operationOf(route: ApiRoute | ForeignRoute): Operation {
  const isSocket = 'isSocket' in route && route.isSocket === true
  const answers = Object.entries(route.answers).map(([status, shape]) => [status, answerOf(shape)] as const)
  const parameters = [...pathParameters(route.pattern), ...queryParameters(route.query)]
  return {
    operationId: `${route.method.toLowerCase()}${inOneWord(route.pattern)}`,
    summary: route.summary,
    description: needsOf(route),
    security: securityOf(route.role),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body === undefined ? {} : { requestBody: bodyOf(route.body) }),
    responses: { ...merged(problemsOf(route), Object.fromEntries(answers)), ...(isSocket ? switching : {}) },
    ...(isSocket ? { 'x-websocket': true } : {}),
  }
}

function socketOperation(socket: ApiSocket): Operation {
  const { pattern } = socket.route
  const notASocket = { 405: { description: 'method_not_allowed: this is not a WebSocket handshake', ...problem } }
  return {
    operationId: `socket${inOneWord(pattern)}`,
    summary: socket.summary,
    description: `WebSocket. ${needsOf(socket)}`,
    security: securityOf(socket.role),
    parameters: queryParameters(socket.query),
    responses: { ...problemsOf(socket), ...switching, ...notASocket },
    'x-websocket': true,
  }
}

/** One path and method, two routes. */
function eitherOf(plain: Operation, special: Operation, parameter: string): Operation {
  return {
    ...plain,
    description: `${plain.description} With \`${parameter}\`: ${special.summary}. ${special.description}`,
    parameters: special.parameters ?? [],
    responses: merged({ ...special.responses }, { ...plain.responses }),
    'x-only-with': parameter,
  }
}

/** `/v1/calls/:callSid` -> `V1CallsCallSid`. */
function inOneWord(pattern: string): string {
  return pattern.replace(/[^A-Za-z0-9]+(\w?)/g, (_, letter: string) => letter.toUpperCase())
}

const problem = { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } }
const switching = { 101: { description: 'The socket is open' } }

function needsOf(route: { readonly role: string; readonly scope?: string }): string {
  if (route.role === 'anyone') return 'Open to everybody.'
  if (route.role === 'twilio') return "Needs Twilio's signature."
  return `Needs role ${route.role}${route.scope === undefined ? '' : ` and scope ${route.scope}`}.`
}

function securityOf(role: ApiRoute['role'] | 'twilio'): Json[] {
  if (role === 'anyone') return []
  if (role === 'twilio') return [{ twilio: [] }]
  return [{ bearer: [] }, { basic: [] }, ...(role === 'ingest' ? [] : [{ session: [] }])]
}

/** Status -> the codes that come with it. */
function problemsOf(route: ApiRoute | ForeignRoute | ApiSocket): Record<string, Json> {
  const byStatus = new Map<string, string[]>()
  for (const code of problemCodesOf(route)) {
    const status = String(errorCodes[code].status)
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [status, { description: codes.join(', '), ...problem }]),
  )
}

/** Where a route's own answer and a problem share a status, either may come. */
function merged(problems: Record<string, Json>, answers: Record<string, Json>): Record<string, Json> {
  const both = Object.entries(answers).map(([status, answer]) => {
    const other = problems[status]
    if (other === undefined) return [status, answer]
    const content = { ...(other['content'] as object), ...(answer['content'] as object) }
    return [status, { description: `${answer['description']}; or ${other['description']}`, content }]
  })
  return { ...problems, ...Object.fromEntries(both) }
}

function answerOf(shape: AnswerShape): Json {
  if ('mediaTypes' in shape) {
    const types = shape.mediaTypes.filter((type) => type !== '')
    const json = shape.schema === undefined ? {} : { 'application/json': { schema: schemaOf(shape.schema, 'output') } }
    const content = { ...json, ...Object.fromEntries(types.map((type) => [type, {}])) }
    return { description: shape.description, ...(types.length > 0 ? { content } : {}) }
  }
  return { description: 'Good', content: { 'application/json': { schema: schemaOf(shape, 'output') } } }
}

function bodyOf({ schema, mediaTypes = [], isOptional = false }: BodyShape): Json {
  if (schema === undefined) {
    const types = mediaTypes.length > 0 ? mediaTypes : ['*/*']
    return { required: mediaTypes.length > 0, content: Object.fromEntries(types.map((type) => [type, {}])) }
  }
  return { required: !isOptional, content: { 'application/json': { schema: schemaOf(schema, 'input') } } }
}

function pathParameters(pattern: string): Parameter[] {
  const names = [...pattern.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '')
  return names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
}

function queryParameters(query: z.ZodObject | undefined): Parameter[] {
  if (query === undefined) return []
  const schema = schemaOf(query, 'input') as { properties?: Record<string, Json>; required?: string[] }
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    return { name, in: 'query', required: schema.required?.includes(name) ?? false, schema: property }
  })
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' })
  return rest
}
