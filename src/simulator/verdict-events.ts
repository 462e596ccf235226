/**
 * Reads server-sent events (WHATWG HTML, "Server-sent events") of `/v1/events` as a client would: enough of the format
 * for what a server of ours sends, any line ending, comments left out.
 *
 *   id: 17\nevent: verdict\ndata: {"callSid":"CA...","track":"inbound","label":"likely_human",...}\n\n
 */
import { OperatingError } from '../core/errors.ts'

export interface ServerEvent {
  readonly type: string
  /** Parsed JSON of the data lines. */
  readonly data: unknown
}

/** Events as they come, until the server ends the stream. @throws OperatingError when it is refused */
export async function* readEvents(url: string, key: string): AsyncGenerator<ServerEvent> {
  const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream' }
  const response = await fetch(url, { headers })
  if (response.status !== 200 || response.body === null) {
    throw new OperatingError('bad_request', `GET ${url} was answered ${response.status}`)
  }
  const parser = new EventParser()
  const decoder = new TextDecoder()
  for await (const bytes of response.body) yield* parser.push(decoder.decode(bytes as Uint8Array, { stream: true }))
}

/** Longest unfinished line kept; a longer one is not from our server. */
const lineCharsMax = 1_000_000

/** Text in pieces of any size -> events. Events whose data is not JSON are left out. */
export class EventParser {
  #rest = ''
  #type = 'message'
  #data: string[] = []

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = []
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > lineCharsMax) throw new OperatingError('bad_request', 'an event line without end')
    for (const line of lines) {
      if (line !== '') {
        this.#field(line)
        continue
      }
      const event = this.#finish()
      if (event !== undefined) events.push(event)
    }
    return events
  }

  #field(line: string): void {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
    if (name === 'event') this.#type = value ?? 'message'
    if (name === 'data') this.#data.push(value ?? '')
  }

  #finish(): ServerEvent | undefined {
    const type = this.#type
    const text = this.#data.join('\n')
    this.#type = 'message'
    this.#data = []
    if (text === '') return undefined
    try {
      return { type, data: JSON.parse(text) }
    } catch {
      return undefined
    }
  }
}
