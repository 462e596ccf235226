import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VoiceThread } from '../../src/worker/voice-thread.ts'
import { tinyManifest, tinyOnnx } from '../fakes/tiny-model.ts'

const onnx = tinyOnnx()

function startedThread(startMsMax = 10_000) {
  const lost: string[] = []
  const thread = new VoiceThread({
    model: { manifest: tinyManifest(onnx), onnx },
    ringBytes: 65_536,
    tracksMax: 4,
    batchMax: 4,
    tickMs: 10,
    gapFillMsMax: 100,
    faults: true,
    startMsMax,
    hungMs: 300,
    judged: () => {},
    lost: (_, reason) => lost.push(reason),
  })
  return { thread, lost }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a voice thread', () => {
  it('is not hung while its worker beats, however long it is watched', async () => {
    const { thread, lost } = startedThread()
    await thread.started
    for (let n = 0; n < 20; n += 1) {
      await pause(50)
      thread.watch(100)
    }
    assert.deepEqual(lost, [])
    assert.equal(thread.isReady, true)
    await thread.stop()
    assert.equal(thread.isReady, false)
  })

  it('is lost once after so much watched silence, and lets go of who waits for its drain', async () => {
    const { thread, lost } = startedThread()
    await thread.started
    thread.fault('hang')
    await pause(100)
    const drained = thread.drain()
    thread.watch(100)
    thread.watch(100)
    thread.watch(100)
    assert.deepEqual(lost, [])
    thread.watch(100)
    assert.deepEqual(lost, ['hung'])
    await drained
    thread.watch(10_000)
    assert.deepEqual(lost, ['hung'])
    await thread.stop()
  })

  it('is lost when it does not start in time, and whoever waits for the start is told', async () => {
    const { thread, lost } = startedThread(50)
    thread.watch(60)
    await assert.rejects(thread.started, { code: 'worker_lost' })
    assert.deepEqual(lost, ['hung'])
  })

  it('tells nobody when it was asked to end, also while it starts', async () => {
    const { thread, lost } = startedThread()
    await thread.stop()
    await assert.rejects(thread.started, { code: 'worker_lost' })
    assert.deepEqual(lost, [])
  })
})
