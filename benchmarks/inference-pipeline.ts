/**
 * What a live call costs a voice worker: base64 frames of 20 ms through media clock, front end and model, as the worker
 * does it (a tick every 50 ms, 200 calls whose hops close at different times), and the memory of a thousand calls.
 * The baseline judges every hop as soon as it closes, alone. CPU of this process, one thread.
 */
import { zeroCounters } from '../src/core/metrics.ts'
import { VoiceFrontEnd } from '../src/features/voice-front-end.ts'
import type { HopDetector } from '../src/inference/hop-detector.ts'
import { hopMsOf, hopSpecOf, loadDetector } from '../src/inference/load-detector.ts'
import { activeModelDir, loadVoiceModel, type VoiceModel } from '../src/inference/model-file.ts'
import { VoicePipeline } from '../src/worker/voice-pipeline.ts'
import { voiceLike } from '../test/fakes/voice-like.ts'
import { medianCpuMs, rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const tracks = 200
const memoryTracks = 1000
const frameMs = 20
const tickMs = 50
const gapFillMsMax = 100

/** Three seconds of base64 payloads, played in a loop. */
const payloads = Array.from({ length: 150 }, (_, n) => Buffer.from(voiceLike(n * 160, 160).toString('base64')))

export async function run(): Promise<BenchmarkRow[]> {
  const model = loadVoiceModel(activeModelDir('voice'))
  const detector = await loadDetector(model, { batchMax: 32 })
  // Compiling goes on in other threads of this process and would be counted: let it end first.
  await medianCpuMs(() => detector.run(32), 1, 60)
  await streamSecondMs(model, detector, tickMs)
  const together = await streamSecondMs(model, detector, tickMs)
  const alone = await streamSecondMs(model, detector, 0)
  const kibibytes = await memoryPerCall(model, detector)
  await detector.release()
  return [
    {
      name: `voice worker, ${tracks} calls, frame to score`,
      value: rounded(together),
      unit: 'ms CPU per stream-second',
      baseline: { name: 'same, each hop judged alone', value: rounded(alone) },
      budget: { must: 0.8, aim: 0.4 },
    },
    {
      name: `memory per live call in a voice worker, ${memoryTracks} calls`,
      value: rounded(kibibytes),
      unit: 'KiB',
      budget: { must: 200, aim: 100 },
    },
  ]
}

function pipelineOf(model: VoiceModel, detector: HopDetector, tracksMax: number): VoicePipeline {
  const frontEnd = VoiceFrontEnd.create(hopSpecOf(model.manifest), tracksMax)
  const counters = zeroCounters()
  return new VoicePipeline({ frontEnd, detector, hopMs: hopMsOf(model.manifest), gapFillMsMax, tracksMax, counters })
}

/** CPU of one second of one call. `everyMs` 0: a tick after every frame. */
async function streamSecondMs(model: VoiceModel, detector: HopDetector, everyMs: number): Promise<number> {
  const pipeline = pipelineOf(model, detector, tracks)
  for (let id = 0; id < tracks; id += 1) pipeline.open(id)
  let frame = 0
  let scored = 0
  const second = async () => {
    let tickedMs = 0
    for (let ms = 0; ms < 1000; ms += frameMs) {
      for (let id = 0; id < tracks; id += 1) {
        // Calls begin at different times, so that their hops close at different times.
        if (frame < id % 25) continue
        push(pipeline, id, frame)
        if (everyMs === 0 && pipeline.due > 0) await pipeline.tick(() => (scored += 1))
      }
      frame += 1
      if (everyMs === 0 || ms + frameMs - tickedMs < everyMs) continue
      tickedMs = ms + frameMs
      await pipeline.tick(() => (scored += 1))
    }
  }
  const ms = await medianCpuMs(second, 7, 3)
  return ms / tracks
}

function push(pipeline: VoicePipeline, id: number, frame: number): void {
  const payload = payloads[frame % payloads.length] as Buffer
  pipeline.frame(id, frame * frameMs, payload, 0, payload.length, 0)
}

/** Resident memory that a thousand calls add, each with a full history. */
async function memoryPerCall(model: VoiceModel, detector: HopDetector): Promise<number> {
  const before = process.memoryUsage.rss()
  const pipeline = pipelineOf(model, detector, memoryTracks)
  for (let id = 0; id < memoryTracks; id += 1) pipeline.open(id)
  for (let frame = 0; frame < 250; frame += 1) {
    for (let id = 0; id < memoryTracks; id += 1) {
      if (pipeline.full) await pipeline.tick(() => {})
      push(pipeline, id, frame)
    }
  }
  await pipeline.tick(() => {})
  return (process.memoryUsage.rss() - before) / 1024 / memoryTracks
}
