import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimeHeap } from '../../src/simulator/cdr-time-heap.ts'

test('items leave by their time, equals in the order in which they came', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
      const heap = new TimeHeap<number>()
      for (const [index, at] of times.entries()) heap.push(at, index)
      const left: number[] = []
      while (heap.size > 0) left.push(heap.pop()!)
      const expected = times.map((at, index) => ({ at, index })).sort((a, b) => a.at - b.at || a.index - b.index)
      assert.deepEqual(
        left,
        expected.map(({ index }) => index),
      )
    }),
  )
})

test('the first can be given another time, or be taken out', () => {
  const heap = new TimeHeap<string>()
  heap.push(1, 'a')
  heap.push(2, 'b')
  heap.moveFirst(3)
  assert.equal(heap.first, 'b')
  assert.equal(heap.firstAt, 2)
  heap.moveFirst(Number.POSITIVE_INFINITY)
  assert.equal(heap.pop(), 'a')
  assert.equal(heap.firstAt, Number.POSITIVE_INFINITY)
  assert.equal(heap.pop(), undefined)
})
