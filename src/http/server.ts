/**
 * The HTTP and WebSocket server; the only importer of uWebSockets.js. An exception that leaves a callback of that
 * library ends the process, so every callback is wrapped: a throwing route answers 500, counts `httpBugs`, and the
 * house lives. Bodies are bounded in size, time and sum; ambiguous framing is refused before a route sees it. Main
 * thread only (a thread that ends with sockets in it takes the process down).
 */
import uws from 'uwebsockets'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { BodyBudget } from './body.ts'
import { readBody } from './body-reading.ts'
import { BugLog } from './bug-log.ts'
import type { HttpAnswer, HttpLimits, HttpRequest, HttpStream, Route, SocketRoute, UpgradeVerdict } from './exchange.ts'
import { HeaderCollector } from './framing.ts'
import { parameterNames, parametersOf } from './path-parameters.ts'
import { PeerSocket } from './peer-socket.ts'
import { problemAnswer, thrownAnswer } from './problem.ts'
import { Reply } from './reply.ts'
import { checkTlsFiles, type TlsFiles } from './tls-files.ts'

export interface HttpServerOptions {
  readonly log: Log
  readonly counters: Counters
  readonly clock: Clock
  readonly limits: HttpLimits
  readonly tls: TlsFiles | null
}

export interface HttpServer {
  /** Before `listen` only. */
  route(route: Route): void
  /** Before `listen` only. */
  socket<State>(route: SocketRoute<State>): void
  /** The port that was bound; a taken port is an error. */
  listen(host: string, port: number): Promise<number>
  /**
   * New connections get the certificate that the files hold now; those that stand keep theirs.
   * @throws OperatingError config_invalid, and the old certificate stays.
   */
  reloadTls(): Promise<void>
  /** What was registered: `GET /healthz`, `WS /v1/cdr`. */
  patterns(): string[]
  connections(): number
  /** Stop accepting, end streams, close each HTTP connection after its next answer. WebSockets stay. */
  drain(): void
  /** Close every WebSocket with 1001 (going away) and everything else at once. */
  close(): void
  openSockets(): number
  isDraining(): boolean
}

type Methods = Map<string, Route>
/** Without it two servers share one port, and each gets half of the calls. */
const listenExclusivePort = 1

const handshake = ['sec-websocket-key', 'sec-websocket-protocol', 'sec-websocket-extensions'] as const

type ListenExclusive = (host: string, port: number, options: number, then: (token: object | false) => void) => void

export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new Server(options)
}

class Server implements HttpServer {
  readonly #options: HttpServerOptions
  /** The last one listens; earlier ones, with certificates of before, carry on what they had accepted. */
  readonly #apps: uws.TemplatedApp[]
  readonly #budget: BodyBudget
  readonly #routes = new Map<string, Methods>()
  readonly #streams = new Set<Reply>()
  readonly #sockets = new Set<PeerSocket<unknown>>()
  readonly #socketRoutes: { readonly pattern: string; readonly register: (app: uws.TemplatedApp) => void }[] = []
  readonly #bugs: BugLog
  #listenToken: object | null = null
  #isDraining = false
  #connections = 0
  #bound: { readonly host: string; readonly port: number } | null = null

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.#apps = [createApp(options.tls)]
    this.#bugs = new BugLog(options)
    this.#budget = new BodyBudget(options.limits.bodiesBytesMax ?? 67_108_864)
  }

  route(route: Route): void {
    const methods = this.#routes.get(route.pattern) ?? new Map()
    methods.set(route.method, route)
    this.#routes.set(route.pattern, methods)
  }

  async listen(host: string, port: number): Promise<number> {
    this.#bound = { host, port: await this.#listen(this.#apps[0] as uws.TemplatedApp, host, port) }
    return this.#bound.port
  }

  #listen(app: uws.TemplatedApp, host: string, port: number): Promise<number> {
    // biome-ignore lint/suspicious/useIterableCallbackReturn: this filter is no array's
    app.filter((response, change) => void this.#guard(() => this.#countConnection(response, Number(change))))
    for (const { register } of this.#socketRoutes) register(app)
    for (const [pattern, methods] of this.#routes) {
      app.any(pattern, (response, request) => this.#exchange(response, request, pattern, methods))
    }
    app.any('/*', (response, request) => this.#exchange(response, request, '/*', null))
    return new Promise((resolve, reject) => {
      const listen = app.listen.bind(app) as unknown as ListenExclusive
      const opened = (token: object | false): void => {
        this.#listenToken = token || null
        if (token !== false) resolve(uws.us_socket_local_port(token))
        else reject(new OperatingError('config_invalid', `cannot listen on ${host}:${port}: taken, or not allowed`))
      }
      listen(host, port, listenExclusivePort, opened)
    })
  }

  /**
   * The library cannot change a certificate, so another app takes over the port; between closing one listener and
   * opening the next nothing else runs.
   */
  async reloadTls(): Promise<void> {
    const { tls } = this.#options
    if (tls === null || this.#isDraining || this.#bound === null) return
    const next = createApp(tls)
    if (this.#listenToken !== null) uws.us_listen_socket_close(this.#listenToken)
    this.#listenToken = null
    const { host, port } = this.#bound
    await this.#listen(next, host, port)
    this.#apps.push(next)
  }

  patterns(): string[] {
    const routes = [...this.#routes].flatMap(([pattern, methods]) => [...methods.keys()].map((m) => `${m} ${pattern}`))
    return [...routes, ...this.#socketRoutes.map(({ pattern }) => `WS ${pattern}`)]
  }

  connections(): number {
    return this.#connections
  }

  /** The end of a connection that became a socket is not told here. */
  #countConnection(response: uws.HttpResponse, change: number): void {
    this.#connections += change
    if (change < 0 || this.#connections <= (this.#options.limits.connectionsMax ?? 20_000)) return
    this.#options.counters.connectionsRefused += 1
    response.close()
  }

  socket<State>(route: SocketRoute<State>): void {
    this.#socketRoutes.push({ pattern: route.pattern, register: (app) => this.#registerSocket(app, route) })
  }

  #registerSocket<State>(app: uws.TemplatedApp, route: SocketRoute<State>): void {
    const names = parameterNames(route.pattern)
    // The library copies the fields of its user data; a class instance must be a field itself to stay one.
    app.ws<{ socket: PeerSocket<State> }>(route.pattern, {
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
          this.#bugs.note(thrown)
        }
      },
      close: (raw, code) => {
        this.#connections -= 1
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
    for (const app of this.#apps) app.close()
  }

  openSockets(): number {
    return this.#sockets.size
  }

  isDraining(): boolean {
    return this.#isDraining
  }

  /** One HTTP request, from its headers to its route. `methods` null: no such path. */
  #exchange(response: uws.HttpResponse, request: uws.HttpRequest, pattern: string, methods: Methods | null): void {
    const { counters } = this.#options
    const method = request.getMethod().toUpperCase()
    const reply = this.#reply(response, method === 'HEAD')
    response.onAborted(() => this.#guard(() => this.#forget(reply)))
    this.#guard(() => {
      counters.httpRequests += 1
      const route = methods?.get(method === 'HEAD' ? 'GET' : method)
      const collector = headersOf(request)
      const fault = collector.framingFault(route?.acceptsChunked)
      if (fault !== null) return this.#refuseFraming(reply, fault)
      const announced = collector.bodyLength()
      if (methods === null) return reply.send(problemAnswer('not_found', 'no such path'), announced !== 0)
      if (route === undefined) {
        const allow = { Allow: [...methods.keys()].join(', ') }
        return reply.send(problemAnswer('method_not_allowed', 'not on this path', allow), announced !== 0)
      }
      const head = {
        method,
        path: request.getUrl(),
        query: request.getQuery() ?? '',
        params: parametersOf((index) => request.getParameter(index), parameterNames(pattern)),
        headers: collector.headers,
        remoteAddress: addressOf(response),
      }
      this.#collect(response, reply, route, announced, { ...head, body: Buffer.alloc(0) })
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
  #collect(response: uws.HttpResponse, reply: Reply, route: Route, announced: number | null, head: HttpRequest): void {
    const { limits, counters } = this.#options
    readBody(response, {
      announced,
      bytesMax: route.bodyBytesMax ?? limits.bodyBytesMax,
      timeoutMs: limits.bodyTimeoutMs,
      budget: this.#budget,
      isOver: () => reply.isOver,
      guard: (work) => this.#guard(work, reply),
      complete: (body) => this.#run(route, { ...head, body }, reply),
      refuse: (code, detail) => {
        counters.httpBodyRefused += 1
        reply.send(problemAnswer(code, detail), true)
        route.refused?.(head, code)
      },
      aborted: () => this.#guard(() => this.#forget(reply)),
    })
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
    if (!(thrown instanceof OperatingError)) this.#bugs.note(thrown)
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
      const asked = {
        path: request.getUrl(),
        query: request.getQuery() ?? '',
        params: parametersOf((index) => request.getParameter(index), names),
        headers,
        remoteAddress: addressOf(response),
      }
      const accept = (state: State): void => {
        const [key = '', protocol = '', extensions = ''] = handshake.map((name) => headers.get(name))
        const socket = new PeerSocket(asked.remoteAddress, state)
        // From the upgrade on the response is gone, also when a callback inside it throws.
        reply.abort()
        response.cork(() => response.upgrade({ socket }, key, protocol, extensions, context))
      }
      const verdict = route.upgrade(asked)
      if (verdict instanceof Promise) {
        verdict.then(
          (settled) => this.#guard(() => decideUpgrade(reply, settled, accept), reply),
          (thrown: unknown) => this.#fail(reply, thrown),
        )
      } else decideUpgrade(reply, verdict, accept)
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
      else this.#bugs.note(thrown)
      return false
    }
  }
}

function createApp(tls: HttpServerOptions['tls']): uws.TemplatedApp {
  if (tls === null) return uws.App()
  checkTlsFiles(tls)
  try {
    return uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile })
  } catch (cause) {
    // The library does not say what is wrong with them.
    const detail = `server.tls: no certificate and key could be read from ${tls.certFile} and ${tls.keyFile}`
    throw new OperatingError('config_invalid', detail, { cause })
  }
}

function decideUpgrade<State>(reply: Reply, verdict: UpgradeVerdict<State>, accept: (state: State) => void): void {
  if (reply.isOver) return
  if ('accept' in verdict) accept(verdict.accept)
  else reply.send(problemAnswer(verdict.refuse, verdict.detail, verdict.headers), true)
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
