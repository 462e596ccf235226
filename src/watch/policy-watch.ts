/**
 * The policy at work on live calls: after every hop the rules look at the track; what fires is recorded with its
 * evidence, published, stored, and done, unless shadow mode, an operator's hands-off or the call's earlier redirect or
 * hang-up says otherwise. Never blocks a verdict and never breaks one: requests go out beside it, and a bug in here is
 * counted and logged while the call goes on. What it remembers of calls (call-memory.ts) outlives their streams and
 * this process, so that a call that comes back is not acted upon twice. A redirect is asked for at most once; a
 * hang-up, which changes nothing twice, again when this process died before Twilio answered. Main thread.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ActionOutcome, type CallActions, isOverMeansDone } from '../actions/call-actions.ts'
import type { CallChange } from '../actions/twilio-rest.ts'
import type { ActionsConfig } from '../config/actions-schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import {
  type ActionRecord,
  actionSummary,
  actionView,
  type CallPolicyView,
  evidenceOf,
  type HandsOff,
  kindOf,
  needsTwilio,
  noteOf,
  twimlOf,
} from '../decisions/action-record.ts'
import { type CallerHistory, type CallRisk, callRisk, type KnownCase } from '../decisions/call-risk.ts'
import type { LiveTrack } from '../decisions/live-calls.ts'
import { type PolicyLook, plainNumber } from '../decisions/policy-conditions.ts'
import { Climb, type Firing, VoicePolicy } from '../decisions/voice-policy.ts'
import type { VerdictSettings } from '../decisions/voice-verdict.ts'
import { type CallFacts, eraseInCall, type TrackFacts } from '../ingest/track.ts'
import type { EventBus } from '../notify/event-bus.ts'
import { actionRow } from '../storage/action-rows.ts'
import type { RowWriter } from '../storage/row-writer.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import { CallDecisions } from './call-decisions.ts'
import type { CallMemories, CallMemory, PendingAction } from './call-memory.ts'

/** What is known of a call beside its voice. */
export interface Signals {
  /** Cases that it falls under; from memory. */
  caseFor(from: string, to: string, route: string): readonly KnownCase[]
  /** The caller's call records; null when not known. Never rejects. */
  historyOf(number: string): Promise<CallerHistory | null>
  forget(number: string): void
}

export interface PolicyWatchOptions {
  readonly config: ActionsConfig
  /** What a track that begins is held to: of the model that judges it. */
  readonly settingsOf: (trackId: number) => VerdictSettings
  readonly signals: Signals
  readonly actions: Pick<CallActions, 'take' | 'cancel' | 'open'>
  readonly memories: CallMemories
  /** Asks for a second opinion on a track; false: there is none to ask. */
  readonly secondOpinion: (track: LiveTrack) => boolean
  readonly past: { of(callSid: string): Promise<ActionRecord[]> }
  readonly bus: EventBus
  readonly writer: Pick<RowWriter, 'write' | 'durable'>
  readonly runId: string
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<Counters, 'actionsDecided' | 'actionsUnwritten' | 'policyThrew'>
  /** Seconds from verdict to request. */
  readonly latency: { observe(seconds: number): void }
}

/** A hang-up that a former run asked for is asked for again if it was decided so lately. */
const askAgainMsMax = 60_000

export class PolicyWatch {
  readonly #options: PolicyWatchOptions
  readonly #policy: VoicePolicy
  readonly #decisions: CallDecisions
  #version = 0

  constructor(options: PolicyWatchOptions) {
    this.#options = options
    this.#policy = new VoicePolicy(options.config)
    this.#decisions = new CallDecisions(options)
  }

  /** Calls that are remembered. */
  get size(): number {
    return this.#options.memories.size
  }

  /** Settles what the last run had under way. Once, when Twilio can be asked. */
  begin(): void {
    for (const memory of this.#options.memories.all()) if (memory.pending !== null) this.#takeUp(memory, memory.pending)
  }

  /** What is under way has its answer, or its time is over. */
  async settled(): Promise<void> {
    const { actions, clock, config } = this.#options
    const untilMs = clock.steadyMs() + config.timeLimitMs
    while (actions.open > 0 && clock.steadyMs() < untilMs) await sleep(20)
  }

  /** A track begins: the settings of its verdict, with the exception that it falls under. */
  opened({ call, track, trackId }: TrackFacts): VerdictSettings {
    const { settingsOf, clock } = this.#options
    const settings = settingsOf(trackId)
    this.#remember(call)
    const exception = this.#policy.exceptionFor(call, track, clock.wallMs())
    if (exception === null) return settings
    const { name, why, untilMs } = exception
    const span = untilMs === null ? '' : ` in the first ${Math.round(untilMs / 1000)} s`
    const text = `exception ${name} (${why.replace('_', ' ')}): a machine is expected to speak here${span}`
    return { ...settings, benign: { text, untilMs } }
  }

  /** A track was judged. @param verdictAtMs the clock's `steadyMs` when the verdict fell */
  judged(track: LiveTrack, verdictAtMs: number): void {
    try {
      this.#judge(track, verdictAtMs)
    } catch (thrown) {
      this.#options.counters.policyThrew += 1
      this.#options.log.error('the policy failed on a track; its call goes on', { reason: messageOf(thrown) })
    }
  }

  /** What was done to a call, from memory, else as stored. @throws OperatingError storage_unavailable */
  async viewOf(callSid: string): Promise<CallPolicyView> {
    const memory = this.#options.memories.get(callSid)
    const actions = (await this.#decisions.of(callSid)).map(actionView)
    if (memory?.isHeard !== true) return { actions, risk: null, handsOff: memory?.handsOff ?? null }
    const score = Math.max(...[...memory.scores.values()].map((each) => each ?? -1))
    const risk = this.#riskOf(memory, score < 0 ? null : score)
    return { actions, risk, handsOff: memory.handsOff }
  }

  erase(spellings: NumberSpellings): void {
    for (const name of spellings.names) this.#options.signals.forget(name)
    for (const memory of this.#options.memories.all()) if (eraseInCall(memory.call, spellings)) memory.history = null
  }

  /**
   * Nothing more is done to a call, or the policy goes on; a restart knows of it when this resolves.
   * @throws OperatingError not_found, spool_full
   */
  async setHandsOff(callSid: string, handsOff: HandsOff | null): Promise<void> {
    const memory = this.#options.memories.get(callSid)
    if (memory === undefined) throw new OperatingError('not_found', 'no such call is in memory')
    memory.handsOff = handsOff
    if (handsOff !== null) {
      for (const record of memory.records) if (record.state === 'planned') this.#options.actions.cancel(record.id)
    }
    await this.#options.memories.save(memory)
    this.#options.bus.publish('action', { change: 'hands_off', callSid, handsOff, at: this.#now() })
  }

  /** Takes an action back. @throws OperatingError not_found, conflict, and what Twilio says of a redirect back */
  async undo(callSid: string, actionId: string, who: string): Promise<ActionRecord> {
    const record = await this.#decisions.undo(callSid, actionId, who)
    const memory = this.#options.memories.get(callSid)
    this.#tell('undone', record, memory?.call ?? null)
    // A restart must not take it for one that never went out, and decide anew.
    if (memory?.pending?.record === record) {
      memory.pending.phase = 'settled'
      await this.#saveSoon(memory)
    }
    return record
  }

  #judge(track: LiveTrack, verdictAtMs: number): void {
    const { call, track: name, trackId } = track.facts
    const memory = this.#remember(call)
    const figures = track.verdict.figures()
    memory.scores.set(name, figures.score)
    let climb = memory.climbs.get(name)
    if (climb === undefined) {
      climb = new Climb()
      memory.climbs.set(name, climb)
    }
    let risk: CallRisk | null = null
    const look: PolicyLook = {
      call,
      track: name,
      ...figures,
      nowMs: this.#options.clock.wallMs(),
      risk: () => {
        risk ??= this.#riskOf(memory, figures.score)
        return risk
      },
      cases: () => this.#casesOf(call),
    }
    const firings = this.#policy.step(climb, trackId, look)
    // Of a redirect and a hang-up at once the stronger one counts.
    firings.sort((a, b) => Number(kindOf(b.rule.do) === 'hangup') - Number(kindOf(a.rule.do) === 'hangup'))
    for (const firing of firings) this.#decide({ memory, track, firing, risk: look.risk(), verdictAtMs })
  }

  #decide({ memory, track, firing, risk, verdictAtMs }: Decision): void {
    const { config, clock, counters, random } = this.#options
    const { do: what } = firing.rule
    const verdict = track.verdict.snapshot(config.windowsMax)
    const { model: _, benign: __, modelSha256 = '', ...thresholds } = track.verdict.settings
    const back = twimlOf(what, 'back')
    const record: ActionRecord = {
      id: `act_${Buffer.from(random(9)).toString('hex')}`,
      callSid: memory.call.callSid,
      accountSid: memory.call.accountSid,
      track: track.facts.track,
      rule: firing.rule.name,
      action: kindOf(what),
      note: noteOf(what),
      shadow: config.shadow || firing.rule.shadow,
      // A millisecond apart at least: the order of a call's decisions is told by their times.
      decidedAtMs: Math.max(clock.wallMs(), (memory.records.at(-1)?.decidedAtMs ?? 0) + 1),
      evidence: evidenceOf({ firing, verdict, modelSha256, thresholds, risk }),
      hasWayBack: back !== null,
      state: 'done',
      latencyMs: null,
      result: null,
      undoneAtMs: null,
      undoneBy: null,
    }
    counters.actionsDecided += 1
    memory.records.push(record)
    this.#settle(memory, record, track)
    if (record.state === 'planned') {
      if (back !== null) memory.waysBack.set(record.id, back)
      memory.pending = { record, phase: 'planned' }
      const twiml = twimlOf(what, 'redirect') ?? ''
      this.#ask(memory, record, record.action === 'hangup' ? { status: 'completed' } : { twiml }, verdictAtMs)
    }
    this.#tell('decided', record, memory.call)
    // A rule counts as fired once its row is on disk: a decision is rather told twice than lost.
    if (memory.pending?.phase === 'planned') void this.#saveSoon(memory)
    else void this.#rowsDurable().then(() => this.#saveSoon(memory))
  }

  #ask(
    memory: CallMemory,
    record: ActionRecord,
    change: CallChange,
    verdictAtMs: number,
    read = (outcome: ActionOutcome): ActionOutcome => outcome,
  ): void {
    const { id, accountSid, callSid } = record
    const beforeSend = (): void => this.#noteSent(memory, record)
    const order = { id, accountSid, callSid, change, verdictAtMs, beforeSend }
    void this.#options.actions.take(order).then((outcome) => this.#came(record, memory, read(outcome)))
  }

  /** A redirect is marked before it goes out; a hang-up changes nothing twice. */
  #noteSent(memory: CallMemory, record: ActionRecord): void {
    if (memory.pending?.record !== record) return
    memory.pending.phase = 'sent'
    void this.#saveSoon(memory, record.action !== 'hangup')
  }

  /** What the last run did not see answered. */
  #takeUp(memory: CallMemory, { record, phase }: PendingAction): void {
    const { clock, log } = this.#options
    const { action, callSid, id } = record
    if (phase === 'settled') {
      this.#store(record)
      void this.#closeBook(memory, record)
      return
    }
    log.warn('an action was under way when the last run ended', { action: id, callSid, what: action, phase })
    if (phase === 'planned') {
      const text = 'the server stopped before the request went out; the next verdict decides'
      this.#came(record, memory, { state: 'failed', latencyMs: null, result: { code: 'interrupted', text } })
    } else if (action === 'hangup' && clock.wallMs() - record.decidedAtMs < askAgainMsMax) {
      this.#ask(memory, record, { status: 'completed' }, clock.steadyMs(), isOverMeansDone)
    } else {
      const text = 'the server stopped before Twilio answered; it may have been done and is not asked for again'
      this.#came(record, memory, { state: 'failed', latencyMs: null, result: { code: 'outcome_unknown', text } })
    }
  }

  /** What becomes of a decision at once. */
  #settle(memory: CallMemory, record: ActionRecord, track: LiveTrack): void {
    const { action, shadow } = record
    const slot = shadow ? 'shadow' : 'force'
    if (memory.handsOff !== null) {
      record.state = 'withheld'
      record.result = { code: 'hands_off', text: `hands off, says ${memory.handsOff.by}` }
      return
    }
    if (needsTwilio(action)) {
      if (memory.spent[slot]) {
        record.state = 'superseded'
        record.result = { code: 'one_per_call', text: 'the call had its one redirect or hang-up' }
        return
      }
      memory.spent[slot] = true
    }
    if (shadow) record.state = 'shadow'
    else if (needsTwilio(action)) record.state = 'planned'
    else if (action === 'secondOpinion' && !this.#options.secondOpinion(track)) {
      record.state = 'failed'
      record.result = { code: 'no_second_opinion', text: 'there is nobody to ask, or no budget left' }
    }
  }

  /** Twilio answered, or did not. */
  #came(record: ActionRecord, memory: CallMemory, { state, latencyMs, result }: ActionOutcome): void {
    if (latencyMs !== null) this.#options.latency.observe(latencyMs / 1000)
    record.latencyMs = latencyMs === null ? null : Math.round(latencyMs * 10) / 10
    memory.pending = { record, phase: 'settled' }
    if (state === 'cancelled') {
      if (record.state === 'undone') return void this.#closeBook(memory, record)
      record.state = 'withheld'
      record.result = { code: 'hands_off', text: `hands off, says ${memory.handsOff?.by ?? 'an operator'}` }
    } else {
      record.state = state
      record.result = result
    }
    void this.#saveSoon(memory)
    this.#tell(state === 'cancelled' ? 'withheld' : state, record, memory.call)
    void this.#closeBook(memory, record)
  }

  /** The row is on disk with the outcome: the memory need not carry it any longer. */
  async #closeBook(memory: CallMemory, record: ActionRecord): Promise<void> {
    await this.#rowsDurable()
    if (memory.pending?.record !== record) return
    memory.pending = null
    await this.#saveSoon(memory)
  }

  /** Rows that the disk refuses are counted where they are written. */
  #rowsDurable(): Promise<void> {
    return this.#options.writer.durable().catch(() => {})
  }

  /** Where nobody waits for the disk: a full one stops no action; a restart may then act once more. Never rejects. */
  async #saveSoon(memory: CallMemory, marked = false): Promise<void> {
    const { memories } = this.#options
    try {
      await (marked ? memories.mark(memory) : memories.save(memory))
    } catch (thrown) {
      this.#options.counters.actionsUnwritten += 1
      const { callSid } = memory.call
      this.#options.log.warn('what was decided about a call is not in the journal', {
        callSid,
        reason: messageOf(thrown),
      })
    }
  }

  #riskOf(memory: CallMemory, score: number | null): CallRisk {
    const { call, history } = memory
    const signalling = { stirVerstat: call.stirVerstat, cases: this.#casesOf(call), history }
    return callRisk(score, signalling, this.#options.config.risk)
  }

  /** Twilio's call records name the direction as their route. */
  #casesOf({ from, to, direction }: CallFacts): readonly KnownCase[] {
    return this.#options.signals.caseFor(plainNumber(from), plainNumber(to), direction)
  }

  #remember(call: CallFacts): CallMemory {
    const { memory, isNew } = this.#options.memories.of(call)
    const number = plainNumber(call.from)
    if (isNew && /^\d+$/.test(number)) {
      void this.#options.signals.historyOf(number).then((history) => {
        memory.history = history
      })
    }
    return memory
  }

  /** A newer row of the same action replaces the older. */
  #store(record: ActionRecord): void {
    const { writer, runId, clock } = this.#options
    this.#version = Math.max(this.#version + 1, clock.wallMs() * 1000)
    writer.write('actions', actionRow(record, runId, this.#version))
  }

  #tell(change: ActionChange, record: ActionRecord, call: CallFacts | null): void {
    const { bus } = this.#options
    this.#store(record)
    const { callSid, track } = record
    const numbers = call === null || call.from === '' ? {} : { from: call.from, to: call.to }
    bus.publish('action', { change, callSid, track, ...numbers, action: actionSummary(record), at: this.#now() })
  }

  #now(): string {
    return new Date(this.#options.clock.wallMs()).toISOString()
  }
}

type ActionChange = 'decided' | 'done' | 'failed' | 'withheld' | 'undone'

interface Decision {
  readonly memory: CallMemory
  readonly track: LiveTrack
  readonly firing: Firing
  readonly risk: CallRisk
  readonly verdictAtMs: number
}
