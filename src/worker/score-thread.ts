/**
 * Recordings judged while calls are live: one thread of its own, started by the first recording and ended when none
 * came for a while, so that a server that scores nothing pays nothing. Recordings wait in line, bounded; one that takes
 * too long ends the thread and is refused, the next begins another. When the model was changed meanwhile, the thread is
 * begun anew with it. Main thread.
 */
import { Worker } from 'node:worker_threads'
import type { VoiceConfig } from '../config/schema.ts'
import { type ErrorCode, messageOf, OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { VoiceModel } from '../inference/model-file.ts'
import type { ScoredChannel } from './recording-scorer.ts'
import type { SecondStageStart } from './staged-detector.ts'

export interface ScoringModel {
  readonly model: VoiceModel
  readonly secondStage: SecondStageStart | null
}

/** `workerData` of a scoring thread. */
export interface ScoreStart extends ScoringModel {
  readonly voice: VoiceConfig
}

export interface ToScore {
  readonly id: number
  readonly file: string
  readonly bytes: Uint8Array
}

export type FromScore =
  | { readonly id: number; readonly channels: readonly ScoredChannel[] }
  | { readonly id: number; readonly code: ErrorCode; readonly detail: string }

export interface ScoreThreadOptions {
  readonly voice: VoiceConfig
  /** What is active now. */
  readonly active: () => ScoringModel
  readonly counters: Pick<Counters, 'voiceScored' | 'voiceScoreRefused' | 'voiceScoreFailed'>
  /** Without a recording for so long the thread ends. */
  readonly idleMs?: number
}

interface Job {
  readonly file: string
  readonly bytes: Uint8Array
  readonly resolve: (channels: readonly ScoredChannel[]) => void
  readonly reject: (problem: OperatingError) => void
}

const idleMsDefault = 60_000
const entry = new URL('./score.worker.js', import.meta.url)

export class ScoreThread {
  readonly #options: ScoreThreadOptions
  readonly #line: Job[] = []
  #worker: Worker | undefined
  #madeFor: ScoringModel | undefined
  #job: (Job & { readonly id: number; readonly timer: NodeJS.Timeout }) | undefined
  #ids = 0
  #idle: NodeJS.Timeout | undefined

  constructor(options: ScoreThreadOptions) {
    this.#options = options
  }

  /** Recordings under way or in line. */
  get waiting(): number {
    return this.#line.length + (this.#job === undefined ? 0 : 1)
  }

  /** @throws OperatingError capacity_full, audio_unreadable, worker_lost, model_invalid, draining */
  score(file: string, bytes: Uint8Array): Promise<readonly ScoredChannel[]> {
    const { counters, voice } = this.#options
    if (this.waiting >= voice.scoring.waitingMax) {
      counters.voiceScoreRefused += 1
      return Promise.reject(new OperatingError('capacity_full', `${this.waiting} recordings wait already`))
    }
    return new Promise((resolve, reject) => {
      this.#line.push({ file, bytes, resolve, reject })
      this.#next()
    })
  }

  async stop(): Promise<void> {
    for (const job of this.#line.splice(0)) job.reject(new OperatingError('draining', 'the server stops'))
    await this.#end(new OperatingError('draining', 'the server stops'))
  }

  #next(): void {
    if (this.#job !== undefined) return
    const job = this.#line.shift()
    clearTimeout(this.#idle)
    if (job === undefined) {
      this.#idle = setTimeout(() => void this.#end(), this.#options.idleMs ?? idleMsDefault)
      this.#idle.unref()
      return
    }
    const { timeMsMax } = this.#options.voice.scoring
    const late = new OperatingError('capacity_full', `not judged within ${timeMsMax} ms`)
    const timer = setTimeout(() => void this.#end(late), timeMsMax)
    const id = ++this.#ids
    this.#job = { ...job, id, timer }
    // What the network gave us is not ours to hand away, nor to share with the thread: it gets a copy.
    const bytes = new Uint8Array(job.bytes)
    try {
      this.#ready().postMessage({ id, file: job.file, bytes } satisfies ToScore, [bytes.buffer])
    } catch (thrown) {
      // A model that is not there, say.
      const problem = thrown instanceof OperatingError ? thrown : new OperatingError('worker_lost', messageOf(thrown))
      void this.#end(problem)
    }
  }

  #ready(): Worker {
    const active = this.#options.active()
    const isSame = active.model === this.#madeFor?.model && active.secondStage === this.#madeFor.secondStage
    if (this.#worker !== undefined && isSame) return this.#worker
    void this.#worker?.terminate()
    const workerData: ScoreStart = { ...active, voice: this.#options.voice }
    const worker = new Worker(entry, { workerData })
    worker.on('message', (message: FromScore) => {
      if (worker === this.#worker) this.#answered(message)
    })
    worker.on('error', (thrown: unknown) => {
      if (worker === this.#worker) void this.#end(new OperatingError('worker_lost', messageOf(thrown)))
    })
    worker.on('exit', () => {
      if (worker === this.#worker) void this.#end(new OperatingError('worker_lost', 'the thread ended'))
    })
    this.#worker = worker
    this.#madeFor = active
    return worker
  }

  #answered(message: FromScore): void {
    const job = this.#job
    if (job === undefined || job.id !== message.id) return
    this.#job = undefined
    clearTimeout(job.timer)
    if ('channels' in message) {
      this.#options.counters.voiceScored += 1
      job.resolve(message.channels)
    } else {
      this.#options.counters.voiceScoreFailed += 1
      job.reject(new OperatingError(message.code, message.detail))
    }
    this.#next()
  }

  /** Ends the thread; with a problem, what it was judging is refused. The line goes on in another. */
  async #end(problem?: OperatingError): Promise<void> {
    const worker = this.#worker
    const job = this.#job
    this.#worker = undefined
    this.#madeFor = undefined
    this.#job = undefined
    clearTimeout(this.#idle)
    if (job !== undefined) {
      clearTimeout(job.timer)
      this.#options.counters.voiceScoreFailed += 1
      job.reject(problem ?? new OperatingError('worker_lost', 'the thread ended'))
    }
    await worker?.terminate()
    if (this.#line.length > 0) this.#next()
  }
}
