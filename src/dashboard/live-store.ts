/**
 * The live tracks as this page knows them: loaded from `/v1/calls`, moved by events. Events only touch plain objects;
 * those who draw are told at a pace, so 500 tracks at two hops a second cost one render a frame. Bounded: at most
 * `tracksMax` tracks, `scoresMax` scores each; ended tracks leave after `endedShownMs`. Browser.
 */
import type { Label } from '../decisions/verdict-view.ts'
import type { ListedCall } from './api-client.ts'
import type { VerdictEvent } from './event-stream.ts'
import { Paced } from './paced.ts'
import { labelOrder } from './wording.ts'

export interface LiveTrack {
  readonly key: string
  readonly callSid: string
  readonly track: 'inbound' | 'outbound'
  from: string
  to: string
  /** Server wall time, ms; null until the call was asked about. */
  startedAtMs: number | null
  /** Page time when it ended, ms; null while live. */
  endedAtMs: number | null
  label: Label
  score: number | null
  confidence: number
  provisional: boolean
  netSpeechMs: number
  gapMs: number
  lostMs: number
  model: string
  /** Newest last. */
  scores: (number | null)[]
  flags: readonly string[]
  /** Page time of the last event about it, ms. */
  heardAtMs: number
  /** Grows with every change; who draws compares it. */
  version: number
}

export interface LabelChange {
  readonly callSid: string
  readonly track: string
  readonly label: Label
  readonly score: number | null
}

export const scoresMax = 60
const tracksMax = 4000
const endedShownMs = 8000

export class LiveStore {
  readonly tracks = new Map<string, LiveTrack>()
  /** Called when an event speaks of a call that was never loaded. */
  onUnknown: () => void = () => {}
  /** Called when a call ended. */
  onEnded: () => void = () => {}
  onLabelChange: (change: LabelChange) => void = () => {}
  readonly #paced = new Paced()

  readonly subscribe = this.#paced.subscribe

  /**
   * Takes the list of live calls as the truth about which tracks there are; but a track that an event spoke of after
   * the list was asked for is newer than the list.
   */
  load(calls: readonly ListedCall[], askedAtMs: number): void {
    const present = new Set<string>()
    for (const call of calls) {
      for (const track of call.tracks) {
        const key = `${call.callSid} ${track.track}`
        present.add(key)
        const known = this.tracks.get(key)
        if (known === undefined && this.tracks.size >= tracksMax) continue
        this.tracks.set(key, {
          ...track,
          key,
          callSid: call.callSid,
          from: call.from,
          to: call.to,
          startedAtMs: Date.parse(call.startedAt),
          endedAtMs: null,
          scores: track.lastWindows.slice(-scoresMax),
          flags: known?.flags ?? [],
          heardAtMs: known?.heardAtMs ?? Number.NEGATIVE_INFINITY,
          version: (known?.version ?? 0) + 1,
        })
      }
    }
    for (const track of this.tracks.values()) {
      if (!present.has(track.key) && track.heardAtMs < askedAtMs) this.#end(track)
    }
    this.#paced.changed()
  }

  apply(event: VerdictEvent): void {
    const key = `${event.callSid} ${event.track}`
    let track = this.tracks.get(key)
    if (track === undefined) {
      if (event.state !== 'live' || this.tracks.size >= tracksMax) return
      track = blankTrack(key, event)
      this.tracks.set(key, track)
      this.onUnknown()
    } else if (track.label !== event.label) {
      this.onLabelChange(event)
    }
    const { label, score, confidence, provisional, netSpeechMs, gapMs, lostMs } = event
    Object.assign(track, { label, score, confidence, provisional, netSpeechMs, gapMs, lostMs })
    if (event.window !== null) {
      track.scores.push(event.window.score)
      if (track.scores.length > scoresMax) track.scores.shift()
      track.flags = event.window.flags
    }
    if (event.state === 'live') track.endedAtMs = null
    else this.#end(track)
    track.heardAtMs = performance.now()
    track.version += 1
    this.#paced.changed()
  }

  /** Live tracks by label. */
  counts(): Record<Label, number> {
    const counts = Object.fromEntries(labelOrder.map((label) => [label, 0])) as Record<Label, number>
    for (const track of this.tracks.values()) if (track.endedAtMs === null) counts[track.label] += 1
    return counts
  }

  liveCalls(): number {
    const live = [...this.tracks.values()].filter((track) => track.endedAtMs === null)
    return new Set(live.map((track) => track.callSid)).size
  }

  #end(track: LiveTrack): void {
    if (track.endedAtMs !== null) return
    track.endedAtMs = Date.now()
    track.version += 1
    setTimeout(() => {
      if (track.endedAtMs === null) return
      this.tracks.delete(track.key)
      this.#paced.changed()
    }, endedShownMs)
    this.onEnded()
  }
}

function blankTrack(key: string, event: VerdictEvent): LiveTrack {
  const { callSid, track, label, score, confidence, provisional, netSpeechMs, gapMs, lostMs } = event
  const verdict = { label, score, confidence, provisional, netSpeechMs, gapMs, lostMs }
  const unknown = { from: '', to: '', startedAtMs: null, endedAtMs: null, model: '' }
  return { key, callSid, track, ...unknown, ...verdict, scores: [], flags: [], heardAtMs: 0, version: 0 }
}

/** Worst first: by label, then by score, then the older call, so that equal rows stand still. */
export function worstFirst(tracks: Iterable<LiveTrack>): LiveTrack[] {
  const rank = (track: LiveTrack) => labelOrder.indexOf(track.label)
  // Scores are compared in steps, or rows of nearly the same score would change places at every hop.
  const step = (track: LiveTrack) => Math.round((track.score ?? 0) * 20)
  return [...tracks].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      step(b) - step(a) ||
      (a.startedAtMs ?? Number.MAX_SAFE_INTEGER) - (b.startedAtMs ?? Number.MAX_SAFE_INTEGER) ||
      (a.key < b.key ? -1 : 1),
  )
}
