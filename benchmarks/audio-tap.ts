/**
 * What the way of a frame to the ring costs more because of taps: none open, one on another track, one on this track.
 * A plain sink stands for the pool. CPU per frame of 20 ms.
 */
import { zeroCounters } from '../src/core/metrics.ts'
import { AudioTaps } from '../src/ingest/audio-tap.ts'
import type { TrackSink } from '../src/ingest/track.ts'
import { medianCpuMs, rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const message = Buffer.from(`{"media":{"payload":"${Buffer.alloc(160, 0x55).toString('base64')}"}}`)
const payloadStart = message.indexOf('VVVV')
const payloadEnd = message.length - 3
const framesPerRound = 500_000

export async function run(): Promise<BenchmarkRow[]> {
  const plain = await frameUs(null)
  const rows: readonly (readonly [string, number | null])[] = [
    ['no track is tapped', 0],
    ['another track is tapped', 2],
    ['this track is tapped', 1],
  ]
  const out: BenchmarkRow[] = []
  for (const [name, tapped] of rows) {
    const value = rounded(await frameUs(tapped))
    out.push({
      name: `frame to the pool, ${name}`,
      value,
      unit: 'us CPU',
      baseline: { name: 'pool alone', value: rounded(plain) },
    })
  }
  return out
}

/** @param tapped null: without taps at all; 0: none open; else the track that is listened to; track 1 sends */
async function frameUs(tapped: number | null): Promise<number> {
  let frames = 0
  let heard = 0
  const pool: TrackSink = {
    open: () => true,
    frame: () => {
      frames += 1
      return true
    },
    close: () => {},
  }
  const taps = new AudioTaps(pool, zeroCounters())
  const audio = (mulaw: Uint8Array): void => {
    heard += mulaw.length
  }
  if (tapped !== null && tapped > 0) taps.listen(tapped, { audio, ended: () => {} })
  const sink: TrackSink = tapped === null ? pool : taps
  let mediaMs = 0
  const round = (): void => {
    for (let n = 0; n < framesPerRound; n += 1) {
      sink.frame(1, mediaMs, message, payloadStart, payloadEnd, n)
      mediaMs += 20
    }
  }
  const ms = await medianCpuMs(round, 7, 2)
  if (frames === 0 || (tapped === 1 && heard !== frames * 160)) throw new Error('frames were lost')
  return (ms * 1000) / framesPerRound
}
