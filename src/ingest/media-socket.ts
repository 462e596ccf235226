/**
 * `WS /twilio/media/{token}`: Twilio's stream of one call. Signature and token are checked before a byte of state exists; the
 * start message must name the call the token was made for, else the socket closes 1008 without a detection. Each message is
 * scanned, not parsed, and goes on to the call table. We never send: a one-way stream must stay one-way. Main thread.
 */
import type { TwilioConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { Socket, SocketRoute, UpgradeRequest } from '../http/exchange.ts'
import { MediaScanner, parseTwilioMessage, type StartMessage } from '../wire/twilio-media.ts'
import { checkUpgradeSignature } from '../wire/twilio-signature.ts'
import type { CallStream } from './call-stream.ts'
import type { CallTable } from './call-table.ts'
import type { StreamTokens } from './stream-tokens.ts'
import type { CallFacts } from './track.ts'

/** ms after the upgrade by which the start message must have come. */
const startTimeoutMs = 10_000
/** s without a message or a pong; the socket of a tunnel that lost its end closes by it. Calls end by their own idle time. */
const socketIdleSeconds = 60

export interface MediaSocketOptions {
  readonly twilio: Pick<TwilioConfig, 'accounts' | 'enforceSignature' | 'messageBytesMax'>
  readonly mediaSocketsMax: number
  /** Origin and path prefix as Twilio knows them, e.g. `https://voice.example.com`; read at each upgrade. */
  readonly publicUrl: () => string
  /** True: refuse new sockets (503). */
  readonly isDraining: () => boolean
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

export interface MediaSockets {
  readonly route: SocketRoute<MediaSocketState>
  /** Closes sockets that never sent a start message. Call it about once a second. */
  tick(): void
}

/** `https://h/p` -> `wss://h/p/twilio/media/<token>`; http, for tests and demos, -> ws. */
export function mediaUrl(publicUrl: string, token: string): string {
  return `${publicUrl.replace(/^http/i, 'ws').replace(/\/+$/, '')}/twilio/media/${token}`
}

export function createMediaSockets(options: MediaSocketOptions): MediaSockets {
  const { clock, counters, log, table, twilio } = options
  const scanner = new MediaScanner()
  let open = 0
  /** Sockets without a start message, by age; bounded by mediaSocketsMax. */
  const waiting = new Map<MediaSocketState, Socket>()

  function slowMessage(socket: Socket, state: MediaSocketState, bytes: Uint8Array): void {
    const message = parseTwilioMessage(bytes)
    switch (message.event) {
      case 'media': {
        counters.mediaSlowPath += 1
        const { track, timestampMs, sequenceNumber, payloadStart, payloadEnd } = message
        if (state.stream === null) counters.mediaBeforeStart += 1
        else {
          table.media(state.stream, track, timestampMs, sequenceNumber, message.bytes, payloadStart, payloadEnd)
        }
        return
      }
      case 'start':
        if (state.stream !== null) counters.mediaStartRepeated += 1
        else start(socket, state, message)
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

  function start(socket: Socket, state: MediaSocketState, message: StartMessage): void {
    const { bound } = state
    const { accountSid, callSid, isMulaw8k, streamSid, tracks } = message
    if (callSid !== bound.callSid || accountSid !== bound.accountSid) {
      counters.socketsClosedBinding += 1
      log.warn('stream names another call than its token', { callSid: bound.callSid, streamSid })
      socket.close(1008, 'not the call of this token')
      return
    }
    if (!isMulaw8k) {
      counters.socketsClosedProtocol += 1
      socket.close(1003, 'media format is not audio/x-mulaw, 8000 Hz, 1 channel')
      return
    }
    waiting.delete(state)
    state.stream = table.start(bound, streamSid, tracks)
  }

  const route: SocketRoute<MediaSocketState> = {
    pattern: '/twilio/media/:token',
    messageBytesMax: twilio.messageBytesMax,
    idleTimeoutSeconds: socketIdleSeconds,
    upgrade(request) {
      const verdict = admit(options, request, open)
      return 'refuse' in verdict
        ? verdict
        : { accept: { bound: verdict.facts, openedAtMs: clock.steadyMs(), stream: null } }
    },
    open(socket, state) {
      open += 1
      counters.socketsOpened += 1
      waiting.set(state, socket)
    },
    message(socket, state, bytes, isBinary) {
      counters.mediaBytes += bytes.length
      if (isBinary) counters.mediaBinary += 1
      else if (!scanner.scan(bytes)) slowMessage(socket, state, bytes)
      else if (state.stream === null) counters.mediaBeforeStart += 1
      else {
        const { track, timestampMs, sequenceNumber, payloadStart, payloadEnd } = scanner
        table.media(state.stream, track, timestampMs, sequenceNumber, bytes, payloadStart, payloadEnd)
      }
    },
    close(_socket, state) {
      open -= 1
      waiting.delete(state)
      if (state.stream !== null) table.closed(state.stream)
    },
  }

  function tick(): void {
    const now = clock.steadyMs()
    for (const [state, socket] of waiting) {
      if (now - state.openedAtMs < startTimeoutMs) return
      waiting.delete(state)
      counters.socketsClosedTrackless += 1
      socket.close(1002, 'no start message')
    }
  }

  return { route, tick }
}

type Admission =
  | { readonly facts: CallFacts }
  | { readonly refuse: 'draining' | 'capacity_full' | 'token_invalid' | 'signature_invalid'; readonly detail: string }

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
