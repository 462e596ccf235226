import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  hash32,
  logNormalOfMean,
  logUniform,
  normal,
  partSeed,
  WeightedChoice,
  wholeUniform,
} from '../../src/simulator/cdr-draws.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'
import { mean, near, shareOf } from '../fakes/cdr-run.ts'

const many = 40_000

function draws<T>(draw: (random: () => number) => T): T[] {
  const random = seededRandom(11)
  return Array.from({ length: many }, () => draw(random))
}

test('normal draws have mean 0, deviation 1 and the tails of the table', () => {
  const values = draws(normal)
  assert.ok(near(mean(values), 0, 0.02))
  assert.ok(near(Math.sqrt(mean(values.map((value) => value * value))), 1, 0.02))
  assert.ok(
    near(
      shareOf(values, (value) => value > 1.645),
      0.05,
      0.005,
    ),
    'one in twenty lies above 1.645',
  )
})

test('log-normal draws have the mean that was asked for', () => {
  assert.ok(near(mean(draws((random) => logNormalOfMean(random, 8.67, 0.55))), 8.67, 0.15))
})

test('a log-uniform draw puts as many below the geometric middle as above', () => {
  const values = draws((random) => logUniform(random, [100, 10_000]))
  assert.ok(
    near(
      shareOf(values, (value) => value < 1000),
      0.5,
      0.01,
    ),
  )
  assert.ok(values.every((value) => value >= 100 && value <= 10_000))
})

test('whole draws include both ends', () => {
  assert.deepEqual([...new Set(draws((random) => wholeUniform(random, [2, 5])))].sort(), [2, 3, 4, 5])
})

test('choices fall by weight, and a weight of zero never', () => {
  const choice = new WeightedChoice({ a: 3, b: 0, c: 1 })
  const chosen = draws((random) => choice.draw(random))
  assert.ok(
    near(
      shareOf(chosen, (name) => name === 'a'),
      0.75,
      0.01,
    ),
  )
  assert.ok(!chosen.includes('b'))
  assert.throws(() => new WeightedChoice({ a: 0 }).draw(Math.random), RangeError)
})

test('the hash spreads neighbours, and parts have seeds of their own', () => {
  const low = Array.from({ length: 10_000 }, (_, index) => hash32(index, 1) % 10)
  for (let digit = 0; digit < 10; digit++)
    assert.ok(
      near(
        shareOf(low, (value) => value === digit),
        0.1,
        0.012,
      ),
    )
  assert.notEqual(partSeed(1, 'a'), partSeed(1, 'b'))
  assert.notEqual(partSeed(1, 'a'), partSeed(2, 'a'))
})
