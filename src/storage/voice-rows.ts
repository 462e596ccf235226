/** Live tracks and scored hops as rows of `calls` and `voice_windows`, in the tables' order. Pure; main thread. */
import type { LiveTrack } from '../decisions/live-calls.ts'
import { isEvidence, type ScoredHop } from '../inference/scored-hop.ts'
import { rowOf } from './tables.ts'

/** Numbers and names are cut to what a person can read; Twilio's own fields are far shorter. */
const textCharsMax = 256

/** @param version larger replaces smaller for the same call and track */
export function callRow(track: LiveTrack, runId: string, version: number): readonly unknown[] {
  const { facts, verdict } = track
  const view = verdict.snapshot(0)
  const text = (value: string): string => value.slice(0, textCharsMax)
  return rowOf('calls', {
    call_sid: facts.call.callSid,
    track: facts.track,
    account_sid: facts.call.accountSid,
    stream_sid: text(facts.streamSid),
    run_id: runId,
    from_number: text(facts.call.from),
    to_number: text(facts.call.to),
    direction: text(facts.call.direction),
    stir_verstat: text(facts.call.stirVerstat),
    state: track.state,
    started_at: facts.startedAtMs,
    ended_at: track.endedAtMs ?? 0,
    end_reason: track.endReason ?? '',
    label: view.label,
    score: view.score ?? 0,
    has_score: view.score !== null,
    confidence: view.confidence,
    provisional: view.provisional,
    net_speech_ms: whole(view.netSpeechMs),
    audio_ms: whole(view.audioMs),
    gap_ms: whole(view.gapMs),
    lost_ms: whole(view.lostMs),
    duplicates: whole(view.duplicates),
    reasons_json: JSON.stringify(view.reasons),
    gaps_json: JSON.stringify(view.gaps),
    signals_json: view.signals === undefined ? '' : JSON.stringify(view.signals),
    model: view.model,
    version,
  })
}

export function windowRow(track: LiveTrack, hop: ScoredHop, model: string, nowMs: number): readonly unknown[] {
  const counts = isEvidence(hop)
  return rowOf('voice_windows', {
    call_sid: track.facts.call.callSid,
    track: track.facts.track,
    started_at: track.facts.startedAtMs,
    hop_start_ms: whole(hop.hopStartMs),
    start_ms: whole(hop.windowStartMs),
    end_ms: whole(hop.hopEndMs),
    score: counts ? 1 / (1 + Math.exp(-hop.llr)) : 0,
    has_score: counts,
    llr: hop.llr,
    flags: hop.flags,
    speech_ms: whole(hop.hopSpeechMs),
    filled_ms: whole(hop.filledMs),
    lost_ms: whole(hop.lostMs),
    label: track.verdict.label,
    model,
    scored_at: nowMs,
  })
}

/** A UInt32 of ms: whole, and bounded by what the column holds (49 days). */
function whole(ms: number): number {
  return Math.max(0, Math.min(4_294_967_295, Math.round(ms)))
}
