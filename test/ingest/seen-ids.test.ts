/** The memory of ids against a plain Set. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import fc from 'fast-check'
import { SeenIds } from '../../src/ingest/seen-ids.ts'

it('answers as a Set does, adding and removing in any order', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.string({ maxLength: 6 })), { maxLength: 300 })
  fc.assert(
    fc.property(steps, fc.integer(), (list, seed) => {
      const seen = new SeenIds({ idsMax: 10_000, seed })
      const set = new Set<string>()
      for (const [adds, id] of list) {
        if (adds) {
          assert.equal(seen.add(id, 1), !set.has(id))
          set.add(id)
        } else {
          seen.remove(id)
          set.delete(id)
        }
        assert.equal(seen.size, set.size)
      }
    }),
  )
})

it('knows each of 300 000 ids that differ in a digit, and none that was not added', () => {
  const seen = new SeenIds({ idsMax: 1_000_000, seed: 7 })
  const id = (index: number): string => `pbx:7f0c0000-0000-4000-8000-${String(index).padStart(12, '0')}:a:call`
  for (let index = 0; index < 300_000; index += 1) assert.ok(seen.add(id(index), index), id(index))
  for (let index = 0; index < 300_000; index += 1) assert.ok(!seen.add(id(index), index), id(index))
  assert.equal(seen.size, 300_000)
})

it('forgets the oldest half when it is full, says since when it remembers, and stays below its bound', () => {
  const seen = new SeenIds({ idsMax: 1000, seed: 1 })
  assert.equal(seen.sinceMs(), Number.POSITIVE_INFINITY)
  for (let index = 0; index < 5000; index += 1) {
    assert.ok(seen.add(`id-${index}`, index))
    assert.ok(seen.size <= 1000)
    if (index >= 500) assert.ok(!seen.add(`id-${index - 499}`, index), 'half of the bound is remembered always')
  }
  const since = seen.sinceMs()
  assert.ok(since >= 4000 && since <= 4500, String(since))
  for (let index = since; index < 5000; index += 1) assert.ok(!seen.add(`id-${index}`, 5000))
  assert.ok(seen.add('id-1', 5000), 'forgotten')
})
