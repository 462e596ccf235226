/**
 * A detection as its users see it: one track of one call that is listened to, over all its streams and over restarts
 * of this server. Here: its fields, its life as JSON for the journal, and its view for the API. Main thread.
 *
 *   starting ──► live ──► ended (stop, call_status, operator, idle, socket_closed, call_over, interrupted)
 *      │  ▲        │
 *      │  └────────┘ its stream broke, or this server was restarted: a new one is asked for
 *      └──► failed (why: a code)
 */
import { z } from 'zod'
import type { TrackVerdict } from '../decisions/verdict-view.ts'
import type { CallFacts, TrackName } from '../ingest/track.ts'

export const detectionStates = ['starting', 'live', 'ended', 'failed'] as const
export type DetectionState = (typeof detectionStates)[number]

export interface Detection {
  readonly id: string
  readonly callSid: string
  readonly accountSid: string
  readonly track: TrackName
  /** Who asked for it: TwiML answered to the webhook, or somebody by `POST /v1/detections`. */
  readonly origin: 'webhook' | 'api'
  readonly stirVerstat: string
  readonly createdAtMs: number
  state: DetectionState
  /** Why it ended or failed, or what it waits for; a code. */
  reason: string | null
  /** The same for people. */
  detail: string | null
  startedAtMs: number | null
  endedAtMs: number | null
  /** Of its last streams, oldest first. */
  streamNames: string[]
  streamSids: string[]
  /** Streams asked for because one broke or this server was restarted. */
  restarts: number
  /** The call, once known to this process. Not in the journal: it holds phone numbers. */
  call: CallFacts | null
  /** Steady ms since it has had no stream although it should; null: it has one, or the first is on its way. */
  lostAtMs: number | null
  /** Steady ms of the last time a stream was asked for. */
  askedAtMs: number
  /** Streams asked for in vain since it was last live. */
  tries: number
  /** Streams that Twilio has not confirmed as stopped since somebody ended it. */
  unstopped: string[]
  /** Its last verdict, kept when the call leaves memory. */
  verdict: TrackVerdict | null
}

/** What a detection begins with, beyond who and why. */
export function freshDetection(): Omit<
  Detection,
  'id' | 'callSid' | 'accountSid' | 'track' | 'origin' | 'stirVerstat' | 'createdAtMs' | 'call'
> {
  const nothing = { reason: null, detail: null, startedAtMs: null, endedAtMs: null, lostAtMs: null, verdict: null }
  return { ...nothing, ...idle(), state: 'starting', streamNames: [], streamSids: [], restarts: 0 }
}

function idle(): { askedAtMs: number; tries: number; unstopped: string[] } {
  return { askedAtMs: Number.NEGATIVE_INFINITY, tries: 0, unstopped: [] }
}

/** SIDs and names kept: Twilio allows a call 4 tracks at a time. */
const streamsMax = 8

export function isActive({ state }: Detection): boolean {
  return state === 'starting' || state === 'live'
}

export function noteStream(list: string[], stream: string): void {
  if (list.includes(stream)) return
  list.push(stream)
  if (list.length > streamsMax) list.shift()
}

const entryShape = z.object({
  id: z.string(),
  callSid: z.string(),
  accountSid: z.string(),
  track: z.enum(['inbound', 'outbound']),
  origin: z.enum(['webhook', 'api']),
  stirVerstat: z.string(),
  createdAtMs: z.number(),
  state: z.enum(detectionStates),
  reason: z.string().nullable(),
  detail: z.string().nullable(),
  startedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  streamNames: z.array(z.string()),
  streamSids: z.array(z.string()),
  restarts: z.number(),
})

export function toEntry(detection: Detection): Uint8Array {
  // What the shape names and nothing else: no phone number, no verdict, no time of this process's clock.
  return Buffer.from(JSON.stringify(entryShape.parse(detection)), 'utf8')
}

/** Null: not an entry of this version. */
export function fromEntry(bytes: Uint8Array): Detection | null {
  try {
    const entry = entryShape.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
    return { ...freshDetection(), ...entry, call: null }
  } catch {
    return null
  }
}

/** As `GET /v1/detections/{id}` tells it. `verdict`: from memory, else the last one known. */
export function detectionView(detection: Detection, verdict: TrackVerdict | null): object {
  const { id, callSid, accountSid, track, origin, state, reason, detail, restarts, streamSids } = detection
  return {
    id,
    callSid,
    accountSid,
    track,
    state,
    reason,
    detail,
    origin,
    streamSids,
    restarts,
    createdAt: iso(detection.createdAtMs),
    startedAt: iso(detection.startedAtMs),
    endedAt: iso(detection.endedAtMs),
    verdict: verdict === null ? null : verdictGlimpse(verdict),
  }
}

function verdictGlimpse(verdict: TrackVerdict): object {
  const { label, score, confidence, provisional, netSpeechMs, audioMs, gapMs, lostMs, reasons, model } = verdict
  const updatedAt = iso(verdict.updatedAtMs)
  return { label, score, confidence, provisional, netSpeechMs, audioMs, gapMs, lostMs, reasons, model, updatedAt }
}

function iso(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString()
}
