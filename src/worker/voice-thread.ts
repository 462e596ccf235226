/**
 * The main thread's side of one voice worker: its thread, the ring it reads, and whether it is alive. A thread is
 * `starting`, then `ready`, then `lost` (it threw, hung or was refused) or `stopped` (it was asked to end); it never
 * comes back from those. What to do about a lost one is the pool's business. Main thread.
 */
import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { FromWorker, Judged, ToWorker, WorkerFault, WorkerStart } from './protocol.ts'
import { allocateRing, RingWriter } from './ring.ts'

export type LostReason = 'threw' | 'hung' | 'refused'

export interface VoiceThreadOptions extends Omit<WorkerStart, 'ring'> {
  readonly ringBytes: number
  /** A worker that starts or runs must give a life sign within these. */
  readonly startMsMax: number
  readonly hungMs: number
  readonly judged: (thread: VoiceThread, judged: Judged) => void
  /** Once, when it was not asked to end. */
  readonly lost: (thread: VoiceThread, reason: LostReason, detail: string) => void
}

/** How long a worker that was asked to end may finish what it does. */
const stopMsMax = 1000

const entry = new URL('./voice.worker.js', import.meta.url)

export class VoiceThread {
  readonly ring: RingWriter
  readonly #options: VoiceThreadOptions
  readonly #worker: Worker
  readonly #drains = new Map<number, () => void>()
  readonly #started: { readonly promise: Promise<void>; readonly settle: (problem?: OperatingError) => void }
  #state: 'starting' | 'ready' | 'lost' | 'stopped' = 'starting'
  #drainId = 0
  #beats = 0
  #silentMs = 0

  constructor(options: VoiceThreadOptions) {
    this.#options = options
    const memory = allocateRing(options.ringBytes)
    this.ring = new RingWriter(memory, options.tracksMax)
    const { model, secondStage = null, tracksMax, batchMax, tickMs, gapFillMsMax, faults } = options
    const workerData: WorkerStart = {
      ...{ model, secondStage, ring: memory, tracksMax, batchMax, tickMs, gapFillMsMax, faults },
    }
    this.#started = settleable()
    this.#worker = new Worker(entry, { workerData })
    this.#worker.on('message', (message: FromWorker) => this.#receive(message))
    this.#worker.on('error', (thrown: unknown) => this.lose('threw', messageOf(thrown)))
    this.#worker.on('exit', (code) => {
      if (this.#state !== 'stopped') this.lose('threw', `the thread ended with code ${code}`)
    })
  }

  /** Settles once: when the model is loaded and the worker reads its ring, or when that failed. */
  get started(): Promise<void> {
    return this.#started.promise
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  /**
   * Called at regular intervals. Time counts only while this thread looks, at most `elapsedMsMax` of it at once: if the
   * main thread itself stood still, its workers are not to blame.
   */
  watch(elapsedMs: number): void {
    if (this.#state !== 'starting' && this.#state !== 'ready') return
    const beats = this.ring.beats()
    this.#silentMs = beats === this.#beats ? this.#silentMs + elapsedMs : 0
    this.#beats = beats
    const limitMs = this.#state === 'starting' ? this.#options.startMsMax : this.#options.hungMs
    if (this.#silentMs >= limitMs) this.lose('hung', `no life sign for ${Math.round(this.#silentMs)} ms`)
  }

  /** Resolves when all that was written to the ring before this call is judged and delivered, or the thread is gone. */
  drain(): Promise<void> {
    if (this.#state !== 'ready') return Promise.resolve()
    this.#drainId += 1
    const id = this.#drainId
    this.#send({ kind: 'drain', id, records: this.ring.recordsWritten })
    return new Promise((resolve) => this.#drains.set(id, resolve))
  }

  /** Ends the thread: by asking, then by force. */
  async stop(): Promise<void> {
    if (this.#state === 'lost' || this.#state === 'stopped') return
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()))
    const wasReady = this.#state === 'ready'
    this.#end('stopped')
    if (wasReady) {
      this.#send({ kind: 'stop' })
      const force = setTimeout(() => void this.#worker.terminate(), stopMsMax)
      await ended
      clearTimeout(force)
    } else await this.#worker.terminate()
  }

  fault(fault: WorkerFault): void {
    this.#send({ kind: 'fault', fault })
  }

  /** Gives the thread up. Its messages are ignored from here on. */
  lose(reason: LostReason, detail: string): void {
    if (this.#state === 'lost' || this.#state === 'stopped') return
    this.#end('lost', new OperatingError(reason === 'refused' ? 'model_invalid' : 'worker_lost', detail))
    void this.#worker.terminate()
    this.#options.lost(this, reason, detail)
  }

  #receive(message: FromWorker): void {
    if (this.#state === 'lost') return
    switch (message.kind) {
      case 'ready':
        if (this.#state === 'starting') this.#state = 'ready'
        this.#silentMs = 0
        this.#started.settle()
        break
      case 'refused':
        this.lose('refused', message.detail)
        break
      case 'judged':
        this.#options.judged(this, message)
        break
      case 'drained':
        this.#drains.get(message.id)?.()
        this.#drains.delete(message.id)
        break
      default:
        assert.fail(`unknown message ${JSON.stringify(message satisfies never)}`)
    }
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #end(state: 'lost' | 'stopped', problem = new OperatingError('worker_lost', 'the worker was stopped')): void {
    this.#state = state
    this.#started.settle(problem)
    for (const resolve of this.#drains.values()) resolve()
    this.#drains.clear()
  }
}

function settleable() {
  let settle: (problem?: OperatingError) => void = () => {}
  const promise = new Promise<void>((resolve, reject) => {
    settle = (problem) => (problem === undefined ? resolve() : reject(problem))
  })
  // Whoever waits for it gets the rejection; nobody may be waiting.
  promise.catch(() => {})
  return { promise, settle }
}
