/**
 * Detections under control: asked for by the API, offered by the webhook, found again after a restart. Promises: one
 * live detection per call and track, however often and by whom it is asked for; what is live survives this process;
 * a stream that breaks is asked for again. Requests about one call go one after the other. Main thread.
 */
import type { TwilioConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { TrackVerdict } from '../decisions/verdict-view.ts'
import {
  type CallFacts,
  type CallListener,
  type EndReason,
  eraseInCall,
  type TrackFacts,
  type TrackName,
} from '../ingest/track.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import { type Detection, detectionView, freshDetection, isActive, noteStream } from './detection.ts'
import type { DetectionJournal } from './detection-journal.ts'
import { type DetectionFilter, DetectionRegistry } from './detection-registry.ts'
import type { DetectionRules } from './detection-rules.ts'
import { DetectionStreams, type StreamDoors } from './detection-streams.ts'
import type { TwilioRest } from './twilio-rest.ts'

export interface DetectionsOptions {
  readonly rest: Pick<TwilioRest, 'startStream' | 'stopStream' | 'fetchCall'>
  readonly accounts: readonly { readonly sid: string }[]
  readonly rules: Pick<DetectionRules, 'decide'>
  readonly journal: DetectionJournal
  readonly doors: StreamDoors
  /** `twilio.track`: what the webhook's streams carry. */
  readonly watched: TwilioConfig['track']
  readonly restartStreams: boolean
  /** The name of a party of a call. */
  readonly party: (raw: string) => string
  /** The verdict that memory holds of a call and track. */
  readonly verdictOf: (callSid: string, track: TrackName) => TrackVerdict | null
  readonly random: (bytes: number) => Uint8Array
  readonly clock: Clock
  readonly counters: Counters
  readonly log: Log
}

export interface DetectionOrder {
  readonly callSid: string
  readonly accountSid?: string | undefined
  readonly track?: TrackName | undefined
}

/** Live detections; calls beyond are listened to without one (counted). */
const activeMax = 20_000
/** A stream that was promised and has not come by then never will: its token has expired. */
const firstStreamMsMax = 75_000
/** By then the last hops of a track are judged. */
const verdictSettlesMs = 6000
const slowTickMs = 1000

export class Detections implements CallListener {
  readonly #options: DetectionsOptions
  readonly #registry = new DetectionRegistry()
  readonly #streams: DetectionStreams
  readonly #byTrack = new Map<number, Detection>()
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Ended ones whose verdict may still change -> steady ms of their end. */
  readonly #settling = new Map<Detection, number>()
  #slowTickAtMs = Number.NEGATIVE_INFINITY

  constructor(options: DetectionsOptions) {
    this.#options = options
    this.#streams = new DetectionStreams({
      ...options,
      registry: this.#registry,
      save: (detection) => this.#save(detection),
      finish: (detection, state, reason, detail) => this.#finish(detection, state, reason, detail),
      turn: (callSid, work) => this.#turn(callSid, work),
    })
    for (const detection of options.journal.read()) {
      const lostAtMs = options.clock.steadyMs()
      Object.assign(detection, { state: 'starting', reason: 'server_restarted', lostAtMs })
      this.#registry.add(detection)
    }
  }

  get activeCount(): number {
    return this.#registry.activeCount
  }

  /** Takes up what was live when the last process ended. Call it when Twilio can reach us. */
  begin(): void {
    const found = [...this.#registry.all()].filter(({ lostAtMs }) => lostAtMs !== null)
    for (const detection of found) this.#streams.lost(detection)
    if (found.length > 0) this.#options.log.info('detections of the last run are taken up', { count: found.length })
  }

  erase(spellings: NumberSpellings): void {
    for (const { call } of this.#registry.all()) if (call !== null) eraseInCall(call, spellings)
  }

  close(): void {
    this.#streams.close()
  }

  /** @throws OperatingError bad_request, account_unknown, detection_disabled, capacity_full, and those of TwilioRest */
  async start(order: DetectionOrder): Promise<{ detection: Detection; isNew: boolean }> {
    const { callSid } = order
    const track = order.track ?? (this.#options.watched === 'outbound_track' ? 'outbound' : 'inbound')
    const accountSid = this.#accountOf(callSid, order.accountSid)
    return this.#turn(callSid, async () => {
      const known = this.#activeOf(accountSid, callSid, track)
      if (known !== undefined) return { detection: known, isNew: false }
      const call = await this.#streams.fetch({ accountSid, callSid, stirVerstat: '' })
      const decision = this.#options.rules.decide(call, this.#options.clock.wallMs())
      if (!decision.listen) {
        throw new OperatingError('detection_disabled', `rule "${decision.rule}" says not to listen to this call`)
      }
      // Its stream by TwiML may have come meanwhile.
      const meanwhile = this.#activeOf(accountSid, callSid, track)
      if (meanwhile !== undefined) return { detection: meanwhile, isNew: false }
      if (this.activeCount >= activeMax || !this.#options.doors.hasRoom()) {
        throw new OperatingError('capacity_full', 'no room for another detection')
      }
      const detection = this.#create(call, track, 'api')
      this.#options.counters.detectionsAsked += 1
      await this.#streams.ask([detection], call)
      return { detection, isNew: true }
    })
  }

  /** Ends a detection and its streams; also of one that has ended, when Twilio had not confirmed that. */
  async stop(id: string): Promise<Detection> {
    const detection = this.find(id)
    return this.#turn(detection.callSid, async () => {
      if (isActive(detection)) {
        detection.unstopped = this.#streams.ownedBy(detection)
        this.#finish(detection, 'ended', 'operator')
        this.#options.doors.endTrack(detection.callSid, detection.track)
      }
      await this.#streams.stop(detection)
      return detection
    })
  }

  /** @throws OperatingError not_found */
  find(id: string): Detection {
    const detection = this.#registry.get(id)
    if (detection === undefined) throw new OperatingError('not_found', 'no detection of that id is known')
    return detection
  }

  list(filter: DetectionFilter): Detection[] {
    return this.#registry.list(filter)
  }

  view(detection: Detection): object {
    const { callSid, track, verdict, startedAtMs } = detection
    if (startedAtMs === null || verdict !== null) return detectionView(detection, verdict)
    return detectionView(detection, this.#options.verdictOf(callSid, track))
  }

  /** Whether the webhook shall fork a call's audio: the rules say so, and nobody has ended its detections by hand. */
  listensTo(call: CallFacts): boolean {
    const known = this.#registry.ofCall(call.callSid)
    const isEnded = known.some(({ reason }) => reason === 'operator') && !known.some(isActive)
    const listens = !isEnded && this.#options.rules.decide(call, this.#options.clock.wallMs()).listen
    if (!listens) this.#options.counters.callsNotListened += 1
    return listens
  }

  /** The webhook has answered with a stream of that name. */
  offered(call: CallFacts, name: string): void {
    for (const track of watchedTracks[this.#options.watched]) {
      const known = this.#activeOf(call.accountSid, call.callSid, track)
      const detection = known ?? this.#createBounded(call, track)
      if (detection === undefined) continue
      if (known === undefined) this.#options.counters.detectionsOffered += 1
      detection.call ??= call
      // A stream is on its way; what was lost before need not be asked for.
      if (detection.state === 'starting') detection.lostAtMs = null
      detection.askedAtMs = this.#options.clock.steadyMs()
      noteStream(detection.streamNames, name)
      this.#saveSoon(detection)
    }
  }

  opened({ call, trackId, track, streamSid }: TrackFacts): void {
    const latest = this.#registry.latest(call.callSid, track)
    // What a stream brings goes on with what was; only what somebody ended by hand stays ended.
    const goesOn = latest?.accountSid === call.accountSid && latest.reason !== 'operator'
    const detection = goesOn ? latest : this.#createBounded(call, track)
    if (detection === undefined) return
    if (!isActive(detection)) this.#registry.noteRevived(detection)
    this.#settling.delete(detection)
    Object.assign(detection, { state: 'live', reason: null, detail: null, endedAtMs: null, verdict: null, call })
    detection.startedAtMs ??= this.#options.clock.wallMs()
    this.#byTrack.set(trackId, detection)
    this.#hasStream(detection, streamSid)
  }

  resumed({ trackId }: TrackFacts, streamSid: string): void {
    const detection = this.#byTrack.get(trackId)
    if (detection !== undefined) this.#hasStream(detection, streamSid)
  }

  detached({ trackId }: TrackFacts): void {
    const detection = this.#byTrack.get(trackId)
    if (detection === undefined || !this.#options.restartStreams) return
    detection.lostAtMs = this.#options.clock.steadyMs()
    this.#streams.lost(detection)
  }

  closed(trackId: number, reason: EndReason): void {
    const detection = this.#byTrack.get(trackId)
    this.#byTrack.delete(trackId)
    if (detection === undefined || !isActive(detection)) return
    // This process ends, the call does not: the next one takes it up from the journal.
    if (reason === 'interrupted') return
    if (reason === 'socket_closed' && detection.lostAtMs !== null) {
      detection.state = 'starting'
      detection.reason = 'stream_lost'
      this.#saveSoon(detection)
    } else this.#finish(detection, 'ended', reason)
  }

  /** The call is over, says an account of ours. The call table is told apart from this. */
  callEnded(callSid: string, accountSid: string): void {
    for (const detection of this.#registry.ofCall(callSid)) {
      if (isActive(detection) && detection.accountSid === accountSid) this.#finish(detection, 'ended', 'call_status')
    }
  }

  /** The call goes on, says an account of ours: what it has lost is asked for now, whatever the waiting time. */
  callSeen(callSid: string, accountSid: string): void {
    const lost = this.#registry.ofCall(callSid).filter((one) => isActive(one) && one.lostAtMs !== null)
    for (const detection of lost) if (detection.accountSid === accountSid) this.#streams.lost(detection)
  }

  /** A stream's status callback, signed by an account of ours. */
  streamStatus(status: { accountSid: string; callSid: string; name: string; event: string; error: string }): void {
    for (const detection of this.#registry.ofCall(status.callSid)) {
      const isNewest = detection.streamNames.at(-1) === status.name
      if (detection.accountSid !== status.accountSid || detection.state !== 'starting' || !isNewest) continue
      if (status.event === 'stream-stopped') this.#finish(detection, 'ended', 'stop')
      if (status.event === 'stream-error') this.#neverCame(detection, 'stream_error', status.error)
    }
  }

  /** Call it several times a second. */
  tick(): void {
    const now = this.#options.clock.steadyMs()
    this.#streams.tick()
    if (now - this.#slowTickAtMs < slowTickMs) return
    this.#slowTickAtMs = now
    for (const detection of this.#registry.all()) {
      const waits = detection.state === 'starting' && detection.lostAtMs === null
      if (waits && now - detection.askedAtMs > firstStreamMsMax) this.#neverCame(detection, 'no_stream', '')
    }
    for (const [detection, endedMs] of this.#settling) {
      if (now - endedMs < verdictSettlesMs) return
      this.#settling.delete(detection)
      detection.verdict = this.#options.verdictOf(detection.callSid, detection.track)
    }
  }

  #neverCame(detection: Detection, reason: string, detail: string): void {
    if (!this.#options.restartStreams) {
      this.#finish(detection, 'failed', reason, detail)
      return
    }
    detection.reason = reason
    detection.detail = detail || null
    detection.lostAtMs ??= this.#options.clock.steadyMs()
    this.#streams.lost(detection)
  }

  #hasStream(detection: Detection, streamSid: string): void {
    detection.lostAtMs = null
    detection.tries = 0
    noteStream(detection.streamSids, streamSid)
    this.#saveSoon(detection)
  }

  #activeOf(accountSid: string, callSid: string, track: TrackName): Detection | undefined {
    const detection = this.#registry.active(callSid, track)
    return detection?.accountSid === accountSid ? detection : undefined
  }

  #createBounded(call: CallFacts, track: TrackName): Detection | undefined {
    if (this.activeCount < activeMax) return this.#create(call, track, 'webhook')
    this.#options.counters.detectionsUntracked += 1
    return undefined
  }

  #create(call: CallFacts, track: TrackName, origin: Detection['origin']): Detection {
    const { callSid, accountSid, stirVerstat } = call
    const { clock, random } = this.#options
    const id = `det_${Buffer.from(random(12)).toString('hex')}`
    const who = { id, callSid, accountSid, track, origin, stirVerstat, createdAtMs: clock.wallMs(), call }
    const detection: Detection = { ...freshDetection(), ...who, askedAtMs: clock.steadyMs() }
    this.#registry.add(detection)
    return detection
  }

  #finish(detection: Detection, state: 'ended' | 'failed', reason: string, detail = ''): void {
    const { clock, counters, log } = this.#options
    Object.assign(detection, { state, reason, detail: detail || null, endedAtMs: clock.wallMs(), lostAtMs: null })
    if (state === 'failed') {
      counters.detectionsFailed += 1
      log.warn('detection failed', { callSid: detection.callSid, detection: detection.id, reason, detail })
    }
    this.#registry.noteEnded(detection, clock.steadyMs())
    if (detection.startedAtMs !== null) this.#settling.set(detection, clock.steadyMs())
    this.#saveSoon(detection)
  }

  async #save(detection: Detection): Promise<void> {
    try {
      await this.#options.journal.write(detection)
    } catch (thrown) {
      this.#options.counters.detectionsUnwritten += 1
      throw thrown
    }
  }

  /** Where nobody waits for the disk: a webhook must be answered although it is full. */
  #saveSoon(detection: Detection): void {
    this.#save(detection).catch((thrown: unknown) =>
      this.#options.log.warn('a detection is not in the journal', { id: detection.id, reason: messageOf(thrown) }),
    )
  }

  /** Work about one call, one after the other. */
  #turn<T>(callSid: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(callSid) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.then(
      () => {},
      () => {},
    )
    this.#turns.set(callSid, settled)
    void settled.then(() => {
      if (this.#turns.get(callSid) === settled) this.#turns.delete(callSid)
    })
    return mine
  }

  #accountOf(callSid: string, asked: string | undefined): string {
    const { accounts } = this.#options
    const known = this.#registry.ofCall(callSid).at(-1)?.accountSid
    const accountSid = asked ?? known ?? (accounts.length === 1 ? accounts[0]?.sid : undefined)
    if (accountSid === undefined && accounts.length > 1) {
      throw new OperatingError('bad_request', 'accountSid: needed, this server has several accounts')
    }
    if (!accounts.some(({ sid }) => sid === accountSid)) {
      throw new OperatingError('account_unknown', 'not an account of this server')
    }
    return accountSid as string
  }
}

const watchedTracks = {
  inbound_track: ['inbound'],
  outbound_track: ['outbound'],
  both_tracks: ['inbound', 'outbound'],
} as const satisfies Record<TwilioConfig['track'], readonly TrackName[]>
