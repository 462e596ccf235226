/**
 * Twilio's REST API (the only importer of the `twilio` package): streams of a live call, the call itself. Per account,
 * to its `apiBaseUrl`; every try has a time limit, all tries together have one, few go out at once. Tried again where
 * that helps: 429, 5xx, time-outs, broken connections, with backoff, jitter and Retry-After. What such a repetition may
 * do twice: a stream that is started twice names the same one-time token, so only one of the two gets in; a call that
 * is hung up twice is over; a redirect would begin anew, so it is repeated only when it surely was not done. Main
 * thread.
 */
import { Agent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import twilio from 'twilio'
import type PackageClient from 'twilio/lib/base/RequestClient.js'
import type PackageResponse from 'twilio/lib/http/response.js'
import type { TwilioConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import { RequestLane } from './request-lane.ts'
import { refusalOf, silenceOf, TwilioError } from './twilio-error.ts'

export interface TwilioRestOptions {
  readonly accounts: TwilioConfig['accounts']
  readonly limits: TwilioConfig['rest']
  readonly clock: Clock
  readonly counters: Counters
  /** Seconds from the first byte of a try to its answer. */
  readonly latency: { observe(seconds: number): void }
  /** 0..1; for the jitter. */
  readonly chance?: () => number
}

export interface StreamOrder {
  /** wss URL with the one-time token in its path. */
  readonly url: string
  readonly track: 'inbound_track' | 'outbound_track' | 'both_tracks'
  /** Unique within the call. */
  readonly name: string
  readonly statusCallback: string
}

/** A call as the REST API tells it. */
export interface CallNow {
  /** queued, ringing, in-progress, completed, busy, failed, no-answer, canceled. */
  readonly status: string
  readonly from: string
  readonly to: string
  readonly direction: string
}

/** Of one request. */
export interface RequestChoices {
  /** Of all its tries, ms; default: the configured one. */
  readonly totalMs?: number
  /** Called when a try's turn has come, just before it goes out; an OperatingError thrown here ends the request. */
  readonly begun?: () => void
}

/** What can be done to a live call. */
export type CallChange = { readonly twiml: string } | { readonly status: 'completed' }

interface Account {
  readonly sid: string
  /** One per token; two while tokens are rotated. */
  readonly clients: readonly twilio.Twilio[]
  /** The client whose token worked last. */
  current: number
  readonly lane: RequestLane
}

interface Request<T> {
  readonly urgent?: boolean
  /** Doing it twice is worse than not at all: never again after a try that Twilio did not answer. */
  readonly once?: boolean
  /** The refusal of a later try that shows that an earlier, unanswered one was done; what it would have answered. */
  readonly doneWhen?: (refusal: TwilioError) => boolean
  readonly send: (client: twilio.Twilio) => Promise<T>
}

const answerBytesMax = 1_048_576
/** Connections are kept so long without a request, so that most actions find one. */
const connectionIdleMs = 55_000

export class TwilioRest {
  readonly #options: TwilioRestOptions
  readonly #accounts = new Map<string, Account>()
  readonly #stopping = new AbortController()

  constructor(options: TwilioRestOptions) {
    this.#options = options
    const { limits, clock, latency } = options
    for (const { sid, authTokens, apiBaseUrl } of options.accounts) {
      const transport = new Transport({ apiBaseUrl, limits, clock, latency })
      const clients = authTokens.map((token) => twilio(sid, token, { httpClient: transport }))
      // The package loads its parts when they are first asked for, which costs 50 ms: not when an action is due.
      for (const client of clients) void client.calls('CA').streams
      this.#accounts.set(sid, { sid, clients, current: 0, lane: new RequestLane(limits) })
    }
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    let waiting = 0
    for (const { lane } of this.#accounts.values()) waiting += lane.waiting
    return waiting
  }

  /**
   * Forks the audio of a live call to a URL of ours.
   * @throws OperatingError account_unknown, call_over, streams_full, twilio_unauthenticated, twilio_busy,
   * twilio_unavailable, twilio_rejected; so do all the others here
   */
  async startStream(accountSid: string, callSid: string, order: StreamOrder): Promise<{ streamSid: string }> {
    const send = (client: twilio.Twilio) => client.calls(callSid).streams.create(order)
    const { sid } = await this.#ask(accountSid, { send })
    return { streamSid: sid }
  }

  /** Ends a stream, also one that TwiML started. `stream`: its SID or its name. */
  async stopStream(accountSid: string, callSid: string, stream: string): Promise<void> {
    const stopped = { status: 'stopped' } as const
    await this.#ask(accountSid, { send: (client) => client.calls(callSid).streams(stream).update(stopped) })
  }

  async fetchCall(accountSid: string, callSid: string): Promise<CallNow> {
    const call = await this.#ask(accountSid, { send: (client) => client.calls(callSid).fetch() })
    const { status, from, to, direction } = call
    return { status, from: from ?? '', to: to ?? '', direction: direction ?? '' }
  }

  /**
   * Redirects a live call to other TwiML, or hangs it up. Does not wait for what is not urgent. Streams of `<Start>` go
   * on over a redirect. A call that was over already: call_over.
   */
  async updateCall(accountSid: string, callSid: string, change: CallChange, more: RequestChoices = {}): Promise<void> {
    const once = 'twiml' in change
    const doneWhen = ({ code }: TwilioError): boolean => !once && code === 'call_over'
    const send = async (client: twilio.Twilio): Promise<void> =>
      void (await client.calls(callSid).update({ ...change }))
    await this.#ask<void>(accountSid, { urgent: true, once, doneWhen, send }, more)
  }

  /** Whoever waits is told twilio_unavailable at once; what is under way ends by its own time limit. */
  close(): void {
    this.#stopping.abort()
  }

  async #ask<T>(
    accountSid: string,
    { urgent = false, once = false, doneWhen, send }: Request<T>,
    { totalMs = this.#options.limits.totalMs, begun }: RequestChoices = {},
  ): Promise<T> {
    const account = this.#accounts.get(accountSid)
    if (account === undefined) throw new OperatingError('account_unknown', 'not an account of this server')
    const { clock, counters, limits } = this.#options
    const deadlineMs = clock.steadyMs() + totalMs
    let isUnanswered = false
    for (let tries = 1; ; tries += 1) {
      try {
        const answer = await account.lane.run(urgent, () => this.#try(account, deadlineMs, send, begun))
        counters.twilioDone += 1
        return answer
      } catch (thrown) {
        // Not Twilio's doing: whoever asked has thought better of it.
        if (thrown instanceof OperatingError && !(thrown instanceof TwilioError)) throw thrown
        const failure = silenceOf(thrown, limits.timeoutMs)
        if (isUnanswered && doneWhen?.(failure)) return undefined as T
        isUnanswered ||= failure.isUnanswered
        const waitMs = this.#backoffMs(tries, failure)
        const isVain = !failure.retryable || (once && failure.isUnanswered)
        const isLast = isVain || tries >= limits.triesMax || this.#stopping.signal.aborted
        if (isLast || clock.steadyMs() + waitMs >= deadlineMs) {
          counters[countedAs(failure)] += 1
          throw failure
        }
        counters.twilioRetried += 1
        await sleep(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
      }
    }
  }

  async #try<T>(
    account: Account,
    deadlineMs: number,
    send: (client: twilio.Twilio) => Promise<T>,
    begun?: () => void,
  ): Promise<T> {
    if (this.#stopping.signal.aborted || this.#options.clock.steadyMs() > deadlineMs) {
      throw new TwilioError('twilio_unavailable', 'the request waited too long for its turn')
    }
    const { clients, current } = account
    begun?.()
    try {
      return await send(clients[current]!)
    } catch (thrown) {
      const isRefused = thrown instanceof TwilioError && thrown.code === 'twilio_unauthenticated'
      const other = (current + 1) % clients.length
      if (!isRefused || other === current) throw thrown
      // Tokens are being rotated: the other one may be in force.
      const answer = await send(clients[other]!)
      account.current = other
      return answer
    }
  }

  /** Doubled each time, the upper half of it by chance; Retry-After counts when it is longer. */
  #backoffMs(tries: number, { retryAfterMs }: TwilioError): number {
    const { limits, chance = Math.random } = this.#options
    const fullMs = limits.backoffMs * 2 ** (tries - 1)
    return Math.max(fullMs * (0.5 + 0.5 * chance()), retryAfterMs ?? 0)
  }
}

function countedAs({ code }: TwilioError): keyof Counters {
  switch (code) {
    case 'call_over':
      return 'twilioCallOver'
    case 'streams_full':
      return 'twilioStreamsFull'
    case 'twilio_unauthenticated':
      return 'twilioUnauthenticated'
    case 'twilio_busy':
      return 'twilioBusy'
    case 'twilio_unavailable':
      return 'twilioUnavailable'
    default:
      return 'twilioRejected'
  }
}

/** The package's own transport (proxy and CA settings of the environment hold), to another base URL. */
class Transport extends twilio.RequestClient {
  readonly #base: string
  readonly #options: Pick<TwilioRestOptions, 'limits' | 'clock' | 'latency'>

  constructor(options: Pick<TwilioRestOptions, 'limits' | 'clock' | 'latency'> & { apiBaseUrl: string }) {
    const { timeoutMs, atOnce, urgentAtOnce } = options.limits
    const most = atOnce + urgentAtOnce
    super({ timeout: timeoutMs, maxSockets: most, maxFreeSockets: most, maxTotalSockets: most })
    // The package drops a connection that was idle for the time limit of a request.
    const agent: unknown = this.axios.defaults.httpsAgent
    if (agent instanceof Agent) agent.options.timeout = connectionIdleMs
    this.#base = options.apiBaseUrl.replace(/\/+$/, '')
    this.#options = options
    this.axios.defaults.maxContentLength = answerBytesMax
    // The package's time limit is one of silence; an answer that trickles in has to end too.
    this.axios.interceptors.request.use((config) => {
      config.signal = AbortSignal.timeout(timeoutMs)
      return config
    })
  }

  override async request<T>(options: PackageClient.RequestOptions<T>): Promise<PackageResponse.default<T>> {
    const { clock, latency, limits } = this.#options
    const { pathname, search } = new URL(options.uri)
    const startedMs = clock.steadyMs()
    try {
      const response = await super.request<T>({ ...options, uri: this.#base + pathname + search })
      const { statusCode: status, body } = response
      if (status >= 200 && status < 300 && typeof body === 'object' && body !== null) return response
      const headers = response.headers as Record<string, unknown> | undefined
      const retryAfter = typeof headers?.['retry-after'] === 'string' ? headers['retry-after'] : undefined
      throw refusalOf({ status, body, retryAfter, nowMs: clock.wallMs() })
    } catch (thrown) {
      // Never the original: it holds the request with its credentials.
      throw silenceOf(thrown, limits.timeoutMs)
    } finally {
      latency.observe((clock.steadyMs() - startedMs) / 1000)
    }
  }
}
