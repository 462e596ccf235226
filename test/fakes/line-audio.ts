/**
 * Sounds a telephone line may carry, as floats at 8 kHz, the same on every run: tones, digits, noise, chords, and a
 * way to hear what a front end says of them. Voices come from fixtures/calls.
 */
import { readFileSync } from 'node:fs'
import { muLawFromFloat } from '../../src/audio/g711.ts'
import { projectRoot } from '../../src/core/project.ts'
import { type Hop, type HopSpec, speechBands } from '../../src/features/hop.ts'
import { VoiceFrontEnd } from '../../src/features/voice-front-end.ts'
import { wavMulaw } from './recordings.ts'

export const shippedSpec: HopSpec = {
  features: speechBands,
  hopFrames: 50,
  contextFrames: 20,
}

export const decibels = (db: number): number => 10 ** (db / 20)

/** A sum of sines, each with the given amplitude. */
export function tones(hz: readonly number[], amplitude: number, ms: number): Float32Array {
  return Float32Array.from({ length: ms * 8 }, (_, i) =>
    hz.reduce((sum, f) => sum + amplitude * Math.sin((2 * Math.PI * f * i) / 8000), 0),
  )
}

export function silence(ms: number): Float32Array {
  return new Float32Array(ms * 8)
}

/** White noise of the given standard deviation (sum of four uniform draws of a 32-bit congruential generator). */
export function noise(deviation: number, ms: number, seed = 1): Float32Array {
  let state = seed
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  return Float32Array.from({ length: ms * 8 }, () => deviation * Math.sqrt(3) * (draw() + draw() + draw() + draw()))
}

/** Notes with eight partials falling by 1 / n and dying away slowly. */
export function chord(hz: readonly number[], amplitude: number, ms: number): Float32Array {
  return Float32Array.from({ length: ms * 8 }, (_, i) => {
    let sum = 0
    for (const f of hz)
      for (let n = 1; n <= 8 && n * f < 3800; n += 1) sum += Math.sin((2 * Math.PI * n * f * i) / 8000) / n
    return (amplitude * sum * Math.exp(-i / 8000)) / hz.length
  })
}

export function joined(...parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function mixed(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value + (b[i] ?? 0))
}

/** Mu-law bytes of a file in fixtures/calls. */
export function fixtureBytes(file: string): Uint8Array {
  return wavMulaw(readFileSync(`${projectRoot}fixtures/calls/${file}`))
}

export interface Heard {
  /** One entry a frame. */
  readonly speech: number[]
  /** One entry a hop. */
  readonly flags: number[]
  readonly digits: string
  readonly features: Float32Array[]
  readonly filled: number[]
}

const frontEnd = VoiceFrontEnd.create(shippedSpec, 2)

/** What the shipped front end says of a fresh track. */
export function hear(sound: Float32Array | Uint8Array): Heard {
  const bytes = sound instanceof Uint8Array ? sound : muLawFromFloat(sound)
  const { sink, heard } = recorder()
  const slot = frontEnd.open()
  for (let at = 0; at < bytes.length; at += 8000) {
    frontEnd.push(slot, 0, frontEnd.take(bytes.subarray(at, at + 8000)), sink)
  }
  frontEnd.close(slot)
  return { ...heard, digits: heard.digits.join('') }
}

/** A sink that copies what it is told. */
export function recorder() {
  const heard = {
    speech: [] as number[],
    flags: [] as number[],
    digits: [] as string[],
    features: [] as Float32Array[],
    filled: [] as number[],
  }
  const sink = {
    hop(_slot: number, hop: Hop): void {
      heard.speech.push(...hop.speech)
      heard.flags.push(hop.flags)
      heard.digits.push(hop.dtmfDigit)
      heard.features.push(hop.features.slice())
      heard.filled.push(hop.filledSamples)
    },
  }
  return { sink, heard }
}

/** Part of the entries that satisfy the question. */
export function shareOf<T>(entries: readonly T[], question: (entry: T) => boolean): number {
  return entries.filter(question).length / entries.length
}
