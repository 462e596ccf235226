/**
 * Every route and socket of the real server, as its own document lists them, asked with everything but the right
 * credential and shape: the right code each time, and a row in the audit each time. Each case comes from a loopback
 * address of its own, by which its row is found.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ApiKeys } from '../../src/access/api-keys.ts'
import type { Role } from '../../src/access/roles.ts'
import type { OpenApiDocument, Operation } from '../../src/api/openapi.ts'
import { ManualClock, systemClock } from '../../src/core/clock.ts'
import { knock, say } from '../fakes/callers.ts'
import { type ServerProcess, startServer } from '../fakes/server-process.ts'
import { audience, forged, hmacWithPublicKey, issuer, provider } from '../fakes/tokens.ts'

interface Case {
  readonly name: string
  readonly status: number
  /** Action and result of the audit row. */
  readonly audited: readonly [string, string]
  readonly from: string
}

interface Over {
  readonly query?: string
  readonly body?: string
  readonly announcedBytes?: number
}

interface Door {
  readonly path: string
  readonly method: string
  readonly operation: Operation
  readonly isSocket: boolean
}

const dataDir = mkdtempSync(join(tmpdir(), 'voicefw-access-'))
const idp = provider()
const requestsPerKey = 25
let server: ServerProcess
let document: OpenApiDocument
let keys: ApiKeys
let addresses = 0
const cases: Case[] = []

/** 127.1.0.1, 127.1.0.2 ...: all are this machine. */
function nextAddress(): string {
  addresses += 1
  return `127.1.${addresses >> 8}.${addresses & 255}`
}

before(async () => {
  const jwksFile = join(dataDir, 'jwks.json')
  writeFileSync(jwksFile, idp.jwks)
  keys = new ApiKeys({ dataDir, clock: systemClock, random: randomBytes })
  server = await startServer({
    dataDir,
    config: {
      auth: {
        jwt: { algorithms: ['RS256'], issuer, audience, jwksFile },
        limits: {
          perKey: { requests: requestsPerKey, windowS: 600 },
          perIngestKey: { requests: requestsPerKey, windowS: 600 },
          perAddress: { requests: 1000, windowS: 600 },
        },
      },
    },
  })
  document = JSON.parse((await say(`${server.url}/openapi.json`)).text)
})
after(() => server?.end('SIGKILL'))

function doors(): Door[] {
  return Object.entries(document.paths)
    .filter(([path]) => !path.startsWith('/twilio/'))
    .flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, operation]) => {
        const filled = path.replace('{report}', 'traffic').replace(/\{\w+\}/g, '000000000000')
        const door = { path: filled, method: method.toUpperCase(), operation }
        const isSocket = operation['x-websocket'] === true
        // A path may be a stream of events and a socket.
        const isRoute = !isSocket || '200' in operation.responses
        return [...(isRoute ? [{ ...door, isSocket: false }] : []), ...(isSocket ? [{ ...door, isSocket }] : [])]
      }),
    )
}

function roleOf(door: Door): Role | null {
  return (/Needs role (\w+)/.exec(door.operation.description)?.[1] ?? null) as Role | null
}

async function ask(door: Door, header: Record<string, string>, from: string, over: Over = {}) {
  const url = `${server.url}${door.path}${over.query ?? ''}`
  if (door.isSocket) return knock(url, { header, from })
  const type = Object.keys((door.operation.requestBody?.['content'] ?? {}) as object)[0]
  const body = over.body ?? (type === undefined ? undefined : '{}')
  const typed = { ...(type === undefined ? {} : { 'content-type': type }), ...header }
  const { announcedBytes } = over
  const sent = announcedBytes === undefined ? (body === undefined ? {} : { body }) : { announcedBytes }
  return say(url, { method: door.method, header: typed, from, ...sent })
}

async function refuses(
  door: Door,
  name: string,
  header: Record<string, string>,
  expected: readonly [number, string, string],
  over: Over = {},
): Promise<void> {
  const from = nextAddress()
  const title = `${door.isSocket ? 'WS' : door.method} ${door.path}: ${name}`
  const said = await ask(door, header, from, over)
  assert.equal(said.status, expected[0], `${title} ${'text' in said ? said.text : ''}`)
  if (expected[0] === 401) assert.ok(String(said.headers['www-authenticate']).startsWith('Bearer'), title)
  if (expected[0] === 429) assert.ok(Number(said.headers['retry-after']) > 0, title)
  if (!door.isSocket) assert.equal(said.headers['content-type'], 'application/problem+json', title)
  cases.push({ name: title, status: expected[0], audited: [expected[1], expected[2]], from })
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
const wrongRole: Record<Role, Role> = { viewer: 'ingest', operator: 'viewer', admin: 'operator', ingest: 'admin' }

async function tooFastKey(): Promise<string> {
  const { key } = keys.create('viewer', 'hasty')
  for (let n = 0; n < requestsPerKey; n++) {
    const said = await say(`${server.url}/v1/status`, { header: bearer(key), from: nextAddress() })
    assert.equal(said.status, 200)
  }
  return key
}

describe('a stranger at any door', () => {
  it('is refused with the right code, whatever he shows', async () => {
    const long = new ManualClock(Date.UTC(2020, 0, 1))
    const expired = new ApiKeys({ dataDir, clock: long, random: randomBytes }).create('admin', 'old', {
      expiresAt: '2021-01-01T00:00:00.000Z',
    })
    const revoked = keys.create('admin', 'gone')
    keys.revoke(revoked.id)
    const fresh = Object.fromEntries(
      (['viewer', 'operator', 'admin', 'ingest'] as const).map((role) => [role, keys.create(role, role).key]),
    )
    // A running server notices changed keys within a second.
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const hasty = await tooFastKey()
    const nowS = Math.floor(Date.now() / 1000)
    const shown: [string, Record<string, string>][] = [
      ['no token', {}],
      ['bad key', bearer(`vf_${'0'.repeat(12)}_${'A'.repeat(43)}`)],
      ['known id, wrong secret', bearer(`vf_${revoked.id}_${'A'.repeat(43)}`)],
      ['expired key', bearer(expired.key)],
      ['revoked key', bearer(revoked.key)],
      ['token with alg none', bearer(forged({ alg: 'none' }, () => ''))],
      ['HS256 token made with the public key', bearer(hmacWithPublicKey(idp.publicPem))],
      ['token of a stranger with our key id', bearer(await provider().token({ role: 'admin' }))],
      ['token for somebody else', bearer(await idp.token({ role: 'admin', aud: 'billing' }))],
      ['token of another issuer', bearer(await idp.token({ role: 'admin', iss: 'https://evil.example.com/' }))],
      ['expired token', bearer(await idp.token({ role: 'admin' }, { expS: nowS - 60, iatS: nowS - 120 }))],
      ['token without a role', bearer(await idp.token({ role: 'owner' }))],
    ]
    for (const door of doors()) {
      const role = roleOf(door)
      if (role === null) continue
      for (const [name, header] of shown) {
        await refuses(door, name, header, [401, 'access.denied', 'unauthenticated'])
      }
      const lesser = bearer(await idp.token({ role: wrongRole[role], sub: `lesser ${door.method} ${door.path}` }))
      await refuses(door, 'wrong role', lesser, [403, 'access.denied', 'forbidden'])
      if (/scope (\w+)/.test(door.operation.description)) {
        const scopeless = bearer(await idp.token({ role, sub: `scopeless ${door.method}` }))
        await refuses(door, 'without the scope', scopeless, [403, 'access.denied', 'forbidden'])
      }
      await refuses(door, 'too fast', bearer(hasty), [429, 'access.denied', 'too_many_requests'])
    }
    assert.ok(cases.length > 100, `${cases.length} cases`)
    assert.ok(fresh['viewer'])
  })

  it('is not helped by a good key in the URL, which would end in logs', async () => {
    const { key } = keys.create('admin', 'careless')
    await new Promise((resolve) => setTimeout(resolve, 1100))
    for (const name of ['key', 'token', 'access_token', 'authorization', 'password']) {
      const target = `${server.url}/v1/calls?${name}=${key}`
      assert.equal((await say(target, { from: nextAddress() })).status, 401, name)
    }
    assert.equal(
      (await knock(`${server.url}/v1/cdr?source=canonical&token=${key}`, { from: nextAddress() })).status,
      401,
    )
  })

  it('is refused at a socket when a page of another site sent him', async () => {
    for (const door of doors().filter(({ isSocket }) => isSocket)) {
      const role = roleOf(door) as Role
      const header = { ...bearer(await idp.token({ role, sub: 'page' })), origin: 'https://evil.example.com' }
      await refuses(door, 'foreign origin', header, [403, 'access.denied', 'forbidden'])
      // The program without a page gets to the route; that of records wants a source.
      const query = door.path === '/v1/cdr' ? '?source=canonical' : ''
      const said = await ask(door, bearer(await idp.token({ role, sub: 'page' })), nextAddress(), { query })
      assert.equal(said.status, 101, door.path)
    }
  })

  it('with the right credential is refused when what he asks has the wrong shape', async () => {
    for (const door of doors().filter(({ isSocket }) => !isSocket)) {
      const role = roleOf(door)
      const who = async (): Promise<Record<string, string>> =>
        role === null ? {} : bearer(await idp.token({ role, scope: 'sql', sub: `shape ${door.method} ${door.path}` }))
      const content = door.operation.requestBody?.['content'] as Record<string, { schema?: object }> | undefined
      const schema = content?.['application/json']?.schema
      if (content !== undefined) {
        await refuses(door, 'too large', await who(), [413, 'request.refused', 'body_too_large'], {
          announcedBytes: 17_000_000,
        })
      }
      if (schema !== undefined) {
        const typed = { ...(await who()), 'content-type': 'text/plain' }
        await refuses(door, 'wrong type', typed, [415, 'request.refused', 'media_type_unsupported'])
        await refuses(door, 'unknown field', await who(), [400, 'request.refused', 'bad_request'], {
          body: '{"surprise":1}',
        })
      }
      // Switches and ClickHouse's clients add parameters of their own by habit.
      const isStrict = !['/v1/cdr', '/v1/sql'].includes(door.path)
      if (isStrict && (door.operation.parameters ?? []).some((parameter) => parameter.in === 'query')) {
        const query = { query: '?surprise=1' }
        await refuses(door, 'unknown parameter', await who(), [400, 'request.refused', 'bad_request'], query)
      }
    }
  })

  it('leaves a row in the audit each time', async () => {
    const admin = bearer(await idp.token({ role: 'admin', sub: 'auditor' }))
    const rows: { remote: string; action: string; result: string }[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const said = await say(`${server.url}/v1/audit?limit=10000${cursor && `&cursor=${cursor}`}`, { header: admin })
      assert.equal(said.status, 200, said.text)
      const page = JSON.parse(said.text)
      rows.push(...page.rows)
      cursor = page.next
    }
    const found = new Map(rows.map((row) => [`${row.remote} ${row.action} ${row.result}`, row]))
    const missing = cases.filter(({ from, audited }) => !found.has(`${from} ${audited.join(' ')}`))
    assert.deepEqual(
      missing.map(({ name }) => name),
      [],
    )
    assert.ok(!JSON.stringify(rows).includes('vf_'), 'a key stands in the audit')
  })
})
