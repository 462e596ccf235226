import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sessionIdOf } from '../../src/access/sessions.ts'
import { house } from '../fakes/people.ts'

function signedIn(over: Parameters<typeof house>[0] = {}) {
  const all = house(over)
  const { id: keyId } = all.keys.create('viewer', 'eve')
  const open = () => all.sessions.open({ actor: 'eve', role: 'viewer', keyId }).id
  return { ...all, keyId, open }
}

describe('sessions', () => {
  it('end with their time', () => {
    const { sessions, clock, open } = signedIn()
    const id = open()
    clock.advance(3_599_999)
    assert.equal(sessions.find(id)?.actor, 'eve')
    clock.advance(1)
    assert.equal(sessions.find(id), undefined)
    assert.equal(sessions.size, 0)
  })

  it('end when their key is revoked', () => {
    const { sessions, keys, keyId, open } = signedIn()
    const id = open()
    keys.revoke(keyId)
    assert.equal(sessions.find(id), undefined)
  })

  it('are bounded: the oldest leaves, counted', () => {
    const { sessions, counters, open } = signedIn({ sessionsMax: 2 })
    const [first, second, third] = [open(), open(), open()]
    assert.equal(sessions.find(first), undefined)
    assert.ok(sessions.find(second) && sessions.find(third))
    assert.equal(counters.sessionsEvicted, 1)
  })

  it('travel in a cookie that scripts cannot read and other sites cannot send', () => {
    assert.equal(house().sessions.cookie('abc'), 'voicefw_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600')
    assert.match(house({ secure: true }).sessions.cookie('abc'), /; Secure$/)
    assert.match(house().sessions.cookie(null), /^voicefw_session=; .*Max-Age=0/)
  })

  it('are found among other cookies', () => {
    assert.equal(sessionIdOf('a=1; voicefw_session=x-_9; b=2'), 'x-_9')
    assert.equal(sessionIdOf('xvoicefw_session=1'), undefined)
    assert.equal(sessionIdOf(undefined), undefined)
  })
})
