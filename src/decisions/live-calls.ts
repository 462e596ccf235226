/**
 * The calls of this process as people see them: every live track with its verdict, and those that ended a moment ago,
 * until ClickHouse answers for them. Bounded: live ones by admission, ended ones by count and age. Main thread.
 */
import assert from 'node:assert/strict'
import type { ScoredHop } from '../inference/scored-hop.ts'
import { type CallFacts, type EndReason, eraseInCall, type TrackFacts } from '../ingest/track.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import type { CallState, CallView, TrackVerdict } from './verdict-view.ts'
import { type VerdictSettings, VoiceVerdict } from './voice-verdict.ts'

/** Ended calls stay readable from memory so long, ms: several times the slowest flush to ClickHouse. */
const endedKeptMs = 60_000
/** And at most so many. */
export const endedKeptMax = 2000
/** Windows per track in the list of calls; the single call has all that memory holds. */
const listWindowsMax = 60

export interface LiveTrack {
  readonly facts: TrackFacts
  readonly verdict: VoiceVerdict
  state: CallState
  endReason: EndReason | null
  endedAtMs: number | null
}

export class LiveCalls {
  readonly #tracks = new Map<number, LiveTrack>()
  readonly #byCall = new Map<string, LiveTrack[]>()
  /** Calls whose tracks have all ended, oldest first. */
  readonly #ended = new Map<string, number>()

  open(facts: TrackFacts, settings: VerdictSettings): LiveTrack {
    assert(!this.#tracks.has(facts.trackId), `track ${facts.trackId} opened twice`)
    const track: LiveTrack = {
      facts,
      verdict: new VoiceVerdict(facts.track, settings, facts.startedAtMs),
      state: 'live',
      endReason: null,
      endedAtMs: null,
    }
    this.#tracks.set(facts.trackId, track)
    const siblings = (this.#byCall.get(facts.call.callSid) ?? []).filter((other) => other.facts.track !== facts.track)
    // Media time is the stream's: only what one stream brought can be held against one another.
    const other = siblings.find((sibling) => sibling.facts.streamSid === facts.streamSid)
    if (other !== undefined) track.verdict.turns.face(other.verdict.turns)
    this.#byCall.set(facts.call.callSid, [...siblings, track])
    this.#ended.delete(facts.call.callSid)
    return track
  }

  /** The track a hop belongs to, or undefined when it ended meanwhile and its last hop came late. */
  track(trackId: number): LiveTrack | undefined {
    return this.#tracks.get(trackId)
  }

  /** @returns true when the label changed, undefined when the track is gone. */
  observe(hop: ScoredHop, nowMs: number): boolean | undefined {
    return this.#tracks.get(hop.trackId)?.verdict.observe(hop, nowMs)
  }

  /** Ends a track. Its hops that are still under way are no longer taken. */
  end(trackId: number, reason: EndReason, nowMs: number): LiveTrack | undefined {
    const track = this.#tracks.get(trackId)
    if (track === undefined) return undefined
    this.#tracks.delete(trackId)
    track.state = reason === 'interrupted' ? 'interrupted' : 'ended'
    track.endReason = reason
    track.endedAtMs = nowMs
    const siblings = this.#byCall.get(track.facts.call.callSid) ?? []
    if (siblings.every((sibling) => sibling.state !== 'live')) this.#ended.set(track.facts.call.callSid, nowMs)
    this.#forget(nowMs)
    return track
  }

  #forget(nowMs: number): void {
    for (const [callSid, endedAtMs] of this.#ended) {
      if (this.#ended.size <= endedKeptMax && nowMs - endedAtMs < endedKeptMs) return
      this.#ended.delete(callSid)
      this.#byCall.delete(callSid)
    }
  }

  /** Tracks that are live now. */
  get liveCount(): number {
    return this.#tracks.size
  }

  liveTracks(): IterableIterator<LiveTrack> {
    return this.#tracks.values()
  }

  /** All calls that memory holds, newest first, with the last windows of each track. */
  list(): CallView[] {
    const views = [...this.#byCall.values()].map((tracks) => callView(tracks, listWindowsMax))
    return views.sort((left, right) => (left.startedAt < right.startedAt ? 1 : -1))
  }

  /** @returns tracks whose call had the number */
  erase(spellings: NumberSpellings): number {
    const tracks = [...this.#byCall.values()].flat()
    return tracks.filter(({ facts }) => eraseInCall(facts.call, spellings)).length
  }

  get(callSid: string): CallView | undefined {
    const tracks = this.#byCall.get(callSid)
    return tracks === undefined ? undefined : callView(tracks)
  }
}

function callView(tracks: readonly LiveTrack[], windowsMax?: number): CallView {
  const first = tracks[0]
  assert(first !== undefined, 'a call has at least one track')
  const call: CallFacts = first.facts.call
  const verdicts: TrackVerdict[] = tracks.map((track) => track.verdict.snapshot(windowsMax))
  const live = tracks.some((track) => track.state === 'live')
  const last = tracks.reduce(
    (latest, track) => ((track.endedAtMs ?? 0) > (latest.endedAtMs ?? 0) ? track : latest),
    first,
  )
  return {
    callSid: call.callSid,
    accountSid: call.accountSid,
    from: call.from,
    to: call.to,
    direction: call.direction,
    state: live ? 'live' : last.state,
    startedAt: new Date(Math.min(...tracks.map((track) => track.facts.startedAtMs))).toISOString(),
    endedAt: live || last.endedAtMs === null ? null : new Date(last.endedAtMs).toISOString(),
    endReason: live ? null : last.endReason,
    tracks: verdicts,
  }
}
