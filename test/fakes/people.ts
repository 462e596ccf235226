/** Requests, keys and calls for the tests of access and api: short to write, literal to read. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { ApiKeys } from '../../src/access/api-keys.ts'
import { Authenticator } from '../../src/access/authenticate.ts'
import { FailureThrottle } from '../../src/access/failure-throttle.ts'
import { JwtVerifier } from '../../src/access/jwt.ts'
import { Origins } from '../../src/access/origins.ts'
import { RateLimits } from '../../src/access/rate-limits.ts'
import { Sessions } from '../../src/access/sessions.ts'
import type { JwtConfig, LimitsConfig } from '../../src/config/schema.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { HttpAnswer, HttpRequest, HttpStream, Route } from '../../src/http/exchange.ts'
import { lastingDirectory } from './scratch.ts'

export function request(target: string, over: Partial<HttpRequest> & { header?: Record<string, string> } = {}) {
  const [path = '', query = ''] = target.split('?')
  const made: HttpRequest = {
    method: 'GET',
    path,
    query,
    params: {},
    headers: new Map(Object.entries(over.header ?? {})),
    remoteAddress: '192.0.2.7',
    body: Buffer.alloc(0),
    ...over,
  }
  return made
}

type Limits = Pick<LimitsConfig, 'perKey' | 'perIngestKey' | 'perAddress'>

const much = { requests: 100_000, windowS: 1 }
const generous: Limits = { perKey: much, perIngestKey: much, perAddress: much }

/** Everything that decides who may do what, over a fresh data directory. */
export function house(
  over: { secure?: boolean; sessionsMax?: number; clock?: ManualClock; limits?: Limits; jwt?: JwtConfig } = {},
) {
  const clock = over.clock ?? new ManualClock()
  const counters = zeroCounters()
  const dataDir = join(lastingDirectory(), 'data')
  const keys = new ApiKeys({ dataDir, clock, random: randomBytes })
  const sessions = new Sessions({
    ttlMs: 3_600_000,
    sessionsMax: over.sessionsMax ?? 100,
    secure: over.secure ?? false,
    clock,
    random: randomBytes,
    keyStands: (id) => id.startsWith('jwt:') || keys.stands(id),
    counters,
  })
  const throttle = new FailureThrottle({ burst: 10, refillMs: 6000, addressesMax: 10_000, clock })
  const limits = new RateLimits({ limits: over.limits ?? generous, counters })
  const origins = new Origins({ publicUrl: 'https://voice.example.com', browserOrigins: [] })
  const jwt = over.jwt === undefined ? null : new JwtVerifier(over.jwt, clock)
  const authenticator = new Authenticator({ keys, sessions, throttle, limits, origins, jwt, clock, counters })
  return { clock, counters, dataDir, keys, sessions, throttle, origins, authenticator }
}

/** Finds the route as the server would and asks it. */
export async function ask(routes: readonly Route[], asked: HttpRequest): Promise<HttpAnswer | HttpStream> {
  for (const route of routes) {
    const names: string[] = []
    const pattern = route.pattern.replace(/:(\w+)/g, (_, name: string) => {
      names.push(name)
      return '([^/]+)'
    })
    const match = new RegExp(`^${pattern}$`).exec(asked.path)
    if (!match || route.method !== asked.method) continue
    const params = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(match[at + 1] ?? '')]))
    return route.answer({ ...asked, params })
  }
  throw new Error(`no route for ${asked.method} ${asked.path}`)
}

/** An answer that is complete, its body parsed when it is JSON. */
export async function askJson(routes: readonly Route[], asked: HttpRequest) {
  const answer = await ask(routes, asked)
  if ('open' in answer) throw new Error('an answer was expected, a stream came')
  const body = answer.body === undefined ? null : JSON.parse(String(answer.body))
  return { status: answer.status, headers: headersOf(answer), body: body as Record<string, unknown> }
}

/** By lower-case name, as HTTP compares them; a header given twice in two spellings would fail here. */
export function headersOf(answer: HttpAnswer | HttpStream): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    if (name.toLowerCase() in headers) throw new Error(`header ${name} is given twice`)
    headers[name.toLowerCase()] = value
  }
  return headers
}
