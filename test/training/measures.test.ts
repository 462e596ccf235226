import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { averagePrecision, calibrationOf, median, rateOf, shareOf } from '../../src/training/measures.ts'

const never = () => {
  throw new Error('no draw was expected')
}

function near(got: number | undefined, wanted: number, within: number): void {
  assert.ok(got !== undefined && Math.abs(got - wanted) <= within, `${got}, wanted ${wanted}`)
}

describe('measures', () => {
  it('give shares with their Wilson interval', () => {
    // 8 of 10: statsmodels proportion_confint(8, 10, method="wilson")
    const share = shareOf(8, 10)
    near(share?.value, 0.8, 1e-9)
    near(share?.low, 0.4902, 1e-4)
    near(share?.high, 0.9433, 1e-4)
    assert.equal(shareOf(0, 0), null)
  })

  it('give rates a day with the interval of a Poisson count', () => {
    // Exact (Garwood): 0 events up to 3.69; 10 events 4.80 to 18.39.
    near(rateOf(0, 1)?.high, 3.69, 0.05)
    assert.equal(rateOf(0, 1)?.low, 0)
    near(rateOf(10, 2)?.value, 5, 1e-9)
    near(rateOf(10, 2)?.low, 2.4, 0.05)
    near(rateOf(10, 2)?.high, 9.195, 0.05)
    assert.equal(rateOf(3, 0), null)
  })

  it('give the area under precision and recall, looks of one score together', () => {
    let state = 0
    const random = () => (state = (state + 0.37) % 1)
    const look = (score: number, isCampaign: boolean, subject: number) => ({ score, isCampaign, subject })
    // At the first hit precision 1, at the second 2/3.
    const ranked = [look(0.9, true, 1), look(0.8, false, 2), look(0.7, true, 3), look(0.1, false, 4)]
    near(averagePrecision(ranked, random)?.value, (1 + 2 / 3) / 2, 1e-9)
    near(averagePrecision([look(0.5, true, 1), look(0.5, false, 2)], random)?.value, 0.5, 1e-9)
    assert.equal(averagePrecision([look(0.5, false, 1)], never), null)
  })

  it('tell how often it is true what a scorer says', () => {
    const look = (score: number, isCampaign: boolean) => ({ score, isCampaign, subject: 1 })
    const bins = calibrationOf([look(0.02, false), look(0.06, true), look(0.95, true), look(1, true)])
    assert.deepEqual(
      bins.map(({ from, to, looks, isTrue }) => [from, to, looks, isTrue]),
      [
        [0, 0.1, 2, 0.5],
        [0.9, 0.99, 1, 1],
        [0.99, 1, 1, 1],
      ],
    )
    near(bins[0]?.said, 0.04, 1e-9)
  })

  it('give the middle one', () => {
    assert.equal(median([9, 1, 5]), 5)
    assert.equal(median([9, 1, 5, 7]), 6)
    assert.equal(median([]), null)
  })
})
