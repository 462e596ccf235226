/**
 * The main thread's side of one fraud worker: its thread, what it was asked, and whether it is alive. A thread is
 * `starting`, then `ready`, then `lost` (it threw or hung) or `stopped`; it never comes back from those. Main thread.
 */
import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import type { CdrConfig } from '../config/schema.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { FlashCallFolders, FraudDone, FraudQuestion, FraudStart, FromFraud, ToFraud } from './fraud-protocol.ts'

export interface FraudThreadOptions {
  readonly cdr: CdrConfig
  readonly flashCall: FlashCallFolders | undefined
  readonly placeKey?: Uint8Array | null
  readonly faults: boolean
  /** A worker that runs must give a life sign within it. It beats every 100 ms. */
  readonly hungMs: number
  readonly ready: (thread: FraudThread, scorer: string) => void
  readonly done: (thread: FraudThread, done: FraudDone) => void
  /** Once, when it was not asked to end. */
  readonly lost: (thread: FraudThread, reason: 'threw' | 'hung', detail: string) => void
}

/** A worker must have started by then. */
const startMsMax = 60_000
const stopMsMax = 1000
/** Questions that wait for their answer. */
const questionsMax = 64

interface Asked {
  readonly done: (value: unknown) => void
  readonly failed: (problem: OperatingError) => void
}

const entry = new URL('./fraud.worker.js', import.meta.url)

export class FraudThread {
  readonly #options: FraudThreadOptions
  readonly #worker: Worker
  readonly #beats: Int32Array
  readonly #asked = new Map<number, Asked>()
  #state: 'starting' | 'ready' | 'lost' | 'stopped' = 'starting'
  #questions = 0
  #seenBeats = 0
  #silentMs = 0

  constructor(options: FraudThreadOptions) {
    this.#options = options
    const beat = new SharedArrayBuffer(4)
    this.#beats = new Int32Array(beat)
    const { cdr, flashCall, placeKey = null, faults } = options
    const workerData: FraudStart = { cdr, flashCall, placeKey, beat, faults }
    this.#worker = new Worker(entry, { workerData })
    this.#worker.on('message', (message: FromFraud) => this.#receive(message))
    this.#worker.on('error', (thrown: unknown) => this.#lose('threw', messageOf(thrown)))
    this.#worker.on('exit', (code) => {
      if (this.#state !== 'stopped') this.#lose('threw', `the thread ended with code ${code}`)
    })
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  send(message: ToFraud, transferred: readonly ArrayBuffer[] = []): void {
    if (this.#state === 'ready') this.#worker.postMessage(message, transferred)
  }

  /** @throws OperatingError capacity_full, worker_lost, bad_request with the worker's word */
  ask(question: FraudQuestion): Promise<unknown> {
    if (this.#state !== 'ready')
      return Promise.reject(new OperatingError('worker_lost', 'the fraud worker is starting'))
    if (this.#asked.size >= questionsMax) {
      return Promise.reject(new OperatingError('capacity_full', `${questionsMax} questions wait already`))
    }
    const id = ++this.#questions
    this.send({ kind: 'ask', id, question })
    return new Promise((done, failed) => this.#asked.set(id, { done, failed }))
  }

  /** Called at regular intervals; time counts only while this thread looks. */
  watch(elapsedMs: number): void {
    if (this.#state !== 'starting' && this.#state !== 'ready') return
    const beats = Atomics.load(this.#beats, 0)
    this.#silentMs = beats === this.#seenBeats ? this.#silentMs + elapsedMs : 0
    this.#seenBeats = beats
    const limitMs = this.#state === 'starting' ? startMsMax : this.#options.hungMs
    if (this.#silentMs >= limitMs) this.#lose('hung', `no life sign for ${Math.round(this.#silentMs)} ms`)
  }

  /** Ends the thread: by asking, then by force. */
  async stop(): Promise<void> {
    if (this.#state === 'lost' || this.#state === 'stopped') return
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()))
    this.send({ kind: 'stop' })
    this.#end('stopped')
    const force = setTimeout(() => void this.#worker.terminate(), stopMsMax)
    await ended
    clearTimeout(force)
  }

  #lose(reason: 'threw' | 'hung', detail: string): void {
    if (this.#state === 'lost' || this.#state === 'stopped') return
    this.#end('lost')
    void this.#worker.terminate()
    this.#options.lost(this, reason, detail)
  }

  #receive(message: FromFraud): void {
    if (this.#state === 'lost' || this.#state === 'stopped') return
    switch (message.kind) {
      case 'ready':
        this.#state = 'ready'
        this.#silentMs = 0
        this.#options.ready(this, message.scorer)
        break
      case 'done':
        this.#options.done(this, message)
        break
      case 'answer': {
        const asked = this.#asked.get(message.id)
        this.#asked.delete(message.id)
        if (message.problem === null) asked?.done(message.value)
        else asked?.failed(new OperatingError('bad_request', message.problem))
        break
      }
      default:
        assert.fail(`unknown message ${JSON.stringify(message satisfies never)}`)
    }
  }

  #end(state: 'lost' | 'stopped'): void {
    this.#state = state
    for (const { failed } of this.#asked.values())
      failed(new OperatingError('worker_lost', 'the fraud worker was lost'))
    this.#asked.clear()
  }
}
