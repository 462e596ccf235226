/**
 * `WS /v1/events`: the events of `GET /v1/events`, as one JSON text each, for who would rather have a socket. Query as
 * there (`types`, `callSid`, `lastEventId`). Resumes by `?lastEventId=` or by a first message `{"after": id}`, which is
 * waited for a moment when the query has none: what happens meanwhile is kept, not missed. Who cannot keep up is closed
 * 1013 and resumes. Main thread.
 *
 *   -> {"after": 1767225600000041}                                   once, first, or not at all
 *   <- {"id":1767225600000042,"type":"verdict","data":{"callSid":"CA...", ...}}
 */
import { z } from 'zod'
import { type ErrorCode, OperatingError } from '../core/errors.ts'
import type { Socket, SocketRoute, StreamWriter, UpgradeRequest } from '../http/exchange.ts'
import type { BusEvent } from '../notify/event-bus.ts'
import { type EventSubscribers, readWish, type Wish } from './event-subscribers.ts'

/** ms that a socket without `lastEventId` is given to say where it left. */
const firstMessageMs = 1000
/** s without a message or a pong; pings go out by themselves. */
const socketIdleSeconds = 60
/** Bytes a peer may be behind; the same as of a server-sent stream. */
const backlogBytesMax = 262_144
/** The one message a peer may send is short. */
const messageBytesMax = 1024

const firstMessage = z.strictObject({ after: z.number().int().min(0).nullable() })

/** Written once per event, kept as long as the bus keeps the event. */
const texts = new WeakMap<BusEvent, string>()

export interface EventSocketState {
  readonly wish: Wish
  /** Gives the place back. */
  leave: () => void
  /** Waits for the first message; undefined once events flow. */
  waiting: { readonly timer: NodeJS.Timeout; readonly openedAtId: number } | undefined
  stop: () => void
}

export function eventSocketRoute(subscribers: EventSubscribers): SocketRoute<EventSocketState> {
  return {
    pattern: '/v1/events',
    messageBytesMax,
    backlogBytesMax,
    idleTimeoutSeconds: socketIdleSeconds,
    upgrade: (request) => upgrade(subscribers, request),
    open: (socket, state) => {
      state.leave = subscribers.enter()
      if (state.wish.afterId !== null) return start(subscribers, socket, state, state.wish.afterId)
      const openedAtId = subscribers.lastId
      const timer = setTimeout(() => start(subscribers, socket, state, openedAtId), firstMessageMs).unref()
      state.waiting = { timer, openedAtId }
    },
    message: (socket, state, bytes, isBinary) => {
      if (isBinary) return socket.close(1003, 'text only')
      if (state.waiting === undefined) return socket.close(1008, 'one message, the first, may say {"after": id}')
      const after = readAfter(bytes)
      if (after === undefined) return socket.close(1007, 'the first message is {"after": id}')
      start(subscribers, socket, state, after ?? state.waiting.openedAtId)
    },
    close: (_socket, state) => {
      clearTimeout(state.waiting?.timer)
      state.stop()
      state.leave()
    },
  }
}

/** The gate has checked who asks, and from where. */
function upgrade(
  subscribers: EventSubscribers,
  request: UpgradeRequest,
): ReturnType<SocketRoute<EventSocketState>['upgrade']> {
  try {
    const wish = readWish(request.query, request.headers.get('last-event-id'))
    subscribers.checkRoom()
    return { accept: { wish, leave: () => {}, waiting: undefined, stop: () => {} } }
  } catch (thrown) {
    if (!(thrown instanceof OperatingError)) throw thrown
    return { refuse: thrown.code satisfies ErrorCode, detail: thrown.message }
  }
}

function start(subscribers: EventSubscribers, socket: Socket, state: EventSocketState, afterId: number): void {
  clearTimeout(state.waiting?.timer)
  state.waiting = undefined
  const writer: StreamWriter = {
    write: (text) => socket.send(text) !== 2,
    drained: () => socket.bufferedBytes() === 0,
    end: () => socket.close(1013, 'slower than the events; resume after the last one you have'),
  }
  const transport = { writer, textOf, heartbeat: null }
  state.stop = subscribers.start({ ...state.wish, afterId }, transport, () => state.leave())
}

function readAfter(bytes: Uint8Array): number | null | undefined {
  try {
    return firstMessage.parse(JSON.parse(Buffer.from(bytes).toString())).after
  } catch {
    return undefined
  }
}

function textOf(event: BusEvent): string {
  const known = texts.get(event)
  if (known !== undefined) return known
  const text = JSON.stringify({ id: event.id, type: event.type, data: event.data })
  texts.set(event, text)
  return text
}
