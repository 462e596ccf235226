/**
 * The HTTP and WebSocket server; the only importer of uWebSockets.js. An exception that leaves a callback of that
 * library ends the process, so every callback is wrapped: a throwing route answers 500, counts `httpBugs`, and the
 * house lives. Bodies are bounded in size, time and sum; ambiguous framing is refused before a route sees it. Main
 * thread only (a thread that ends with sockets in it takes the process down).
 */
import uws from 'uwebsockets'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { BodyBudget, BodyCollector } from './body.ts'
import type { HttpAnswer, HttpRequest, HttpStream, Route, SocketRoute } from './exchange.ts'
import { HeaderCollector } from './framing.ts'
import { PeerSocket } from './peer-socket.ts'
import { problemAnswer, thrownAnswer } from './problem.ts'
import { Reply } from './reply.ts'

export interface HttpLimits {
  /** Bytes of one request body, unless its route says otherwise; over it: 413. */
  readonly bodyBytesMax: number
  /** ms until a body must be complete; over it: 408. The library cuts a body that stalls for about 12 s by itself. */
  readonly bodyTimeoutMs: number
  /** Bytes of all bodies being received; over it: 503. Default 64 MiB. */
  readonly bodiesBytesMax?: number
  /** Bytes the reader of one stream may be behind. Default 256 KiB. */
  readonly streamBytesMax?: number
}

export interface HttpServerOptions {
  readonly log: Log
  readonly counters: Counters
  readonly clock: Clock
  readonly limits: HttpLimits
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
}

export interface HttpServer {
  /** Before `listen` only. */
  route(route: Route): void
  /** Before `listen` only. */
  socket<State>(route: SocketRoute<State>): void
  /** The port that was bound; a taken port is an error. */
  listen(host: string, port: number): Promise<number>
  /** Stop accepting, end streams, close each HTTP connection after its next answer. WebSockets stay. */
  drain(): void
  /** Close every WebSocket with 1001 (going away) and everything else at once. */
  close(): void
  openSockets(): number
  isDraining(): boolean
}

type Methods = Map<string, Route>
/** Of the library: without it two servers share one port, and each gets half of the calls. */
const listenExclusivePort = 1

/** The library takes listen options after the port; its type file has forgotten that. */
type ListenExclusive = (host: string, port: number, options: number, then: (token: object | false) => void) => void

/** Lines of log that bugs may write in a second; hostile traffic must not fill the disk through one. */
const bugLinesPerSecondMax = 10

export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new Server(options)
}

class Server implements HttpServer {
  readonly #options: HttpServerOptions
  readonly #app: uws.TemplatedApp
  readonly #budget: BodyBudget
  readonly #routes = new Map<string, Methods>()
  readonly #streams = new Set<Reply>()
  readonly #sockets = new Set<PeerSocket<unknown>>()
  #listenToken: object | null = null
  #isDraining = false
  #bugLines = 0
  #bugSecond = 0

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.#app = createApp(options.tls)
    this.#budget = new BodyBudget(options.limits.bodiesBytesMax ?? 67_108_864)
  }

  route(route: Route): void {
    const methods = this.#routes.get(route.pattern) ?? new Map()
    methods.set(route.method, route)
    this.#routes.set(route.pattern, methods)
  }

  listen(host: string, port: number): Promise<number> {
    for (const [pattern, methods] of this.#routes) this.#register(pattern, methods)
    this.#app.any('/*', (response, request) => this.#exchange(response, request, '/*', null))
    return new Promise((resolve, reject) => {
      const listen = this.#app.listen.bind(this.#app) as unknown as ListenExclusive
      const opened = (token: object | false): void => {
        this.#listenToken = token || null
        if (token !== false) resolve(uws.us_socket_local_port(token))
        else reject(new OperatingError('config_invalid', `cannot listen on ${host}:${port}: taken, or not allowed`))
      }
      listen(host, port, listenExclusivePort, opened)
    })
  }

  socket<State>(route: SocketRoute<State>): void {
    const names = parameterNames(route.pattern)
    // The library copies the fields of its user data; a class instance must be a field itself to stay one.
    this.#app.ws<{ socket: PeerSocket<State> }>(route.pattern, {
      maxPayloadLength: route.messageBytesMax,
      idleTimeout: route.idleTimeoutSeconds,
      ...(route.backlogBytesMax === undefined ? {} : { maxBackpressure: route.backlogBytesMax }),
      sendPingsAutomatically: true,
      compression: uws.DISABLED,
      upgrade: (response, request, context) => this.#upgrade(route, names, response, request, context),
      open: (raw) => {
        this.#guard(() => {
          const { socket } = raw.getUserData()
          socket.attach(raw)
          this.#sockets.add(socket)
          if (!this.#guard(() => route.open(socket, socket.state))) socket.close(1011, 'internal error')
        })
      },
      message: (raw, message, isBinary) => {
        // Not #guard: a closure per message is the dearest part of it.
        try {
          const { socket } = raw.getUserData()
          route.message(socket, socket.state, new Uint8Array(message), isBinary)
        } catch (thrown) {
          this.#bug(thrown)
        }
      },
      close: (raw, code) => {
        this.#guard(() => {
          const { socket } = raw.getUserData()
          socket.detach()
          this.#sockets.delete(socket)
          route.close(socket, socket.state, code)
        })
      },
    })
  }

  drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    if (this.#listenToken !== null) uws.us_listen_socket_close(this.#listenToken)
    this.#listenToken = null
    for (const stream of [...this.#streams]) this.#guard(() => stream.end())
    this.#streams.clear()
  }

  close(): void {
    this.drain()
    for (const socket of [...this.#sockets]) this.#guard(() => socket.close(1001, 'server is going away'))
    this.#app.close()
  }

  openSockets(): number {
    return this.#sockets.size
  }

  isDraining(): boolean {
    return this.#isDraining
  }

  #register(pattern: string, methods: Methods): void {
    this.#app.any(pattern, (response, request) => this.#exchange(response, request, pattern, methods))
  }

  /** One HTTP request, from its headers to its route. `methods` null: no such path. */
  #exchange(response: uws.HttpResponse, request: uws.HttpRequest, pattern: string, methods: Methods | null): void {
    const { counters } = this.#options
    const method = request.getMethod().toUpperCase()
    const reply = this.#reply(response, method === 'HEAD')
    response.onAborted(() => this.#guard(() => this.#forget(reply)))
    this.#guard(() => {
      counters.httpRequests += 1
      const collector = headersOf(request)
      const fault = collector.framingFault()
      if (fault !== null) return this.#refuseFraming(reply, fault)
      if (methods === null) return reply.send(problemAnswer('not_found', 'no such path'), collector.contentLength() > 0)
      const route = methods.get(method === 'HEAD' ? 'GET' : method)
      if (route === undefined) {
        const allow = { Allow: [...methods.keys()].join(', ') }
        return reply.send(problemAnswer('method_not_allowed', 'not on this path', allow), collector.contentLength() > 0)
      }
      const head = {
        method,
        path: request.getUrl(),
        query: request.getQuery() ?? '',
        params: parametersOf(request, parameterNames(pattern)),
        headers: collector.headers,
        remoteAddress: addressOf(response),
      }
      this.#collect(response, reply, route, collector.contentLength(), (body) => ({ ...head, body }))
    }, reply)
  }

  /**
   * Answers in a later turn, on purpose. The library parses what follows in the same packet before it honours a close,
   * so a request smuggled behind an ambiguous one would reach its route; while an answer is pending it cuts the
   * connection.
   */
  #refuseFraming(reply: Reply, fault: string): void {
    this.#options.counters.httpFramingRefused += 1
    const answer = problemAnswer('framing_ambiguous', fault)
    setImmediate(() => this.#guard(() => reply.send(answer, true)))
  }

  /** Reads the body within its bounds, then runs the route. */
  #collect(
    response: uws.HttpResponse,
    reply: Reply,
    route: Route,
    announced: number,
    request: (body: Buffer) => HttpRequest,
  ): void {
    const { limits, counters } = this.#options
    const bytesMax = route.bodyBytesMax ?? limits.bodyBytesMax
    const collector = new BodyCollector(bytesMax, this.#budget)
    let timer: NodeJS.Timeout | null = null
    const over = (): void => {
      if (timer !== null) clearTimeout(timer)
      collector.release()
    }
    const refuse = (answer: HttpAnswer): void => {
      counters.httpBodyRefused += 1
      over()
      reply.send(answer, true)
    }
    const tooLarge = problemAnswer('body_too_large', `at most ${bytesMax} bytes`)
    if (announced > bytesMax) {
      refuse(tooLarge)
      return
    }
    response.onData((chunk, isLast) => {
      this.#guard(() => {
        if (reply.isOver) return
        const step = collector.push(chunk, isLast)
        if (step === 'too_large') refuse(tooLarge)
        else if (step === 'over_budget') refuse(problemAnswer('capacity_full', 'too many uploads at a time'))
        else if (step === 'complete') {
          const whole = request(collector.body())
          over()
          this.#run(route, whole, reply)
        }
      }, reply)
    })
    if (announced === 0) return
    response.onAborted(() => {
      over()
      this.#guard(() => this.#forget(reply))
    })
    const slow = problemAnswer('body_too_slow', `a body must be complete within ${limits.bodyTimeoutMs} ms`)
    timer = setTimeout(() => this.#guard(() => reply.isOver || refuse(slow)), limits.bodyTimeoutMs)
    timer.unref()
  }

  #run(route: Route, request: HttpRequest, reply: Reply): void {
    const answer = route.answer(request)
    if (answer instanceof Promise) {
      answer.then(
        (settled) => this.#guard(() => this.#finish(reply, settled), reply),
        (thrown: unknown) => this.#fail(reply, thrown),
      )
    } else this.#finish(reply, answer)
  }

  #finish(reply: Reply, answer: HttpAnswer | HttpStream): void {
    if (!('open' in answer)) {
      if (answer.status >= 500) this.#options.counters.httpErrors += 1
      reply.send(answer)
    } else if (this.#isDraining) reply.send(problemAnswer('draining', 'the server is going away'))
    else if (!reply.isOver) {
      this.#streams.add(reply)
      reply.stream(answer)
      if (reply.isOver) this.#streams.delete(reply)
    }
  }

  #fail(reply: Reply, thrown: unknown): void {
    if (!(thrown instanceof OperatingError)) this.#bug(thrown)
    const answer = thrownAnswer(thrown)
    if (answer.status >= 500) this.#options.counters.httpErrors += 1
    this.#guard(() => reply.send(answer))
  }

  #forget(reply: Reply): void {
    this.#streams.delete(reply)
    reply.abort()
  }

  #upgrade<State>(
    route: SocketRoute<State>,
    names: readonly string[],
    response: uws.HttpResponse,
    request: uws.HttpRequest,
    context: uws.us_socket_context_t,
  ): void {
    const reply = this.#reply(response, false)
    response.onAborted(() => this.#guard(() => this.#forget(reply)))
    this.#guard(() => {
      const collector = headersOf(request)
      const fault = collector.framingFault()
      if (fault !== null) return this.#refuseFraming(reply, fault)
      if (this.#isDraining) return reply.send(problemAnswer('draining', 'the server is going away'), true)
      const { headers } = collector
      const path = request.getUrl()
      const query = request.getQuery() ?? ''
      const params = parametersOf(request, names)
      const remoteAddress = addressOf(response)
      const verdict = route.upgrade({ path, query, params, headers, remoteAddress })
      if ('refuse' in verdict) return reply.send(problemAnswer(verdict.refuse, verdict.detail), true)
      const key = headers.get('sec-websocket-key') ?? ''
      const extensions = headers.get('sec-websocket-extensions') ?? ''
      const protocol = headers.get('sec-websocket-protocol') ?? ''
      const socket = new PeerSocket(remoteAddress, verdict.accept)
      // From the upgrade on the response is gone, also when a callback inside it throws.
      reply.abort()
      response.upgrade({ socket }, key, protocol, extensions, context)
    }, reply)
  }

  #reply(response: uws.HttpResponse, headersOnly: boolean): Reply {
    return new Reply(response, {
      headersOnly,
      isTls: this.#options.tls !== null,
      streamBytesMax: this.#options.limits.streamBytesMax ?? 262_144,
      closing: () => this.#isDraining,
    })
  }

  /** Runs `work`; nothing leaves. With a reply, an exception becomes its answer. False when it threw. */
  #guard(work: () => unknown, reply?: Reply): boolean {
    try {
      work()
      return true
    } catch (thrown) {
      if (reply) this.#fail(reply, thrown)
      else this.#bug(thrown)
      return false
    }
  }

  #bug(thrown: unknown): void {
    const { counters, log, clock } = this.#options
    counters.httpBugs += 1
    const second = Math.floor(clock.steadyMs() / 1000)
    if (second !== this.#bugSecond) {
      this.#bugSecond = second
      this.#bugLines = 0
    }
    this.#bugLines += 1
    if (this.#bugLines > bugLinesPerSecondMax) return
    const stack = thrown instanceof Error ? thrown.stack : undefined
    log.error('a server callback threw', { error: messageOf(thrown), stack })
  }
}

function createApp(tls: HttpServerOptions['tls']): uws.TemplatedApp {
  if (tls === null) return uws.App()
  try {
    return uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile })
  } catch (cause) {
    // The library does not say what is wrong with them.
    const files = `${tls.certFile} and ${tls.keyFile}`
    throw new OperatingError('config_invalid', `server.tls: no certificate and key could be read from ${files}`, {
      cause,
    })
  }
}

function headersOf(request: uws.HttpRequest): HeaderCollector {
  const collector = new HeaderCollector()
  request.forEach((name, value) => {
    collector.add(name, value)
  })
  return collector
}

function addressOf(response: uws.HttpResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString('latin1')
}

function parameterNames(pattern: string): string[] {
  return pattern.split('/').flatMap((segment) => (segment.startsWith(':') ? [segment.slice(1)] : []))
}

function parametersOf(request: uws.HttpRequest, names: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {}
  names.forEach((name, index) => {
    try {
      params[name] = decodeURIComponent(request.getParameter(index))
    } catch {
      throw new OperatingError('bad_request', `the path's ${name} is not percent-encoded UTF-8`)
    }
  })
  return params
}
