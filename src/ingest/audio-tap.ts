/**
 * A second listener on the audio of single tracks: mu-law bytes, decoded and copied, beside the ring and after it. The
 * way to the voice pool stays as it is: for a track without a tap it costs one look at a size, and what a tap's owner
 * does or throws reaches nobody else. Repeated audio is left out, short losses are silence. Main thread.
 *
 *   call table --frame--> AudioTaps --frame--> VoicePool (ring)
 *                              '-- tap of this track? --copy--> owner
 */
import type { Counters } from '../core/metrics.ts'
import type { TrackSink } from './track.ts'

/** Losses up to here are filled with silence, as the voice pipeline does; longer ones are left out. */
const gapFillMsMax = 100
/** A frame may seem to begin so much before the end of the last; timestamps are whole ms. */
const roundingMs = 2
const bytesPerMs = 8
const mulawSilence = 0xff

export interface Tap {
  /** mu-law, 8 kHz; the owner's own copy. Must not take long. */
  readonly audio: (mulaw: Uint8Array) => void
  /** The track is over; nothing comes after it. */
  readonly ended: () => void
}

interface OpenTap {
  readonly tap: Tap
  /** Media time of the end of what was handed over; NaN before the first. */
  untilMs: number
}

export class AudioTaps implements TrackSink {
  readonly #sink: TrackSink
  readonly #counters: Pick<Counters, 'audioTapsThrew'>
  readonly #taps = new Map<number, Set<OpenTap>>()

  constructor(sink: TrackSink, counters: Pick<Counters, 'audioTapsThrew'>) {
    this.#sink = sink
    this.#counters = counters
  }

  /** Tracks that are listened to. */
  get size(): number {
    return this.#taps.size
  }

  /** Listens to a track from now on. @returns the way to stop; may be called twice */
  listen(trackId: number, tap: Tap): () => void {
    const taps = this.#taps.get(trackId) ?? new Set()
    const mine: OpenTap = { tap, untilMs: Number.NaN }
    taps.add(mine)
    this.#taps.set(trackId, taps)
    return () => this.#leave(trackId, mine)
  }

  open(trackId: number): boolean {
    return this.#sink.open(trackId)
  }

  frame(trackId: number, mediaMs: number, message: Uint8Array, start: number, end: number, enteredMs: number): boolean {
    const taken = this.#sink.frame(trackId, mediaMs, message, start, end, enteredMs)
    if (this.#taps.size > 0) this.#copy(trackId, mediaMs, message, start, end)
    return taken
  }

  close(trackId: number): void {
    this.#sink.close(trackId)
    const taps = this.#taps.get(trackId)
    if (taps === undefined) return
    this.#taps.delete(trackId)
    for (const each of taps) this.#guard(trackId, each, () => each.tap.ended())
  }

  #copy(trackId: number, mediaMs: number, message: Uint8Array, start: number, end: number): void {
    const taps = this.#taps.get(trackId)
    if (taps === undefined) return
    const text = Buffer.from(message.buffer, message.byteOffset + start, end - start).toString('latin1')
    const bytes = Buffer.from(text, 'base64')
    if (bytes.length === 0) return
    for (const each of taps) {
      const aheadMs = mediaMs - each.untilMs
      if (aheadMs < -roundingMs) continue
      each.untilMs = mediaMs + bytes.length / bytesPerMs
      const fillMs = aheadMs > roundingMs && aheadMs <= gapFillMsMax ? aheadMs : 0
      this.#guard(trackId, each, () => {
        if (fillMs > 0) each.tap.audio(Buffer.alloc(Math.round(fillMs * bytesPerMs), mulawSilence))
        each.tap.audio(bytes)
      })
    }
  }

  #guard(trackId: number, mine: OpenTap, work: () => void): void {
    try {
      work()
    } catch {
      this.#counters.audioTapsThrew += 1
      this.#leave(trackId, mine)
    }
  }

  #leave(trackId: number, mine: OpenTap): void {
    const taps = this.#taps.get(trackId)
    taps?.delete(mine)
    if (taps?.size === 0) this.#taps.delete(trackId)
  }
}
