import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HopHistory } from '../../src/worker/hop-history.ts'

/** Slot's rows as the model would get them: [embedding..., weight] each. */
function rowsOf(history: HopHistory, slot: number): number[][] {
  const embeddings = new Float32Array(2 * 3 * 2).fill(9)
  const weights = new Float32Array(2 * 3).fill(9)
  history.copy(slot, embeddings, weights, 1)
  return [3, 4, 5].map((k) => [...embeddings.subarray(k * 2, k * 2 + 2), weights[k] ?? Number.NaN])
}

function add(history: HopHistory, slot: number, n: number): void {
  history.add(slot, new Float32Array([0, n, n + 0.5]), 1, n / 8, n * 500, 100)
}

describe('the hop history', () => {
  it('gives the oldest first and zeros where hops are missing', () => {
    const history = new HopHistory({ slots: 2, hops: 3, embeddingSize: 2 })
    const slot = history.open()
    assert.deepEqual(rowsOf(history, slot), [
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ])
    add(history, slot, 1)
    assert.deepEqual(rowsOf(history, slot), [
      [0, 0, 0],
      [0, 0, 0],
      [1, 1.5, 0.125],
    ])
    add(history, slot, 2)
    add(history, slot, 3)
    add(history, slot, 4)
    assert.deepEqual(rowsOf(history, slot), [
      [2, 2.5, 0.25],
      [3, 3.5, 0.375],
      [4, 4.5, 0.5],
    ])
    assert.equal(history.oldestStartMs(slot, 0), 1000)
    assert.equal(history.speechMs(slot), 300)
  })

  it('keeps tracks apart and forgets one that is cleared or reopened', () => {
    const history = new HopHistory({ slots: 2, hops: 3, embeddingSize: 2 })
    const [a, b] = [history.open(), history.open()]
    add(history, a, 1)
    add(history, b, 2)
    history.clear(a)
    assert.deepEqual(rowsOf(history, a), [
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ])
    assert.deepEqual(rowsOf(history, b), [
      [0, 0, 0],
      [0, 0, 0],
      [2, 2.5, 0.25],
    ])
    assert.equal(history.oldestStartMs(a, 77), 77)
    history.close(b)
    assert.equal(history.open(), b)
    assert.equal(history.speechMs(b), 0)
  })

  it('treats one track more than it has slots for as a bug', () => {
    const history = new HopHistory({ slots: 1, hops: 3, embeddingSize: 2 })
    history.open()
    assert.throws(() => history.open(), { name: 'AssertionError' })
  })
})
