/**
 * `GET /v1/events`: server-sent events (WHATWG HTML, section 9.2), resumable by `Last-Event-ID` or `?lastEventId=`.
 * Each event is written once as text however many listen. A full house is answered 503. Main thread.
 *
 *   retry: 2000
 *
 *   id: 1767225600000042
 *   event: verdict
 *   data: {"callSid":"CA...","track":"inbound","label":"likely_human", ...}
 *
 *   : heartbeat                        every 15 s, so that proxies and clients see a dead connection
 */
import type { HttpRequest, HttpStream, StreamWriter } from '../http/exchange.ts'
import type { BusEvent } from '../notify/event-bus.ts'
import { type EventSubscribers, readWish, type Wish } from './event-subscribers.ts'
import { plainHeaders } from './problem.ts'

/** Written once per event, kept as long as the bus keeps the event. */
const texts = new WeakMap<BusEvent, string>()

export class Events {
  readonly #subscribers: EventSubscribers

  constructor(subscribers: EventSubscribers) {
    this.#subscribers = subscribers
  }

  stream(request: HttpRequest): HttpStream {
    const wish = readWish(request.query, request.headers.get('last-event-id'))
    this.#subscribers.checkRoom()
    return {
      status: 200,
      headers: { ...plainHeaders, 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' },
      open: (writer) => this.#open(writer, wish),
    }
  }

  #open(writer: StreamWriter, wish: Wish): () => void {
    const leave = this.#subscribers.enter()
    writer.write('retry: 2000\n\n')
    return this.#subscribers.start(wish, { writer, textOf, heartbeat: ': heartbeat\n\n' }, leave)
  }
}

function textOf(event: BusEvent): string {
  const known = texts.get(event)
  if (known !== undefined) return known
  const text = `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`
  texts.set(event, text)
  return text
}
