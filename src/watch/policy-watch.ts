/**
 * The policy at work on live calls: after every hop the rules look at the track; what fires is recorded with its
 * evidence, published, stored, and done, unless shadow mode, an operator's hands-off or the call's earlier redirect or
 * hang-up says otherwise. Never blocks a verdict and never breaks one: requests go out beside it, and a bug in here is
 * counted and logged while the call goes on. Memory of calls is bounded; it outlives their streams, so that a call
 * whose stream comes back is not acted upon twice. Main thread.
 */
import type { ActionOutcome, CallActions } from '../actions/call-actions.ts'
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
  canUndo,
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
import type { CallFacts, TrackFacts, TrackName } from '../ingest/track.ts'
import type { EventBus } from '../notify/event-bus.ts'
import { actionRow } from '../storage/action-rows.ts'
import type { RowWriter } from '../storage/row-writer.ts'

/** What is known of a call beside its voice. */
export interface Signals {
  /** Cases that it falls under; from memory. */
  caseFor(from: string, to: string, route: string): readonly KnownCase[]
  /** The caller's call records; null when not known. Never rejects. */
  historyOf(number: string): Promise<CallerHistory | null>
}

export interface PolicyWatchOptions {
  readonly config: ActionsConfig
  /** What a track that begins is held to: of the model that judges it. */
  readonly settingsOf: (trackId: number) => VerdictSettings
  readonly signals: Signals
  readonly actions: Pick<CallActions, 'take' | 'cancel'>
  /** Asks for a second opinion on a track; false: there is none to ask. */
  readonly secondOpinion: (track: LiveTrack) => boolean
  readonly past: { of(callSid: string): Promise<ActionRecord[]> }
  readonly bus: EventBus
  readonly writer: Pick<RowWriter, 'write'>
  readonly runId: string
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<Counters, 'actionsDecided' | 'policyThrew'>
  /** Seconds from verdict to request. */
  readonly latency: { observe(seconds: number): void }
}

interface CallMemory {
  readonly call: CallFacts
  readonly climbs: Map<TrackName, Climb>
  readonly records: ActionRecord[]
  /** Where undo of a redirect leads, by action. */
  readonly waysBack: Map<string, string>
  history: CallerHistory | null
  handsOff: HandsOff | null
  /** It had its redirect or hang-up; in shadow, it would have had it. */
  readonly spent: { force: boolean; shadow: boolean }
  /** Of each track, the last one of the voice. */
  readonly scores: Map<TrackName, number | null>
}

export class PolicyWatch {
  readonly #options: PolicyWatchOptions
  readonly #policy: VoicePolicy
  /** Oldest first. */
  readonly #calls = new Map<string, CallMemory>()
  /** Actions that are being taken back. */
  readonly #undoing = new Set<string>()
  #version = 0

  constructor(options: PolicyWatchOptions) {
    this.#options = options
    this.#policy = new VoicePolicy(options.config)
  }

  /** Calls that are remembered. */
  get size(): number {
    return this.#calls.size
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
    const memory = this.#calls.get(callSid)
    if (memory === undefined) {
      const records = await this.#options.past.of(callSid)
      return { actions: records.map(actionView), risk: null, handsOff: null }
    }
    const score = Math.max(...[...memory.scores.values()].map((each) => each ?? -1))
    const risk = this.#riskOf(memory, score < 0 ? null : score)
    return { actions: memory.records.map(actionView), risk, handsOff: memory.handsOff }
  }

  /** Nothing more is done to a call, or the policy goes on. @throws OperatingError not_found */
  setHandsOff(callSid: string, handsOff: HandsOff | null): void {
    const memory = this.#calls.get(callSid)
    if (memory === undefined) throw new OperatingError('not_found', 'no such call is in memory')
    memory.handsOff = handsOff
    if (handsOff !== null) {
      for (const record of memory.records) if (record.state === 'planned') this.#options.actions.cancel(record.id)
    }
    this.#options.bus.publish('action', { change: 'hands_off', callSid, handsOff, at: this.#now() })
  }

  /** Takes an action back. @throws OperatingError not_found, conflict, and what Twilio says of a redirect back */
  async undo(callSid: string, actionId: string, who: string): Promise<ActionRecord> {
    const memory = this.#calls.get(callSid)
    const records = memory?.records ?? (await this.#options.past.of(callSid))
    const record = records.find(({ id }) => id === actionId)
    if (record === undefined) throw new OperatingError('not_found', 'no such action of this call')
    if (!canUndo(record)) {
      throw new OperatingError('conflict', `this ${record.action} is ${record.state} and cannot be undone`)
    }
    if (this.#undoing.has(actionId)) throw new OperatingError('conflict', 'it is being undone already')
    this.#undoing.add(actionId)
    try {
      await this.#takeBack(record, memory?.waysBack.get(actionId))
    } finally {
      this.#undoing.delete(actionId)
    }
    record.state = 'undone'
    record.undoneAtMs = this.#options.clock.wallMs()
    record.undoneBy = who
    this.#tell('undone', record, memory?.call ?? null)
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
    this.#tell('decided', record, memory.call)
    if (record.state !== 'planned') return
    if (back !== null) memory.waysBack.set(record.id, back)
    const change =
      record.action === 'hangup' ? ({ status: 'completed' } as const) : { twiml: twimlOf(what, 'redirect') ?? '' }
    const order = { id: record.id, accountSid: record.accountSid, callSid: record.callSid, change, verdictAtMs }
    void this.#options.actions.take(order).then((outcome) => this.#came(record, memory, outcome))
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
    if (state === 'cancelled') {
      if (record.state !== 'planned') return
      record.state = 'withheld'
      record.result = { code: 'hands_off', text: `hands off, says ${memory.handsOff?.by ?? 'an operator'}` }
    } else {
      record.state = state
      record.result = result
    }
    this.#tell(state === 'cancelled' ? 'withheld' : state, record, memory.call)
  }

  async #takeBack(record: ActionRecord, wayBack: string | undefined): Promise<void> {
    if (record.state === 'planned') {
      if (!this.#options.actions.cancel(record.id)) throw new OperatingError('conflict', 'its request is under way')
    } else if (record.action === 'redirect') {
      if (wayBack === undefined) throw new OperatingError('conflict', 'there is no way back for the call')
      await this.#leadBack(record, wayBack)
    }
  }

  async #leadBack(record: ActionRecord, twiml: string): Promise<void> {
    const { actions, clock } = this.#options
    const { accountSid, callSid } = record
    const order = { id: `${record.id}_back`, accountSid, callSid, change: { twiml }, verdictAtMs: clock.steadyMs() }
    const { state, result } = await actions.take(order)
    if (state !== 'done') throw new OperatingError('conflict', `the call was not led back: ${result?.text ?? state}`)
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
    const known = this.#calls.get(call.callSid)
    if (known !== undefined) {
      // To the young end: whoever still speaks is not forgotten.
      this.#calls.delete(call.callSid)
      this.#calls.set(call.callSid, known)
      return known
    }
    const memory: CallMemory = {
      call,
      climbs: new Map(),
      records: [],
      waysBack: new Map(),
      history: null,
      handsOff: null,
      spent: { force: false, shadow: false },
      scores: new Map(),
    }
    this.#calls.set(call.callSid, memory)
    const oldest =
      this.#calls.size > this.#options.config.callsRememberedMax ? this.#calls.keys().next().value : undefined
    if (oldest !== undefined) this.#calls.delete(oldest)
    const number = plainNumber(call.from)
    if (/^\d+$/.test(number)) {
      void this.#options.signals.historyOf(number).then((history) => {
        memory.history = history
      })
    }
    return memory
  }

  /** A newer row of the same action replaces the older. */
  #tell(change: ActionChange, record: ActionRecord, call: CallFacts | null): void {
    const { bus, writer, runId, clock } = this.#options
    this.#version = Math.max(this.#version + 1, clock.wallMs() * 1000)
    writer.write('actions', actionRow(record, runId, this.#version))
    const { callSid, track } = record
    const numbers = call === null ? {} : { from: call.from, to: call.to }
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
