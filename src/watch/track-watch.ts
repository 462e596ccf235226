/**
 * What happens to a track, in one place: opened -> hops judged -> closed. Keeps the live verdicts, publishes them,
 * writes the rows, lets the policy look. A track ends in two steps: the call table closes it, and when the voice pool
 * has delivered its last hop it is told and stored as ended; so a verdict never misses audio that was received. Main
 * thread.
 */
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import type { LiveCalls, LiveTrack } from '../decisions/live-calls.ts'
import type { Opinion } from '../decisions/opinion-agreement.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import type { CallListener, EndReason, TrackFacts } from '../ingest/track.ts'
import type { EventBus } from '../notify/event-bus.ts'
import { verdictEvent } from '../notify/verdict-event.ts'
import type { RowWriter } from '../storage/row-writer.ts'
import { callRow, windowRow } from '../storage/voice-rows.ts'
import type { PolicyWatch } from './policy-watch.ts'

export interface TrackWatchOptions {
  readonly live: LiveCalls
  /** Who tells of hops, with the model that judged each, and of tracks whose last hop was told. */
  readonly pool: {
    onHop(listener: (hop: ScoredHop, model: string) => void): void
    onClosed(listener: (trackId: number) => void): void
  }
  readonly writer: Pick<RowWriter, 'write'>
  readonly bus: EventBus
  readonly policy: Pick<PolicyWatch, 'opened' | 'judged'>
  readonly runId: string
  readonly clock: Clock
  readonly counters: Pick<Counters, 'verdictsChanged'>
  /** Seconds from the frame that closed a hop to its verdict. */
  readonly latency: { observe(seconds: number): void }
}

/** A closed track whose last hops have not come by then is ended without them: its worker died. */
const lastHopsMsMax = 5000

export class TrackWatch implements CallListener {
  readonly #options: TrackWatchOptions
  readonly #closing = new Map<number, { readonly reason: EndReason; readonly closedAtMs: number }>()
  #version = 0

  constructor(options: TrackWatchOptions) {
    this.#options = options
    options.pool.onHop((hop, model) => this.#hop(hop, model))
    options.pool.onClosed((trackId) => this.#finish(trackId))
  }

  opened(facts: TrackFacts): void {
    const { live, policy } = this.#options
    const track = live.open(facts, policy.opened(facts))
    this.#store(track)
    this.#publish(track, false, false)
  }

  resumed(): void {
    // The detection goes on; the gap shows in its media time.
  }

  closed(trackId: number, reason: EndReason): void {
    this.#closing.set(trackId, { reason, closedAtMs: this.#options.clock.steadyMs() })
  }

  /** Ends closed tracks whose last hops do not come. Call it several times a second. */
  tick(): void {
    const nowMs = this.#options.clock.steadyMs()
    for (const [trackId, { closedAtMs }] of this.#closing) {
      if (nowMs - closedAtMs < lastHopsMsMax) return
      this.#finish(trackId)
    }
  }

  /** After the pool was drained: nothing more will come. */
  endAll(): void {
    for (const trackId of [...this.#closing.keys()]) this.#finish(trackId)
  }

  /** Another detector said something about a track; it may have ended meanwhile. */
  heard(track: LiveTrack, opinion: Opinion): void {
    track.verdict.heard(opinion)
    this.#store(track)
    if (track.state === 'live') this.#publish(track, false, false)
  }

  #hop(hop: ScoredHop, model: string): void {
    const { live, policy, writer, clock, counters, latency } = this.#options
    const track = live.track(hop.trackId)
    if (track === undefined) return
    const nowMs = clock.wallMs()
    const changed = track.verdict.observe(hop, nowMs)
    const verdictAtMs = clock.steadyMs()
    latency.observe((verdictAtMs - hop.enteredMs) / 1000)
    writer.write('voice_windows', windowRow(track, hop, model, nowMs))
    if (changed) {
      counters.verdictsChanged += 1
      this.#store(track)
    }
    this.#publish(track, changed, true)
    policy.judged(track, verdictAtMs)
  }

  #finish(trackId: number): void {
    const closing = this.#closing.get(trackId)
    if (closing === undefined) return
    this.#closing.delete(trackId)
    const track = this.#options.live.end(trackId, closing.reason, this.#options.clock.wallMs())
    if (track === undefined) return
    this.#store(track)
    this.#publish(track, false, false)
  }

  /** A newer row of the same call and track replaces the older. */
  #store(track: LiveTrack): void {
    this.#version = Math.max(this.#version + 1, this.#options.clock.wallMs() * 1000)
    this.#options.writer.write('calls', callRow(track, this.#options.runId, this.#version))
  }

  #publish(track: LiveTrack, changed: boolean, withWindow: boolean): void {
    this.#options.bus.publish('verdict', verdictEvent(track, changed, withWindow, this.#options.clock.wallMs()))
  }
}
