/** Stored calls as the API tells calls: the same view as a live one. Main thread. */
import type { CallView, Label, TrackVerdict, WindowView } from '../decisions/verdict-view.ts'
import { roundScore } from '../decisions/window-history.ts'
import { hopFlagNames } from '../features/hop.ts'
import type { CallsPageRequest, Reports, StoredCall, StoredTrack, StoredWindow } from './reports.ts'

export interface PastCallsFilter {
  readonly states: readonly ('ended' | 'interrupted')[]
  /** Some track has this label. */
  readonly label: Label | null
  /** Part of the call SID or of a number; `%` and `_` are plain characters. */
  readonly text: string | null
  readonly after: { readonly startedAtMs: number; readonly callSid: string } | null
  readonly limit: number
}

export class PastCalls {
  readonly #reports: Pick<Reports, 'listCalls' | 'call'>

  constructor(reports: Pick<Reports, 'listCalls' | 'call'>) {
    this.#reports = reports
  }

  /** By start, newest first. */
  async list(filter: PastCallsFilter): Promise<readonly CallView[]> {
    const request: CallsPageRequest = {
      limit: filter.limit,
      before: filter.after ?? undefined,
      states: filter.states,
      label: filter.label ?? undefined,
      text: filter.text ?? undefined,
    }
    return (await this.#reports.listCalls(request)).calls.map(callView)
  }

  async get(callSid: string): Promise<CallView | undefined> {
    const call = await this.#reports.call(callSid)
    return call === undefined ? undefined : callView(call)
  }
}

function callView(call: StoredCall): CallView {
  const { callSid, accountSid, from, to, direction, state, startedAt, endedAt, endReason } = call
  const tracks = call.tracks.map((track) => trackView(track, Date.parse(endedAt ?? startedAt)))
  return { callSid, accountSid, from, to, direction, state, startedAt, endedAt, endReason, tracks }
}

function trackView(track: StoredTrack, updatedAtMs: number): TrackVerdict {
  return {
    track: track.track as TrackVerdict['track'],
    label: track.label as Label,
    score: track.score === null ? null : roundScore(track.score),
    confidence: roundScore(track.confidence),
    provisional: track.provisional,
    netSpeechMs: track.netSpeechMs,
    audioMs: track.audioMs,
    gapMs: track.gapMs,
    lostMs: track.lostMs,
    duplicates: track.duplicates,
    windows: track.windows.map(windowView),
    gaps: track.gaps as TrackVerdict['gaps'],
    reasons: track.reasons as TrackVerdict['reasons'],
    ...(track.signals === null ? {} : { signals: track.signals as NonNullable<TrackVerdict['signals']> }),
    model: track.model,
    updatedAtMs,
  }
}

function windowView(window: StoredWindow): WindowView {
  return {
    startMs: window.startMs,
    endMs: window.endMs,
    score: window.score === null ? null : roundScore(window.score),
    flags: hopFlagNames(window.flags),
  }
}
