/**
 * How good cases are on labelled calls: the whole path of `FraudDetector` over them, and what came of every campaign
 * and every case. Any thread, one owner.
 *
 * A case is true when at least half of the calls that it ever showed as evidence are of campaigns of its kind. It holds
 * these calls, and those that fell under it as they came and are of its kind. A campaign is found when a true case
 * holds three of its calls, at the moment of the third. Cases of one campaign seen from two sides count for one
 * another: toll fraud by stolen lines (irsf) and by a broken-into exchange (pbx_hack).
 */
import type { CdrConfig } from '../config/schema.ts'
import type { FraudCase } from '../decisions/cases.ts'
import type { FlashCallScorer } from '../decisions/flash-call-rule.ts'
import { FraudDetector, isOfKind } from '../decisions/fraud-detector.ts'
import type { CaseKind } from '../decisions/fraud-signal.ts'
import type { CallEvent } from '../features/call-event.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import type { CampaignFacts, CaseFacts, EvaluationFacts } from './case-report.ts'
import { LookScores } from './look-scores.ts'

/** What the label file says of a call. */
export interface CallTruth {
  readonly label: string
  readonly campaign: string
}

const normal: CallTruth = { label: 'normal', campaign: 'unlabelled' }
const callsThatFind = 3

interface CaseTally {
  readonly it: FraudCase
  readonly openedMs: number
  readonly evidence: Set<string>
  merged: boolean
  /** Evidence by label, and by campaign or class. */
  readonly labels: Map<string, number>
  readonly mostly: Map<string, number>
  /** Calls that it holds, by campaign. */
  readonly held: Map<string, number>
  /** Campaign -> when the case held enough of its calls, and how many had been by then. */
  readonly found: Map<string, { readonly timeMs: number; readonly calls: number }>
}

interface CampaignTally {
  readonly name: string
  readonly label: string
  calls: number
  firstMs: number
  lastMs: number
  /** Calls that fell under a case of the campaign's kind as they came. */
  underCase: number
}

/** Kinds whose cases count for a campaign. */
export function alike(label: string): readonly string[] {
  return label === 'irsf' || label === 'pbx_hack' ? ['irsf', 'pbx_hack'] : [label]
}

export class CaseEvaluation {
  readonly #detector: FraudDetector
  readonly #truthOf: (id: string) => CallTruth | undefined
  readonly #cases = new Map<string, CaseTally>()
  readonly #campaigns = new Map<string, CampaignTally>()
  readonly #looks: LookScores
  /** Of each kind, calls that fell under its cases, and how many of them rightly. */
  readonly #under = new Map<string, { all: number; right: number }>()
  #numbers = 0
  #unlabelled = 0
  #firstMs = Number.NaN
  #lastMs = Number.NaN

  /** @param truthOf the label of a record's id */
  constructor(config: CdrConfig, scorer: FlashCallScorer, truthOf: (id: string) => CallTruth | undefined) {
    this.#truthOf = truthOf
    this.#detector = new FraudDetector({
      config,
      scorer,
      reorder: { latenessMs: Number.POSITIVE_INFINITY, heldMax: config.windows.heldMax },
      newCaseId: () => `case-${++this.#numbers}`,
      onCall: (event, cases) => this.#called(event, cases),
      onCase: (change, it) => this.#changed(change, it),
      onCandidate: (view, level, features) => this.#looks.look(view, level, features),
    })
    this.#looks = new LookScores(this.#detector.windows, scorer)
  }

  /** Records seen so far. */
  get calls(): number {
    return this.#detector.events
  }

  record(record: CdrRecord): void {
    this.#detector.record(record)
  }

  /** Goes on with what has come; now and then, so that it does not pile up. */
  async advance(): Promise<void> {
    await this.#detector.advance()
    await this.#looks.judge()
  }

  /** The input is at its end. @param days how long it lasts; from its first call to its last when left out */
  async finish(days?: number): Promise<EvaluationFacts> {
    await this.#detector.flush()
    await this.#looks.judge()
    for (const tally of this.#cases.values()) this.#takeEvidence(tally)
    const cases = [...this.#cases.values()].filter((each) => !each.merged)
    return {
      days: days ?? (this.#lastMs - this.#firstMs) / 86_400_000,
      calls: this.#detector.events,
      unlabelled: this.#unlabelled,
      campaigns: [...this.#campaigns.values()].map((each) => this.#campaignFacts(each, cases)),
      cases: cases.map(caseFacts),
      under: this.#under,
      looks: this.#looks.looks,
      greyLooks: this.#looks.grey,
    }
  }

  #called(event: CallEvent, cases: readonly FraudCase[]): void {
    if (Number.isNaN(this.#firstMs)) this.#firstMs = event.timeMs
    this.#lastMs = event.timeMs
    const truth = this.#truth(event.id)
    const campaign = truth.label === 'normal' ? undefined : this.#campaignOf(truth, event.timeMs)
    if (truth.label === 'flash_call') this.#looks.campaignCall(event.timeMs)
    const kinds = new Set<string>()
    for (const it of cases) {
      // A code that is spoken is no blink, but is of its case all the same.
      const spoken = it.kind === 'flash_call' && event.answered && event.talkS <= 45
      if (!isOfKind(it.kind, event) && !(spoken && it.reasons.some(({ code }) => code === 'same_talk'))) continue
      kinds.add(it.kind)
      const tally = this.#cases.get(it.id)
      if (tally !== undefined && !tally.evidence.has(event.id)) this.#hold(tally, truth)
    }
    if (campaign !== undefined && alike(truth.label).some((kind) => kinds.has(kind))) campaign.underCase++
    for (const kind of kinds) {
      const under = this.#under.get(kind) ?? { all: 0, right: 0 }
      under.all++
      if (kind === 'anomaly' ? truth.label !== 'normal' : alike(kind).includes(truth.label)) under.right++
      this.#under.set(kind, under)
    }
  }

  #truth(id: string): CallTruth {
    const truth = this.#truthOf(id)
    if (truth === undefined) this.#unlabelled++
    return truth ?? normal
  }

  #campaignOf({ campaign: name, label }: CallTruth, timeMs: number): CampaignTally {
    let known = this.#campaigns.get(name)
    if (known === undefined) {
      known = { name, label, calls: 0, firstMs: timeMs, lastMs: timeMs, underCase: 0 }
      this.#campaigns.set(name, known)
    }
    known.calls++
    known.lastMs = timeMs
    return known
  }

  #changed(change: string, it: FraudCase): void {
    if (change === 'opened') {
      const tally: CaseTally = {
        it,
        openedMs: this.#lastMs,
        evidence: new Set(),
        merged: false,
        labels: new Map(),
        mostly: new Map(),
        held: new Map(),
        found: new Map(),
      }
      this.#cases.set(it.id, tally)
      this.#takeEvidence(tally)
      return
    }
    const tally = this.#cases.get(it.id)
    if (tally === undefined) return
    if (change === 'merged') tally.merged = true
    else if (change === 'strengthened') this.#takeEvidence(tally)
  }

  #takeEvidence(tally: CaseTally): void {
    for (const id of tally.it.evidence) {
      if (tally.evidence.has(id)) continue
      tally.evidence.add(id)
      const truth = this.#truthOf(id) ?? normal
      tally.labels.set(truth.label, (tally.labels.get(truth.label) ?? 0) + 1)
      tally.mostly.set(truth.campaign, (tally.mostly.get(truth.campaign) ?? 0) + 1)
      this.#hold(tally, truth)
    }
  }

  #hold(tally: CaseTally, truth: CallTruth): void {
    if (truth.label === 'normal') return
    const held = (tally.held.get(truth.campaign) ?? 0) + 1
    tally.held.set(truth.campaign, held)
    if (held < callsThatFind || tally.found.has(truth.campaign)) return
    const calls = this.#campaigns.get(truth.campaign)?.calls ?? held
    tally.found.set(truth.campaign, { timeMs: this.#lastMs, calls })
  }

  #campaignFacts(campaign: CampaignTally, cases: readonly CaseTally[]): CampaignFacts {
    const { name, label, calls, firstMs, lastMs, underCase } = campaign
    const kinds = alike(label)
    let found: CampaignFacts['found'] = null
    let foundAs: CaseKind | null = null
    for (const tally of cases) {
      const at = tally.found.get(name)
      const isOwn = kinds.includes(tally.it.kind)
      if (at === undefined || !isRight(tally, !isOwn)) continue
      if (!isOwn) foundAs ??= tally.it.kind
      else if (found === null || at.timeMs < found.afterS * 1000 + firstMs) {
        found = { calls: at.calls, afterS: Math.max(0, at.timeMs - firstMs) / 1000 }
      }
    }
    return { name, label, calls, lastsS: (lastMs - firstMs) / 1000, underCase, found, foundAs }
  }
}

/** At least half of its evidence is of campaigns of its kind; of an anomaly any will do, as it does when `any`. */
function isRight({ it, labels }: CaseTally, any: boolean): boolean {
  let right = 0
  let all = 0
  for (const [label, calls] of labels) {
    all += calls
    if (label !== 'normal' && (any || it.kind === 'anomaly' || alike(it.kind).includes(label))) right += calls
  }
  return all > 0 && right >= all / 2
}

function caseFacts(tally: CaseTally): CaseFacts {
  const { it } = tally
  return {
    kind: it.kind,
    subject: `${it.subject.type}:${it.subject.value}`,
    score: it.score,
    isTrue: isRight(tally, false),
    isFraud: isRight(tally, true),
    mostly: [...tally.mostly.entries()].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '',
  }
}
