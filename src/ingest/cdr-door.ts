/**
 * The doors for call records: `POST /v1/cdr?source=NAME` and `WS /v1/cdr?source=NAME`. An answer means that every
 * accepted record is on disk. A WebSocket is answered in the order of its messages and may have so many messages and
 * bytes unanswered: over it the socket closes 1008; when the log is full or memory is, 1013 (try again later). On the
 * same socket a switch asks what to do with a call, and is answered at once. Main thread.
 */
import { Buffer } from 'node:buffer'
import { type ErrorCode, messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpAnswer, HttpRequest, Socket, SocketRoute, UpgradeRequest } from '../http/exchange.ts'
import { formatOfContentType } from '../wire/cdr-decode.ts'
import { type Ask, type Envelope, encodeAck, readEnvelope } from '../wire/cdr-envelope.ts'
import type { CdrIntake } from './cdr-intake.ts'
import type { CdrAnswer } from './cdr-lane.ts'

export interface CdrDoorOptions {
  readonly intake: CdrIntake
  readonly limits: {
    readonly messageBytesMax: number
    readonly unackedMessagesMax: number
    readonly unackedBytesMax: number
    readonly socketsMax: number
  }
  /** What to do with a call that is to be set up; from memory. */
  readonly decide: (call: { from: string; to: string; route?: string | undefined }) => object
  /** Who may send records. @throws OperatingError */
  readonly authorize: (request: UpgradeRequest) => void
  readonly isDraining: () => boolean
  readonly counters: Pick<Counters, 'cdrSocketsOpened' | 'cdrSocketsRefused' | 'cdrSocketsWindow' | 'cdrSocketsFull'>
  readonly log: Log
}

export interface CdrSocketState {
  readonly source: string
  unackedMessages: number
  unackedBytes: number
  /** Settles when the message before is answered. */
  answered: Promise<void>
  isOver: boolean
}

/** s without a message or a pong. Senders may be quiet for long; pings are answered by their library. */
const socketIdleSeconds = 120

export class CdrDoor {
  readonly route: SocketRoute<CdrSocketState>
  readonly #options: CdrDoorOptions
  #open = 0

  constructor(options: CdrDoorOptions) {
    this.#options = options
    this.route = {
      pattern: '/v1/cdr',
      messageBytesMax: options.limits.messageBytesMax,
      idleTimeoutSeconds: socketIdleSeconds,
      upgrade: (request) => this.#upgrade(request),
      open: () => {
        this.#open += 1
        options.counters.cdrSocketsOpened += 1
      },
      message: (socket, state, bytes, isBinary) => this.#message(socket, state, bytes, isBinary),
      close: (_socket, state) => {
        this.#open -= 1
        state.isOver = true
      },
    }
  }

  get sockets(): number {
    return this.#open
  }

  /** The gate has checked who asks. @throws OperatingError source_unknown, media_type_unsupported, ... */
  async post(request: HttpRequest): Promise<HttpAnswer> {
    const { intake } = this.#options
    const source = sourceOf(request.query)
    intake.lane(source)
    const type = request.headers.get('content-type') ?? ''
    const format = formatOfContentType(type)
    if (format === null) {
      const known = 'application/json, application/x-ndjson, application/msgpack, text/csv, form with cdr=, XML'
      throw new OperatingError('media_type_unsupported', `Content-Type: one of ${known}`)
    }
    const encoding = request.headers.get('content-encoding') ?? ''
    const answer = await intake.takeBody(source, request.body, format, encoding)
    const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
    return { status: 200, headers, body: JSON.stringify(answer) }
  }

  #upgrade(request: UpgradeRequest): { accept: CdrSocketState } | { refuse: ErrorCode; detail: string } {
    const { authorize, counters, intake, isDraining, limits } = this.#options
    try {
      if (isDraining()) throw new OperatingError('draining', 'the server is going away')
      authorize(request)
      if (this.#open >= limits.socketsMax) {
        throw new OperatingError('capacity_full', `at most ${limits.socketsMax} sockets for records`)
      }
      const source = sourceOf(request.query)
      intake.lane(source)
      const answered = Promise.resolve()
      return { accept: { source, unackedMessages: 0, unackedBytes: 0, answered, isOver: false } }
    } catch (thrown) {
      if (!(thrown instanceof OperatingError)) throw thrown
      counters.cdrSocketsRefused += 1
      return { refuse: thrown.code, detail: thrown.message }
    }
  }

  #message(socket: Socket, state: CdrSocketState, message: Uint8Array, isBinary: boolean): void {
    const { counters, limits } = this.#options
    if (state.isOver) return
    // The library takes its memory back after this call.
    const envelope = readEnvelope(Buffer.from(message), isBinary)
    if ('ask' in envelope) {
      this.#decide(socket, state, envelope, isBinary)
      return
    }
    state.unackedMessages += 1
    state.unackedBytes += message.length
    if (state.unackedMessages > limits.unackedMessagesMax || state.unackedBytes > limits.unackedBytesMax) {
      counters.cdrSocketsWindow += 1
      this.#end(socket, state, 1008, 'more than the credit window is unacknowledged')
      return
    }
    if ('fault' in envelope) this.#fail(socket, state, new OperatingError('bad_request', envelope.fault))
    else this.#take(socket, state, envelope, message.length, isBinary)
  }

  #take(socket: Socket, state: CdrSocketState, envelope: Envelope, bytes: number, isBinary: boolean): void {
    try {
      const answer = this.#options.intake.takeEnvelope(state.source, envelope, bytes)
      const before = state.answered
      answer.catch(() => undefined)
      state.answered = before.then(() => this.#answer(socket, state, envelope.seq, answer, bytes, isBinary))
    } catch (thrown) {
      this.#fail(socket, state, thrown)
    }
  }

  /** At once, whatever waits for the disk before it. */
  #decide(socket: Socket, state: CdrSocketState, { ask, ...call }: Ask, isBinary: boolean): void {
    const sent = socket.send(encodeAck({ answer: ask, ...this.#options.decide(call) }, isBinary))
    if (sent === 2) this.#end(socket, state, 1013, 'answers are not read')
  }

  async #answer(
    socket: Socket,
    state: CdrSocketState,
    seq: number,
    pending: Promise<CdrAnswer>,
    bytes: number,
    isBinary: boolean,
  ): Promise<void> {
    try {
      const answer = await pending
      state.unackedMessages -= 1
      state.unackedBytes -= bytes
      if (state.isOver) return
      const sent = socket.send(encodeAck({ ack: seq, ...answer }, isBinary))
      if (sent === 2) this.#end(socket, state, 1013, 'answers are not read')
    } catch (thrown) {
      this.#fail(socket, state, thrown)
    }
  }

  #fail(socket: Socket, state: CdrSocketState, thrown: unknown): void {
    const { counters, log } = this.#options
    if (state.isOver) return
    if (!(thrown instanceof OperatingError)) {
      log.error('records of a socket could not be taken', { reason: messageOf(thrown) })
      this.#end(socket, state, 1011, 'internal error')
    } else if (thrown.retryable) {
      counters.cdrSocketsFull += 1
      this.#end(socket, state, 1013, thrown.message)
    } else this.#end(socket, state, thrown.code === 'body_too_large' ? 1009 : 1007, thrown.message)
  }

  #end(socket: Socket, state: CdrSocketState, code: number, reason: string): void {
    state.isOver = true
    socket.close(code, reason.slice(0, 120))
  }
}

function sourceOf(query: string): string {
  return new URLSearchParams(query).get('source') ?? ''
}
