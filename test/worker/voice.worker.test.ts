import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { pipelineCounterNames } from '../../src/worker/pipeline-counters.ts'
import { type FromWorker, readHop, type WorkerStart } from '../../src/worker/protocol.ts'
import { allocateRing, RingWriter } from '../../src/worker/ring.ts'
import { powerModel } from '../fakes/own-models.ts'
import { quickWasm } from '../fakes/quick-wasm.ts'
import { tinyManifest, tinyOnnx } from '../fakes/tiny-model.ts'
import { voiceLike } from '../fakes/voice-like.ts'

quickWasm()
const onnx = tinyOnnx()
/** A test that fails leaves its worker running, and a process with one never ends. */
const workers: Worker[] = []
after(() => Promise.all(workers.map((worker) => worker.terminate())))

function started(changes: Partial<WorkerStart> = {}) {
  const ring = allocateRing(65_536)
  const workerData: WorkerStart = {
    model: { manifest: tinyManifest(onnx), onnx },
    ring,
    tracksMax: 4,
    batchMax: 4,
    tickMs: 10,
    gapFillMsMax: 100,
    faults: false,
    ...changes,
  }
  const worker = new Worker(new URL('../../src/worker/voice.worker.js', import.meta.url), { workerData })
  workers.push(worker)
  const messages: FromWorker[] = []
  worker.on('message', (message: FromWorker) => messages.push(message))
  const ended = new Promise<unknown>((resolve) => {
    worker.once('error', resolve)
    worker.once('exit', (code) => resolve(code))
  })
  return { worker, messages, ended, writer: new RingWriter(ring, 4) }
}

async function until(met: () => boolean): Promise<void> {
  for (let tries = 0; !met(); tries += 1) {
    assert.ok(tries < 6000, 'not within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('a voice worker', () => {
  it('is ready, judges what its ring brings, tells what it closed, and stops when asked', async () => {
    const { worker, messages, ended, writer } = started()
    await until(() => messages.length > 0)
    assert.deepEqual(messages[0], { kind: 'ready' })
    writer.writeOpen(5, Number.NaN, 0)
    for (let n = 0; n < 50; n += 1) {
      const payload = Buffer.from(voiceLike(n * 160, 160).toString('base64'))
      writer.writeFrame(5, n * 20, payload, 0, payload.length, n)
    }
    writer.writeClose(5, 0)
    worker.postMessage({ kind: 'drain', id: 77, records: 52 })
    await until(() => messages.some(({ kind }) => kind === 'drained'))
    const judged = messages.filter((message) => message.kind === 'judged')
    assert.equal(
      judged.reduce((sum, { hops }) => sum + hops, 0),
      2,
    )
    assert.deepEqual(
      judged.flatMap(({ closed }) => closed),
      [5],
    )
    assert.deepEqual(messages.at(-1), { kind: 'drained', id: 77 })
    assert.equal(writer.usedBytes(), 0)
    assert.ok(writer.beats() > 0)
    worker.postMessage({ kind: 'stop' })
    assert.equal(await ended, 0)
  })

  it('runs a second stage beside it, whose thread ends with its own', async () => {
    const secondStage = { model: powerModel(), scoreMin: 0.01, cpuShareMax: 1 }
    const { worker, messages, ended, writer } = started({ secondStage })
    await until(() => messages.length > 0)
    writer.writeOpen(5, Number.NaN, 0)
    const heard = (from: number): void => {
      for (let n = from; n < from + 25; n += 1) {
        const payload = Buffer.from(voiceLike(n * 160, 160).toString('base64'))
        writer.writeFrame(5, n * 20, payload, 0, payload.length, n)
      }
    }
    const judged = () => messages.filter((message) => message.kind === 'judged')
    const counted = (name: 'secondStageJudged' | 'hopsScored'): number =>
      judged().reduce((sum, { counts }) => sum + (counts[pipelineCounterNames.indexOf(name)] ?? 0), 0)
    heard(0)
    await until(() => counted('secondStageJudged') === 1)
    heard(25)
    await until(() => counted('hopsScored') === 2)
    const llrs = judged().flatMap(({ rows, hops }) => Array.from({ length: hops }, (_, n) => readHop(rows, n).llr))
    // The power model answers with a ratio above 0 for any sound; the tiny one is far from it.
    assert.ok((llrs[0] ?? 0) < 0 && (llrs[1] ?? 0) > 0, `${llrs}`)
    worker.postMessage({ kind: 'stop' })
    assert.equal(await ended, 0)
  })

  it('refuses a model that does not load, saying why, and ends', async () => {
    const { messages, ended } = started({ model: { manifest: tinyManifest(onnx), onnx: new Uint8Array(9) } })
    assert.equal(await ended, 0)
    const [refused] = messages
    assert.ok(refused?.kind === 'refused' && /does not load/.test(refused.detail))
  })

  it('dies of a message it does not know', async () => {
    const { worker, messages, ended } = started()
    await until(() => messages.length > 0)
    worker.postMessage({ kind: 'dance' })
    assert.match(String(await ended), /unknown message \{"kind":"dance"\}/)
  })

  it('dies of a fault message that was not allowed', async () => {
    const { worker, messages, ended } = started()
    await until(() => messages.length > 0)
    worker.postMessage({ kind: 'fault', fault: 'hang' })
    assert.match(String(await ended), /faults are not allowed/)
  })
})
