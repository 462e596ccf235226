import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Opinion, opinionReasons } from '../../src/decisions/opinion-agreement.ts'
import type { Label } from '../../src/decisions/verdict-view.ts'

function opinion(score: number | null, over: Partial<Opinion> = {}): Opinion {
  return { vendor: 'rd', score, abstained: null, audioMs: 6000, at: '2026-01-01T00:00:00Z', tookMs: 900, ...over }
}

function codes(label: Label, ...scores: number[]): string[] {
  return opinionReasons(
    label,
    scores.map((score) => opinion(score)),
  ).map(({ code }) => code)
}

describe('agreement of opinions', () => {
  it('is that both say synthetic, or both say human', () => {
    assert.deepEqual(codes('likely_synthetic', 0.7, 0.99, 0.3, 0.01), [
      'opinion_agrees',
      'opinion_agrees',
      'opinion_disagrees',
      'opinion_disagrees',
    ])
    assert.deepEqual(codes('likely_human', 0.02, 0.95), ['opinion_agrees', 'opinion_disagrees'])
  })

  it('is neither when the other is undecided, or when we are', () => {
    assert.deepEqual(codes('likely_synthetic', 0.31, 0.69), ['opinion_undecided', 'opinion_undecided'])
    assert.deepEqual(codes('inconclusive', 0.9, 0.1), ['opinion_synthetic', 'opinion_human'])
  })

  it('says who, how sure, and on how much audio; an abstention says why', () => {
    const [agrees, abstains] = opinionReasons('likely_synthetic', [
      opinion(0.934),
      opinion(null, { vendor: 'hiya', abstained: 'music', audioMs: 2500 }),
    ])
    assert.equal(agrees?.text, 'rd scored 0.93 on 6.0 s, which agrees')
    assert.deepEqual(abstains, { code: 'opinion_abstains', text: 'hiya abstained after 2.5 s: music' })
    assert.deepEqual(opinionReasons('likely_human', []), [])
  })
})
