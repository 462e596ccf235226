import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { watchThread } from '../../src/core/thread-load.ts'

describe('the load of a thread', () => {
  it('is a share between 0 and 1 and a delay that is never negative', async () => {
    const load = watchThread()
    await new Promise((resolve) => setTimeout(resolve, 30))
    const share = load.utilization()
    assert.ok(share >= 0 && share <= 1)
    assert.ok(load.delayMsP99() >= 0)
  })
})
