/**
 * From messages to closed hops, per second of audio: base64, mu-law, bands, speech gate, DTMF, tones, music;
 * everything a call costs before the model. Baselines: fft.js alone on the same 100 frames, and the plain twin of the
 * band kernel, with the plain cepstra behind it for the model that asks for LFCC.
 */
import FFT from 'fft.js'
import { Bench } from 'tinybench'
import { planBands } from '../src/audio/band-plan.ts'
import { cepstra, dctTable } from '../src/audio/cepstra.ts'
import { statsPerFrame } from '../src/audio/frame-stats.ts'
import { muLawToFloat } from '../src/audio/g711.ts'
import { analyse } from '../src/audio/spectrum.ts'
import { type HopSpec, speechBands } from '../src/features/hop.ts'
import { VoiceFrontEnd } from '../src/features/voice-front-end.ts'
import { callSecond, medianMs } from './audio-second.ts'
import type { BenchmarkRow } from './row.ts'

const spec: HopSpec = {
  features: speechBands,
  hopFrames: 50,
  contextFrames: 20,
}
const wideSpec: HopSpec = {
  ...spec,
  features: { ...speechBands, sampleRateHz: 16000, windowSamples: 512, hopSamples: 160, fftSize: 512, highHz: 7600 },
}
const lfccSpec: HopSpec = { ...spec, features: { ...speechBands, kind: 'cepstra', coefficients: 20 } }
const framesPerSecond = 100
const budget = { must: 0.3, aim: 0.1 }

/** One second of one call after the other: the tracks of a worker do not share their slots' cache lines. */
const tracks = 200

function oneSecond(of: HopSpec, messages: readonly Uint8Array[]): () => void {
  const frontEnd = VoiceFrontEnd.create(of, tracks)
  const slots = Array.from({ length: tracks }, () => frontEnd.open())
  let next = 0
  const sink = { hop: () => {} }
  return () => {
    const slot = slots[next % tracks] ?? 0
    next += 1
    for (const message of messages) {
      frontEnd.push(slot, 0, frontEnd.decode(message, 0, message.length), sink)
    }
  }
}

export async function run(): Promise<BenchmarkRow[]> {
  const { bytes, messages } = callSecond(160)
  // As in the ring: all messages in one buffer.
  const ring = new Uint8Array(new SharedArrayBuffer(65_536))
  let at = 0
  const inRing = messages.map((message) => {
    ring.set(message, at)
    const view = ring.subarray(at, at + message.length)
    at += message.length + 13
    return view
  })
  const samples = new Float32Array(8512)
  muLawToFloat(bytes, samples.subarray(512))
  const fft = new FFT(256)
  const spectrum = fft.createComplexArray()
  const plan = planBands(spec.features)
  const features = new Float32Array(framesPerSecond * 60)
  const stats = new Float32Array(framesPerSecond * statsPerFrame)
  const table = dctTable(60, 20)
  const lfcc = new Float32Array(framesPerSecond * 20)
  const bench = new Bench({ time: 300, warmupTime: 100 })
    .add('features', oneSecond(spec, inRing))
    .add('features, 16 kHz', oneSecond(wideSpec, inRing))
    .add('features, cepstra', oneSecond(lfccSpec, inRing))
    .add('fft.js', () => {
      for (let frame = 0; frame < framesPerSecond; frame += 1) {
        fft.realTransform(spectrum, samples.subarray(frame * 80, frame * 80 + 256))
      }
    })
    .add('twin', () => analyse(plan, samples, 256, framesPerSecond, features, stats))
    .add('twin, cepstra', () => {
      analyse(plan, samples, 256, framesPerSecond, features, stats)
      cepstra(table, features, 60, lfcc)
    })
  await bench.run()
  const ms = (name: string): number => medianMs(bench, name)
  const fftAlone = { name: 'fft.js alone', value: ms('fft.js') }
  return [
    {
      name: 'messages to hops with flags, per second of audio',
      value: ms('features'),
      unit: 'ms',
      baseline: fftAlone,
      budget,
    },
    {
      name: 'messages to hops with flags, model at 16 kHz, per second of audio',
      value: ms('features, 16 kHz'),
      unit: 'ms',
      baseline: { name: 'plain twin of the band kernel, 8 kHz', value: ms('twin') },
    },
    {
      name: 'messages to hops with flags, 20 LFCC of 60 bands, per second of audio',
      value: ms('features, cepstra'),
      unit: 'ms',
      baseline: { name: 'plain twins of the band and cepstra kernels', value: ms('twin, cepstra') },
      budget,
    },
  ]
}
