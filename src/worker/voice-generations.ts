/**
 * Voice models side by side, each in a pool of its own workers. New tracks go to the current one; a track stays where
 * it was opened until it ends, so its verdict, its windows and the thresholds they are held to are all of one model:
 * scores of two models are not one scale, and evidence must not add them up. A pool whose last track has ended, and
 * whose last hop was told, is stopped. A new pool is started and has judged made-up speech before anything goes to it;
 * if that fails the old one goes on. At most `generationsMax` at a time. Main thread.
 *
 *   swap:   track 1 -.                       track 3 -.
 *           track 2 -+-> voice/1 (ends with           +-> voice/2 (current)
 *                        its last track)     track 4 -'
 */
import assert from 'node:assert/strict'
import { OperatingError } from '../core/errors.ts'
import { modelLabel, type VoiceModel } from '../inference/model-file.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import type { TrackSink } from '../ingest/track.ts'
import type { VoicePool, VoicePoolStats } from './pool.ts'
import type { WorkerFault } from './protocol.ts'

/** Each costs its workers' memory. */
export const generationsMax = 3

/** What is needed of a pool: the real one, or a fake in tests. */
export type TrackPool = TrackSink &
  Pick<VoicePool, 'onHop' | 'onClosed' | 'ready' | 'drain' | 'stop' | 'stats' | 'keepSpare' | 'fault'>

/** Hears what the current model hears, and what it says. */
export interface HopShadow {
  open(trackId: number): void
  frame(trackId: number, mediaMs: number, message: Uint8Array, start: number, end: number, enteredMs: number): void
  close(trackId: number): void
  heard(hop: ScoredHop): void
}

/** @param label of the model that judged the hop */
export type HopListener = (hop: ScoredHop, label: string, model: VoiceModel) => void

export interface VoiceGenerationsOptions {
  /** Over all models. */
  readonly callsMax: number
  /** @throws OperatingError `model_invalid`, `worker_lost` */
  readonly startPool: (model: VoiceModel) => Promise<TrackPool>
  /** How rows name it, a second stage included; default: name and version. */
  readonly labelOf?: (model: VoiceModel) => string
}

interface Generation {
  readonly model: VoiceModel
  readonly label: string
  readonly pool: TrackPool
  /** Tracks opened here whose last hop was not told yet. */
  readonly tracks: Set<number>
  /** A swap back to it is being prepared. */
  isHeld: boolean
}

export interface PreparedModel {
  /** From now on new tracks go to it. Called once. */
  commit(): void
  discard(): Promise<void>
}

export class VoiceGenerations implements TrackSink {
  readonly #options: VoiceGenerationsOptions
  readonly #living = new Set<Generation>()
  readonly #of = new Map<number, Generation>()
  #current: Generation
  #shadow: HopShadow | null = null
  #onHop: HopListener = () => {}
  #onClosed: (trackId: number) => void = () => {}
  #isStopping = false

  private constructor(options: VoiceGenerationsOptions, model: VoiceModel, pool: TrackPool) {
    this.#options = options
    this.#current = this.#adopt(model, pool)
  }

  /** @throws OperatingError `model_invalid`, `worker_lost`, `config_invalid` */
  static async start(options: VoiceGenerationsOptions, model: VoiceModel): Promise<VoiceGenerations> {
    return new VoiceGenerations(options, model, await options.startPool(model))
  }

  /** Told of each hop with the label of the model that judged it. */
  onHop(listener: HopListener): void {
    this.#onHop = listener
  }

  /** Told, once for each closed track, that no more hops of it will come. */
  onClosed(listener: (trackId: number) => void): void {
    this.#onClosed = listener
  }

  /** What new tracks are judged by. */
  get current(): VoiceModel {
    return this.#current.model
  }

  /** What this open track is judged by. */
  modelOf(trackId: number): VoiceModel {
    return (this.#of.get(trackId) ?? this.#current).model
  }

  /** Tracks by label of their model. */
  tracks(): ReadonlyMap<string, number> {
    return new Map([...this.#living].map(({ label, tracks }) => [label, tracks.size]))
  }

  /** Beside tracks that open from now on; null: none. */
  shadow(shadow: HopShadow | null): void {
    this.#shadow = shadow
  }

  /** Brings a model up beside the current one. @throws OperatingError model_invalid, worker_lost, capacity_full */
  async prepare(model: VoiceModel): Promise<PreparedModel> {
    const living = [...this.#living].find((each) => each.model.manifest.sha256 === model.manifest.sha256)
    if (living !== undefined && modelLabel(living.model.manifest) === modelLabel(model.manifest))
      return this.#prepareAgain(living)
    if (this.#living.size >= generationsMax) {
      const why = `calls of ${generationsMax - 1} earlier models are still live; try again when they have ended`
      throw new OperatingError('capacity_full', why)
    }
    const pool = await this.#options.startPool(model)
    return {
      commit: () => this.#switchTo(this.#adopt(model, pool)),
      discard: () => pool.stop(),
    }
  }

  /** Its workers still serve older calls: nothing is to be loaded. */
  #prepareAgain(living: Generation): PreparedModel {
    living.isHeld = true
    return {
      commit: () => {
        living.isHeld = false
        this.#switchTo(living)
      },
      discard: async () => {
        living.isHeld = false
        this.#endIfDone(living)
      },
    }
  }

  ready(): boolean {
    return this.#current.pool.ready()
  }

  open(trackId: number): boolean {
    if (this.#of.size >= this.#options.callsMax || !this.#current.pool.open(trackId)) return false
    this.#of.set(trackId, this.#current)
    this.#current.tracks.add(trackId)
    this.#shadow?.open(trackId)
    return true
  }

  frame(trackId: number, mediaMs: number, message: Uint8Array, start: number, end: number, enteredMs: number): boolean {
    const taken = this.#of.get(trackId)?.pool.frame(trackId, mediaMs, message, start, end, enteredMs) ?? false
    this.#shadow?.frame(trackId, mediaMs, message, start, end, enteredMs)
    return taken
  }

  close(trackId: number): void {
    const generation = this.#of.get(trackId)
    this.#of.delete(trackId)
    generation?.pool.close(trackId)
    this.#shadow?.close(trackId)
  }

  /** Resolves when every frame accepted so far is judged and its hops are told. */
  async drain(): Promise<void> {
    await Promise.all([...this.#living].map(({ pool }) => pool.drain()))
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all([...this.#living].map(({ pool }) => pool.stop()))
  }

  /** Of all models; seats of the current one first. */
  stats(): VoicePoolStats {
    const current = this.#current.pool.stats()
    const others = [...this.#living].filter((each) => each !== this.#current).map(({ pool }) => pool.stats())
    return {
      tracks: this.#of.size,
      spare: current.spare,
      seats: [current, ...others].flatMap(({ seats }) => seats),
    }
  }

  /** For tests: a seat of the current model. */
  fault(seatIndex: number, fault: WorkerFault): void {
    this.#current.pool.fault(seatIndex, fault)
  }

  #adopt(model: VoiceModel, pool: TrackPool): Generation {
    const label = this.#options.labelOf?.(model) ?? modelLabel(model.manifest)
    const generation: Generation = { model, label, pool, tracks: new Set(), isHeld: false }
    this.#living.add(generation)
    pool.onHop((hop) => {
      this.#onHop(hop, generation.label, model)
      if (generation === this.#current) this.#shadow?.heard(hop)
    })
    pool.onClosed((trackId) => {
      generation.tracks.delete(trackId)
      this.#onClosed(trackId)
      this.#endIfDone(generation)
    })
    return generation
  }

  #switchTo(next: Generation): void {
    const before = this.#current
    assert(before !== next, 'a swap to what is current already')
    this.#current = next
    next.pool.keepSpare(true)
    before.pool.keepSpare(false)
    this.#endIfDone(before)
  }

  #endIfDone(generation: Generation): void {
    if (generation === this.#current || generation.isHeld || generation.tracks.size > 0 || this.#isStopping) return
    if (this.#living.delete(generation)) void generation.pool.stop()
  }
}
