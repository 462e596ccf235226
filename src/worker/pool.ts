/**
 * Where the audio of all tracks goes: a fixed number of seats, each with a voice worker, and one spare worker that
 * has its model loaded and waits. A track is placed on the seat with the fewest tracks and stays there. When a worker
 * throws, or gives no life sign for `workerHungMs`, the spare takes its seat at once and the seat's tracks go on in
 * it: what stood in the old ring is lost and shows as a gap, tracks of other seats notice nothing. Admission is
 * bounded by `callsMax`. Main thread.
 *
 *     track 1 -.
 *     track 4 -+-> seat 0: [ring 0] -> worker 0 --.
 *     track 2 -.                                  +-> judged -> listener
 *     track 3 -+-> seat 1: [ring 1] -> worker 1 --'
 *                  spare:  [ring 2] -> worker 2       takes the seat of a worker that is lost
 */
import assert from 'node:assert/strict'
import type { VoiceConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { VoiceModel } from '../inference/model-file.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import type { TrackSink } from '../ingest/track.ts'
import { type PipelineCounters, pipelineCounterNames } from './pipeline-counters.ts'
import { type Judged, readHop, type WorkerFault } from './protocol.ts'
import type { SecondStageStart } from './staged-detector.ts'
import { type LostReason, VoiceThread, type VoiceThreadOptions } from './voice-thread.ts'

/** Hops in one model run at most. A second of speech costs 0.22 ms by 32, 0.16 by 64 and 128 (inference-batch.ts). */
const batchMaxDefault = 64
/** A worker must have loaded its model by then. */
const startMsMax = 30_000
/** Pause before another try when a worker could not even start. */
const respawnMs = 1000
/** Ring bytes that one track needs at least, for its open, its close and some audio. */
const ringBytesPerTrackMin = 256

type PoolConfig = Pick<VoiceConfig, 'workers' | 'callsMax' | 'ringBytes' | 'tickMs' | 'gapFillMsMax' | 'workerHungMs'>

export interface VoicePoolOptions {
  /** `detection.voice` of the configuration. */
  readonly config: PoolConfig
  readonly model: VoiceModel
  readonly secondStage?: SecondStageStart | null
  readonly counters: PipelineCounters & Pick<Counters, 'workerThrew' | 'workerHung'>
  readonly clock: Clock
  readonly log: Log
  readonly batchMax?: number
  /** Allow `fault`. */
  readonly faults?: boolean
  /** False: a lost worker is replaced only when another has started. Default: a spare one waits. */
  readonly spare?: boolean
}

interface Seat {
  readonly index: number
  readonly tracks: Set<number>
  /** Closed tracks whose last hops have not come yet. */
  readonly closing: Set<number>
  /** Undefined while no worker could be put here. */
  thread: VoiceThread | undefined
  busyMs: number
  ticks: number
  tickMsMax: number
}

/** An open track. */
interface Placed {
  readonly seat: Seat
  /** Media time of the end of its last hop, at first of its first frame: from there on all is lost with its worker. */
  heardUntilMs: number
}

/** Load and losses, since start. */
export interface VoicePoolStats {
  readonly tracks: number
  /** A spare worker waits with its model loaded. */
  readonly spare: boolean
  readonly seats: readonly {
    readonly ready: boolean
    readonly tracks: number
    /** Audio that waits for the worker. */
    readonly ringUsedBytes: number
    /** Of the present worker's ring. */
    readonly framesRefused: number
    readonly ticks: number
    readonly busyMs: number
    /** The longest tick since the last call of `stats`. */
    readonly tickMsMax: number
  }[]
}

/** @throws OperatingError `config_invalid` where keys contradict one another */
function checkConfig({ ringBytes, tickMs, workerHungMs }: PoolConfig, tracksMax: number): void {
  const leastBytes = tracksMax * ringBytesPerTrackMin
  if (ringBytes < leastBytes) {
    const why = `detection.voice.ringBytes ${ringBytes} is too small: ${tracksMax} calls a worker need ${leastBytes}`
    throw new OperatingError('config_invalid', why)
  }
  if (workerHungMs < 4 * tickMs) {
    const why = `detection.voice.workerHungMs ${workerHungMs} must be at least four times tickMs ${tickMs}`
    throw new OperatingError('config_invalid', why)
  }
}

export class VoicePool implements TrackSink {
  readonly #options: VoicePoolOptions
  readonly #threadOptions: VoiceThreadOptions
  readonly #seats: readonly Seat[]
  readonly #placed = new Map<number, Placed>()
  #spare: VoiceThread | undefined
  #keepsSpare: boolean
  #onHop: (hop: ScoredHop) => void = () => {}
  #onClosed: (trackId: number) => void = () => {}
  #state: 'starting' | 'running' | 'draining' | 'stopped' = 'starting'
  #watch: NodeJS.Timeout | undefined
  #respawn: NodeJS.Timeout | undefined
  #watchedMs: number

  private constructor(options: VoicePoolOptions) {
    const { workers, callsMax, ringBytes, tickMs, gapFillMsMax, workerHungMs } = options.config
    const tracksMax = Math.ceil(callsMax / workers)
    checkConfig(options.config, tracksMax)
    this.#options = options
    this.#keepsSpare = options.spare ?? true
    this.#watchedMs = options.clock.steadyMs()
    this.#threadOptions = {
      model: options.model,
      secondStage: options.secondStage ?? null,
      ringBytes,
      tracksMax,
      batchMax: options.batchMax ?? batchMaxDefault,
      tickMs,
      gapFillMsMax,
      faults: options.faults ?? false,
      startMsMax,
      hungMs: workerHungMs,
      judged: (thread, judged) => this.#judged(thread, judged),
      lost: (thread, reason, detail) => this.#lost(thread, reason, detail),
    }
    this.#seats = Array.from({ length: workers }, (_, index) => {
      const thread = new VoiceThread(this.#threadOptions)
      return { index, tracks: new Set(), closing: new Set(), thread, busyMs: 0, ticks: 0, tickMsMax: 0 }
    })
  }

  /**
   * Resolves when every seat has a worker that has loaded the model; the spare follows in the background.
   * @throws OperatingError `model_invalid`, `worker_lost`, `config_invalid`
   */
  static async start(options: VoicePoolOptions): Promise<VoicePool> {
    const pool = new VoicePool(options)
    try {
      await Promise.all(pool.#seats.map((seat) => seat.thread?.started))
    } catch (thrown) {
      await pool.stop()
      throw thrown
    }
    pool.#state = 'running'
    if (pool.#keepsSpare) pool.#prepareSpare()
    const checkMs = Math.max(20, Math.floor(options.config.workerHungMs / 10))
    pool.#watchedMs = options.clock.steadyMs()
    pool.#watch = setInterval(() => pool.#check(2 * checkMs), checkMs)
    pool.#watch.unref()
    return pool
  }

  /** Who is told of each hop, scored or not; also hops of tracks that were closed a moment ago. */
  onHop(listener: (hop: ScoredHop) => void): void {
    this.#onHop = listener
  }

  /** Who is told, once for each closed track, that no more hops of it will come. Never during `close`. */
  onClosed(listener: (trackId: number) => void): void {
    this.#onClosed = listener
  }

  /** Every seat has a worker. */
  ready(): boolean {
    return this.#state === 'running' && this.#seats.every((seat) => seat.thread?.isReady === true)
  }

  open(trackId: number): boolean {
    assert(!this.#placed.has(trackId), 'a track is opened once')
    if (this.#state !== 'running' || this.#placed.size >= this.#options.config.callsMax) return false
    const seat = this.#seats.reduce((least, each) => (each.tracks.size < least.tracks.size ? each : least))
    const { thread } = seat
    // A seat that waits for its worker takes the track all the same: it is opened there with the others.
    const nowMs = this.#options.clock.steadyMs()
    if (thread?.isReady === true && !thread.ring.writeOpen(trackId, Number.NaN, nowMs)) return false
    seat.tracks.add(trackId)
    this.#placed.set(trackId, { seat, heardUntilMs: Number.NaN })
    return true
  }

  frame(
    trackId: number,
    mediaMs: number,
    message: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
    enteredMs: number,
  ): boolean {
    const placed = this.#placed.get(trackId)
    if (placed === undefined) return false
    if (Number.isNaN(placed.heardUntilMs)) placed.heardUntilMs = mediaMs
    const { thread } = placed.seat
    if (thread === undefined || !thread.isReady) return false
    return thread.ring.writeFrame(trackId, mediaMs, message, payloadStart, payloadEnd, enteredMs)
  }

  close(trackId: number): void {
    const seat = this.#placed.get(trackId)?.seat
    if (seat === undefined) return
    this.#placed.delete(trackId)
    seat.tracks.delete(trackId)
    if (seat.thread?.isReady === true) {
      seat.thread.ring.writeClose(trackId, this.#options.clock.steadyMs())
      seat.closing.add(trackId)
    } else queueMicrotask(() => this.#onClosed(trackId))
  }

  /** Whether a worker waits in reserve; who has few calls left does without. */
  keepSpare(kept: boolean): void {
    this.#keepsSpare = kept
    if (kept) {
      this.#prepareSpare()
      return
    }
    const isNeeded = this.#seats.some((seat) => seat.thread === undefined)
    if (isNeeded || this.#spare === undefined) return
    void this.#spare.stop()
    this.#spare = undefined
  }

  /** Admits no more tracks, and resolves when every frame accepted so far is judged and its hops are delivered. */
  async drain(): Promise<void> {
    if (this.#state === 'running') this.#state = 'draining'
    await Promise.all(this.#seats.map((seat) => seat.thread?.drain()))
  }

  /** Ends all threads. Frames not yet judged are lost; `drain` first. */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    clearInterval(this.#watch)
    clearTimeout(this.#respawn)
    await Promise.all([this.#spare?.stop(), ...this.#seats.map((seat) => seat.thread?.stop())])
  }

  stats(): VoicePoolStats {
    const seats = this.#seats.map((seat) => {
      const { tracks, thread, ticks, busyMs, tickMsMax } = seat
      seat.tickMsMax = 0
      return {
        ready: thread?.isReady === true,
        tracks: tracks.size,
        ringUsedBytes: thread?.ring.usedBytes() ?? 0,
        framesRefused: thread?.ring.framesRefused ?? 0,
        ticks,
        busyMs,
        tickMsMax,
      }
    })
    return { tracks: this.#placed.size, spare: this.#spare?.isReady === true, seats }
  }

  /** For tests, when started with `faults`: makes the worker of a seat throw, or compute for ever. */
  fault(seatIndex: number, fault: WorkerFault): void {
    assert(this.#threadOptions.faults, 'the pool was not started with faults')
    this.#seats[seatIndex]?.thread?.fault(fault)
  }

  #check(elapsedMsMax: number): void {
    const nowMs = this.#options.clock.steadyMs()
    const elapsedMs = Math.min(nowMs - this.#watchedMs, elapsedMsMax)
    this.#watchedMs = nowMs
    for (const seat of this.#seats) seat.thread?.watch(elapsedMs)
    this.#spare?.watch(elapsedMs)
  }

  #judged(thread: VoiceThread, { rows, hops, closed, counts, ticks, busyMs, tickMsMax }: Judged): void {
    for (const [i, name] of pipelineCounterNames.entries()) this.#options.counters[name] += counts[i]!
    const seat = this.#seats.find((each) => each.thread === thread)
    if (seat !== undefined) {
      seat.ticks += ticks
      seat.busyMs += busyMs
      seat.tickMsMax = Math.max(seat.tickMsMax, tickMsMax)
    }
    for (let n = 0; n < hops; n += 1) {
      const hop = readHop(rows, n)
      const placed = this.#placed.get(hop.trackId)
      if (placed !== undefined) placed.heardUntilMs = hop.hopEndMs
      this.#onHop(hop)
    }
    for (const trackId of closed) if (seat?.closing.delete(trackId)) this.#onClosed(trackId)
  }

  #lost(thread: VoiceThread, reason: LostReason, detail: string): void {
    // While starting, `start` has the problem from the thread itself and gives up.
    if (this.#state === 'starting' || this.#state === 'stopped') return
    const { counters, log } = this.#options
    if (reason === 'hung') counters.workerHung += 1
    else counters.workerThrew += 1
    const seat = this.#seats.find((each) => each.thread === thread)
    log.error('voice worker lost', { reason, detail, seat: seat?.index ?? 'spare', tracks: seat?.tracks.size ?? 0 })
    if (seat === undefined) {
      this.#spare = undefined
      this.#prepareSpareLater()
      return
    }
    seat.thread = undefined
    const unheard = [...seat.closing]
    seat.closing.clear()
    this.#fillSeats()
    for (const trackId of unheard) this.#onClosed(trackId)
  }

  /** Puts the spare, when it is ready, on a seat without a worker, and opens the seat's tracks in it. */
  #fillSeats(): void {
    for (const seat of this.#seats) {
      if (seat.thread !== undefined || this.#spare?.isReady !== true) continue
      const thread = this.#spare
      this.#spare = undefined
      seat.thread = thread
      const nowMs = this.#options.clock.steadyMs()
      for (const trackId of seat.tracks) {
        const heardUntilMs = this.#placed.get(trackId)?.heardUntilMs ?? Number.NaN
        const opened = thread.ring.writeOpen(trackId, heardUntilMs, nowMs)
        assert(opened, 'a fresh ring takes all tracks of a seat')
      }
      this.#options.log.info('voice worker replaced', { seat: seat.index, tracks: seat.tracks.size })
    }
    const isNeeded = this.#keepsSpare || this.#seats.some((seat) => seat.thread === undefined)
    if (this.#spare === undefined && isNeeded) this.#prepareSpare()
  }

  #prepareSpare(): void {
    if (this.#state === 'stopped' || this.#spare !== undefined) return
    const spare = new VoiceThread(this.#threadOptions)
    this.#spare = spare
    // A spare that fails to start reports itself as lost.
    spare.started.then(
      () => this.#fillSeats(),
      () => {},
    )
  }

  #prepareSpareLater(): void {
    clearTimeout(this.#respawn)
    this.#respawn = setTimeout(() => this.#prepareSpare(), respawnMs)
    this.#respawn.unref()
  }
}
