import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { drawLength, drawScenario, type Variation } from '../../src/simulator/cdr-variation.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'

const variation: Variation = {
  cleanShare: 0.5,
  flashCallShare: [0.001, 0.1],
  otherShare: [0, 0.01],
  vary: {
    pairs: { 'campaigns.flash_call.ringMeanS': [1, 3], 'campaigns.flash_call.calls': [300, 900] },
    scalars: { 'people.redialShare': [0.1, 0.2] },
    whole: { 'trunks.access': [3, 5] },
    weights: ['campaigns.flash_call.styles'],
    startHour: [0, 167],
  },
}
const defaults = { campaigns: { flash_call: { styles: { pool: 1, pin: 2 } } } }

interface Drawn {
  readonly campaigns: { flash_call: { ringMeanS: [number, number]; calls: number[]; styles: Record<string, number> } }
  readonly people: { redialShare: number }
  readonly trunks: { access: number }
  readonly startsAtMs: number
}

function draw(seed: number) {
  const { overlay, prevalence } = drawScenario(seededRandom(seed), variation, defaults)
  return { overlay: overlay as unknown as Drawn, prevalence }
}

describe('a drawn scenario', () => {
  it('lies within its ranges, low before high, counts whole', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { overlay } = draw(seed)
      const { ringMeanS, calls, styles } = overlay.campaigns.flash_call
      assert.ok(ringMeanS[0] >= 1 && ringMeanS[0] <= ringMeanS[1] && ringMeanS[1] <= 3)
      assert.ok(calls.every((each) => Number.isInteger(each) && each >= 300 && each <= 900))
      assert.ok(overlay.people.redialShare >= 0.1 && overlay.people.redialShare <= 0.2)
      assert.ok([3, 4, 5].includes(overlay.trunks.access))
      assert.deepEqual(Object.keys(styles), ['pool', 'pin'])
      assert.equal(overlay.startsAtMs % 3_600_000, 0)
    }
  })

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(draw(4), draw(4))
    assert.notDeepEqual(draw(4), draw(5))
  })

  it('has no campaign at all in as many runs as asked', () => {
    const runs = Array.from({ length: 400 }, (_, seed) => draw(seed).prevalence)
    const clean = runs.filter((shares) => Object.values(shares).every((share) => share === 0)).length
    assert.ok(clean > 150 && clean < 250, `${clean} of 400`)
    for (const { flash_call: share = -1 } of runs) assert.ok(share === 0 || (share >= 0.001 && share <= 0.1))
  })

  it('lasts as long as its attempts take at the drawn pace', () => {
    const { attempts, seconds } = drawLength(seededRandom(1), [1000, 2000], [10, 10])
    assert.ok(attempts >= 1000 && attempts <= 2000)
    assert.equal(seconds, Math.round(attempts / 10))
  })
})
