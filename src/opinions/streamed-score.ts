/**
 * What vendors that are streamed to have in common: the socket, the windows' scores as they come, one result at the
 * end. Scores of windows are averaged; without any the vendor has abstained. Main thread.
 */
import type { Abstention, OpinionFailure, VendorScore } from './opinion.ts'
import { VendorSocket } from './vendor-socket.ts'

export interface StreamVendorOptions {
  readonly name: string
  readonly url: string
  readonly apiKey: string
  readonly allowPrivate: boolean
  readonly timeoutMs: number
}

export class StreamedScore {
  readonly #socket: VendorSocket
  readonly #done: Promise<VendorScore>
  #resolve: (score: VendorScore) => void = () => {}
  #reject: (failure: OpinionFailure) => void = () => {}
  #sum = 0
  #windows = 0
  #abstained: Abstention = 'no_voice'

  /** @param text what to do with a message; may throw OpinionFailure */
  constructor(
    options: Omit<StreamVendorOptions, 'name' | 'apiKey'> & { readonly headers: Readonly<Record<string, string>> },
    text: (text: string) => void,
  ) {
    this.#done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Nobody may have asked yet when it fails.
    this.#done.catch(() => undefined)
    const { url, headers, allowPrivate, timeoutMs } = options
    const over = (failure: OpinionFailure): void => this.#reject(failure)
    this.#socket = new VendorSocket({ url, headers, allowPrivate, handshakeMs: timeoutMs, text, over })
  }

  send(data: Uint8Array | string): void {
    this.#socket.send(data)
  }

  /** One window's probability of synthetic speech. */
  add(score: number): void {
    this.#sum += score
    this.#windows += 1
  }

  /** A window that cannot be judged, and why: told when there is no other. */
  skip(why: Abstention): void {
    this.#abstained = why
  }

  /** @param whole the vendor's own score of the whole, where it gives one */
  finish(whole: number | null = null): void {
    const score = whole ?? (this.#windows === 0 ? null : this.#sum / this.#windows)
    this.#resolve(score === null ? { score, abstained: this.#abstained } : { score, abstained: null })
    this.#socket.close()
  }

  /** @throws OpinionFailure */
  result(): Promise<VendorScore> {
    return this.#done
  }

  close(): void {
    this.#socket.close()
  }
}
