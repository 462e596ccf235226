/**
 * The server against its own document: the same routes and sockets, and whatever a client made of the document asks,
 * the answer is one that the document tells. Over real sockets, the whole firewall behind them.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { ApiKeys } from '../../src/access/api-keys.ts'
import type { OpenApiDocument, Operation, Parameter } from '../../src/api/openapi.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { projectRoot } from '../../src/core/project.ts'
import { type Firewall, startFirewall } from '../../src/main.ts'
import { type Said, say } from '../fakes/callers.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

type Schema = Readonly<Record<string, unknown>>

const dataDir = lastingDirectory()
/** A copy: whatever is asked here, the package's own registry stays as it is. */
const modelsDir = join(dataDir, 'models')
let firewall: Firewall
let document: OpenApiDocument
const keys: Record<string, string> = {}

before(async () => {
  cpSync(join(projectRoot, 'models'), modelsDir, { recursive: true })
  const limit = '{ requests: 1000000, windowS: 10 }'
  const env = {
    VOICEFW__DATA_DIR: dataDir,
    VOICEFW__SERVER__PORT: '0',
    VOICEFW__MODELS__DIRECTORY: modelsDir,
    VOICEFW__AUTH__LIMITS__PER_KEY: limit,
    VOICEFW__AUTH__LIMITS__PER_INGEST_KEY: limit,
    VOICEFW__AUTH__LIMITS__PER_ADDRESS: limit,
  }
  const made = new ApiKeys({ dataDir, clock: systemClock, random: randomBytes })
  for (const role of ['admin', 'ingest'] as const) keys[role] = made.create(role, role).key
  firewall = await startFirewall({ config: loadConfig({ env }), log: silentLog, clock: systemClock })
  document = JSON.parse((await say(`${firewall.url}/openapi.json`)).text)
})
after(() => firewall?.close())

function operations(): { path: string; method: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
}

/** A value of a JSON Schema as zod writes them, or now and then something else. */
function anyOf(schema: Schema): fc.Arbitrary<unknown> {
  const wild = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.jsonValue())
  return fc.oneof({ weight: 4, arbitrary: fitting(schema) }, { weight: 1, arbitrary: wild })
}

function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...schema['enum'])
  if (Array.isArray(schema['anyOf'])) return fc.oneof(...schema['anyOf'].map((one) => fitting(one as Schema)))
  const most = (name: string, value: number): number => Math.min(Number(schema[name] ?? value), value)
  switch (schema['type']) {
    case 'integer':
    case 'number':
      return fc.integer({ min: Number(schema['minimum'] ?? 0), max: most('maximum', 100_000) })
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(fitting((schema['items'] ?? {}) as Schema), { maxLength: most('maxItems', 5) })
    case 'object': {
      const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
      const required = (schema['required'] ?? []) as string[]
      const model = Object.fromEntries(properties.map(([name, property]) => [name, anyOf(property)]))
      return fc.record(model, { requiredKeys: required })
    }
    default:
      if (schema['format'] === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
      return fc.oneof(fc.string({ maxLength: most('maxLength', 200) }), fc.constantFrom('1', 'traffic', 'SELECT 1', ''))
  }
}

interface Request {
  readonly target: string
  readonly body: string | undefined
  readonly type: string | undefined
  readonly key: string | undefined
}

function requestOf({ path, operation }: { path: string; operation: Operation }): fc.Arbitrary<Request> {
  const parameters = operation.parameters ?? []
  const one = (parameter: Parameter): fc.Arbitrary<[Parameter, unknown] | null> => {
    const some = anyOf(parameter.schema).map((value): [Parameter, unknown] => [parameter, value])
    return parameter.in === 'path' ? some : fc.option(some, { freq: 2 })
  }
  const content = Object.entries((operation.requestBody?.['content'] ?? {}) as Record<string, { schema?: Schema }>)
  const body = content.length === 0 ? fc.constant(undefined) : fc.oneof(...content.map(bodyOf))
  const role = /Needs role (\w+)/.exec(operation.description)?.[1]
  const right = role === undefined ? undefined : role === 'ingest' ? keys['ingest'] : keys['admin']
  const key = fc.oneof({ weight: 8, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: fc.constant('vf_wrong') })
  return fc.tuple(fc.tuple(...parameters.map(one)), body, key).map(([values, sent, shown]) => {
    const query = new URLSearchParams()
    let target = path
    for (const value of values) {
      if (value === null) continue
      const [parameter, given] = value
      const text = typeof given === 'string' ? Buffer.from(given).toString() : JSON.stringify(given)
      // An empty segment would be another path.
      if (parameter.in === 'path') target = target.replace(`{${parameter.name}}`, segmentOf(text))
      else query.set(parameter.name, text)
    }
    return { target: `${target}?${query}`, body: sent?.text, type: sent?.type, key: shown }
  })
}

function segmentOf(text: string): string {
  const segment = encodeURIComponent(text)
  return segment === '' || segment === '.' || segment === '..' ? 'x' : segment
}

function bodyOf([type, { schema }]: [string, { schema?: Schema }]): fc.Arbitrary<{ type: string; text: string }> {
  const json = (schema === undefined ? fc.jsonValue() : anyOf(schema)).map((value) => JSON.stringify(value))
  const text = fc.oneof({ weight: 4, arbitrary: json }, { weight: 1, arbitrary: fc.string() })
  return text.map((written) => ({ type: type === '*/*' ? 'text/plain' : type, text: written }))
}

async function asks(method: string, { target, body, type, key }: Request): Promise<Said> {
  const header = {
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  }
  return say(firewall.url + target, { method, header, ...(body === undefined ? {} : { body }) })
}

/** Status, media type and shape are told by the document. */
function assertTold(operation: Operation, said: Said, about: string): void {
  assert.ok(said.status < 500, `${about}: ${said.status} ${said.text.slice(0, 300)}`)
  const response = operation.responses[String(said.status)]
  assert.ok(response, `${about}: ${said.status} is not in the document: ${said.text.slice(0, 300)}`)
  const content = response['content'] as Record<string, { schema?: Schema }> | undefined
  if (content === undefined) return
  const type = String(said.headers['content-type']).split(';')[0] ?? ''
  const known = Object.entries(content).find(([media]) => media === '*/*' || media.split(';')[0] === type)
  assert.ok(known, `${about}: ${said.status} comes as ${type}, the document has ${Object.keys(content).join(', ')}`)
  const schema = known[1].schema
  if (schema === undefined || said.text === '') return
  const shape = z.fromJSONSchema(inlined(schema) as Parameters<typeof z.fromJSONSchema>[0])
  const read = shape.safeParse(JSON.parse(said.text))
  assert.ok(read.success, `${about}: ${JSON.stringify(read.error?.issues.slice(0, 3))} in ${said.text.slice(0, 300)}`)
}

function inlined(schema: Schema): unknown {
  const { schemas } = document.components as { schemas: Record<string, Schema> }
  return typeof schema['$ref'] === 'string' ? schemas[schema['$ref'].split('/').at(-1) ?? ''] : schema
}

describe('the document', () => {
  it('has every route and socket of the server, and no other', () => {
    const told = operations().flatMap(({ path, method, operation }) => {
      const pattern = path.replace(/\{(\w+)\}/g, ':$1')
      const isSocket = operation['x-websocket'] === true
      const isRoute = !isSocket || '200' in operation.responses
      return [...(isRoute ? [`${method} ${pattern}`] : []), ...(isSocket ? [`WS ${pattern}`] : [])]
    })
    assert.deepEqual([...told].sort(), firewall.patterns().sort())
  })

  it('is OpenAPI 3.1 whose references resolve and whose operations have names of their own', () => {
    assert.equal(document.openapi, '3.1.0')
    const ids = operations().map(({ operation }) => operation.operationId)
    assert.equal(new Set(ids).size, ids.length)
    const text = JSON.stringify(document)
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
      assert.ok(name in (document.components['schemas'] as object), name)
    }
  })

  it('can be read by people, without a script', async () => {
    const said = await say(`${firewall.url}/openapi`)
    assert.match(said.text, /<code>\/v1\/calls\/\{callSid\}<\/code>/)
    assert.match(String(said.headers['content-security-policy']), /^default-src 'none'; style-src 'sha256-/)
    assert.ok(!said.text.includes('<script'))
  })

  it('tells every answer that a client made of it can get', async () => {
    for (const { path, method, operation } of operations()) {
      if (operation['x-websocket'] === true && !('200' in operation.responses)) continue
      const property = fc.asyncProperty(requestOf({ path, operation }), async (request) => {
        const said = await asks(method, request)
        assertTold(operation, said, `${method} ${request.target} ${request.body ?? ''}`)
      })
      await fc.assert(property, { numRuns: 40, includeErrorInReport: true })
    }
  })
})
