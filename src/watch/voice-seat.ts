/**
 * The voice model at work: generations of pools, the candidate beside the current one, and the distributions of what
 * the current one sees and says. Stands between the pools and whoever watches tracks. Main thread.
 */
import type { ModelsConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import type { ScoreThresholds } from '../inference/agreement.ts'
import { voiceQuantities } from '../inference/drift-watch.ts'
import { loadVoiceModelSlowly } from '../inference/model-check.ts'
import { modelLabel, type VoiceModel } from '../inference/model-file.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import type { ModelView } from '../worker/model-view.ts'
import type { PreparedModel, TrackPool, VoiceGenerations } from '../worker/voice-generations.ts'
import { type ShadowAbout, type ShadowPair, VoiceShadow } from '../worker/voice-shadow.ts'
import type { DriftMemories } from './drift-memories.ts'
import type { ModelSeat } from './model-watch.ts'

export interface ShadowPool {
  readonly pool: TrackPool
  /** Its own: what a candidate's worker does is not counted with the others. */
  readonly counters: Pick<Counters, 'workerThrew' | 'workerHung'>
}

export interface VoiceSeatOptions {
  readonly config: ModelsConfig
  readonly generations: VoiceGenerations
  /** @throws OperatingError `model_invalid`, `worker_lost` */
  readonly startShadowPool: (model: VoiceModel) => Promise<ShadowPool>
  readonly thresholdsOf: (model: VoiceModel) => ScoreThresholds
  readonly aboutOf: (trackId: number) => ShadowAbout | null
  readonly compared: (models: { active: string; candidate: string }, pair: ShadowPair, about: ShadowAbout) => void
  readonly drifts: DriftMemories
  readonly clock: Clock
}

export class VoiceSeat implements ModelSeat {
  readonly kind = 'voice'
  readonly #options: VoiceSeatOptions
  #shadow: VoiceShadow | null = null
  #candidate: VoiceModel | null = null
  #turn: Promise<void> = Promise.resolve()

  constructor(options: VoiceSeatOptions) {
    this.#options = options
    this.#watchDrift()
  }

  onHop(listener: (hop: ScoredHop, model: string) => void): void {
    this.#options.generations.onHop((hop, label, model) => {
      this.#count(hop, model)
      listener(hop, label)
    })
  }

  onClosed(listener: (trackId: number) => void): void {
    this.#options.generations.onClosed(listener)
  }

  serving(): string {
    return modelLabel(this.#options.generations.current.manifest)
  }

  async prepare(dir: string): Promise<PreparedModel> {
    const prepared = await this.#options.generations.prepare(await loadVoiceModelSlowly(dir))
    return {
      discard: () => prepared.discard(),
      commit: () => {
        prepared.commit()
        this.#watchDrift()
        void this.#queued(() => this.#afterSwap())
      },
    }
  }

  tryBeside(dir: string | null): Promise<void> {
    return this.#queued(() => this.#tryBeside(dir))
  }

  async #tryBeside(dir: string | null): Promise<void> {
    const candidate = dir === null ? null : await loadVoiceModelSlowly(dir)
    const started = candidate === null ? null : await this.#options.startShadowPool(candidate)
    await this.#endShadow()
    this.#candidate = candidate
    if (candidate !== null && started !== null) this.#beginShadow(candidate, started)
  }

  tick(): void {
    this.#shadow?.tick()
  }

  facts(): Pick<ModelView, 'tracks' | 'shadow' | 'drift'> {
    const { generations, drifts } = this.#options
    return {
      tracks: Object.fromEntries(generations.tracks()),
      shadow: this.#shadow?.view() ?? null,
      drift: drifts.current('voice')?.view() ?? null,
    }
  }

  async stop(): Promise<void> {
    await this.#queued(() => this.#endShadow())
  }

  /** Candidates come and go one after the other. */
  #queued(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  #watchDrift(): void {
    const { manifest } = this.#options.generations.current
    const { distributions: reference } = manifest
    this.#options.drifts.begin('voice', { model: modelLabel(manifest), quantities: voiceQuantities, reference })
  }

  #count(hop: ScoredHop, model: VoiceModel): void {
    const drift = this.#options.drifts.current('voice')
    if (drift?.model !== modelLabel(model.manifest) || Number.isNaN(hop.llr)) return
    const today = drift.today(this.#options.clock.wallMs())
    today.add(0, hop.llr)
    today.add(1, hop.hopSpeechMs / (hop.hopEndMs - hop.hopStartMs))
    today.add(2, hop.lowFeatures ?? Number.NaN)
    today.add(3, hop.highFeatures ?? Number.NaN)
  }

  /** What the candidate is held against has changed: it begins anew, unless it is what judges now. */
  async #afterSwap(): Promise<void> {
    const candidate = this.#candidate
    if (candidate === null) return
    await this.#endShadow()
    const { generations, startShadowPool } = this.#options
    if (candidate.manifest.sha256 === generations.current.manifest.sha256) this.#candidate = null
    // It was loaded before; should it fail now, the next change of the registry tells.
    else await startShadowPool(candidate).then((started) => this.#beginShadow(candidate, started), ignored)
  }

  #beginShadow(candidate: VoiceModel, { pool, counters }: ShadowPool): void {
    const { generations, thresholdsOf, aboutOf, compared, clock, config } = this.#options
    const scoredBy = (model: VoiceModel) => ({ label: modelLabel(model.manifest), thresholds: thresholdsOf(model) })
    const [active, other] = [scoredBy(generations.current), scoredBy(candidate)]
    const models = { active: active.label, candidate: other.label }
    this.#shadow = new VoiceShadow({
      ...{ active, candidate: other, pool, counters, clock, aboutOf },
      cpuShareMax: config.shadow.cpuShareMax,
      compared: (pair, about) => compared(models, pair, about),
    })
    generations.shadow(this.#shadow)
  }

  async #endShadow(): Promise<void> {
    const shadow = this.#shadow
    this.#shadow = null
    this.#options.generations.shadow(null)
    await shadow?.stop()
  }
}

function ignored(): void {}
