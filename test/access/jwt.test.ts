import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { JwtVerifier, looksLikeToken } from '../../src/access/jwt.ts'
import type { JwtConfig } from '../../src/config/schema.ts'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { audience, forged, hmacWithPublicKey, issuer, provider } from '../fakes/tokens.ts'

const idp = provider()

function config(over: Partial<JwtConfig>): JwtConfig {
  const keys = { jwksFile: null, jwksUrl: null, secret: null }
  const claims = { roleClaim: 'role', scopeClaim: 'scope', clockSkewS: 30, ageMaxS: 3600 }
  return { algorithms: ['RS256'], issuer, audience, ...keys, ...claims, ...over }
}

function file(jwks: string): string {
  const path = join(lastingDirectory(), 'jwks.json')
  writeFileSync(path, jwks)
  return path
}

/** The system's time, a number of s later. */
function later(seconds: number): Clock & { seconds: number } {
  return {
    seconds,
    wallMs() {
      return systemClock.wallMs() + this.seconds * 1000
    },
    steadyMs() {
      return systemClock.steadyMs() + this.seconds * 1000
    },
  }
}

const nowS = (): number => Math.floor(Date.now() / 1000)

describe('tokens', () => {
  it('say who somebody is and what he may do', async () => {
    const jwt = new JwtVerifier(config({ jwksFile: file(idp.jwks) }), systemClock)
    const facts = await jwt.verify(await idp.token({ sub: 'ann', role: 'operator', scope: 'openid sql' }))
    assert.deepEqual([facts?.subject, facts?.role, facts?.scopes], ['ann', 'operator', ['sql']])
    const many = await jwt.verify(await idp.token({ role: ['viewer', 'admin', 'owner'] }))
    assert.equal(many?.role, 'admin')
  })

  it('hold only when signed by the right key in the right way, for us, by our issuer, now', async () => {
    const jwt = new JwtVerifier(config({ jwksFile: file(idp.jwks) }), systemClock)
    const bad: Record<string, string> = {
      'alg none': forged({ alg: 'none' }, () => ''),
      'alg None': forged({ alg: 'None', kid: 'k1' }, () => ''),
      'HS256 with the public key': hmacWithPublicKey(idp.publicPem),
      'no signature': (await idp.token()).replace(/[^.]+$/, ''),
      'another signature': (await idp.token()).replace(/[^.]+$/, Buffer.alloc(256).toString('base64url')),
      'a key in its own header': forged({ alg: 'RS256', jwk: JSON.parse(provider().jwks).keys[0] }, () => 'AAAA'),
      stranger: await provider().token(),
      'another key id': await idp.token({}, { kid: 'k9' }),
      audience: await idp.token({ aud: 'billing' }),
      'audience, one of': await idp.token({ aud: ['billing', 'crm'] }),
      issuer: await idp.token({ iss: 'https://evil.example.com/' }),
      expired: await idp.token({}, { expS: nowS() - 60 }),
      'not yet': await idp.token({ nbf: nowS() + 600 }),
      'from the future': await idp.token({}, { iatS: nowS() + 600, expS: nowS() + 900 }),
      'too old': await idp.token({}, { iatS: nowS() - 7200 }),
      'no subject': await idp.token({ sub: '' }),
      'no role': await idp.token({ role: 'root' }),
      'a role that is no text': await idp.token({ role: { admin: true } }),
      'too long': await idp.token({ padding: 'x'.repeat(9000) }),
    }
    for (const [name, token] of Object.entries(bad)) assert.equal(await jwt.verify(token), undefined, name)
  })

  it('may be off by the clock skew', async () => {
    const clock = later(20)
    const jwt = new JwtVerifier(config({ jwksFile: file(idp.jwks) }), clock)
    const token = await idp.token({}, { expS: nowS() })
    assert.ok(await jwt.verify(token))
    clock.seconds = 40
    assert.equal(await jwt.verify(token), undefined)
  })

  it('of a secret hold with that secret alone', async () => {
    const secret = 'a secret of at least 32 characters!'
    const jwt = new JwtVerifier(config({ algorithms: ['HS256'], secret }), systemClock)
    assert.equal((await jwt.verify(hmacWithPublicKey(secret)))?.role, 'admin')
    assert.equal(await jwt.verify(hmacWithPublicKey(`${secret}?`)), undefined)
    assert.equal(await jwt.verify(await idp.token()), undefined)
  })

  it('follow the key file when it is rotated, and hold no more when it is broken', async () => {
    const path = file(idp.jwks)
    const clock = later(0)
    const jwt = new JwtVerifier(config({ jwksFile: path }), clock)
    const next = provider('k2')
    assert.equal(await jwt.verify(await next.token()), undefined)
    writeFileSync(path, JSON.stringify({ keys: [...JSON.parse(idp.jwks).keys, ...JSON.parse(next.jwks).keys] }))
    clock.seconds += 2
    assert.ok(await jwt.verify(await next.token()))
    assert.ok(await jwt.verify(await idp.token()))
    writeFileSync(path, next.jwks)
    clock.seconds += 2
    assert.equal(await jwt.verify(await idp.token()), undefined)
    writeFileSync(path, '{')
    clock.seconds += 2
    assert.equal(await jwt.verify(await next.token()), undefined)
    assert.throws(() => new JwtVerifier(config({ jwksFile: path }), clock), { code: 'config_invalid' })
  })

  it('with a key id that is not known ask the URL again, at most twice a minute', async (test) => {
    let jwks = idp.jwks
    let requests = 0
    const server = createServer((_, answer) => {
      requests += 1
      answer.setHeader('content-type', 'application/json')
      answer.end(jwks)
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    test.after(() => server.close())
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
    const jwt = new JwtVerifier(config({ jwksUrl }), systemClock)
    assert.ok(await jwt.verify(await idp.token()))
    const next = provider('k2')
    jwks = next.jwks
    for (let n = 0; n < 20; n++) assert.equal(await jwt.verify(await next.token()), undefined)
    assert.equal(requests, 1)
  })

  it('are told apart from keys by their look', () => {
    assert.equal(looksLikeToken('eyJhbGciOiJub25lIn0.e30.'), true)
    assert.equal(looksLikeToken(`vf_${'0'.repeat(12)}_${'A'.repeat(43)}`), false)
    assert.equal(looksLikeToken('eyJ'), false)
  })
})
