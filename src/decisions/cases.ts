/**
 * One case per subject and kind, and one per campaign: a signal on a number whose range has the case strengthens that
 * one; a signal on a range that its numbers' cases explain is not a second case; one that goes well beyond them takes
 * them in. Life: open, strengthened while signals come, cooled, closed, by event time. Bounded: at the cap new cases
 * are counted and not opened. Any thread, one owner.
 *
 *   number 447700900123 --.
 *   number 447700900456 ---> range 447700900 ---> route_destination trunk-a>49151 ---> route trunk-a
 */
import assert from 'node:assert/strict'
import type { CallEvent } from '../features/call-event.ts'
import { keyKinds } from '../features/call-windows.ts'
import { breadth, broaderSubjects, type Subject, subjectKey, subjectOf } from './case-subjects.ts'
import { movedCode } from './flash-influence.ts'
import { type CaseKind, caseKinds, type Reason, type Signal } from './fraud-signal.ts'

export const caseStates = ['open', 'cooled', 'closed', 'merged'] as const
export type CaseState = (typeof caseStates)[number]
export type Verdict = 'confirmed' | 'dismissed'

export interface FraudCase {
  readonly id: string
  readonly kind: CaseKind
  readonly subject: Subject
  state: CaseState
  /** The highest score so far, and of the signal last. */
  score: number
  /** Who gave that score, when it was a scorer. */
  model?: string
  /** Calls of the kind: those of the window that opened it, and since. */
  calls: number
  reasons: readonly Reason[]
  /** Ids of CDRs: the first and the newest, bounded. */
  evidence: string[]
  /** Event times, ms. */
  firstSeenMs: number
  openedMs: number
  lastSeenMs: number
  /** Case that took this one in. */
  mergedInto: string | null
  /** Cases that this one took in. */
  absorbed: number
  /** What a person said of it. */
  verdict: Verdict | null
  /** What a trained model saw when the case opened, in the order of `featureNames`. */
  features?: readonly number[]
}

/** A case as it stood at one moment, with what is needed to go on from there in another run. */
export interface CaseSeed {
  readonly it: FraudCase
  readonly keyKind: number
  readonly broader: readonly string[]
  readonly signalCalls: number
  readonly reasonCalls: number
  /** Event time: calls up to here are in it. */
  readonly asOfMs: number
}

export interface CaseLimits {
  readonly casesMax: number
  readonly coolMs: number
  readonly closeMs: number
  readonly evidenceMax: number
}

export type CaseChange = 'opened' | 'strengthened' | 'cooled' | 'closed' | 'merged'

export type CaseListener = (change: CaseChange, fraudCase: FraudCase) => void

/** A signal with the call that brought it. */
export interface Sighting {
  readonly keyKind: number
  readonly event: CallEvent
  /** Which keys the call has. */
  readonly slots: Int32Array
  readonly signal: Signal
  readonly firstSeenMs: number
  readonly evidence: readonly string[]
}

/** Of a broader subject's calls, what narrower cases must hold to explain them. */
const explainedShare = 0.5
/** So many narrow cases of one kind are one campaign of the broader subject that fires. */
const campaignCases = 3

interface Held {
  readonly it: FraudCase
  readonly keyKind: number
  /** From a seed: what came up to here, in event time, is in it already. */
  readonly asOfMs: number
  readonly broader: readonly string[]
  /** Calls of its last signal. */
  signalCalls: number
  /** Calls of the signal that gave the reasons: the strongest one's are kept. */
  reasonCalls: number
}

export class Cases {
  readonly #limits: CaseLimits
  readonly #digits: number
  readonly #listener: CaseListener
  readonly #newId: () => string
  /** `kind subject` -> the case that is not over. */
  readonly #live = new Map<string, Held>()
  /** `kind broader subject` -> live cases within it. */
  readonly #within = new Map<string, Set<Held>>()
  /**
   * `kind subject` -> a case that a person ended: its subject opens no other up to this event time. It still explains
   * signals of broader subjects, so that the same calls do not come back as their range's.
   */
  readonly #quiet = new Map<string, { readonly held: Held; readonly untilMs: number }>()
  readonly #heldOf = new WeakMap<FraudCase, Held>()
  #nowMs = Number.NEGATIVE_INFINITY
  #sweptMs = Number.NEGATIVE_INFINITY
  /** Signals that opened no case because there were too many. */
  refused = 0

  constructor(limits: CaseLimits, destinationDigits: number, newId: () => string, listener: CaseListener) {
    this.#limits = limits
    this.#digits = destinationDigits
    this.#newId = newId
    this.#listener = listener
  }

  get size(): number {
    return this.#live.size
  }

  /** Event time. */
  get nowMs(): number {
    return this.#nowMs
  }

  live(): FraudCase[] {
    return [...this.#live.values()].map((held) => held.it)
  }

  /** A case goes on where another run left it. It replaces what is live on its subject. */
  restore(seed: CaseSeed): void {
    const { kind, subject } = seed.it
    const known = this.#live.get(`${kind} ${subjectKey(subject)}`)
    if (known !== undefined) this.#end(known, 'closed')
    this.quiet(seed, 0)
    this.#hold(heldFrom(seed))
  }

  /** The case as it stands now; also of one that has just ended. */
  seedOf(it: FraudCase): CaseSeed {
    const held = this.#heldOf.get(it)
    assert(held !== undefined, 'a case of ours')
    return heldSeed(held, Math.max(held.asOfMs, this.#nowMs))
  }

  /** A person ended the case: its subject opens no other of the kind up to this event time; 0 takes it back. */
  quiet(seed: CaseSeed, untilMs: number): void {
    const { kind, subject } = seed.it
    const key = `${kind} ${subjectKey(subject)}`
    const known = this.#quiet.get(key)
    if (known !== undefined) this.#leaveFamilies(known.held)
    this.#quiet.delete(key)
    if (untilMs <= 0) return
    const held = heldFrom(seed)
    this.#quiet.set(key, { held, untilMs })
    this.#joinFamilies(held)
  }

  /** Is a call of this time new to the case? */
  isNews(it: FraudCase, timeMs: number): boolean {
    return timeMs > (this.#heldOf.get(it)?.asOfMs ?? Number.NEGATIVE_INFINITY)
  }

  find(kind: CaseKind, subject: Subject): FraudCase | undefined {
    return this.#live.get(`${kind} ${subjectKey(subject)}`)?.it
  }

  /** The case of a kind on the subject that the call has at a kind of key. */
  at(bit: number, keyKind: number, event: CallEvent): FraudCase | undefined {
    return this.find(caseKinds[bit]!, subjectOf(keyKind, event, this.#digits))
  }

  /** @returns the case that the sighting opened or strengthened, if any, and whether its own subject has one. */
  sight(sighting: Sighting): FraudCase | null {
    const { keyKind, event, signal } = sighting
    const subject = subjectOf(keyKind, event, this.#digits)
    const ownKey = `${signal.kind} ${subjectKey(subject)}`
    const quiet = this.#quiet.get(ownKey)
    if (quiet !== undefined && event.timeMs <= quiet.untilMs) {
      quiet.held.signalCalls = Math.max(signal.calls, quiet.held.signalCalls * 0.9)
      return null
    }
    const own = this.#live.get(ownKey)
    if (own !== undefined) return this.#strengthen(own, sighting)
    const broader = broaderSubjects(keyKind, event, sighting.slots, this.#digits)
    for (const key of broader) {
      const above = this.#live.get(`${signal.kind} ${key}`)
      if (above !== undefined) return this.#strengthen(above, sighting)
    }
    const other = this.#otherView(sighting, broader)
    if (other !== null) return this.#strengthen(other, sighting)
    const narrower = this.#within.get(`${signal.kind} ${subjectKey(subject)}`) ?? new Set<Held>()
    let explained = 0
    for (const held of narrower) explained += held.signalCalls
    if (narrower.size > 0 && narrower.size < campaignCases && explained >= explainedShare * signal.calls) return null
    const open = [...narrower].filter((each) => !isOver(each.it))
    return this.#open(sighting, subject, broader, open)
  }

  /** The same campaign seen from another side: toll fraud by who calls and by where to; an anomaly that has a name. */
  #otherView(sighting: Sighting, broader: readonly string[]): Held | null {
    const { kind } = sighting.signal
    const kinds = kind === 'irsf' ? ['pbx_hack'] : kind === 'pbx_hack' ? ['irsf'] : []
    const named = kind === 'anomaly' ? caseKinds.filter((each) => each !== 'anomaly') : kinds
    if (named.length === 0) return null
    const { event, slots, keyKind } = sighting
    const keys = [...broader]
    for (let other = 0; other < keyKinds.length; other++) {
      if (slots[other]! >= 0 && breadth[other]! <= breadth[keyKind]!) {
        keys.push(subjectKey(subjectOf(other, event, this.#digits)))
      }
    }
    const subject = subjectKey(subjectOf(keyKind, event, this.#digits))
    for (const each of named) {
      for (const inside of this.#within.get(`${each} ${subject}`) ?? []) if (!isOver(inside.it)) return inside
      for (const key of keys) {
        const held = this.#live.get(`${each} ${key}`)
        if (held !== undefined) return held
      }
    }
    return null
  }

  /** Lets cases cool and close as event time goes by. */
  tick(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    this.sweep(nowMs)
  }

  /** The same by a clock that goes on while no calls come. */
  sweep(nowMs: number): void {
    if (nowMs < this.#sweptMs + 60_000) return
    this.#sweptMs = nowMs
    for (const { held, untilMs } of this.#quiet.values()) {
      if (nowMs > untilMs) this.quiet(heldSeed(held, nowMs), 0)
    }
    for (const held of this.#live.values()) {
      const quietMs = nowMs - held.it.lastSeenMs
      if (quietMs >= this.#limits.closeMs) this.#end(held, 'closed')
      else if (quietMs >= this.#limits.coolMs && held.it.state === 'open') {
        held.it.state = 'cooled'
        this.#listener('cooled', held.it)
      }
    }
  }

  /** A person decided: the case is over. */
  close(fraudCase: FraudCase): void {
    for (const held of this.#live.values()) if (held.it === fraudCase) this.#end(held, 'closed')
  }

  #open(sighting: Sighting, subject: Subject, broader: readonly string[], narrower: readonly Held[]): FraudCase | null {
    if (this.#live.size >= this.#limits.casesMax) {
      this.refused++
      return null
    }
    const { signal, event } = sighting
    const it: FraudCase = {
      id: this.#newId(),
      kind: signal.kind,
      subject,
      state: 'open',
      score: signal.score,
      ...(signal.model === undefined ? {} : { model: signal.model }),
      calls: signal.calls,
      reasons: signal.reasons,
      evidence: [],
      firstSeenMs: sighting.firstSeenMs,
      openedMs: event.timeMs,
      lastSeenMs: event.timeMs,
      mergedInto: null,
      absorbed: narrower.length,
      verdict: null,
      ...(signal.features === undefined ? {} : { features: signal.features }),
    }
    const { calls } = signal
    const asOfMs = Number.NEGATIVE_INFINITY
    this.#hold({ it, keyKind: sighting.keyKind, broader, signalCalls: calls, reasonCalls: calls, asOfMs })
    for (const each of narrower) {
      it.firstSeenMs = Math.min(it.firstSeenMs, each.it.firstSeenMs)
      it.openedMs = Math.min(it.openedMs, each.it.openedMs)
      if (each.it.score > it.score && each.it.model !== undefined) it.model = each.it.model
      it.score = Math.max(it.score, each.it.score)
      this.#addEvidence(it, each.it.evidence)
      each.it.mergedInto = it.id
      this.#end(each, 'merged')
    }
    this.#addEvidence(it, sighting.evidence)
    this.#listener('opened', it)
    return it
  }

  #hold(held: Held): void {
    const { kind, subject } = held.it
    this.#heldOf.set(held.it, held)
    this.#live.set(`${kind} ${subjectKey(subject)}`, held)
    this.#joinFamilies(held)
  }

  #joinFamilies(held: Held): void {
    for (const key of held.broader) this.#family(`${held.it.kind} ${key}`).add(held)
  }

  #leaveFamilies(held: Held): void {
    for (const key of held.broader) {
      const family = this.#within.get(`${held.it.kind} ${key}`)
      family?.delete(held)
      if (family?.size === 0) this.#within.delete(`${held.it.kind} ${key}`)
    }
  }

  #family(key: string): Set<Held> {
    const known = this.#within.get(key)
    if (known !== undefined) return known
    const made = new Set<Held>()
    this.#within.set(key, made)
    return made
  }

  #strengthen(held: Held, { signal, event, evidence }: Sighting): FraudCase {
    const { it } = held
    if (event.timeMs <= held.asOfMs) return it
    // What waited for the scorer comes after what did not.
    it.lastSeenMs = Math.max(it.lastSeenMs, event.timeMs)
    held.signalCalls = Math.max(signal.calls, held.signalCalls * 0.9)
    if (signal.kind === it.kind && signal.score >= it.score * 0.98 && signal.calls >= held.reasonCalls) {
      // What moved the model is known of the window that opened the case.
      it.reasons = [...signal.reasons, ...it.reasons.filter(({ code }) => code === movedCode)]
      held.reasonCalls = signal.calls
    }
    if (signal.kind === it.kind && signal.score > it.score) {
      it.score = signal.score
      if (signal.model !== undefined) it.model = signal.model
    }
    this.#addEvidence(it, evidence)
    if (it.state === 'cooled') it.state = 'open'
    this.#listener('strengthened', it)
    return it
  }

  /** Keeps the first half of the room for what opened the case; the rest shows the newest. */
  #addEvidence(it: FraudCase, ids: readonly string[]): void {
    const { evidenceMax } = this.#limits
    const half = Math.ceil(evidenceMax / 2)
    for (let i = ids.length - 1; i >= 0; i--) {
      const id = ids[i]!
      if (it.evidence.includes(id)) continue
      if (it.evidence.length >= evidenceMax) it.evidence.splice(half, 1)
      it.evidence.push(id)
    }
  }

  #end(held: Held, state: 'closed' | 'merged'): void {
    held.it.state = state
    const { kind, subject } = held.it
    this.#live.delete(`${kind} ${subjectKey(subject)}`)
    this.#leaveFamilies(held)
    this.#listener(state, held.it)
  }
}

function isOver(it: FraudCase): boolean {
  return it.state === 'closed' || it.state === 'merged'
}

function heldFrom({ it, keyKind, broader, signalCalls, reasonCalls, asOfMs }: CaseSeed): Held {
  return { it: { ...it, evidence: [...it.evidence] }, keyKind, broader, signalCalls, reasonCalls, asOfMs }
}

function heldSeed({ it, keyKind, broader, signalCalls, reasonCalls }: Held, asOfMs: number): CaseSeed {
  return { it: { ...it, evidence: [...it.evidence] }, keyKind, broader, signalCalls, reasonCalls, asOfMs }
}
