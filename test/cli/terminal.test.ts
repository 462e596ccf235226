import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressText, table } from '../../src/cli/terminal.ts'

test('a table aligns texts to the left and numbers to the right', () => {
  assert.deepEqual(
    table(
      ['name', 'score'],
      [
        ['a', '0.5'],
        ['longer', '12.25'],
      ],
    ),
    ['name    score', 'a         0.5', 'longer  12.25'],
  )
})

test('progress tells how many of how many, and the time left', () => {
  assert.equal(progressText(0, 4, 0), '[------------------------] 0 / 4')
  assert.equal(progressText(1, 4, 30_000), '[######------------------] 1 / 4, 1:30 left')
  assert.equal(progressText(4, 4, 60_000), '[########################] 4 / 4')
})
