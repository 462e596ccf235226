/**
 * Whoever listens to the bus over `/v1/events`, by server-sent events or by WebSocket: one filter, one cap, one rule
 * for both. A subscriber may be behind by so many bytes as its transport buffers; who is slower is closed and counted,
 * and resumes at its own pace: a resuming one reads the bus a chunk at a time, whenever the last one has left, and what
 * the bus has forgotten meanwhile it is told as `events_missed`. Main thread.
 */
import { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { StreamWriter } from '../http/exchange.ts'
import { type BusEvent, type EventBus, eventTypes } from '../notify/event-bus.ts'
import { parseQuery } from './calls.ts'
import { clearNumbersQuery } from './clear-numbers.ts'

/** A resuming subscriber is sent so much at a time, in characters; well below what it may be behind. */
const catchUpBytes = 65_536
/** How often it is looked whether the last chunk has left. */
const catchUpMs = 10
const heartbeatMs = 15_000

export const eventsQuery = z.strictObject({
  types: z
    .string()
    .transform((text) => text.split(',').map((type) => type.trim()))
    .pipe(z.array(z.enum(eventTypes)).min(1))
    .optional(),
  callSid: z.string().max(64).optional(),
  lastEventId: z.string().optional(),
  ...clearNumbersQuery,
})

/** What a subscriber asks for. `afterId` null: new events only. */
export interface Wish {
  readonly wanted: (event: BusEvent) => boolean
  readonly afterId: number | null
  /** Numbers in clear; the gate has checked that it may be. */
  readonly clear: boolean
}

/** @param lastEventId the header of that name, which goes before the query's. @throws OperatingError bad_request */
export function readWish(query: string, lastEventId: string | undefined): Wish {
  const asked = parseQuery(eventsQuery, query)
  const afterId = readLastEventId(lastEventId || asked.lastEventId)
  return { wanted: filterOf(asked), afterId, clear: asked.numbers === 'clear' }
}

/** `events_missed` passes every filter: whoever resumes must know. */
function filterOf({ types, callSid }: z.infer<typeof eventsQuery>): (event: BusEvent) => boolean {
  return (event) => {
    if ((event.data as { code?: unknown }).code === 'events_missed') return true
    if (types !== undefined && !types.includes(event.type)) return false
    return callSid === undefined || (event.data as { callSid?: unknown }).callSid === callSid
  }
}

function readLastEventId(text: string | undefined): number | null {
  if (text === undefined || text === '') return null
  if (!/^\d{1,16}$/.test(text)) throw new OperatingError('bad_request', 'Last-Event-ID must be a number we sent')
  return Number(text)
}

export interface SubscribersOptions {
  readonly bus: EventBus
  readonly subscribersMax: number
  /** The text with the tokens in it in clear. */
  readonly reveal: (text: string) => string
  readonly counters: Pick<Counters, 'eventSubscribersSlow' | 'eventSubscribersRefused'>
}

/** How a transport writes. */
export interface Transport {
  readonly writer: StreamWriter
  readonly textOf: (event: BusEvent) => string
  /** Sent every 15 s; null where the transport has a life sign of its own. */
  readonly heartbeat: string | null
}

export class EventSubscribers {
  readonly #options: SubscribersOptions
  #size = 0

  constructor(options: SubscribersOptions) {
    this.#options = options
  }

  /** Subscribers now, of both transports. */
  get size(): number {
    return this.#size
  }

  /** Id of the newest event. */
  get lastId(): number {
    return this.#options.bus.lastId
  }

  /** @throws OperatingError capacity_full */
  checkRoom(): void {
    const { subscribersMax, counters } = this.#options
    if (this.#size < subscribersMax) return
    counters.eventSubscribersRefused += 1
    throw new OperatingError('capacity_full', `there are ${subscribersMax} event subscribers already`)
  }

  /** Takes a place; the way to give it back may be called twice. */
  enter(): () => void {
    this.#size += 1
    let here = true
    return () => {
      if (here) this.#size -= 1
      here = false
    }
  }

  /** Starts to write. @returns the way to stop; may be called twice */
  start(wish: Wish, transport: Transport, closed: () => void): () => void {
    const { bus, counters, reveal } = this.#options
    const textOf = (event: BusEvent): string => reveal(transport.textOf(event))
    const told = wish.clear ? { ...transport, textOf } : transport
    const subscriber = new Subscriber({ bus, wanted: wish.wanted, ...told }, (why) => {
      if (why === 'slow') counters.eventSubscribersSlow += 1
      closed()
    })
    subscriber.start(wish.afterId)
    return () => subscriber.close('left')
  }
}

interface SubscriberParts extends Transport {
  readonly bus: EventBus
  readonly wanted: (event: BusEvent) => boolean
}

/** One open stream: first it reads the bus at the peer's own pace, and when it has caught up it listens. */
class Subscriber {
  readonly #parts: SubscriberParts
  readonly #closed: (why: 'slow' | 'left') => void
  readonly #heartbeat: NodeJS.Timeout | undefined
  #pace: NodeJS.Timeout | undefined
  #unsubscribe: () => void = () => {}
  #open = true

  constructor(parts: SubscriberParts, closed: (why: 'slow' | 'left') => void) {
    this.#parts = parts
    this.#closed = closed
    const { heartbeat } = parts
    if (heartbeat !== null) this.#heartbeat = setInterval(() => this.#write(heartbeat), heartbeatMs).unref()
  }

  start(afterId: number | null): void {
    if (afterId === null) this.#listen()
    else this.#catchUp(afterId)
  }

  close(why: 'slow' | 'left'): void {
    if (!this.#open) return
    this.#open = false
    this.#unsubscribe()
    clearInterval(this.#heartbeat)
    clearTimeout(this.#pace)
    this.#closed(why)
  }

  #catchUp(afterId: number): void {
    const { bus, writer, wanted, textOf } = this.#parts
    let lastId = afterId
    let caughtUp = false
    if (writer.drained()) {
      let bytes = 0
      caughtUp = true
      bus.read(afterId, (event) => {
        lastId = event.id
        if (wanted(event)) bytes += this.#write(textOf(event))
        caughtUp = bytes < catchUpBytes
        return caughtUp && this.#open
      })
    }
    if (!this.#open) return
    if (caughtUp) this.#listen()
    else this.#pace = setTimeout(() => this.#catchUp(lastId), catchUpMs).unref()
  }

  #listen(): void {
    const { bus, wanted, textOf } = this.#parts
    this.#unsubscribe = bus.subscribe(null, (event) => {
      if (wanted(event)) this.#write(textOf(event))
    })
  }

  /** @returns what it wrote, in characters. */
  #write(text: string): number {
    if (!this.#open) return 0
    if (!this.#parts.writer.write(text)) {
      this.close('slow')
      this.#parts.writer.end()
    }
    return text.length
  }
}
