import assert from 'node:assert/strict'
import { test } from 'node:test'
import { between, seededRandom } from '../../src/simulator/seeded-random.ts'

test('the same seed gives the same numbers, another seed others', () => {
  const take = (seed: number) => {
    const random = seededRandom(seed)
    return Array.from({ length: 5 }, () => random())
  }
  assert.deepEqual(take(7), take(7))
  assert.notDeepEqual(take(7), take(8))
})

test('numbers are spread evenly over [0, 1)', () => {
  const random = seededRandom(1)
  const tenths = new Array<number>(10).fill(0)
  for (let draw = 0; draw < 10_000; draw++) tenths[Math.floor(random() * 10)]! += 1
  for (const count of tenths) assert.ok(count > 850 && count < 1150, `${tenths}`)
})

test('both ends of a range are drawn, and nothing beyond them', () => {
  const random = seededRandom(2)
  const seen = new Set(Array.from({ length: 200 }, () => between(random, 3, 5)))
  assert.deepEqual([...seen].sort(), [3, 4, 5])
})
