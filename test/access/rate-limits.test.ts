import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RateLimits, subscriberOf } from '../../src/access/rate-limits.ts'
import { zeroCounters } from '../../src/core/metrics.ts'

function limits(windowS = 60) {
  const counters = zeroCounters()
  const perKey = { requests: 2, windowS }
  const perIngestKey = { requests: 5, windowS }
  const perAddress = { requests: 3, windowS }
  return { counters, limits: new RateLimits({ limits: { perKey, perIngestKey, perAddress }, counters }) }
}

async function letIn(ask: () => Promise<number>): Promise<number> {
  let count = 0
  while ((await ask()) === 0) count += 1
  return count
}

describe('rate limits', () => {
  it('count each key, each sender of records and each address by itself', async () => {
    const { limits: of, counters } = limits()
    assert.equal(await letIn(() => of.takeKey('a', false)), 2)
    assert.equal(await letIn(() => of.takeKey('b', false)), 2)
    assert.equal(await letIn(() => of.takeKey('a', true)), 5)
    assert.equal(await letIn(() => of.takeAddress('192.0.2.1')), 3)
    assert.equal(await letIn(() => of.takeAddress('192.0.2.2')), 3)
    assert.equal(counters.authLimited, 5)
  })

  it('say how long to wait, and let in again after that', async () => {
    const { limits: of } = limits(1)
    await letIn(() => of.takeKey('a', false))
    const waitMs = await of.takeKey('a', false)
    assert.ok(waitMs > 0 && waitMs <= 1000, String(waitMs))
    await new Promise((resolve) => setTimeout(resolve, waitMs + 50))
    assert.equal(await of.takeKey('a', false), 0)
  })

  it('take an IPv6 /64 for one subscriber', () => {
    assert.equal(subscriberOf('2001:0db8:0001:0002:0000:0000:0000:0001'), '2001:0db8:0001:0002')
    assert.equal(subscriberOf('192.0.2.1'), '192.0.2.1')
    const mapped = '0000:0000:0000:0000:0000:ffff:c000:0201'
    assert.equal(subscriberOf(mapped), mapped)
  })
})
