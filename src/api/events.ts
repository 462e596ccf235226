/**
 * `GET /v1/events`: server-sent events (WHATWG HTML, section 9.2), resumable. Each event is written once as text
 * however many listen. A subscriber that cannot keep up is closed and counted, it resumes by `Last-Event-ID`; a full
 * house is answered 503. Main thread.
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

export const heartbeatMs = 15_000

const eventsQuery = z.strictObject({
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
    const { counters, subscribersMax, bus } = this.#options
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
      open: (writer) => this.#open(writer, wanted, (listener) => bus.subscribe(afterId, listener)),
    }
  }

  #open(
    writer: StreamWriter,
    wanted: (event: BusEvent) => boolean,
    subscribe: (listener: (event: BusEvent) => void) => () => void,
  ): () => void {
    let stop = () => {}
    let open = true
    const close = () => {
      if (!open) return
      open = false
      stop()
      clearInterval(heartbeat)
      this.#writers.delete(writer)
    }
    const write = (text: string) => {
      if (!open || writer.write(text)) return
      this.#options.counters.eventSubscribersSlow += 1
      close()
      writer.end()
    }
    const heartbeat = setInterval(() => write(': heartbeat\n\n'), heartbeatMs)
    heartbeat.unref()
    this.#writers.add(writer)
    write('retry: 2000\n\n')
    stop = subscribe((event) => {
      if (open && wanted(event)) write(textOf(event))
    })
    if (!open) stop()
    return close
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
