import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lateness } from '../../src/simulator/lateness.ts'

test('percentiles are those of a sorted list, to a tenth of a millisecond', () => {
  const lateness = new Lateness()
  for (let ms = 0; ms < 100; ms++) lateness.add(ms, 1)
  assert.equal(lateness.percentileMs(0.5), 49.1)
  assert.equal(lateness.percentileMs(0.99), 98.1)
  assert.equal(lateness.maxMs, 99)
})

test('nothing measured is no lateness; more than a second counts as a second', () => {
  const lateness = new Lateness()
  assert.equal(lateness.percentileMs(0.99), 0)
  lateness.add(5000, 2)
  assert.equal(lateness.percentileMs(0.5), 1000.1)
  assert.equal(lateness.maxMs, 5000)
})
