import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { evenSteps } from '../../src/dashboard/series-steps.ts'

describe('steps of a series', () => {
  const minute = 60_000
  const at = (minutes: number) => new Date(minutes * minute).toISOString()

  it('that a report left out are there, and empty', () => {
    const steps = evenSteps([{ at: at(2) }, { at: at(4) }], minute, minute, 6 * minute)
    assert.deepEqual(
      steps.map(({ atMs, point }) => `${atMs / minute}${point === null ? ' empty' : ''}`),
      ['1 empty', '2', '3 empty', '4', '5 empty'],
    )
  })

  it('begin where the step of the first moment begins and hold the last moment', () => {
    const steps = evenSteps([], minute, 90_000, 150_000)
    assert.deepEqual(
      steps.map(({ atMs }) => atMs),
      [60_000, 120_000],
    )
  })

  it('are bounded however long the span', () => {
    assert.equal(evenSteps([], 1000, 0, 1e12).length, 3000)
    assert.equal(evenSteps([], 1000, 5000, 1000).length, 0)
  })
})
