/**
 * A decision of the policy and what became of it, with the evidence it rests on: windows, gaps, flags, model and its
 * hash, thresholds, rule, risk. No phone number and no audio is in it. One record is written anew whenever its state
 * changes; nothing of the evidence ever does. Pure, main thread.
 *
 *   planned ──► done | failed        a request to Twilio (redirect, hang up)
 *   done | failed | shadow | withheld | superseded     everything else, at once
 *   planned | done ──► undone        by a person
 */
import type { ActionKind, RuleConfig } from '../config/actions-schema.ts'
import type { TrackName } from '../ingest/track.ts'
import { escapeXml } from '../wire/twiml.ts'
import type { CallRisk } from './call-risk.ts'
import type { CallView, GapView, Label, Reason, TrackVerdict, WindowView } from './verdict-view.ts'
import type { Firing } from './voice-policy.ts'

/**
 * `shadow`: it would have been done; `withheld`: an operator said hands off; `superseded`: the call had its one
 * redirect or hang-up already.
 */
export type ActionState = 'planned' | 'done' | 'failed' | 'shadow' | 'withheld' | 'superseded' | 'undone'

export interface ActionEvidence {
  readonly verdict: {
    readonly label: Label
    readonly score: number | null
    readonly confidence: number
    readonly provisional: boolean
    readonly netSpeechMs: number
    readonly audioMs: number
    readonly gapMs: number
    readonly lostMs: number
    readonly duplicates: number
    readonly reasons: readonly Reason[]
  }
  /** The newest, oldest first; with their flags. */
  readonly windows: readonly WindowView[]
  readonly gaps: readonly GapView[]
  readonly model: { readonly name: string; readonly sha256: string }
  readonly thresholds: Readonly<Record<string, number>>
  /** What the rule asked and what was there. */
  readonly conditions: readonly string[]
  readonly heldMs: number
  readonly risk: CallRisk
}

export interface ActionView {
  readonly id: string
  readonly callSid: string
  readonly track: TrackName
  readonly rule: string
  readonly action: ActionKind
  readonly shadow: boolean
  readonly state: ActionState
  /** What was done or would have been done, and why, for people. */
  readonly text: string
  /** ISO 8601 UTC. */
  readonly decidedAt: string
  /** From the verdict to the request to Twilio; null: no request. */
  readonly latencyMs: number | null
  /** Why it failed, was withheld or superseded. */
  readonly result: Reason | null
  /** Whether undo makes sense now. */
  readonly canUndo: boolean
  readonly undoneAt: string | null
  readonly undoneBy: string | null
  readonly risk: number
  readonly score: number | null
  readonly confidence: number
  readonly evidence: ActionEvidence
}

/** What an event tells: everything but the evidence, which is asked for. */
export type ActionSummary = Omit<ActionView, 'evidence'>

/** A decision as the house keeps it. */
export interface ActionRecord {
  readonly id: string
  readonly callSid: string
  readonly accountSid: string
  readonly track: TrackName
  readonly rule: string
  readonly action: ActionKind
  /** What an annotation says. */
  readonly note: string | null
  readonly shadow: boolean
  readonly decidedAtMs: number
  readonly evidence: ActionEvidence
  /** A redirect that can be led back. */
  readonly hasWayBack: boolean
  state: ActionState
  latencyMs: number | null
  result: Reason | null
  undoneAtMs: number | null
  undoneBy: string | null
}

export interface EvidenceParts {
  readonly firing: Firing
  readonly verdict: TrackVerdict
  readonly modelSha256: string
  readonly thresholds: ActionEvidence['thresholds']
  readonly risk: CallRisk
}

export function evidenceOf({ firing, verdict, modelSha256, thresholds, risk }: EvidenceParts): ActionEvidence {
  const { windows, gaps, model, track: _, updatedAtMs: __, ...figures } = verdict
  return {
    verdict: figures,
    windows,
    gaps,
    model: { name: model, sha256: modelSha256 },
    thresholds,
    conditions: firing.conditions,
    heldMs: Math.round(firing.heldMs),
    risk,
  }
}

export function kindOf(what: RuleConfig['do']): ActionKind {
  if (typeof what === 'string') return what
  return 'annotate' in what ? 'annotate' : 'redirect'
}

/** The TwiML that a redirect, or its way back, sends the call to; null: there is none. */
export function twimlOf(what: RuleConfig['do'], way: 'redirect' | 'back'): string | null {
  const target = typeof what === 'object' && 'redirect' in what ? what[way] : undefined
  if (target?.twiml !== undefined) return target.twiml
  if (target?.url === undefined) return null
  return `<Response><Redirect method="POST">${escapeXml(target.url)}</Redirect></Response>`
}

/** Twilio's REST API is asked; a call has one such action at most. */
export function needsTwilio(kind: ActionKind): boolean {
  return kind === 'redirect' || kind === 'hangup'
}

export function noteOf(what: RuleConfig['do']): string | null {
  return typeof what === 'object' && 'annotate' in what ? what.annotate : null
}

export function canUndo({ state, action, hasWayBack }: ActionRecord): boolean {
  if (state === 'planned') return true
  if (state !== 'done') return false
  return action === 'notify' || action === 'annotate' || (action === 'redirect' && hasWayBack)
}

const doneWords: Readonly<Record<ActionKind, readonly [done: string, would: string]>> = {
  observe: ['noted', 'would have been noted'],
  notify: ['people were told', 'people would have been told'],
  annotate: ['the call was annotated', 'the call would have been annotated'],
  secondOpinion: ['a second opinion was asked for', 'a second opinion would have been asked for'],
  redirect: ['the call was redirected', 'the call would have been redirected'],
  hangup: ['the call was hung up', 'the call would have been hung up'],
}

/** `shadow: the call would have been hung up (rule hang-up): confidence 0.91, at least 0.9; ...` */
function wordsOf({ state, action, note, rule, evidence, result }: ActionRecord): string {
  const [done, would] = doneWords[action]
  const said = note === null ? '' : ` “${note}”`
  const why = `${said} (rule ${rule}): ${evidence.conditions.join('; ') || 'it asks nothing'}`
  if (state === 'done') return done + why
  if (state === 'undone') return `undone: ${done}${why}`
  if (state === 'planned') return `under way: ${would}${why}`
  return `${state}: ${would}${why}${result === null ? '' : ` [${result.text}]`}`
}

export function actionView(record: ActionRecord): ActionView {
  const { id, callSid, track, rule, action, shadow, state, decidedAtMs, latencyMs, result, evidence } = record
  return {
    id,
    callSid,
    track,
    rule,
    action,
    shadow,
    state,
    text: wordsOf(record),
    decidedAt: new Date(decidedAtMs).toISOString(),
    latencyMs,
    result,
    canUndo: canUndo(record),
    undoneAt: record.undoneAtMs === null ? null : new Date(record.undoneAtMs).toISOString(),
    undoneBy: record.undoneBy,
    risk: evidence.risk.score,
    score: evidence.verdict.score,
    confidence: evidence.verdict.confidence,
    evidence,
  }
}

export function actionSummary(record: ActionRecord): ActionSummary {
  const { evidence: _, ...summary } = actionView(record)
  return summary
}

/** An operator said that nothing more shall be done to a call. */
export interface HandsOff {
  readonly by: string
  /** ISO 8601 UTC. */
  readonly at: string
  readonly note: string | null
}

/** What the policy did, or would have done, to a call. */
export interface CallPolicyView {
  /** Oldest first. */
  readonly actions: readonly ActionView[]
  /** Now; null when the call is no longer in memory. */
  readonly risk: CallRisk | null
  readonly handsOff: HandsOff | null
}

export type CallDetail = CallView & CallPolicyView
