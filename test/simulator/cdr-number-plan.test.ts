import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frontIn, NumberPlan, numberIn } from '../../src/simulator/cdr-number-plan.ts'
import { loadScenario, planNames } from '../../src/simulator/cdr-scenario.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'
import { defaultNumberPlan, NumberReader } from '../../src/wire/numbers.ts'
import { playTraffic } from '../fakes/cdr-run.ts'

const groups = ['home', 'business', 'rented', 'abroad', 'premium'] as const

test('no number of a plan can be dialled: libphonenumber knows none of the ranges', () => {
  const reader = new NumberReader(defaultNumberPlan)
  const random = seededRandom(3)
  for (const name of planNames) {
    const { plans } = loadScenario({ plan: name })
    for (const block of groups.flatMap((group) => plans[name][group])) {
      for (let sample = 0; sample < 300; sample++) {
        const number = numberIn(block, Math.floor(random() * 1e12))
        assert.equal(number.length, block.digits)
        assert.equal(reader.read(`+${number}`).valid, false, `${number} could be somebody's`)
      }
    }
  }
})

test('the ranges of the two plans do not overlap', () => {
  const { plans } = loadScenario({ plan: 'train' })
  const prefixes = planNames.map((name) => groups.flatMap((group) => plans[name][group].map(({ prefix }) => prefix)))
  for (const one of prefixes[0]!) {
    for (const other of prefixes[1]!) assert.ok(!one.startsWith(other) && !other.startsWith(one), `${one} ${other}`)
  }
})

test('training and testing never share a number', () => {
  const seen = (plan: 'train' | 'test') => {
    const run = playTraffic({ plan, prevalence: { flash_call: 0.1, cli_spoof: 0.05, wangiri: 0.05 } })
    return new Set(run.flatMap(({ record }) => [record.from, record.to]).filter((number) => number !== undefined))
  }
  const train = seen('train')
  assert.ok(train.size > 20_000)
  assert.deepEqual(
    [...seen('test')].filter((number) => train.has(number)),
    [],
  )
})

test('every subscriber has a number of his own, and always the same', () => {
  const { plans, people } = loadScenario({ plan: 'train' })
  const plan = new NumberPlan(plans.train, people.fill, 200_000)
  const numbers = new Set(Array.from({ length: 200_000 }, (_, index) => plan.subscriber(index)))
  assert.equal(numbers.size, 200_000)
  assert.equal(plan.subscriber(12_345), plan.subscriber(12_345))
  assert.ok(new Set([...numbers].map((number) => number.slice(0, 4))).size === plans.train.home.length)
})

test('subscribers live in dense cells, as operators assign them', () => {
  const { plans, people } = loadScenario({ plan: 'train' })
  const plan = new NumberPlan(plans.train, people.fill, 1_000_000)
  const ranges = new Set(Array.from({ length: 10_000 }, (_, index) => plan.subscriber(index).slice(0, -4)))
  assert.ok(ranges.size <= 4, `${ranges.size} ranges of 10 000 for 10 000 subscribers`)
})

test('a front leaves the wanted digits', () => {
  const random = seededRandom(1)
  assert.match(frontIn(random, { prefix: '4440', digits: 12 }, 4), /^4440\d{4}$/)
  assert.equal(numberIn({ prefix: '4440', digits: 12 }, 100_000_007), '444000000007', 'a place beyond the block wraps')
})
