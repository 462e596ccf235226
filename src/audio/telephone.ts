/**
 * Brings a recording of any kind to what a telephone line carries: 8 kHz mu-law, one array per channel. What is 8 kHz
 * mu-law already passes through untouched, so a recorded call is judged bit for bit. Any thread.
 */
import type { Audio } from '../wire/wav.ts'
import { aLawToFloat, muLawFromFloat, muLawToFloat } from './g711.ts'
import { resampleTo } from './resample.ts'

const lineRateHz = 8000

export function telephoneChannels(audio: Audio): Uint8Array[] {
  if (audio.kind === 'mulaw' && audio.sampleRateHz === lineRateHz) return [...audio.channels]
  const channels = audio.kind === 'samples' ? audio.channels : audio.channels.map((codes) => linear(codes, audio.kind))
  return channels.map((samples) => muLawFromFloat(resampleTo(samples, audio.sampleRateHz, lineRateHz)))
}

function linear(codes: Uint8Array, law: 'mulaw' | 'alaw'): Float32Array {
  const samples = new Float32Array(codes.length)
  if (law === 'mulaw') muLawToFloat(codes, samples)
  else aLawToFloat(codes, samples)
  return samples
}
