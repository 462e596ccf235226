import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import type { FraudCase } from '../../src/decisions/cases.ts'
import { FraudPolicy } from '../../src/decisions/fraud-policy.ts'

const shipped = loadConfig({ file: undefined, env: {} }).cdr.policy
const nowMs = Date.UTC(2026, 0, 6, 10)

function caseOf(over: Partial<FraudCase>): FraudCase {
  return {
    id: 'case-1',
    kind: 'wangiri',
    subject: { type: 'number', value: '2215550001' },
    state: 'open',
    score: 0.97,
    calls: 300,
    reasons: [{ code: 'missed', text: '300 missed calls' }],
    evidence: [],
    firstSeenMs: nowMs,
    openedMs: nowMs,
    lastSeenMs: nowMs,
    mergedInto: null,
    absorbed: 0,
    verdict: null,
    ...over,
  }
}

describe('the fraud policy', () => {
  it('ships in shadow mode: says what it would do, and lets the call through', () => {
    const decision = new FraudPolicy(shipped).decide([caseOf({})], '2215550001', 'trunk-a', nowMs + 1000)
    assert.deepEqual([decision?.action, decision?.intended], ['allow', 'block'])
    assert.deepEqual(decision?.reasons, ['300 missed calls'])
  })

  it('acts when shadow mode is off, for ttlMs after the last evidence', () => {
    const policy = new FraudPolicy({ ...shipped, shadow: false })
    const decision = policy.decide([caseOf({})], '2215550001', 'trunk-a', nowMs + 60_000)
    assert.deepEqual([decision?.action, decision?.ttlMs], ['block', shipped.ttlMs - 60_000])
    assert.equal(policy.decide([caseOf({})], '2215550001', 'trunk-a', nowMs + shipped.ttlMs), null)
  })

  it('takes the strongest of several cases', () => {
    const policy = new FraudPolicy({ ...shipped, shadow: false })
    const weak = caseOf({ id: 'case-2', kind: 'flash_call' })
    assert.equal(policy.decide([weak, caseOf({})], '2215550001', 'trunk-a', nowMs)?.caseId, 'case-1')
  })

  it('only labels what it is not sure of', () => {
    const policy = new FraudPolicy({ ...shipped, shadow: false })
    assert.equal(policy.decide([caseOf({ score: 0.7 })], '2215550001', 'trunk-a', nowMs)?.action, 'label')
  })

  it('spares numbers by prefix and routes on the allow-lists', () => {
    const numbers = new FraudPolicy({ ...shipped, shadow: false, allowNumbers: ['221555'] })
    assert.equal(numbers.decide([caseOf({})], '2215550001', 'trunk-a', nowMs)?.action, 'allow')
    const routes = new FraudPolicy({ ...shipped, shadow: false, allowRoutes: ['trunk-a'] })
    assert.equal(routes.decide([caseOf({})], '2215550001', 'trunk-a', nowMs)?.action, 'allow')
    assert.equal(routes.decide([caseOf({})], '2215550001', 'trunk-b', nowMs)?.action, 'block')
  })

  it('does nothing for a closed case', () => {
    assert.equal(new FraudPolicy(shipped).decide([caseOf({ state: 'closed' })], '1', 'trunk-a', nowMs), null)
  })
})
