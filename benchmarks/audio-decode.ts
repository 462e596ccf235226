/**
 * Decoding one second of a call: 50 Twilio messages of 160 bytes, base64 -> mu-law -> float, and on to 16 kHz.
 * Baselines: the plain twins, and `wave-resampler` (its default and its sinc), which is what a Node program reaches
 * for.
 */
import { Bench } from 'tinybench'
import waveResampler from 'wave-resampler'
import { base64Decode } from '../src/audio/base64.ts'
import { muLawToFloat } from '../src/audio/g711.ts'
import { Kernels } from '../src/audio/kernels.ts'
import { tapsPerPhase } from '../src/audio/resample.ts'
import { callSecond, medianMs } from './audio-second.ts'
import type { BenchmarkRow } from './row.ts'

const frameBytes = 160
const resampleBudget = { must: 0.3, aim: 0.1 }

export async function run(): Promise<BenchmarkRow[]> {
  const { bytes, messages } = callSecond(frameBytes)
  const kernels = Kernels.load(0)
  const { at, run: kernel, bytes: memory } = kernels
  const history = (tapsPerPhase - 1) * 4
  // `memory` is filled once a message, as the front end does from its ring.
  const decodeAll = (): void => {
    let target = at.NARROW + history
    for (const message of messages) {
      memory.set(message, at.TEXT)
      const count = kernel.base64Decode(at.TEXT, message.length, at.BYTES)
      kernel.muLawToFloat(at.BYTES, target, count)
      target += count * 4
    }
  }
  const plainBytes = new Uint8Array(frameBytes)
  const plainSamples = new Float32Array(8000)
  const decodePlain = (): void => {
    for (const [i, message] of messages.entries()) {
      base64Decode(message, 0, message.length, plainBytes)
      muLawToFloat(plainBytes, plainSamples.subarray(i * frameBytes, (i + 1) * frameBytes))
    }
  }
  const floats = new Float32Array(8000)
  muLawToFloat(bytes, floats)
  const bench = new Bench({ time: 300, warmupTime: 100 })
    .add('decode', decodeAll)
    .add('decode, plain', decodePlain)
    .add('decode, resample', () => {
      decodeAll()
      // In messages, as the samples come.
      for (let n = 0; n < 8000; n += frameBytes) {
        kernel.upsample2(at.NARROW + history + n * 4, frameBytes, at.WIDE + n * 8)
      }
    })
    .add('wave-resampler', () => void waveResampler.resample(floats, 8000, 16000))
    .add('wave-resampler sinc', () => void waveResampler.resample(floats, 8000, 16000, { method: 'sinc' }))
  await bench.run()
  const ms = (name: string): number => medianMs(bench, name)
  return [
    {
      name: 'decode base64 and mu-law, per second of audio',
      value: ms('decode'),
      unit: 'ms',
      baseline: { name: 'plain TypeScript twins', value: ms('decode, plain') },
    },
    {
      name: 'decode and 8 -> 16 kHz, per second of audio',
      value: ms('decode, resample'),
      unit: 'ms',
      baseline: { name: 'wave-resampler alone, default', value: ms('wave-resampler') },
      budget: resampleBudget,
    },
    {
      name: 'decode and 8 -> 16 kHz, per second of audio',
      value: ms('decode, resample'),
      unit: 'ms',
      baseline: { name: 'wave-resampler alone, sinc', value: ms('wave-resampler sinc') },
      budget: resampleBudget,
    },
  ]
}
