/**
 * What the signals of a whole track cost beside its features, per second of audio: a recorded call, and the worst that
 * a call can do: phrases of about the shortest length that is compared, so alike in length that each is held against
 * sixteen. CPU of one thread; the memory of a track stands in call-signals.ts.
 */
import { readFileSync } from 'node:fs'
import { planBands } from '../src/audio/band-plan.ts'
import { frameStat, statsPerFrame } from '../src/audio/frame-stats.ts'
import { muLawToFloat } from '../src/audio/g711.ts'
import { analyse } from '../src/audio/spectrum.ts'
import { projectRoot } from '../src/core/project.ts'
import { CallSignals, noSignals } from '../src/features/call-signals.ts'
import { speechBands } from '../src/features/hop.ts'
import { SpeechGate } from '../src/features/speech-gate.ts'
import { medianCpuMs, rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const hopFrames = 50
/** Side by side, as in a worker: their memory is not in the nearest cache. */
const tracks = 200
const budget = { must: 0.02, aim: 0.01 }

interface Call {
  readonly hops: readonly { readonly stats: Float32Array; readonly speech: Float32Array }[]
}

function recordedCall(): Call {
  const file = readFileSync(`${projectRoot}fixtures/calls/human-en-operator.wav`)
  const bytes = Uint8Array.from(file.subarray(58, 58 + 184_000))
  const samples = new Float32Array(bytes.length + 176)
  muLawToFloat(bytes, samples.subarray(176))
  const frames = Math.floor(bytes.length / 80 / hopFrames) * hopFrames
  const stats = new Float32Array(frames * statsPerFrame)
  analyse(planBands(speechBands), samples, 0, frames, new Float32Array(frames * 60), stats)
  const gate = new SpeechGate(hopFrames, 1)
  const barred = new Uint8Array(hopFrames)
  const hops = []
  for (let frame = 0; frame < frames; frame += hopFrames) {
    const hop = { stats: stats.slice(frame * statsPerFrame, (frame + hopFrames) * statsPerFrame) }
    const speech = new Float32Array(hopFrames)
    gate.judge(0, hop.stats, barred, false, speech)
    hops.push({ ...hop, speech })
  }
  return { hops }
}

/** 1.1 s of speech, 0.4 s of pause, with peaks anywhere. */
function worstCall(): Call {
  let state = 1
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const hops = Array.from({ length: 48 }, (_, n) => {
    const stats = new Float32Array(hopFrames * statsPerFrame)
    const speech = new Float32Array(hopFrames)
    for (let frame = 0; frame < hopFrames; frame += 1) {
      const row = frame * statsPerFrame
      speech[frame] = (n * hopFrames + frame) % 150 < 110 ? 1 : 0
      stats[row + frameStat.power] = speech[frame] === 1 ? 0 : -8
      stats[row + frameStat.peakBin] = 4 + 60 * draw()
      stats[row + frameStat.secondBin] = 4 + 60 * draw()
    }
    return { stats, speech }
  })
  return { hops }
}

async function secondMs({ hops }: Call): Promise<number> {
  const signals = new CallSignals(10, tracks)
  for (let slot = 0; slot < tracks; slot += 1) signals.open(slot)
  const told = noSignals()
  const round = (): void => {
    for (const { stats, speech } of hops) {
      for (let slot = 0; slot < tracks; slot += 1) signals.hear(slot, stats, speech, true, told)
    }
  }
  return (await medianCpuMs(round, 9, 2)) / (tracks * hops.length * 0.5)
}

export async function run(): Promise<BenchmarkRow[]> {
  const recorded = await secondMs(recordedCall())
  const worst = await secondMs(worstCall())
  return [
    { name: 'signals of a recorded call, per second of audio', value: rounded(recorded), unit: 'ms CPU', budget },
    { name: 'signals at their worst, per second of audio', value: rounded(worst), unit: 'ms CPU' },
  ]
}
