/**
 * The second stage's own thread, as the voice worker sees it: a window goes in, its ratio comes back. A thread that
 * threw, or answers a window later than `windowMsMax`, is given up with all that waited for it; another follows after a
 * pause. Voice worker, or main thread of a command.
 */
import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { WindowModel } from '../inference/window-session.ts'
import type { JudgedWindow, WindowJudge } from './second-stage.ts'

/** `workerData` of a judge. */
export interface JudgeStart {
  readonly model: WindowModel
  /** Of the pipeline that makes the windows. */
  readonly hopMs: number
}

export type ToJudge =
  | { readonly kind: 'window'; readonly id: number; readonly window: Float32Array }
  | { readonly kind: 'stop' }

export type FromJudge =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly detail: string }
  | ({ readonly kind: 'judged'; readonly id: number } & JudgedWindow)

/** The largest models take seconds for a window in WebAssembly; what takes longer hangs. */
export const windowMsMax = 30_000
/** Before another thread is started. */
const pauseMs = 5000

interface Waiting {
  readonly resolve: (judged: JudgedWindow) => void
  readonly reject: (problem: OperatingError) => void
  readonly timer: NodeJS.Timeout
}

const entry = new URL('./judge.worker.js', import.meta.url)

export class JudgeThread implements WindowJudge {
  readonly #start: JudgeStart
  readonly #timeMsMax: number
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #ids = 0
  #pause: NodeJS.Timeout | undefined
  #closed = false

  private constructor(start: JudgeStart, timeMsMax: number) {
    this.#start = start
    this.#timeMsMax = timeMsMax
  }

  /** Resolves when the model is loaded. @throws OperatingError `model_invalid` */
  static async start(start: JudgeStart, timeMsMax = windowMsMax): Promise<JudgeThread> {
    const thread = new JudgeThread(start, timeMsMax)
    await thread.#spawn()
    return thread
  }

  judge(window: Float32Array): Promise<JudgedWindow> {
    const worker = this.#worker
    if (worker === undefined) return Promise.reject(new OperatingError('worker_lost', 'the second stage starts again'))
    const id = ++this.#ids
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#lose(worker, `no answer within ${this.#timeMsMax} ms`), this.#timeMsMax)
      timer.unref()
      this.#waiting.set(id, { resolve, reject, timer })
      const message: ToJudge = { kind: 'window', id, window }
      worker.postMessage(message, [window.buffer as ArrayBuffer])
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#pause)
    const worker = this.#worker
    if (worker === undefined) return
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    worker.postMessage({ kind: 'stop' } satisfies ToJudge)
    await ended
  }

  #spawn(): Promise<void> {
    const worker = new Worker(entry, { workerData: this.#start })
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromJudge) => {
        switch (message.kind) {
          case 'ready':
            this.#worker = worker
            return resolve()
          case 'refused':
            return reject(new OperatingError('model_invalid', `second stage: ${message.detail}`))
          case 'judged':
            return this.#settle(message.id, message)
          default:
            assert.fail(`unknown message ${JSON.stringify(message satisfies never)}`)
        }
      })
      worker.on('error', (thrown: unknown) => {
        reject(new OperatingError('worker_lost', messageOf(thrown)))
        this.#lose(worker, messageOf(thrown))
      })
      worker.on('exit', () => this.#lose(worker, 'the thread ended'))
    })
  }

  #settle(id: number, judged: JudgedWindow): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    clearTimeout(waiting.timer)
    waiting.resolve(judged)
  }

  #lose(worker: Worker, why: string): void {
    if (worker !== this.#worker) return
    this.#worker = undefined
    void worker.terminate()
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer)
      reject(new OperatingError('worker_lost', why))
    }
    this.#waiting.clear()
    if (!this.#closed) this.#startAgain()
  }

  #startAgain(): void {
    this.#pause = setTimeout(() => void this.#spawn().catch(() => this.#startAgain()), pauseMs)
    this.#pause.unref()
  }
}
