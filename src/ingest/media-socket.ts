/**
 * `WS /twilio/media/{token}`: Twilio's stream of one call. Signature and token are checked before a byte of state
 * exists; the start message must name the call the token was made for, else the socket closes 1008 without a
 * detection. Each message is scanned, not parsed, and goes on to the call table. We never send: a one-way stream must
 * stay one-way. Main thread.
 */
import { Kernels } from '../audio/kernels.ts'
import type { TwilioConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { Socket, SocketRoute, UpgradeRequest } from '../http/exchange.ts'
import { type MediaMessage, parseTwilioMessage, type StartMessage, type TwilioMessage } from '../wire/twilio-media.ts'
import { MediaScanner } from '../wire/twilio-media-scanner.ts'
import { checkUpgradeSignature } from '../wire/twilio-signature.ts'
import type { CallStream } from './call-stream.ts'
import type { CallTable } from './call-table.ts'
import type { StreamTokens } from './stream-tokens.ts'
import type { CallFacts } from './track.ts'

/** ms after the upgrade by which the start message must have come. */
const startTimeoutMs = 10_000
/**
 * s without a message or a pong; the socket of a tunnel that lost its end closes by it. Calls end by their own idle
 * time.
 */
const socketIdleSeconds = 60

export interface MediaSocketOptions {
  readonly twilio: Pick<TwilioConfig, 'accounts' | 'enforceSignature' | 'messageBytesMax'>
  readonly mediaSocketsMax: number
  /** Origin and path prefix as Twilio knows them, e.g. `https://voice.example.com`; read at each upgrade. */
  readonly publicUrl: () => string
  /** True: refuse new sockets (503). */
  readonly isDraining: () => boolean
  /** Told of upgrades that bring no good token or signature. */
  readonly refused?: (request: UpgradeRequest, code: ErrorCode) => void
  readonly tokens: StreamTokens
  readonly table: CallTable
  readonly clock: Clock
  readonly counters: Counters
  readonly log: Log
}

/** What one socket keeps. */
export interface MediaSocketState {
  /** The call its token was made for. */
  readonly bound: CallFacts
  readonly openedAtMs: number
  /** Null until the start message. */
  stream: CallStream | null
}

/** `https://h/p` -> `wss://h/p/twilio/media/<token>`; http, for tests and demos, -> ws. */
export function mediaUrl(publicUrl: string, token: string): string {
  return `${publicUrl.replace(/^http/i, 'ws').replace(/\/+$/, '')}/twilio/media/${token}`
}

export class MediaSockets {
  readonly route: SocketRoute<MediaSocketState>
  readonly #options: MediaSocketOptions
  readonly #scanner = new MediaScanner(Kernels.load(0))
  /** Sockets without a start message, by age. */
  readonly #waiting = new Map<MediaSocketState, Socket>()
  #open = 0

  constructor(options: MediaSocketOptions) {
    this.#options = options
    this.route = {
      pattern: '/twilio/media/:token',
      messageBytesMax: options.twilio.messageBytesMax,
      idleTimeoutSeconds: socketIdleSeconds,
      upgrade: (request) => this.#upgrade(request),
      open: (socket, state) => {
        this.#open += 1
        options.counters.socketsOpened += 1
        this.#waiting.set(state, socket)
      },
      message: (socket, state, bytes, isBinary) => this.#message(socket, state, bytes, isBinary),
      close: (_socket, state) => {
        this.#open -= 1
        this.#waiting.delete(state)
        if (state.stream !== null) options.table.closed(state.stream)
      },
    }
  }

  /** Closes sockets that never sent a start message. Call it about once a second. */
  tick(): void {
    const now = this.#options.clock.steadyMs()
    for (const [state, socket] of this.#waiting) {
      if (now - state.openedAtMs < startTimeoutMs) return
      this.#waiting.delete(state)
      this.#options.counters.socketsClosedTrackless += 1
      socket.close(1002, 'no start message')
    }
  }

  #upgrade(request: UpgradeRequest): ReturnType<SocketRoute<MediaSocketState>['upgrade']> {
    const verdict = admit(this.#options, request, this.#open)
    if ('refuse' in verdict) {
      if (['token_invalid', 'signature_invalid'].includes(verdict.refuse)) {
        this.#options.refused?.(request, verdict.refuse)
      }
      return verdict
    }
    return { accept: { bound: verdict.facts, openedAtMs: this.#options.clock.steadyMs(), stream: null } }
  }

  #message(socket: Socket, state: MediaSocketState, bytes: Uint8Array, isBinary: boolean): void {
    const { counters } = this.#options
    counters.mediaBytes += bytes.length
    if (isBinary) counters.mediaBinary += 1
    else if (this.#scanner.scan(bytes)) this.#media(state, this.#scanner)
    else this.#other(socket, state, parseTwilioMessage(bytes))
  }

  #media(state: MediaSocketState, message: MediaMessage): void {
    const { counters, table } = this.#options
    const { bytes, payloadEnd, payloadStart, sequenceNumber, timestampMs, track } = message
    if (state.stream === null) counters.mediaBeforeStart += 1
    else table.media(state.stream, track, timestampMs, sequenceNumber, bytes, payloadStart, payloadEnd)
  }

  #other(socket: Socket, state: MediaSocketState, message: TwilioMessage): void {
    const { counters, table } = this.#options
    switch (message.event) {
      case 'media':
        counters.mediaSlowPath += 1
        this.#media(state, message)
        return
      case 'start':
        if (state.stream !== null) counters.mediaStartRepeated += 1
        else this.#start(socket, state, message)
        return
      case 'stop':
        if (state.stream !== null) table.stop(state.stream)
        return
      case 'unknown':
        counters.mediaUnknownEvents += 1
        return
      case 'malformed':
        counters.mediaMalformed += 1
        return
      case 'connected':
      // Only two-way streams have these, and we open none.
      case 'dtmf':
      case 'mark':
    }
  }

  #start(socket: Socket, state: MediaSocketState, message: StartMessage): void {
    const { counters, log, table } = this.#options
    const { bound } = state
    const { accountSid, callSid, isMulaw8k, streamSid, tracks } = message
    if (callSid !== bound.callSid || accountSid !== bound.accountSid) {
      counters.socketsClosedBinding += 1
      log.warn('stream names another call than its token', { callSid: bound.callSid })
      socket.close(1008, 'not the call of this token')
      return
    }
    if (!isMulaw8k) {
      counters.socketsClosedProtocol += 1
      log.warn('stream is not audio/x-mulaw at 8000 Hz', { callSid })
      socket.close(1003, 'media format is not audio/x-mulaw, 8000 Hz, 1 channel')
      return
    }
    this.#waiting.delete(state)
    const call = message.keepsNoAudio ? { ...bound, keepsNoAudio: true } : bound
    state.stream = table.start(call, streamSid, tracks)
  }
}

type Admission = { readonly facts: CallFacts } | { readonly refuse: ErrorCode; readonly detail: string }

/** The checks of an upgrade, cheapest first. The token is used up only when everything else is right. */
function admit(options: MediaSocketOptions, request: UpgradeRequest, open: number): Admission {
  const { counters, mediaSocketsMax, publicUrl, tokens, twilio } = options
  if (options.isDraining()) return { refuse: 'draining', detail: 'the server is going away' }
  if (open >= mediaSocketsMax) {
    counters.socketsRefusedCapacity += 1
    return { refuse: 'capacity_full', detail: 'no room for another stream' }
  }
  const token = request.params['token'] ?? ''
  const facts = tokens.peek(token)
  if (facts === null) {
    counters.socketsRefusedToken += 1
    return { refuse: 'token_invalid', detail: 'the stream token is unknown, used or expired' }
  }
  const account = twilio.accounts.find(({ sid }) => sid === facts.accountSid)
  const signature = request.headers.get('x-twilio-signature') ?? ''
  const isSigned = checkUpgradeSignature(account?.authTokens ?? [], signature, mediaUrl(publicUrl(), token))
  if (twilio.enforceSignature && !isSigned) {
    counters.socketsRefusedSignature += 1
    return { refuse: 'signature_invalid', detail: 'X-Twilio-Signature is missing or wrong' }
  }
  tokens.take(token)
  return { facts }
}
