/**
 * Calls and their verdicts, literal where a test looks, plausible everywhere else; memory and storage to put them in.
 */
import type { CallPolicy } from '../../src/api/actions.ts'
import type { LiveCallsView, PastCallFilter, PastCalls } from '../../src/api/calls.ts'
import { OperatingError } from '../../src/core/errors.ts'
import type { ActionRecord, CallPolicyView, HandsOff } from '../../src/decisions/action-record.ts'
import type { CallView, TrackVerdict, WindowView } from '../../src/decisions/verdict-view.ts'

export function track(over: Partial<TrackVerdict> = {}): TrackVerdict {
  return {
    track: 'inbound',
    label: 'likely_human',
    score: 0.12,
    confidence: 0.8,
    provisional: false,
    netSpeechMs: 6200,
    audioMs: 12_000,
    gapMs: 0,
    lostMs: 0,
    duplicates: 0,
    windows: [{ startMs: 0, endMs: 500, score: 0.12, flags: [] }],
    gaps: [],
    reasons: [{ code: 'score_human', text: 'score 0.12 over 6.2 s of speech, at or below 0.3; this is not identity' }],
    model: 'voice/1',
    updatedAtMs: Date.UTC(2026, 0, 1),
    ...over,
  }
}

export function callSid(n: number): string {
  return `CA${n.toString(16).padStart(32, '0')}`
}

/** `startedAtMs` is after 2026-01-01T00:00:00Z. */
export function call(n: number, over: Partial<CallView> & { startedAtMs?: number } = {}): CallView {
  const { startedAtMs = 0, ...rest } = over
  return {
    callSid: callSid(n),
    accountSid: `AC${'0'.repeat(32)}`,
    from: '+15005550006',
    to: '+442071838750',
    direction: 'inbound',
    state: 'ended',
    startedAt: new Date(Date.UTC(2026, 0, 1) + startedAtMs).toISOString(),
    endedAt: new Date(Date.UTC(2026, 0, 1) + startedAtMs + 12_000).toISOString(),
    endReason: 'stop',
    tracks: [track()],
    ...rest,
  }
}

export function liveCall(n: number, over: Partial<CallView> & { startedAtMs?: number } = {}): CallView {
  return call(n, { state: 'live', endedAt: null, endReason: null, ...over })
}

/** A window every 500 ms that looks back 4 s, with the given scores. */
export function windows(scores: readonly (number | null)[], flags: Record<number, WindowView['flags']> = {}) {
  return scores.map((score, at) => ({
    startMs: Math.max(0, (at - 7) * 500),
    endMs: (at + 1) * 500,
    score,
    flags: flags[at] ?? [],
  }))
}

export class FakeLiveCalls implements LiveCallsView {
  readonly calls = new Map<string, CallView>()

  put(...calls: CallView[]): void {
    for (const one of calls) this.calls.set(one.callSid, one)
  }

  list(): CallView[] {
    return [...this.calls.values()]
  }

  get(sid: string): CallView | undefined {
    return this.calls.get(sid)
  }
}

/** The contract of PastCalls in its shortest form: filter, sort, cut. */
export class FakePastCalls implements PastCalls {
  readonly calls: CallView[] = []
  failure: Error | undefined

  async list(filter: PastCallFilter): Promise<CallView[]> {
    if (this.failure) throw this.failure
    const key = (view: CallView) => `${view.startedAt} ${view.callSid}`
    const { after, text } = filter
    const place = after === null ? '~' : `${new Date(after.startedAtMs).toISOString()} ${after.callSid}`
    return this.calls
      .filter((view) => (filter.states as readonly string[]).includes(view.state))
      .filter((view) => filter.label === null || view.tracks.some((one) => one.label === filter.label))
      .filter((view) => text === null || `${view.callSid} ${view.from} ${view.to}`.includes(text))
      .filter((view) => key(view) < place)
      .sort((a, b) => (key(a) < key(b) ? 1 : -1))
      .slice(0, filter.limit)
  }

  async get(sid: string): Promise<CallView | undefined> {
    if (this.failure) throw this.failure
    return this.calls.find((view) => view.callSid === sid)
  }
}

/** What the policy did to calls, as told; a person's word is taken without a question. */
export class FakeCallPolicy implements CallPolicy {
  readonly views = new Map<string, CallPolicyView>()
  readonly undone: { callSid: string; actionId: string; who: string }[] = []
  record: ActionRecord | undefined

  async viewOf(sid: string): Promise<CallPolicyView> {
    return this.views.get(sid) ?? { actions: [], risk: null, handsOff: null }
  }

  async undo(sid: string, actionId: string, who: string): Promise<ActionRecord> {
    if (this.record === undefined) throw new OperatingError('not_found', 'no such action of this call')
    this.undone.push({ callSid: sid, actionId, who })
    return this.record
  }

  async setHandsOff(sid: string, handsOff: HandsOff | null): Promise<void> {
    const view = this.views.get(sid)
    if (view === undefined) throw new OperatingError('not_found', 'no such call is in memory')
    this.views.set(sid, { ...view, handsOff })
  }
}
