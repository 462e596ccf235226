/**
 * The gate in front of every route and socket: how often, who, which role, where from, and whether the request has the
 * declared shape; only then the route is asked. A refusal is a problem document and leaves an audit row. Main thread.
 */
import { AccessRefused, type Authenticator, type Identity } from '../access/authenticate.ts'
import type { Origins } from '../access/origins.ts'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpAnswer, HttpRequest, HttpStream, Route, SocketRoute, UpgradeRequest } from '../http/exchange.ts'
import type { Audit, AuditedRequest } from './audit.ts'
import { checkedQuery, jsonBody, optionalJsonBody } from './checked-request.ts'
import { asksClear } from './clear-numbers.ts'
import { problemOf } from './problem.ts'
import type { Answer, ApiRoute, ApiSocket } from './route-table.ts'
import { SocketSeats } from './socket-seats.ts'

export interface GateOptions {
  readonly authenticator: Authenticator
  readonly audit: Audit
  readonly origins: Origins
  readonly limits: { readonly socketsPerKey: number; readonly socketsPerAddress: number }
  /** The text with the tokens in it in clear; null: there is no vault, numbers are clear as they are. */
  readonly reveal: ((text: string) => string) | null
  readonly counters: Pick<Counters, 'socketsRefusedOrigin' | 'socketsRefusedLimit' | 'socketsClosedRevoked'>
}

/** What a request did wrong by itself; worth a row in the audit like a wrong credential. */
const refusedCodes: readonly string[] = [
  'bad_request',
  'body_too_large',
  'body_too_slow',
  'media_type_unsupported',
  'source_unknown',
]

export class Gate {
  readonly #options: GateOptions
  readonly #seats: SocketSeats

  constructor(options: GateOptions) {
    this.#options = options
    const { authenticator, limits, counters } = options
    this.#seats = new SocketSeats({ limits, counters, stands: (identity) => authenticator.stands(identity) })
  }

  /** Two routes of one method and pattern become one, told apart by a parameter of the query. */
  routes(declared: readonly ApiRoute[]): Route[] {
    const plain = declared.filter(({ onlyWith }) => onlyWith === undefined)
    return plain.map((each) => {
      const gated = this.route(each)
      const special = declared.find(
        ({ method, onlyWith, pattern }) => onlyWith !== undefined && method === each.method && pattern === each.pattern,
      )
      if (special === undefined) return gated
      const other = this.route(special)
      const isSpecial = (query: string): boolean => new URLSearchParams(query).has(special.onlyWith ?? '')
      return { ...gated, answer: (request) => (isSpecial(request.query) ? other : gated).answer(request) }
    })
  }

  route(declared: ApiRoute): Route {
    const { method, pattern, bodyBytesMax, acceptsChunked = false } = declared
    return {
      method,
      pattern,
      acceptsChunked,
      ...(bodyBytesMax === undefined ? {} : { bodyBytesMax }),
      answer: (request) => this.#answer(declared, request),
      refused: (request, code) => this.#refused(request, null, new OperatingError(code, '')),
    }
  }

  /** The socket behind the gate. What is declared and what is served are one. */
  socket(declared: ApiSocket): SocketRoute<unknown> {
    return this.#seats.counted(declared.route, {
      mayOpen: (request) => this.#mayOpen(declared, request),
      refused: (request, identity, thrown) => this.#refused(request, identity, thrown),
    })
  }

  async #answer(declared: ApiRoute, request: HttpRequest): Promise<HttpAnswer | HttpStream> {
    let identity: Identity | null = null
    try {
      if (declared.role === 'anyone') {
        await this.#options.authenticator.letPass(request.remoteAddress)
        checkShape(declared, request)
        return await declared.answer(request)
      }
      identity = await this.#options.authenticator.identify(request)
      this.#options.authenticator.require(identity, declared.role)
      if (declared.scope !== undefined) this.#options.authenticator.requireScope(identity, declared.scope)
      checkShape(declared, request)
      const isClear = declared.reveals === true && this.#readsClear(request, identity)
      const answer: Awaited<Answer> = await declared.answer(request, identity)
      if (declared.showsNumbers) {
        this.#options.audit.noteOften(request, identity, { action: 'numbers.read', result: 'ok' })
      }
      const shown = isClear ? this.#revealed(answer) : answer
      const stays = 'open' in shown && request.method !== 'HEAD'
      return stays ? this.#seats.stream(shown, identity, request.remoteAddress) : shown
    } catch (thrown) {
      this.#refused(request, identity, thrown)
      return problemOf(thrown)
    }
  }

  async #mayOpen(declared: ApiSocket, request: UpgradeRequest): Promise<Identity> {
    let identity: Identity | null = null
    try {
      if (!this.#options.origins.permits(request.headers)) {
        this.#options.counters.socketsRefusedOrigin += 1
        throw new AccessRefused('forbidden', 'pages of this origin may not open sockets here', { wrong: true })
      }
      identity = await this.#options.authenticator.identify(request)
      this.#options.authenticator.require(identity, declared.role)
      if (declared.query !== undefined) checkedQuery(declared.query, request.query)
      if (declared.reveals) this.#readsClear(request, identity)
      return identity
    } catch (thrown) {
      this.#refused(request, identity, thrown)
      throw thrown
    }
  }

  /** Whether numbers are asked for in clear; each such read is on record. @throws AccessRefused forbidden */
  #readsClear(request: AuditedRequest & { readonly query: string }, identity: Identity): boolean {
    if (!asksClear(request.query)) return false
    this.#options.authenticator.requireScope(identity, 'numbers:clear')
    if (this.#options.reveal === null) return false
    this.#options.audit.note(request, identity, { action: 'numbers.clear', result: 'ok' })
    return true
  }

  /** A stream writes its own text: what it says is revealed there. */
  #revealed(answer: HttpAnswer | HttpStream): HttpAnswer | HttpStream {
    const { reveal } = this.#options
    if ('open' in answer || typeof answer.body !== 'string' || reveal === null) return answer
    return { ...answer, body: reveal(answer.body) }
  }

  #refused(request: AuditedRequest, identity: Identity | null, thrown: unknown): void {
    if (!(thrown instanceof OperatingError)) return
    const isAccess = thrown instanceof AccessRefused
    if (!isAccess && !refusedCodes.includes(thrown.code)) return
    const who = identity ?? (isAccess ? thrown.identity : null)
    const action = isAccess ? 'access.denied' : 'request.refused'
    // What a request held may be a phone number, so only our own words on access are told.
    const detail = isAccess ? thrown.message : ''
    this.#options.audit.noteOften(request, who, { action, result: thrown.code, detail })
  }
}

function checkShape({ query, body }: Pick<ApiRoute, 'query' | 'body'>, asked: HttpRequest): void {
  if (query !== undefined) checkedQuery(query, asked.query)
  if (body?.schema === undefined) return
  if (body.isOptional) optionalJsonBody(body.schema, asked)
  else jsonBody(body.schema, asked)
}
