import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SubjectKeys } from '../../src/features/subject-keys.ts'

describe('the keys of a table', () => {
  it('behaves as a map that forgets the key quiet longest, and counts what it forgot', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(60), { maxLength: 400 }), (keysMax, touches) => {
        const keys = new SubjectKeys(keysMax, 64)
        // A Map keeps insertion order: the oracle of "quiet longest".
        const oracle = new Map<number, true>()
        let evicted = 0
        for (const key of touches) {
          keys.touch(key * 8, 7, 0)
          if (!oracle.delete(key) && oracle.size === keysMax) {
            oracle.delete(oracle.keys().next().value ?? -1)
            evicted++
          }
          oracle.set(key, true)
          for (let any = 0; any <= 60; any++) assert.equal(keys.find(any * 8, 7) >= 0, oracle.has(any))
        }
        assert.equal(keys.size, oracle.size)
        assert.equal(keys.evicted, evicted)
      }),
      { numRuns: 60 },
    )
  })

  it('gives back the panes of a key that leaves', () => {
    const keys = new SubjectKeys(2, 64)
    for (let key = 0; key < 1000; key++) keys.pane(keys.touch(key, key, 0), key, true)
    assert.equal(keys.pool.inUse, 2)
  })

  it('lets old keys leave when busy keys have used up the panes', () => {
    const keys = new SubjectKeys(40, 64)
    for (let tick = 0; tick < 6000; tick += 3) {
      for (let key = 0; key < 40; key++) keys.pane(keys.touch(key, key, tick), tick, true)
    }
    assert.ok(keys.pool.inUse <= keys.pool.panesMax)
    assert.ok(keys.size > 0)
  })
})
