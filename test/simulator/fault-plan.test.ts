import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FaultKind, faultPlan } from '../../src/simulator/fault-plan.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'

const plans = Array.from({ length: 400 }, (_, seed) => faultPlan(seededRandom(seed), 3000))

test('the same seed plans the same faults', () => {
  assert.deepEqual(faultPlan(seededRandom(9), 3000), faultPlan(seededRandom(9), 3000))
})

test('over many calls every kind of fault and every ending comes', () => {
  const kinds = new Set(plans.flatMap((plan) => plan.faults.map((fault) => fault.kind)))
  const all: FaultKind[] = ['duplicate', 'hole', 'loss', 'malformed', 'reconnect', 'second_stream', 'unknown_event']
  assert.deepEqual([...kinds].sort(), all)
  assert.deepEqual([...new Set(plans.map((plan) => plan.ending))].sort(), ['close', 'stop', 'vanish'])
  assert.ok(
    plans.some((plan) => plan.faults.length === 0),
    'some calls must go undisturbed',
  )
})

test('no delivery hole exceeds 233 ms and no reconnect the 2 s of grace', () => {
  for (const fault of plans.flatMap((plan) => plan.faults)) {
    if (fault.kind === 'hole') assert.ok((fault.frames + 1) * 20 <= 233)
    if (fault.kind === 'reconnect') assert.ok(fault.frames * 20 < 2000)
  }
})

test('faults come in order and none in the last second', () => {
  for (const { faults } of plans) {
    for (const [at, fault] of faults.entries()) {
      assert.ok(fault.atFrame < 2950)
      assert.ok(fault.atFrame > (faults[at - 1]?.atFrame ?? 0))
    }
  }
})
