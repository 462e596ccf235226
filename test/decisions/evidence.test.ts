import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Evidence } from '../../src/decisions/evidence.ts'

describe('evidence', () => {
  it('of one full window is that window', () => {
    const evidence = new Evidence(10_000)
    evidence.add(2, 4000, 1)
    assert.ok(Math.abs(evidence.llr() - 2) < 1e-9)
    assert.ok(Math.abs(evidence.probability() - 0.880797) < 1e-6)
  })

  it('is undecided before anything was heard', () => {
    assert.equal(new Evidence(10_000).probability(), 0.5)
  })

  it('grows with agreeing speech, but never beyond twice one window', () => {
    const evidence = new Evidence(3_600_000)
    for (let hop = 0; hop < 10_000; hop += 1) evidence.add(1, 500, 1)
    assert.ok(evidence.llr() > 1.9 && evidence.llr() < 2)
  })

  it('forgets: after one half-life of new speech the old counts half', () => {
    const evidence = new Evidence(10_000)
    for (let hop = 0; hop < 20; hop += 1) evidence.add(1, 500, 1)
    for (let hop = 0; hop < 20; hop += 1) evidence.add(0, 500, 1)
    // Old weight w/2 of LLR 1 and new weight w of LLR 0: mean 1/3, times the gain for the effective windows.
    const effective = (10_000 * 0.72) / 4000
    assert.ok(evidence.llr() > 1 / 3 - 0.05 && evidence.llr() < (1 / 3 + 0.05) * effective)
  })

  it('cuts a window that claims to be surer than a window can be', () => {
    const evidence = new Evidence(10_000)
    evidence.add(1e9, 4000, 1)
    assert.equal(evidence.llr(), 8)
  })
})
