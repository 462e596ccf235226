/**
 * Every route and socket of the real server, as its own document lists them, asked with everything but the right
 * credential and shape: the right code each time, and a row in the audit each time. Each case comes from a loopback
 * address of its own, by which its row is found. Doors that are open to everybody have no wrong credential; they have
 * their limits and shapes. Twilio's doors have its signature instead of a key.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ApiKeys } from '../../src/access/api-keys.ts'
import type { Role } from '../../src/access/roles.ts'
import type { OpenApiDocument, Operation } from '../../src/api/openapi.ts'
import { ManualClock, systemClock } from '../../src/core/clock.ts'
import { knock, say } from '../fakes/callers.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { type ServerProcess, startServer, testAccount } from '../fakes/server-process.ts'
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
  /** Declared to be open, guarded by a role, or by Twilio's signature. */
  readonly guard: 'open' | 'role' | 'twilio'
}

const dataDir = lastingDirectory()
const idp = provider()
const requestsPerKey = 25
const requestsPerAddress = 40
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
          perAddress: { requests: requestsPerAddress, windowS: 600 },
        },
      },
    },
  })
  document = JSON.parse((await say(`${server.url}/openapi.json`)).text)
})
after(() => server?.end('SIGKILL'))

function doors(guard?: Door['guard']): Door[] {
  const all = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) => doorsOf(path, method.toUpperCase(), operation)),
  )
  return all.filter((door) => guard === undefined || door.guard === guard)
}

function doorsOf(path: string, method: string, operation: Operation): Door[] {
  const isTwilio = path.startsWith('/twilio/')
  const plain = path.replace('{report}', 'traffic').replace('/{token}', '/none')
  const filled = plain.replace('{callSid}', `CA${'0'.repeat(32)}`).replace(/\{\w+\}/g, '000000000000')
  const isOpen = operation.description.startsWith('Open to everybody')
  const guard = isTwilio ? 'twilio' : isOpen ? 'open' : 'role'
  const door: Door = { path: filled, method, operation, isSocket: false, guard }
  const isSocket = operation['x-websocket'] === true
  // A path may be a stream of events and a socket; and the page's path is the SQL door's too.
  const isRoute = !isSocket || '200' in operation.responses
  const special = operation['x-only-with']
  const other: Door = { ...door, path: `${filled}?${special}=SELECT+1`, guard: 'role' }
  return [
    ...(isRoute ? [door] : []),
    ...(isSocket ? [{ ...door, isSocket }] : []),
    ...(special === undefined ? [] : [other]),
  ]
}

function roleOf(door: Door): Role | null {
  return (/Needs role (\w+)/.exec(door.operation.description)?.[1] ?? null) as Role | null
}

async function ask(door: Door, header: Record<string, string>, from: string, over: Over = {}) {
  const query = door.path.includes('?') ? over.query?.replace('?', '&') : over.query
  const url = `${server.url}${door.path}${query ?? ''}`
  if (door.isSocket) return knock(url, { header, from })
  const [first] = Object.keys((door.operation.requestBody?.['content'] ?? {}) as object)
  const type = first === '*/*' ? 'text/plain' : first
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

/** Chunks are for ClickHouse's clients alone; anywhere else they are refused before a route is asked. */
async function takesChunks(door: Door, header: Record<string, string>): Promise<void> {
  const said = await say(`${server.url}${door.path}`, { method: door.method, header, from: nextAddress() })
  const isRefused = said.status === 400 && said.text.includes('framing_ambiguous')
  assert.ok(isRefused || /sql/i.test(door.operation.summary) || door.path.startsWith('/?'), `${door.path} takes chunks`)
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
      ['token that is not valid yet', bearer(await idp.token({ role: 'admin', nbf: nowS + 600 }))],
      ['revoked key as Basic password', { authorization: `Basic ${btoa(`any:${revoked.key}`)}` }],
      ['bad key in the manner of ClickHouse', { 'x-clickhouse-user': 'any', 'x-clickhouse-key': revoked.key }],
      ['a scheme that is not known', { authorization: `Negotiate ${fresh['admin']}` }],
      ['a session that is not there', { cookie: `voicefw_session=${'A'.repeat(43)}` }],
    ]
    const guarded = doors('role')
    assert.ok(guarded.length > 35, `${guarded.length} doors`)
    for (const door of guarded) {
      const role = roleOf(door)
      assert.ok(role, `${door.method} ${door.path} is open to nobody and no role`)
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
    assert.equal(cases.length >= guarded.length * (shown.length + 2), true, `${cases.length} cases`)
  })

  it('is not helped by coming often where everybody may', async () => {
    const from = nextAddress()
    for (let n = 0; n < requestsPerAddress; n++) await say(`${server.url}/healthz`, { from })
    for (const door of doors('open')) {
      const said = await ask(door, {}, from)
      const title = `${door.method} ${door.path}: too fast`
      assert.equal(said.status, 429, title)
      assert.ok(Number(said.headers['retry-after']) > 0, title)
      cases.push({ name: title, status: 429, audited: ['access.denied', 'too_many_requests'], from })
    }
    // A good key behind the same address is nobody's neighbour in this.
    const key = bearer(await idp.token({ sub: 'neighbour' }))
    assert.equal((await say(`${server.url}/v1/status`, { header: key, from })).status, 200)
  })

  it("is refused at Twilio's doors without its signature, and leaves a row there too", async () => {
    const account = `AccountSid=${testAccount.sid}`
    const wrong = { 'x-twilio-signature': Buffer.alloc(20).toString('base64') }
    for (const door of doors('twilio')) {
      if (door.isSocket) {
        await refuses(door, 'unknown token', wrong, [403, 'access.denied', 'token_invalid'])
        continue
      }
      const form = { ...wrong, 'content-type': 'application/x-www-form-urlencoded' }
      const none = { 'content-type': 'application/x-www-form-urlencoded' }
      await refuses(door, 'no signature', none, [400, 'access.denied', 'signature_missing'], { body: account })
      await refuses(door, 'wrong signature', form, [403, 'access.denied', 'signature_invalid'], { body: account })
      const stranger = { body: `AccountSid=AC${'f'.repeat(32)}` }
      await refuses(door, 'unknown account', form, [403, 'access.denied', 'account_unknown'], stranger)
      const large = { announcedBytes: 17_000_000 }
      await refuses(door, 'too large', form, [413, 'request.refused', 'body_too_large'], large)
    }
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
    for (const door of doors('role').filter(({ isSocket }) => isSocket)) {
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
    for (const door of doors().filter(({ guard, isSocket }) => !isSocket && guard !== 'twilio')) {
      const role = door.guard === 'open' ? null : roleOf(door)
      const who = async (): Promise<Record<string, string>> =>
        role === null
          ? {}
          : bearer(await idp.token({ role, scope: 'sql audio:read', sub: `shape ${door.method} ${door.path}` }))
      const content = door.operation.requestBody?.['content'] as Record<string, { schema?: object }> | undefined
      const schema = content?.['application/json']?.schema
      const tooMuch = { announcedBytes: 17_000_000 }
      await refuses(door, 'too large', await who(), [413, 'request.refused', 'body_too_large'], tooMuch)
      const chunked = { ...(await who()), 'transfer-encoding': 'chunked', connection: 'close' }
      await takesChunks(door, chunked)
      const isTyped = content !== undefined && schema === undefined && !('*/*' in content)
      if (isTyped) {
        const typed = { ...(await who()), 'content-type': 'image/png' }
        const query = door.path === '/v1/cdr' ? { query: '?source=canonical' } : {}
        await refuses(door, 'wrong type', typed, [415, 'request.refused', 'media_type_unsupported'], query)
      }
      if (schema !== undefined) {
        const typed = { ...(await who()), 'content-type': 'text/plain' }
        await refuses(door, 'wrong type', typed, [415, 'request.refused', 'media_type_unsupported'])
        await refuses(door, 'unknown field', await who(), [400, 'request.refused', 'bad_request'], {
          body: '{"surprise":1}',
        })
      }
      // Switches and ClickHouse's clients add parameters of their own by habit.
      const isStrict = !['/v1/cdr', '/v1/sql', '/'].includes(door.path.split('?')[0] ?? '')
      if (isStrict && (door.operation.parameters ?? []).some((parameter) => parameter.in === 'query')) {
        const query = { query: '?surprise=1' }
        await refuses(door, 'unknown parameter', await who(), [400, 'request.refused', 'bad_request'], query)
      }
    }
  })

  it('signs in at the page with a key or a token, and the cookie is for that page alone', async () => {
    const key = keys.create('operator', 'desk')
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const json = { 'content-type': 'application/json' }
    const from = nextAddress()
    for (const credential of [key.key, await idp.token({ role: 'operator', sub: 'ann' })]) {
      const body = JSON.stringify({ key: credential })
      const said = await say(`${server.url}/v1/session`, { method: 'POST', header: json, body, from })
      assert.equal(said.status, 200, said.text)
      const set = String(said.headers['set-cookie'])
      assert.match(set, /^voicefw_session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/)
      const cookie = set.split(';')[0] ?? ''
      assert.equal((await say(`${server.url}/v1/calls`, { header: { cookie }, from })).status, 200)
      const act = (over: Record<string, string>): Promise<{ status: number }> => {
        const header = { ...json, cookie, ...over }
        const path = `/v1/calls/CA${'0'.repeat(32)}/audio`
        return say(`${server.url}${path}`, { method: 'PUT', header, body: '{"keep":false}', from })
      }
      const origin = server.url
      assert.equal((await act({ 'sec-fetch-site': 'same-origin', origin })).status, 200)
      assert.equal((await act({ 'sec-fetch-site': 'cross-site' })).status, 403)
      assert.equal((await act({ 'sec-fetch-site': 'same-site' })).status, 403)
      assert.equal((await act({ origin: 'https://evil.example.com' })).status, 403)
      assert.equal((await act({ 'content-type': 'text/plain' })).status, 415)
      const out = { method: 'DELETE', header: { cookie }, from }
      assert.equal((await say(`${server.url}/v1/session`, out)).status, 200)
      assert.equal((await say(`${server.url}/v1/calls`, { header: { cookie }, from })).status, 401)
    }
    const wrong = { method: 'POST', header: json, body: '{"key":"vf_wrong"}' }
    const stranger = nextAddress()
    const codes: number[] = []
    for (let n = 0; n < 12; n++)
      codes.push((await say(`${server.url}/v1/session`, { ...wrong, from: stranger })).status)
    assert.deepEqual([codes[0], codes[9], codes[10], codes[11]], [401, 401, 429, 429])
    cases.push({ name: 'wrong sign-in', status: 401, audited: ['access.denied', 'unauthenticated'], from: stranger })
    cases.push({ name: 'sign-in', status: 200, audited: ['session.open', 'ok'], from })
    cases.push({ name: 'sign-out', status: 200, audited: ['session.close', 'ok'], from })
    cases.push({ name: 'foreign page', status: 403, audited: ['access.denied', 'forbidden'], from })
  })

  it('gets headers with every page and answer that leave a browser no choice', async () => {
    const page = await say(`${server.url}/`, { from: nextAddress() })
    const policy = String(page.headers['content-security-policy'])
    assert.match(policy, /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/)
    assert.doesNotMatch(policy, /unsafe|\*/)
    for (const path of ['/', '/main.js', '/v1/session', '/healthz', '/nowhere', '/openapi']) {
      const { headers } = await say(`${server.url}${path}`, { from: nextAddress() })
      assert.equal(headers['x-content-type-options'], 'nosniff', path)
      assert.equal(headers['referrer-policy'], 'no-referrer', path)
      assert.match(String(headers['content-security-policy']), /^default-src 'none'/, path)
      assert.equal(headers['access-control-allow-origin'], undefined, path)
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
