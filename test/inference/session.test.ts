import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BatchSession } from '../../src/inference/session.ts'
import { writeOnnx } from '../fakes/onnx-writer.ts'

/** y = x * 2, three floats a row. */
const doubling = writeOnnx({
  inputs: { x: [3] },
  outputs: { y: [3] },
  constants: [{ name: 'two', dims: [1], values: new Float32Array([2]) }],
  nodes: [{ operator: 'Mul', inputs: ['x', 'two'], output: 'y' }],
})

const shapes = { inputs: { x: [3] }, outputs: { y: [3] } } as const

describe('a batch session', () => {
  it('computes the first rows only and leaves the others as they were', async () => {
    const session = await BatchSession.load({ onnx: doubling, ...shapes, batchMax: 3 })
    session.inputs.x.set([1, 2, 3, 4, 5, 6, 7, 8, 9])
    session.outputs.y.fill(-1)
    await session.run(2)
    assert.deepEqual([...session.outputs.y], [2, 4, 6, 8, 10, 12, -1, -1, -1])
    await session.run(3)
    assert.deepEqual([...session.outputs.y], [2, 4, 6, 8, 10, 12, 14, 16, 18])
    await session.release()
  })

  it('sees what callers wrote since the last run of the same size', async () => {
    const session = await BatchSession.load({ onnx: doubling, ...shapes, batchMax: 2 })
    for (const value of [1, -5, 1e6]) {
      session.inputs.x.fill(value)
      await session.run(1)
      assert.deepEqual([...session.outputs.y.subarray(0, 3)], [value * 2, value * 2, value * 2])
    }
    await session.release()
  })

  it('refuses bytes that are no ONNX file', async () => {
    const load = BatchSession.load({ onnx: new Uint8Array([1, 2, 3]), ...shapes, batchMax: 1 })
    await assert.rejects(load, { code: 'model_invalid', message: /does not load/ })
  })

  it('refuses a graph with other names, saying which', async () => {
    const load = BatchSession.load({ onnx: doubling, inputs: { z: [3] }, outputs: { y: [3] }, batchMax: 1 })
    await assert.rejects(load, { code: 'model_invalid', message: "the model's inputs must be z; got x" })
  })

  it('refuses a graph whose rows have another size', async () => {
    const load = BatchSession.load({ onnx: doubling, inputs: { x: [4] }, outputs: { y: [4] }, batchMax: 1 })
    await assert.rejects(load, { code: 'model_invalid' })
  })

  it('treats a batch above its room as a bug', async () => {
    const session = await BatchSession.load({ onnx: doubling, ...shapes, batchMax: 2 })
    await assert.rejects(session.run(3), { name: 'AssertionError' })
    await session.release()
  })
})
