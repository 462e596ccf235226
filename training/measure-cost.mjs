/**
 * CPU cost of a voice model in onnxruntime-web, one thread, by batch size; prints JSON for export_model.py --cost.
 *
 *     node training/measure-cost.mjs models/voice/1
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const ort = createRequire(join(process.cwd(), 'package.json'))('onnxruntime-web')
const folder = process.argv[2]
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
const { hop, window, embedding, features } = manifest
ort.env.wasm.numThreads = 1
const session = await ort.InferenceSession.create(readFileSync(join(folder, manifest.file)), {
  executionProviders: ['wasm'],
})

function tensor(...dims) {
  const size = dims.reduce((product, dim) => product * dim)
  return new ort.Tensor('float32', Float32Array.from({ length: size }, () => Math.random() * 4 - 8), dims)
}

async function medianCpuMsPerHop(batch) {
  const feeds = {
    features: tensor(batch, hop.contextFrames + hop.frames, features.bands),
    speech: tensor(batch, hop.frames),
    history: tensor(batch, window.hops - 1, embedding.size),
    historyWeight: tensor(batch, window.hops - 1),
  }
  for (let i = 0; i < 5; i += 1) await session.run(feeds)
  const times = []
  for (let i = 0; i < 41; i += 1) {
    const before = process.cpuUsage()
    await session.run(feeds)
    const used = process.cpuUsage(before)
    times.push((used.user + used.system) / 1000 / batch)
  }
  return times.sort((a, b) => a - b)[20]
}

const cpuMsPerHop = {}
for (const batch of [1, 8, 32, 64, 128]) cpuMsPerHop[batch] = Number((await medianCpuMsPerHop(batch)).toFixed(3))
const perSecond = Number((cpuMsPerHop[64] * (1000 / hop.ms)).toFixed(3))
console.log(JSON.stringify({ runtime: 'onnxruntime-web wasm, 1 thread', cpuMsPerHopByBatch: cpuMsPerHop,
  cpuMsPerSecondOfSpeechAtBatch64: perSecond }))
