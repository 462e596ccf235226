import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailureThrottle } from '../../src/access/failure-throttle.ts'
import { ManualClock } from '../../src/core/clock.ts'

function throttle(clock = new ManualClock(), addressesMax = 10) {
  return { clock, throttle: new FailureThrottle({ clock, burst: 3, refillMs: 1000, addressesMax }) }
}

test('a burst passes, then one failure per refill, each address for itself', () => {
  const { clock, throttle: t } = throttle()
  assert.deepEqual([t.fail('a'), t.fail('a'), t.fail('a'), t.fail('a')], [0, 0, 0, 1000])
  assert.equal(t.fail('b'), 0)
  clock.advance(600)
  assert.equal(t.fail('a'), 400)
  clock.advance(400)
  assert.equal(t.fail('a'), 0)
})

test('remembers a bounded number of addresses; the one unseen for longest leaves', () => {
  const { throttle: t } = throttle(new ManualClock(), 2)
  for (let n = 0; n < 4; n++) t.fail('a')
  t.fail('b')
  t.fail('c')
  assert.equal(t.size, 2)
  assert.equal(t.fail('a'), 0, 'a was forgotten')
})

test('who owns a whole IPv6 network is one address', () => {
  const { throttle: t } = throttle()
  const hosts = ['1', '2', '3', '4'].map((host) => `2001:0db8:0000:0001:0000:0000:0000:000${host}`)
  assert.deepEqual(
    hosts.map((host) => t.fail(host)),
    [0, 0, 0, 1000],
  )
  assert.equal(t.fail('2001:0db8:0000:0002:0000:0000:0000:0001'), 0)
})
