/**
 * `GET /v1/events`: server-sent events (WHATWG HTML, section 9.2), resumable. Each event is written once as text
 * however many listen. A subscriber that cannot keep up is closed and counted, it resumes by `Last-Event-ID` at its
 * own pace; a full house is answered 503. Main thread.
 *
 *   retry: 2000
 *
 *   id: 1767225600000042
 *   event: verdict
 *   data: {"callSid":"CA...","track":"inbound","label":"likely_human", ...}
 *
 *   : heartbeat                        every 15 s, so that proxies and clients see a dead connection
 */
import { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpRequest, HttpStream, StreamWriter } from '../http/exchange.ts'
import { type BusEvent, type EventBus, type EventType, eventTypes } from '../notify/event-bus.ts'
import { parseQuery } from './calls.ts'
import { plainHeaders } from './problem.ts'

const heartbeatMs = 15_000
/** A resuming subscriber is sent so much at a time, in characters; well below what it may be behind. */
const catchUpBytes = 65_536
/** How often it is looked whether the last chunk has left. */
const catchUpMs = 10

export const eventsQuery = z.strictObject({
  types: z
    .string()
    .transform((text) => text.split(',').map((type) => type.trim()))
    .pipe(z.array(z.enum(eventTypes)).min(1))
    .optional(),
  callSid: z.string().max(64).optional(),
})

export interface EventsOptions {
  readonly bus: EventBus
  readonly subscribersMax: number
  readonly counters: Pick<Counters, 'eventSubscribersSlow' | 'eventSubscribersRefused'>
}

/** Written once per event, kept as long as the bus keeps the event. */
const texts = new WeakMap<BusEvent, string>()

export class Events {
  readonly #options: EventsOptions
  readonly #writers = new Set<StreamWriter>()

  constructor(options: EventsOptions) {
    this.#options = options
  }

  /** Subscribers now. */
  get subscribers(): number {
    return this.#writers.size
  }

  stream(request: HttpRequest): HttpStream {
    const { counters, subscribersMax } = this.#options
    const query = parseQuery(eventsQuery, request.query)
    const afterId = readLastEventId(request.headers.get('last-event-id'))
    if (this.#writers.size >= subscribersMax) {
      counters.eventSubscribersRefused += 1
      throw new OperatingError('capacity_full', `there are ${subscribersMax} event subscribers already`)
    }
    const wanted = filterOf(query.types, query.callSid)
    return {
      status: 200,
      headers: { ...plainHeaders, 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' },
      open: (writer) => this.#open(writer, wanted, afterId),
    }
  }

  #open(writer: StreamWriter, wanted: (event: BusEvent) => boolean, afterId: number | null): () => void {
    const { bus, counters } = this.#options
    const subscriber = new Subscriber({ bus, writer, wanted }, (why) => {
      this.#writers.delete(writer)
      if (why === 'slow') counters.eventSubscribersSlow += 1
    })
    this.#writers.add(writer)
    subscriber.start(afterId)
    return () => subscriber.close('left')
  }
}

interface SubscriberParts {
  readonly bus: EventBus
  readonly writer: StreamWriter
  readonly wanted: (event: BusEvent) => boolean
}

/**
 * One open stream. A resuming one first reads the bus at the peer's own pace, a chunk whenever the last one has left;
 * when it has caught up it listens. Else a peer that was away for long would be sent more at once than it may be
 * behind.
 */
class Subscriber {
  readonly #parts: SubscriberParts
  readonly #closed: (why: 'slow' | 'left') => void
  readonly #heartbeat: NodeJS.Timeout
  #pace: NodeJS.Timeout | undefined
  #unsubscribe: () => void = () => {}
  #open = true

  constructor(parts: SubscriberParts, closed: (why: 'slow' | 'left') => void) {
    this.#parts = parts
    this.#closed = closed
    this.#heartbeat = setInterval(() => this.#write(': heartbeat\n\n'), heartbeatMs)
    this.#heartbeat.unref()
  }

  start(afterId: number | null): void {
    this.#write('retry: 2000\n\n')
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
    const { bus, writer, wanted } = this.#parts
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
    const { bus, wanted } = this.#parts
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

function textOf(event: BusEvent): string {
  const known = texts.get(event)
  if (known !== undefined) return known
  const text = `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`
  texts.set(event, text)
  return text
}

/** `events_missed` passes every filter but the type's: whoever resumes must know. */
function filterOf(types: readonly EventType[] | undefined, callSid: string | undefined): (event: BusEvent) => boolean {
  return (event) => {
    if ((event.data as { code?: unknown }).code === 'events_missed') return true
    if (types !== undefined && !types.includes(event.type)) return false
    return callSid === undefined || (event.data as { callSid?: unknown }).callSid === callSid
  }
}

function readLastEventId(header: string | undefined): number | null {
  if (header === undefined || header === '') return null
  if (!/^\d{1,16}$/.test(header)) throw new OperatingError('bad_request', 'Last-Event-ID must be a number we sent')
  return Number(header)
}
