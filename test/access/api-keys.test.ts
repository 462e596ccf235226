import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ApiKeys } from '../../src/access/api-keys.ts'
import { house } from '../fakes/people.ts'

describe('api keys', () => {
  it('are vf_<id>_<32 random bytes>, and the file holds HMAC-SHA-256 under the pepper, never the secret', () => {
    const { keys, dataDir } = house()
    const { id, key } = keys.create('viewer', 'wall screen')
    const [, shownId, secret = ''] = /^vf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/.exec(key) ?? []
    assert.equal(shownId, id)
    assert.equal(Buffer.from(secret, 'base64url').length, 32)
    const text = readFileSync(join(dataDir, 'keys.json'), 'utf8')
    assert.ok(!text.includes(secret))
    const pepper = Buffer.from(readFileSync(join(dataDir, 'keys.pepper'), 'utf8').trim(), 'hex')
    assert.ok(text.includes(createHmac('sha256', pepper).update(secret).digest('hex')))
  })

  it('lie in files only their owner reads', () => {
    const { keys, dataDir } = house()
    keys.ensureFirstKey()
    const modes = readdirSync(dataDir).map(
      (name) => `${name} ${(statSync(join(dataDir, name)).mode & 0o777).toString(8)}`,
    )
    assert.deepEqual(modes.sort(), ['admin.key 600', 'keys.json 600', 'keys.pepper 600'])
    assert.equal(statSync(dataDir).mode & 0o777, 0o700)
  })

  it('open for the right secret only', () => {
    const { keys } = house()
    const { id, key } = keys.create('operator', 'desk')
    assert.deepEqual([keys.verify(key)?.id, keys.verify(key)?.role], [id, 'operator'])
    const flipped = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A')
    const foreign = `vf_${'0'.repeat(12)}_${key.slice(-43)}`
    for (const wrong of ['', 'vf_', flipped, foreign, `${key}x`, ` ${key}`, key.toUpperCase()]) {
      assert.equal(keys.verify(wrong), undefined, wrong)
    }
  })

  it('stop working when revoked, and stay on the list', () => {
    const { keys } = house()
    const { id, key } = keys.create('viewer', 'old')
    assert.equal(keys.revoke(id), true)
    assert.equal(keys.verify(key), undefined)
    assert.equal(keys.stands(id), false)
    assert.equal(keys.list()[0]?.revokedAt, '2026-01-01T00:00:00.000Z')
    assert.equal(keys.revoke('ffffffffffff'), false)
  })

  it('made by another process are good at once, and revoked by one are so within a second', () => {
    const { keys, dataDir, clock } = house()
    assert.equal(keys.verify('vf_x'), undefined)
    const beside = new ApiKeys({ dataDir, clock, random: randomBytes })
    const { id, key } = beside.create('viewer', 'made beside')
    assert.equal(keys.verify(key)?.id, id)
    beside.revoke(id)
    clock.advance(999)
    assert.equal(keys.verify(key)?.id, id, 'the file is looked at once a second while keys are good')
    clock.advance(1)
    assert.equal(keys.verify(key), undefined)
  })

  it('made by eight processes at once are all there', () => {
    const { dataDir } = house()
    const code = `
      import { randomBytes } from 'node:crypto'
      const { ApiKeys } = await import(process.argv[1])
      const { systemClock } = await import(process.argv[2])
      const keys = new ApiKeys({ dataDir: process.argv[3], clock: systemClock, random: randomBytes })
      for (let n = 0; n < 5; n++) keys.create('viewer', 'key ' + n)`
    const here = new URL('../../src/', import.meta.url)
    const one = `node --input-type=module -e "$CODE" ${here}access/api-keys.js ${here}core/clock.js ${dataDir}`
    const script = `${Array.from({ length: 8 }, () => `${one} &`).join('\n')}\nwait`
    const run = spawnSync('sh', ['-c', script], { env: { ...process.env, CODE: code }, encoding: 'utf8' })
    assert.equal(run.stderr, '')
    const { keys } = JSON.parse(readFileSync(join(dataDir, 'keys.json'), 'utf8')) as { keys: unknown[] }
    assert.equal(keys.length, 40)
    assert.deepEqual(readdirSync(dataDir).sort(), ['keys.json', 'keys.pepper'])
  })

  it('cannot be checked while the file is damaged: nobody gets in, and the reason is told', () => {
    const { keys, dataDir, clock } = house()
    const { key } = keys.create('admin', 'me')
    writeFileSync(join(dataDir, 'keys.json'), '{"version":1,"keys":[{"id":"../../x"}]}')
    clock.advance(1000)
    assert.equal(keys.verify(key), undefined)
    assert.match(keys.problem() ?? '', /keys\.json is damaged/)
    assert.throws(() => keys.create('admin', 'again'), { code: 'config_invalid' })
    assert.throws(() => keys.ensureFirstKey(), { code: 'config_invalid' })
  })

  it('begin with one random admin key, written once to admin.key, only when there is none', () => {
    const { keys, dataDir } = house()
    const key = keys.ensureFirstKey() ?? ''
    assert.equal(readFileSync(join(dataDir, 'admin.key'), 'utf8'), `${key}\n`)
    assert.equal(keys.verify(key)?.role, 'admin')
    assert.equal(keys.ensureFirstKey(), undefined)
  })

  it('end at their time', () => {
    const { keys, clock } = house()
    const { id, key } = keys.create('viewer', 'guest', { expiresAt: '2026-01-01T01:00:00.000Z' })
    clock.advance(3_599_999)
    assert.equal(keys.verify(key)?.id, id)
    clock.advance(1)
    assert.equal(keys.verify(key), undefined)
    assert.equal(keys.stands(id), false)
    assert.throws(() => keys.create('viewer', 'late', { expiresAt: '2026-01-01T00:00:00.000Z' }), /in the future/)
  })

  it('carry scopes, and those made before there were any carry none', () => {
    const { keys, dataDir, clock } = house()
    const { key } = keys.create('viewer', 'analyst', { scopes: ['sql'] })
    assert.deepEqual(keys.verify(key)?.scopes, ['sql'])
    const path = join(dataDir, 'keys.json')
    const file = JSON.parse(readFileSync(path, 'utf8'))
    for (const record of file.keys) {
      delete record.scopes
      delete record.expiresAt
    }
    writeFileSync(path, JSON.stringify(file))
    clock.advance(1000)
    assert.deepEqual([keys.verify(key)?.scopes, keys.list()[0]?.expiresAt], [[], null])
  })

  it('say when they were used last, a minute late on disk', () => {
    const { keys, dataDir, clock } = house()
    const { key } = keys.create('viewer', 'screen')
    assert.equal(keys.list()[0]?.lastUsedAt, null)
    keys.verify(key)
    clock.advance(30_000)
    keys.verify(key)
    const beside = new ApiKeys({ dataDir, clock, random: randomBytes })
    assert.equal(keys.list()[0]?.lastUsedAt, '2026-01-01T00:00:30.000Z')
    assert.equal(beside.list()[0]?.lastUsedAt, '2026-01-01T00:00:00.000Z')
    keys.writeUsed()
    assert.equal(beside.list()[0]?.lastUsedAt, '2026-01-01T00:00:30.000Z')
  })

  it('tell a known id from an unknown one by no difference in time', () => {
    const { keys } = house()
    const { id } = keys.create('viewer', 'target')
    const wrong = 'A'.repeat(43)
    const asked = { known: `vf_${id}_${wrong}`, unknown: `vf_${'0'.repeat(12)}_${wrong}` }
    const took = (key: string): number => {
      const since = process.hrtime.bigint()
      for (let n = 0; n < 20; n++) keys.verify(key)
      return Number(process.hrtime.bigint() - since)
    }
    for (let n = 0; n < 200; n++) took(asked.known) + took(asked.unknown)
    // Pairs, each order as often: noise of the machine falls on both alike. A true difference shows in every try; what
    // is under a twentieth of a check (a quarter of a microsecond) is beneath what a network lets anybody see.
    let difference = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 4 && Math.abs(difference) >= 0.05; tries++) {
      const pairs = Array.from({ length: 1000 }, (_, n): readonly [known: number, unknown: number] => {
        if (n % 2 === 0) return [took(asked.known), took(asked.unknown)]
        const unknown = took(asked.unknown)
        return [took(asked.known), unknown]
      })
      difference = median(pairs.map(([known, unknown]) => known - unknown)) / median(pairs.map(([known]) => known))
    }
    assert.ok(Math.abs(difference) < 0.05, `a known id took ${(difference * 100).toFixed(1)} % longer`)
  })
})

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}
