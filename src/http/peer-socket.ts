/**
 * A WebSocket as its route sees it: safe to use after the peer has gone, when the library's own object would throw.
 * Main thread.
 */
import type { Socket } from './exchange.ts'

/** The part of the library's socket that we use. */
export interface RawSocket {
  send(message: string | Uint8Array, isBinary?: boolean): number
  end(code?: number, reason?: string): void
  getBufferedAmount(): number
}

export class PeerSocket<State> implements Socket {
  readonly remoteAddress: string
  readonly state: State
  #raw: RawSocket | null = null

  constructor(remoteAddress: string, state: State) {
    this.remoteAddress = remoteAddress
    this.state = state
  }

  get isOpen(): boolean {
    return this.#raw !== null
  }

  attach(raw: RawSocket): void {
    this.#raw = raw
  }

  /** The library has closed it. */
  detach(): void {
    this.#raw = null
  }

  send(message: string | Uint8Array): 0 | 1 | 2 {
    if (this.#raw === null) return 2
    return this.#raw.send(message, typeof message !== 'string') as 0 | 1 | 2
  }

  bufferedBytes(): number {
    return this.#raw?.getBufferedAmount() ?? 0
  }

  close(code: number, reason: string): void {
    const raw = this.#raw
    // `end` calls the close callback before it returns; a close inside that must find nothing.
    this.#raw = null
    raw?.end(code, reason)
  }
}
