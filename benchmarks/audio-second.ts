/** One second of speech as Twilio sends it, and the median of a benchmark. Shared by the audio benchmarks. */
import { readFileSync } from 'node:fs'
import type { Bench } from 'tinybench'
import { projectRoot } from '../src/core/project.ts'

/** Bytes of the WAV header of a mono mu-law fixture are skipped by starting three seconds in. */
const startBytes = 24_100

/** 8000 bytes of mu-law of a recorded call, and the same as base64 messages of `frameBytes` bytes. */
export function callSecond(frameBytes: number): { bytes: Uint8Array; messages: Uint8Array[] } {
  const file = readFileSync(`${projectRoot}fixtures/calls/human-en-operator.wav`)
  const bytes = Uint8Array.from(file.subarray(startBytes, startBytes + 8000))
  const messages: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += frameBytes) {
    messages.push(Buffer.from(Buffer.from(bytes.subarray(at, at + frameBytes)).toString('base64'), 'latin1'))
  }
  return { bytes, messages }
}

/** The middle of all runs of one task, in ms: a busy neighbour moves the mean. */
export function medianMs(bench: Bench, name: string): number {
  const result = bench.getTask(name)?.result
  if (result === undefined || !('latency' in result)) throw new Error(`${name} did not run`)
  return result.latency.p50 ?? result.latency.mean
}
