/**
 * The flash-call model at work in the fraud worker: swaps it between two batches of looks, keeps how far a candidate
 * agrees with it, and the distributions of what it sees and says. What the worker tells comes in with each answer of
 * the feed. Main thread.
 */
import { basename } from 'node:path'
import type { ModelsConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { keyKinds } from '../features/call-windows.ts'
import { Agreement, rounded, type ScoreThresholds } from '../inference/agreement.ts'
import { flashCallQuantities } from '../inference/drift-watch.ts'
import { loadFlashCallManifest } from '../inference/flash-call-model.ts'
import { vouchFor } from '../inference/model-check.ts'
import type { FlashScored } from '../worker/flash-scoring.ts'
import { flashPairStride } from '../worker/flash-scoring.ts'
import type { FraudFeed } from '../worker/fraud-feed.ts'
import type { ModelView, ShadowView } from '../worker/model-view.ts'
import type { PreparedModel } from '../worker/voice-generations.ts'
import type { DriftMemories } from './drift-memories.ts'
import type { ModelSeat } from './model-watch.ts'

/** As `rule-context` has the windows. */
const windowNames = ['1m', '10m', '1h', '24h'] as const

export interface FlashPair {
  readonly activeScore: number
  readonly candidateScore: number
  /** `range4 10m`: which kind of key at which window; never the key itself. */
  readonly subject: string
}

export interface FlashCallSeatOptions {
  readonly config: ModelsConfig
  /** Folder of the active version; null: the rule. */
  readonly dir: string | null
  /** The rule's. */
  readonly scoreMin: number
  readonly feed: () => Pick<FraudFeed, 'loadModel' | 'useModel' | 'tryModel'>
  readonly compared: (models: { active: string; candidate: string }, pairs: readonly FlashPair[]) => void
  readonly drifts: DriftMemories
  readonly clock: Clock
}

interface Tried {
  readonly label: string
  readonly thresholds: ScoreThresholds
  agreement: Agreement
  since: string
  judged: number
  busyMs: number
  sinceMs: number
  problem: string | null
}

export class FlashCallSeat implements ModelSeat {
  readonly kind = 'flash_call'
  readonly #options: FlashCallSeatOptions
  #dir: string | null
  #tried: Tried | null = null

  constructor(options: FlashCallSeatOptions) {
    this.#options = options
    this.#dir = options.dir
    this.#watchDrift()
  }

  serving(): string {
    return this.#dir === null ? 'rule' : labelOf(this.#dir)
  }

  async prepare(dir: string): Promise<PreparedModel> {
    await vouchFor(dir)
    const feed = this.#options.feed()
    await feed.loadModel(dir)
    return {
      discard: async () => undefined,
      commit: () => {
        feed.useModel(dir, labelOf(dir))
        this.#dir = dir
        this.#watchDrift()
        void this.#afterSwap()
      },
    }
  }

  async tryBeside(dir: string | null): Promise<void> {
    if (dir !== null) await vouchFor(dir)
    await this.#options.feed().tryModel(dir)
    this.#tried = dir === null ? null : this.#begun(dir)
  }

  tick(): void {}

  /** The worker told what it scored. */
  scored({ model, judged, counts, candidate, pairs, candidateBusyMs, problem }: FlashScored): void {
    const { drifts, clock } = this.#options
    const drift = drifts.current('flash_call')
    if (drift !== undefined && drift.model === model && counts !== null) drift.today(clock.wallMs()).merge(counts)
    const tried = this.#tried
    if (tried === null) return
    if (problem !== null) tried.problem = problem
    if (candidate !== tried.label || model !== this.serving()) return
    tried.judged += judged
    tried.busyMs += candidateBusyMs
    this.#compare(tried, pairs)
  }

  /** The worker was lost while the candidate ran in it. */
  lost(why: string): void {
    if (this.#tried !== null) this.#tried.problem = why
  }

  facts(): Pick<ModelView, 'tracks' | 'shadow' | 'drift'> {
    const drift = this.#options.drifts.current('flash_call')?.view() ?? null
    return { tracks: null, shadow: this.#tried === null ? null : this.#shadowView(this.#tried), drift }
  }

  #compare({ agreement, label }: Tried, floats: Float32Array): void {
    const pairs: FlashPair[] = []
    for (let at = 0; at + flashPairStride <= floats.length; at += flashPairStride) {
      const [activeScore = 0, candidateScore = 0, kind = 0, window = 0] = floats.subarray(at, at + flashPairStride)
      agreement.add(activeScore, candidateScore)
      pairs.push({ activeScore, candidateScore, subject: `${keyKinds[kind]} ${windowNames[window]}` })
    }
    if (pairs.length > 0) this.#options.compared({ active: this.serving(), candidate: label }, pairs)
  }

  #begun(dir: string): Tried {
    const { clock } = this.#options
    const thresholds = { upper: loadFlashCallManifest(dir).thresholds.flashCall }
    const agreement = new Agreement(this.#thresholds(), thresholds)
    const since = new Date(clock.wallMs()).toISOString()
    const none = { judged: 0, busyMs: 0, problem: null }
    return { label: labelOf(dir), thresholds, agreement, since, sinceMs: clock.steadyMs(), ...none }
  }

  #thresholds(): ScoreThresholds {
    const { scoreMin } = this.#options
    return { upper: this.#dir === null ? scoreMin : loadFlashCallManifest(this.#dir).thresholds.flashCall }
  }

  /** What the candidate is held against has changed: it begins anew, unless it is what judges now. */
  async #afterSwap(): Promise<void> {
    const tried = this.#tried
    if (tried === null) return
    const { clock } = this.#options
    if (tried.label === this.serving()) {
      this.#tried = null
      await this.#options.feed().tryModel(null)
      return
    }
    tried.agreement = new Agreement(this.#thresholds(), tried.thresholds)
    tried.since = new Date(clock.wallMs()).toISOString()
    tried.sinceMs = clock.steadyMs()
    tried.judged = 0
    tried.busyMs = 0
  }

  #shadowView(tried: Tried): ShadowView {
    const { clock, config } = this.#options
    const agreement = tried.agreement.view()
    return {
      candidate: tried.label,
      active: this.serving(),
      state: tried.problem === null ? 'running' : 'failed',
      problem: tried.problem,
      since: tried.since,
      judged: tried.judged,
      share: tried.judged === 0 ? null : rounded(agreement.compared / tried.judged),
      cpuShare: rounded(tried.busyMs / Math.max(1, clock.steadyMs() - tried.sinceMs)),
      cpuShareMax: config.shadow.cpuShareMax,
      agreement,
    }
  }

  #watchDrift(): void {
    if (this.#dir === null) return
    const { distributions: reference } = loadFlashCallManifest(this.#dir)
    const model = labelOf(this.#dir)
    this.#options.drifts.begin('flash_call', { model, quantities: flashCallQuantities, reference })
  }
}

/** A version's folder has the version's name; its manifest was read. */
function labelOf(dir: string): string {
  return `flash_call/${basename(dir)}`
}
