import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quantile } from '../../src/core/quantile.ts'

test('quantiles lie on the line between neighbours, as R and numpy have them by default', () => {
  assert.equal(quantile([600, 600, 800, 1000], 0.75), 850)
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5)
  assert.equal(quantile([7], 0.99), 7)
  assert.equal(quantile([], 0.5), null)
})
