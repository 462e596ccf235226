/**
 * The rules, one function a kind: from a key's windows to a signal with reasons, or nothing. Thresholds come from
 * `cdr.rules`; what else a rule asks stands beside it with its source. Sources: [S] Sinch flash-call SDK parameters,
 * [W] Wangiri detection patterns (ieeexplore 9772071), [N] NDSS 2021 Sahin & Francillon, [U] USENIX 2020 robocall storms,
 * [T] TransNexus notes on toll fraud, [O] observed in wholesale traffic, [A] assumption. Any thread.
 */
import type { FraudRulesConfig } from '../config/schema.ts'
import { callFeatures, distinctFeatures, type FeatureName, feature, featureCount } from '../features/call-features.ts'
import { type CallWindows, kindOf, type WindowView } from '../features/call-windows.ts'
import { callMarks } from '../features/recent-calls.ts'
import { windowNames } from '../features/window-panes.ts'
import type { FlashCallScorer } from './flash-call-rule.ts'
import { logistic, percent, type Reason, type Signal } from './fraud-signal.ts'

const tenMinutes = 1
const oneHour = 2
const oneDay = 3
const windowWords = ['1 min', '10 min', '1 h', '24 h'] as const

/** Share of a window's attempts that must lie in the next shorter one. Even traffic has 1/6 in 10 min of 1 h. [A] */
const goingOn = [0, 0, 0.06, 0.02] as const

/** How many times the ten-minute threshold a longer window asks for. [A] */
const levelFactor = [1, 1, 1.6, 2.4] as const

export class FraudRules {
  readonly #rules: FraudRulesConfig
  readonly #scorer: FlashCallScorer
  readonly #windows: CallWindows
  readonly #features = new Float32Array(featureCount)
  #view: WindowView
  #level = tenMinutes

  constructor(windows: CallWindows, rules: FraudRulesConfig, scorer: FlashCallScorer) {
    this.#windows = windows
    this.#rules = rules
    this.#scorer = scorer
    this.#view = undefined as unknown as WindowView
  }

  /** All signals of the key that the view shows; at most one a kind, from the shortest window that fires. */
  evaluate(view: WindowView, out: Signal[]): void {
    this.#view = view
    const found = new Set<string>()
    for (let level = tenMinutes; level <= oneDay; level++) {
      const attempts = view.sum(level, 'attempts')
      const lately = view.sum(level - 1, 'attempts')
      // A longer window must add something, and what it shows must go on: old news opens no case.
      if (level > tenMinutes && (lately === attempts || lately < attempts * goingOn[level]!)) continue
      this.#level = level
      callFeatures(view, level, this.#features)
      for (const signal of this.#atLevel()) {
        if (signal === null || found.has(signal.kind)) continue
        found.add(signal.kind)
        out.push(signal)
      }
    }
  }

  #atLevel(): (Signal | null)[] {
    const { kind } = this.#view
    const called = kind === kindOf.called_number
    const route = kind === kindOf.route || kind === kindOf.route_destination
    const caller = !called && !route
    const wangiri = caller ? this.#wangiri() : null
    return [
      wangiri,
      called || wangiri !== null ? null : this.#flashCall(),
      caller || kind === kindOf.route_destination ? this.#robocall() : null,
      route && kind !== kindOf.route ? this.#irsf() : null,
      caller ? this.#pbxHack() : null,
      kind === kindOf.number ? null : this.#shortAnswer(),
      route ? this.#cliSpoof() : null,
      route ? this.#anomaly() : called ? this.#flooded() : null,
    ]
  }

  #of(name: FeatureName): number {
    const distinct = name === 'distinctAShare' || name === 'distinctBShare'
    if (distinct && this.#features[feature[name]] === -1) this.#distinct()
    return this.#features[feature[name]] ?? 0
  }

  #distinct(): void {
    distinctFeatures(this.#windows, this.#view, this.#level, this.#features)
  }

  #sum(name: Parameters<WindowView['sum']>[1]): number {
    return this.#view.sum(this.#level, name)
  }

  #reason(code: string, text: string): Reason {
    return { code, text }
  }

  #within(): string {
    return `within ${windowWords[this.#level]}`
  }

  /** Blinks of many numbers of a range or a route, or of one number, to ever new people. [S] */
  #flashCall(): Signal | null {
    const { attemptsMin, scoreMin } = this.#rules.flashCall
    const attempts = this.#sum('attempts')
    const broad = this.#view.kind >= kindOf.route_destination ? 2 : 1
    if (attempts < attemptsMin * broad * levelFactor[this.#level]! || this.#of('blinkShare') < 0.5) return null
    // Sequential numbers and people who call back: a lure, not a code.
    if (this.#of('sequentialShare') > 0.3 || this.#of('callbackShare') > 0.02) return null
    this.#distinct()
    const score = this.#scorer.score(this.#features)
    if (score < scoreMin) return null
    const reasons = [
      this.#reason(
        'blink',
        `${percent(this.#of('blinkShare'))} of ${attempts} attempts ${this.#within()} ended before anybody could answer`,
      ),
      this.#reason('rotation', this.#rotation(attempts)),
      this.#reason('spread', `${percent(this.#of('distinctBShare'))} of the called numbers differ`),
    ]
    if (this.#of('ringSdS') >= 0) reasons.push(this.#reason('steady_ring', this.#ring()))
    return { kind: 'flash_call', score, calls: this.#sum('blink'), level: this.#level, marks: callMarks.blink, reasons }
  }

  #rotation(attempts: number): string {
    const distinct = Math.round(this.#of('distinctAShare') * attempts)
    const fresh = percent(this.#of('freshAShare'))
    return `${distinct} calling numbers in ${attempts} attempts, ${fresh} of the attempts from one not seen in 24 h`
  }

  #ring(): string {
    return `rings ${this.#of('ringMeanS').toFixed(1)} s, give or take ${this.#of('ringSdS').toFixed(1)} s`
  }

  /** Missed calls from few numbers to many people, so that they call back. [W] */
  #wangiri(): Signal | null {
    const { distinctCalledMin, cancelShareMin, ringMeanMaxS } = this.#rules.wangiri
    const attempts = this.#sum('attempts')
    const sequential = this.#of('sequentialShare')
    const callbacks = this.#sum('callbacks')
    const lured = sequential >= 0.3 || (callbacks >= 2 && this.#of('callbackShare') >= 0.005)
    if (attempts < distinctCalledMin / 3) return null
    const quiet = this.#of('cancelShare') + this.#of('rejectShare')
    const ringS = this.#of('ringMeanS')
    if (Math.max(quiet, this.#of('blinkShare')) < cancelShareMin || ringS > ringMeanMaxS) return null
    const distinctB = this.#of('distinctBShare') * attempts
    if (distinctB < distinctCalledMin * (lured ? 1 / 3 : 1) || this.#of('distinctBShare') < 0.6) return null
    // Many numbers of a range without a lure: that is the look of flash calls.
    if (!lured && this.#of('distinctAShare') * attempts > 8) return null
    const score = logistic(Math.log10(distinctB) + (sequential >= 0.3 ? 0.8 : 0) + (callbacks > 1 ? 0.8 : 0), 1.7, 0.25)
    const reasons = [
      this.#reason('missed', `${percent(quiet)} of ${attempts} attempts ${this.#within()} given up while ringing`),
      this.#reason('spread', `about ${Math.round(distinctB)} different people called`),
    ]
    if (ringS >= 0) reasons.push(this.#reason('one_ring', this.#ring()))
    if (sequential >= 0.1) reasons.push(this.#reason('sequential', `${percent(sequential)} called in number order`))
    if (callbacks > 0) {
      const talkS = Math.round(this.#sum('callbackTalk'))
      reasons.push(this.#reason('callbacks', `${callbacks} people called back and talked ${talkS} s in all`))
    }
    return { kind: 'wangiri', score, calls: attempts, level: this.#level, marks: callMarks.quiet, reasons }
  }

  /** Short automated talk to ever new people, most do not answer or hang up. [U] */
  #robocall(): Signal | null {
    const { attemptsMin, answeredShareMax, talkMeanMaxS } = this.#rules.robocall
    const attempts = this.#sum('attempts')
    const route = this.#view.kind === kindOf.route_destination
    if (attempts < attemptsMin * (route ? 4 : 1) * (this.#level === oneDay ? 2 : 1) || this.#level < oneHour)
      return null
    const answered = this.#sum('answered')
    const share = this.#of('answeredShare')
    if (answered < 6 || share < 0.03 || share > answeredShareMax) return null
    const talkS = this.#of('talkMeanS')
    if (talkS > talkMeanMaxS || this.#of('blinkShare') > 0.4 || this.#of('failedShare') > 0.6) return null
    if (this.#of('distinctBShare') < 0.75 || (route && this.#of('distinctAShare') < 0.02)) return null
    const score = logistic(Math.log10(attempts) + (talkMeanMaxS - talkS) / talkMeanMaxS, 1.7, 0.25)
    const reasons = [
      this.#reason('volume', `${attempts} attempts ${this.#within()} to ever new people`),
      this.#reason('short_talk', `${percent(share)} answered, for ${talkS.toFixed(0)} s on average`),
      this.#reason('rotation', this.#rotation(attempts)),
    ]
    return { kind: 'robocall', score, calls: attempts, level: this.#level, marks: 0, reasons }
  }

  /** Long calls pumped into one destination from few numbers. [N] [T] */
  #irsf(): Signal | null {
    const { longCallsMin, longShareMin } = this.#rules.irsf
    return this.#level < oneHour ? null : this.#longCalls('irsf', longCallsMin, longShareMin, 'to this destination')
  }

  /** One number (or the few of a small range) suddenly talks long and abroad, on many lines. [T] */
  #pbxHack(): Signal | null {
    const { longCallsMin, longShareMin } = this.#rules.pbxHack
    if (this.#level < oneHour || this.#of('foreignShare') < 0.8) return null
    return this.#longCalls('pbx_hack', longCallsMin, longShareMin, 'abroad')
  }

  #longCalls(kind: 'irsf' | 'pbx_hack', least: number, shareMin: number, where: string): Signal | null {
    const calls = this.#sum('longCalls')
    if (calls < least * (this.#level === oneDay ? 2 : 1) || this.#of('longShare') < shareMin) return null
    // People who talk long are many; pumps are few.
    if (this.#of('distinctAShare') > 0.4) return null
    const lines = this.#sum('talkSum') / (this.#level === oneHour ? 3600 : 86_400)
    const minutes = Math.round(this.#sum('talkSum') / 60)
    const distinctA = Math.max(1, Math.round(this.#of('distinctAShare') * this.#sum('attempts')))
    const distinctB = Math.max(1, Math.round(this.#of('distinctBShare') * this.#sum('attempts')))
    const score = logistic(Math.log2(calls / least) + (lines >= 5 ? 1 : 0), -2, 0.9)
    const reasons = [
      this.#reason('long_calls', `${calls} calls of 10 min or more ${where} ended ${this.#within()}`),
      this.#reason('minutes', `${minutes} minutes in all, as of ${lines.toFixed(1)} lines that never hang up`),
      this.#reason('few_numbers', `${distinctA} calling numbers, ${distinctB} called numbers`),
    ]
    return { kind, score, calls, level: this.#level, marks: callMarks.long, reasons }
  }

  /** Calls answered and over at once, far more than the route usually has. [O] */
  #shortAnswer(): Signal | null {
    const { shortMin, shortShareMin } = this.#rules.shortAnswer
    const { usual, kind } = this.#view
    if (this.#level > oneHour) return null
    const short = this.#sum('shortTalk')
    const answered = this.#sum('answered')
    if (short < shortMin * levelFactor[this.#level]! || short < shortShareMin * answered) return null
    const range = kind >= kindOf.range3 && kind <= kindOf.range5
    if (range && this.#of('distinctAShare') < 0.5) return null
    const known = usual.hours > 0 && usual.answered >= 5
    const usualShare = Math.min(0.95, Math.max(0.1, known ? usual.short / usual.answered : 0.1))
    const deviation = (short - answered * usualShare) / Math.sqrt(answered * usualShare * (1 - usualShare))
    const rotation = this.#of('distinctAShare')
    const score = logistic(deviation + 6 * rotation, 14, 3)
    if (deviation < 6 || score < 0.5) return null
    const attempts = this.#sum('attempts')
    const reasons = [
      this.#reason('short', `${short} of ${answered} answered calls ${this.#within()} were over within 3 s`),
      this.#reason('rotation', this.#rotation(attempts)),
      this.#reason('called', `about ${Math.round(this.#of('distinctBShare') * attempts)} different called numbers`),
    ]
    if (known) reasons.push(this.#reason('usual', `usual here at this hour: ${percent(usualShare)} short`))
    const marks = callMarks.short
    return { kind: 'short_answer_burst', score, calls: short, level: this.#level, marks, reasons }
  }

  /** Calling numbers that cannot be, three times as many as usual here. [A] */
  #cliSpoof(): Signal | null {
    const { invalidMin, invalidShareMin } = this.#rules.cliSpoof
    const { usual } = this.#view
    const invalid = this.#sum('invalidA')
    const share = this.#of('invalidShare')
    if (this.#level > oneHour || invalid < invalidMin || share < invalidShareMin) return null
    const usualShare = usual.attempts > 0 ? usual.invalid / usual.attempts : 0
    if (usual.hours < this.#rules.anomaly.hoursMin || usual.attempts < 20 || share < usualShare * 3) return null
    const score = logistic(Math.log10(invalid) + share, 1.8, 0.25)
    const reasons = [
      this.#reason(
        'invalid',
        `${percent(share)} of ${this.#sum('attempts')} calling numbers ${this.#within()} cannot be`,
      ),
      this.#reason('usual', `usual here: ${percent(usualShare)}`),
    ]
    return { kind: 'cli_spoof', score, calls: invalid, level: this.#level, marks: callMarks.invalid, reasons }
  }

  /** Callers that try again and again on a route that fails: a fault, not a fraud. */
  #storm(): boolean {
    return this.#of('failedShare') > 0.5 || this.#of('distinctBShare') < 0.1
  }

  /** A route against its own hours: far more calls, or far more blinks, than it ever has. [A] */
  #anomaly(): Signal | null {
    const { attemptsMin, timesUsual, hoursMin } = this.#rules.anomaly
    const { usual } = this.#view
    if (this.#level !== tenMinutes || usual.hours < hoursMin || usual.attempts < 6) return null
    const attempts = this.#sum('attempts')
    const expected = Math.max(usual.attempts / 6, 5)
    if (attempts >= attemptsMin && attempts >= expected * timesUsual && !this.#storm()) {
      const text = `${attempts} attempts ${this.#within()}, usual is ${Math.round(expected)}`
      const score = logistic(attempts / expected, timesUsual * 1.5, timesUsual / 2)
      const reasons = [this.#reason('volume', text), this.#reason('rotation', this.#rotation(attempts))]
      return { kind: 'anomaly', score, calls: attempts, level: this.#level, marks: 0, reasons }
    }
    const blinks = this.#sum('blink')
    const usualBlinks = Math.max(usual.blink / 6, 3)
    if (blinks < attemptsMin / 2 || blinks < usualBlinks * timesUsual || this.#storm()) return null
    const text = `${blinks} attempts ${this.#within()} ended before anybody could answer, usual is ${Math.round(usualBlinks)}`
    const score = logistic(blinks / usualBlinks, timesUsual * 1.5, timesUsual / 2)
    const reasons = [this.#reason('blink', text), this.#reason('rotation', this.#rotation(attempts))]
    return { kind: 'anomaly', score, calls: blinks, level: this.#level, marks: callMarks.blink, reasons }
  }

  /** One number is rung by many others and hardly ever reached: somebody is made to drown in calls. [A] */
  #flooded(): Signal | null {
    const attempts = this.#sum('attempts')
    if (this.#level !== tenMinutes || attempts < 60 || this.#of('answeredShare') > 0.2) return null
    const distinctA = this.#of('distinctAShare') * attempts
    if (distinctA < 40) return null
    const text = `${attempts} calls ${this.#within()} from about ${Math.round(distinctA)} numbers, ${percent(this.#of('answeredShare'))} answered`
    const score = logistic(distinctA, 80, 20)
    const reasons = [this.#reason('flooded', text)]
    return { kind: 'anomaly', score, calls: attempts, level: this.#level, marks: callMarks.quiet, reasons }
  }
}

/** The name of a signal's window, for tables. */
export function windowOf(signal: Signal): string {
  return windowNames[signal.level] ?? ''
}
