/**
 * Twilio's REST API, played for tests and for trying the firewall without an account: calls and their streams as
 * documented (form bodies, Basic auth, JSON answers, error codes), and what a network does to it: delays, refusals,
 * silence. A stream that is started really opens its socket to the server under test and carries audio.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import type { Clip } from './clips.ts'
import { Lateness } from './lateness.ts'
import { PacingWheel } from './pacing-wheel.ts'
import { type CallEvent, PlayedCall, type PlayedStream } from './twilio-call.ts'
import { postIncomingCallForTwiml, type TwilioTarget } from './twilio-webhook.ts'

export interface PlayedTwilioOptions {
  /** The server under test and the account it knows. */
  readonly target: TwilioTarget
  /** What callers say, in turn. */
  readonly clips: readonly Clip[]
  readonly clock: Clock
  /** ms before each answer. */
  readonly delayMs?: number
  readonly told?: (event: CallEvent) => void
}

/** What goes wrong with requests: `times` of those that fit. */
export interface Trouble {
  /** Part of `METHOD path`, like `POST` or `/Streams.json`; default: every request. */
  readonly match?: string
  readonly times: number
  /** `silence`: no answer; `unanswered`: done, no answer; `reset`: the connection breaks; `lost`: done, it breaks. */
  readonly kind: 'answer' | 'silence' | 'unanswered' | 'reset' | 'garbage' | 'lost'
  readonly status?: number
  readonly code?: number
  readonly message?: string
  readonly retryAfter?: string
}

export interface SeenRequest {
  readonly atMs: number
  readonly method: string
  readonly path: string
  readonly form: Readonly<Record<string, string>>
  /** Of the answer; 0 when there was none. */
  status: number
}

/** Twilio allows a call so many tracks at a time. */
const tracksMax = 4
const bodyBytesMax = 1_048_576
const route = /^\/2010-04-01\/Accounts\/([^/]+)\/Calls\/([^/]+?)(?:\/(Streams)(?:\/([^/]+?))?)?\.json$/

export class PlayedTwilio {
  readonly requests: SeenRequest[] = []
  readonly events: CallEvent[] = []
  readonly #options: PlayedTwilioOptions
  readonly #server: Server
  readonly #calls = new Map<string, PlayedCall>()
  readonly #troubles: { trouble: Trouble; left: number }[] = []
  readonly #wheel: PacingWheel
  #placed = 0
  delayMs: number

  private constructor(options: PlayedTwilioOptions) {
    this.#options = options
    this.delayMs = options.delayMs ?? 0
    this.#wheel = new PacingWheel({ clock: options.clock, lateness: new Lateness() })
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  /** On loopback; port 0 picks a free one. */
  static async listen(options: PlayedTwilioOptions, port = 0): Promise<PlayedTwilio> {
    const played = new PlayedTwilio(options)
    await new Promise<void>((resolve, reject) => {
      played.#server.once('error', reject)
      played.#server.listen(port, '127.0.0.1', resolve)
    })
    return played
  }

  /** What `twilio.accounts[].apiBaseUrl` must be. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The server under test moved (a restart on another port). */
  moveTarget(origin: string): void {
    ;(this.#options.target as { origin: string }).origin = origin
  }

  call(callSid: string): PlayedCall | undefined {
    return this.#calls.get(callSid)
  }

  trouble(trouble: Trouble): void {
    this.#troubles.push({ trouble, left: trouble.times })
  }

  /** A live call that the server has not heard of. */
  place(identity: { from: string; to: string }, direction: 'inbound' | 'outbound-api' = 'inbound'): PlayedCall {
    const callSid = sid('CA')
    const { clips, target, clock } = this.#options
    const call = new PlayedCall({
      target,
      identity: { callSid, ...identity },
      direction,
      clip: clips[this.#placed % clips.length]!,
      newSid: sid,
      clock,
      told: (event) => {
        this.events.push(event)
        this.#options.told?.(event)
      },
    })
    this.#placed += 1
    this.#calls.set(callSid, call)
    this.#wheel.add(call)
    return call
  }

  /** An incoming call: the webhook is asked and its TwiML runs. @throws OperatingError when the server refuses */
  async ring(identity: { from: string; to: string }): Promise<PlayedCall> {
    const call = this.place(identity)
    await this.ringAgain(call)
    return call
  }

  /** The webhook is asked once more about a call, as a transfer to one of our numbers does. */
  async ringAgain(call: PlayedCall): Promise<void> {
    await call.runTwiml(await postIncomingCallForTwiml(this.#options.target, call.identity))
  }

  async close(): Promise<void> {
    for (const call of this.#calls.values()) call.breakStreams()
    this.#wheel.stop()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    if (body === null) {
      response.writeHead(413).end()
      return
    }
    const path = (request.url ?? '').split('?')[0] ?? ''
    const form = Object.fromEntries(new URLSearchParams(body))
    const method = request.method ?? 'GET'
    const seen: SeenRequest = { atMs: this.#options.clock.steadyMs(), method, path, form, status: 0 }
    this.requests.push(seen)
    if (this.delayMs > 0) await sleep(this.delayMs)
    const trouble = this.#troubleFor(`${method} ${path}`)
    if (trouble?.kind === 'silence') return
    if (trouble?.kind === 'reset') {
      request.socket.destroy()
      return
    }
    const isDone = trouble === undefined || trouble.kind === 'lost' || trouble.kind === 'unanswered'
    const answer = isDone ? this.#answer(request, seen) : troubled(trouble)
    if (trouble?.kind === 'unanswered') return
    if (trouble?.kind === 'lost') {
      request.socket.destroy()
      return
    }
    seen.status = answer.status
    const headers = { 'content-type': 'application/json', 'twilio-request-id': sid('RQ'), ...answer.headers }
    response.writeHead(answer.status, headers)
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
  }

  #troubleFor(line: string): Trouble | undefined {
    const found = this.#troubles.find(({ trouble, left }) => left > 0 && line.includes(trouble.match ?? ''))
    if (found !== undefined) found.left -= 1
    return found?.trouble
  }

  #answer(request: IncomingMessage, { method, path, form }: SeenRequest): Answer {
    const { accountSid, authToken } = this.#options.target
    const credentials = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`
    if (request.headers.authorization !== credentials) return refusal(401, 20003, 'Authenticate')
    const [, account, callSid = '', streams, streamName] = route.exec(path) ?? []
    const call = account === accountSid ? this.#calls.get(callSid) : undefined
    if (call === undefined) return notFound(path)
    if (streams === undefined) return method === 'POST' ? this.#change(call, form) : this.#told(200, call)
    if (call.status === 'completed') return notFound(path)
    if (streamName !== undefined) return this.#stopStream(call, decodeURIComponent(streamName), form, path)
    return this.#startStream(call, form)
  }

  #change(call: PlayedCall, form: SeenRequest['form']): Answer {
    const { Status: status, Twiml: twiml, Url: url } = form
    if (call.status !== 'in-progress') return refusal(400, 21220, 'Unable to update record. Invalid call state')
    if (status === 'completed' || status === 'canceled') call.hangUp()
    else if (twiml !== undefined || url !== undefined) call.redirect(twiml ?? url ?? '')
    else return refusal(400, 20001, 'No update was asked for')
    return this.#told(200, call)
  }

  #startStream(call: PlayedCall, form: SeenRequest['form']): Answer {
    const { Url: url = '', Track: track = 'inbound_track', Name: name = '', StatusCallback: statusCallback } = form
    if (!/^wss?:\/\//.test(url)) return refusal(400, 21609, `Invalid Url ${url}`)
    const tracks = tracksOf[track]
    if (tracks === undefined) return refusal(400, 20001, `Invalid Track ${track}`)
    if (call.tracksInUse + tracks.length > tracksMax) {
      return refusal(400, 20001, `The limit of ${tracksMax} stream tracks of a call is reached`)
    }
    const parameters = parametersOf(form)
    const { stream, opened } = call.startStream({ url, tracks, name, parameters, statusCallback })
    opened.catch(() => {})
    return { status: 201, body: this.#streamBody(call, stream) }
  }

  #stopStream(call: PlayedCall, name: string, { Status: status }: SeenRequest['form'], path: string): Answer {
    if (status !== 'stopped') return refusal(400, 20001, 'Status must be stopped')
    const stream = call.stopStream(name)
    return stream === undefined ? notFound(path) : { status: 200, body: this.#streamBody(call, stream) }
  }

  #streamBody({ identity: { callSid } }: PlayedCall, { sid: streamSid, name, status }: PlayedStream): object {
    const { accountSid } = this.#options.target
    return {
      sid: streamSid,
      account_sid: accountSid,
      call_sid: callSid,
      name,
      status,
      date_updated: new Date(this.#options.clock.wallMs()).toUTCString(),
      uri: `/2010-04-01/Accounts/${accountSid}/Calls/${callSid}/Streams/${streamSid}.json`,
    }
  }

  #told(status: number, call: PlayedCall): Answer {
    const { accountSid } = this.#options.target
    const { callSid, from, to } = call.identity
    return {
      status,
      body: {
        sid: callSid,
        account_sid: accountSid,
        status: call.status,
        direction: call.direction,
        from,
        to,
        date_updated: new Date(this.#options.clock.wallMs()).toUTCString(),
        answered_by: null,
        parent_call_sid: null,
        uri: `/2010-04-01/Accounts/${accountSid}/Calls/${callSid}.json`,
        api_version: '2010-04-01',
      },
    }
  }
}

interface Answer {
  readonly status: number
  readonly body: object | string
  readonly headers?: Readonly<Record<string, string>>
}

const tracksOf: Readonly<Record<string, readonly ('inbound' | 'outbound')[]>> = {
  inbound_track: ['inbound'],
  outbound_track: ['outbound'],
  both_tracks: ['inbound', 'outbound'],
}

function refusal(status: number, code: number, message: string): Answer {
  return { status, body: { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status } }
}

function notFound(path: string): Answer {
  return refusal(404, 20404, `The requested resource ${path} was not found`)
}

function troubled({
  kind,
  status = 500,
  code = 20500,
  message = 'Internal Server Error',
  retryAfter,
}: Trouble): Answer {
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': retryAfter }
  if (kind === 'garbage') return { status, body: '<html>a proxy</html>', headers }
  return { ...refusal(status, code, message), headers }
}

/** `Parameter1.Name`, `Parameter1.Value` ... */
function parametersOf(form: SeenRequest['form']): Record<string, string> {
  const named = Object.entries(form).filter(([key]) => /^Parameter\d+\.Name$/.test(key))
  return Object.fromEntries(named.map(([key, name]) => [name, form[key.replace('.Name', '.Value')] ?? '']))
}

function sid(prefix: 'CA' | 'MZ' | 'RQ'): string {
  return prefix + randomBytes(16).toString('hex')
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += (part as Buffer).length
    if (bytes > bodyBytesMax) return null
    parts.push(part as Buffer)
  }
  return Buffer.concat(parts).toString('utf8')
}
