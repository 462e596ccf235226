import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { flashCallRule } from '../../src/decisions/flash-call-rule.ts'
import { type FeatureName, feature, featureCount } from '../../src/features/call-features.ts'

async function score(values: Partial<Record<FeatureName, number>>): Promise<number> {
  const features = new Float32Array(featureCount)
  for (const [name, value] of Object.entries(values)) features[feature[name as FeatureName]] = value
  return (await flashCallRule.scores(features, 1))[0] ?? Number.NaN
}

const campaign = { blinkShare: 0.95, distinctAShare: 0.8, distinctBShare: 0.85, tailEntropy: 0.98, ringSdS: 0.3 }

describe('the flash-call rule', () => {
  it('is sure of a rotating range that ends every call before an answer', async () => {
    assert.ok((await score(campaign)) > 0.95)
  })

  it('is not moved by missed calls of one number with a human ring', async () => {
    assert.ok((await score({ blinkShare: 0.9, distinctAShare: 0.01, distinctBShare: 0.4, ringSdS: 1.4 })) < 0.5)
  })

  it('falls with answered calls, failed ones and people who call back', async () => {
    for (const name of ['answeredShare', 'failedShare', 'callbackShare'] as const) {
      assert.ok((await score({ ...campaign, [name]: 0.4 })) < (await score(campaign)), name)
    }
  })

  it('says nothing of a ring time it was not told', async () => {
    assert.equal(await score({ ...campaign, ringSdS: -1 }), await score({ ...campaign, ringSdS: 2 }))
  })
})
