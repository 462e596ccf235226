/**
 * Where audio and the life of calls go in tests of ingest/: remembers everything, checks that each track opens and
 * closes once.
 */
import assert from 'node:assert/strict'
import type { CallListener, EndReason, TrackFacts, TrackSink } from '../../src/ingest/track.ts'

export interface SeenFrame {
  readonly trackId: number
  readonly mediaMs: number
  readonly payload: string
}

export class FakeTracks implements TrackSink, CallListener {
  readonly frames: SeenFrame[] = []
  /** `open 1`, `resumed 1 MZb`, `closed 1 stop`, in order. */
  readonly events: string[] = []
  readonly facts = new Map<number, TrackFacts>()
  readonly sinkOpen = new Set<number>()
  readonly live = new Set<number>()
  readonly ended = new Map<number, EndReason>()
  /** Set to refuse new tracks, or frames. */
  isFull = false
  isRingFull = false

  open(trackId: number): boolean {
    if (this.isFull) return false
    assert.ok(!this.facts.has(trackId) && !this.sinkOpen.has(trackId), `track ${trackId} opens twice`)
    this.sinkOpen.add(trackId)
    return true
  }

  frame(trackId: number, mediaMs: number, message: Uint8Array, start: number, end: number): boolean {
    assert.ok(this.sinkOpen.has(trackId), `a frame for track ${trackId}, which is not open`)
    assert.ok(Number.isInteger(mediaMs) && mediaMs >= 0, `media time ${mediaMs}`)
    if (this.isRingFull) return false
    this.frames.push({ trackId, mediaMs, payload: Buffer.from(message.subarray(start, end)).toString('latin1') })
    return true
  }

  close(trackId: number): void {
    assert.ok(this.sinkOpen.delete(trackId), `track ${trackId} closes but is not open`)
  }

  opened(track: TrackFacts): void {
    this.facts.set(track.trackId, track)
    this.live.add(track.trackId)
    this.events.push(`opened ${track.trackId}`)
  }

  resumed(track: TrackFacts, streamSid: string): void {
    assert.ok(this.live.has(track.trackId))
    this.events.push(`resumed ${track.trackId} ${streamSid}`)
  }

  closed(trackId: number, reason: EndReason): void {
    assert.ok(this.live.delete(trackId), `track ${trackId} ends twice`)
    this.ended.set(trackId, reason)
    this.events.push(`closed ${trackId} ${reason}`)
  }

  /** Media times of one track. */
  times(trackId: number): number[] {
    return this.frames.filter((frame) => frame.trackId === trackId).map(({ mediaMs }) => mediaMs)
  }
}
