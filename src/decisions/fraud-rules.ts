/**
 * The rules, one function a kind (flash-rules, bulk-rules, spoof-rules, toll-rules, route-rules): from a key's windows
 * to a signal with reasons, or nothing. Thresholds come from `cdr.rules`; what else a rule asks stands beside it with
 * its source.
 * Sources: [S] Sinch flash-call SDK parameters, [W] Wangiri detection patterns (ieeexplore 9772071), [N] NDSS 2021
 * Sahin & Francillon, [U] USENIX 2020 robocall storms, [D] 47 CFR 64.1200(a)(6) and Ofcom's statement on persistent
 * misuse (2010): diallers let it ring for a set time, 15 s or more, [T] TransNexus notes on toll fraud, [O] observed in
 * wholesale traffic, [A] assumption; those of spoofed numbers stand in spoof-rules.ts. Any thread.
 */
import type { FraudRulesConfig } from '../config/schema.ts'
import { type CallWindows, keyMarks, kindOf, type WindowView } from '../features/call-windows.ts'
import { isRepeater, isSuspect, robocall, robots, wangiri } from './bulk-rules.ts'
import { flashCandidate, flashInMix, modelAsks, modelCandidate, spokenCode } from './flash-rules.ts'
import type { FlashCandidate, Signal } from './fraud-signal.ts'
import { anomaly, flooded, shortAnswer } from './route-rules.ts'
import { oneDay, RuleContext, tenMinutes } from './rule-context.ts'
import { bringsCallsFromAbroad, cliSpoof, spoofedNumber } from './spoof-rules.ts'
import { irsf, tollNumber } from './toll-rules.ts'

/** Share of a window's attempts that must lie in the next shorter one. Even traffic has 1/6 in 10 min of 1 h. [A] */
const goingOn = [0, 0, 0.06, 0.02] as const

/** Told of every window that a trained model is asked about, its features complete: for training and evaluation. */
export type CandidateListener = (view: WindowView, level: number, features: Float32Array) => void

export interface RuleOptions {
  /** A trained model scores flash calls: it is asked about more than the rules would, and they hold back. */
  readonly trained: () => boolean
  readonly onCandidate?: CandidateListener | undefined
}

export class FraudRules {
  readonly #context: RuleContext
  readonly #options: RuleOptions

  constructor(windows: CallWindows, rules: FraudRulesConfig, options: RuleOptions) {
    this.#context = new RuleContext(windows, rules)
    this.#options = options
  }

  /** Does the number behave as one of many that rotate, or as a test line? Its next calls are counted as such. */
  marksOfNumber(view: WindowView, fromAbroad: boolean): number {
    const c = this.#context
    c.look(view, oneDay)
    // Only on routes from abroad is anything made of it.
    return (isSuspect(c) ? keyMarks.suspect : 0) | (fromAbroad && isRepeater(c) ? keyMarks.repeater : 0)
  }

  marksOfRoute(view: WindowView): number {
    this.#context.look(view, oneDay)
    return bringsCallsFromAbroad(this.#context) ? keyMarks.fromAbroad : 0
  }

  /**
   * All signals of the key that the view shows; at most one a kind, from the shortest window that fires. `candidates`
   * are flash calls of still shorter windows that wait for the scorer, shortest first.
   */
  evaluate(view: WindowView, out: Signal[], candidates: FlashCandidate[]): void {
    for (let level = tenMinutes; level <= oneDay; level++) {
      const attempts = view.sum(level, 'attempts')
      const lately = view.sum(level - 1, 'attempts')
      // A longer window must add something, and what it shows must go on: old news opens no case.
      if (level > tenMinutes && (lately === attempts || lately < attempts * goingOn[level]!)) continue
      this.#context.look(view, level)
      this.#tell(view, level)
      const isFlash = out.some((each) => each.kind === 'flash_call')
      const flash = () => this.#flash(isFlash ? [] : candidates)
      for (const signal of signalsAt(this.#context, flash)) {
        if (signal !== null && !out.some((each) => each.kind === signal.kind)) out.push(signal)
      }
    }
  }

  #tell(view: WindowView, level: number): void {
    const { onCandidate } = this.#options
    if (onCandidate === undefined || modelAsks(this.#context) === null) return
    this.#context.distinct()
    onCandidate(view, level, this.#context.features)
  }

  /** A candidate goes before what else is a flash call; if the scorer refuses it, that one stands. */
  #flash(candidates: FlashCandidate[]): Signal | null {
    const c = this.#context
    if (this.#options.trained()) {
      const look = modelAsks(c)
      if (look !== null) candidates.push(modelCandidate(c, look))
      return null
    }
    const candidate = flashCandidate(c)
    if (candidate !== null) candidates.push(candidate)
    return flashInMix(c) ?? spokenCode(c)
  }
}

function signalsAt(c: RuleContext, flash: () => Signal | null): (Signal | null)[] {
  const { kind } = c.view
  if (kind === kindOf.called_number) return [shortAnswer(c), flooded(c)]
  if (kind === kindOf.route) return [flash(), robots(c), shortAnswer(c), cliSpoof(c), anomaly(c)]
  if (kind === kindOf.route_destination) {
    return [flash(), robocall(c), irsf(c), shortAnswer(c), cliSpoof(c), anomaly(c)]
  }
  // A lure and a code look alike: what has the marks of a lure is one.
  const lure = wangiri(c)
  const short = kind === kindOf.number ? null : shortAnswer(c)
  const toll = kind === kindOf.number ? tollNumber(c) : null
  const spoofed = kind === kindOf.number ? spoofedNumber(c) : null
  return [lure, lure === null ? flash() : null, robocall(c), toll, short, spoofed]
}
