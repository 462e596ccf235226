/**
 * What a route sees of HTTP and WebSocket, without the server library: plain requests in, plain answers out. The
 * library itself is touched in `server.ts` only. Main thread.
 */
import type { ErrorCode } from '../core/errors.ts'

export interface HttpLimits {
  /** Bytes of one request body, unless its route says otherwise; over it: 413. */
  readonly bodyBytesMax: number
  /** ms until a body must be complete; over it: 408. The library cuts a body that stalls for about 12 s by itself. */
  readonly bodyTimeoutMs: number
  /** Bytes of all bodies being received; over it: 503. Default 64 MiB. */
  readonly bodiesBytesMax?: number
  /** Bytes the reader of one stream may be behind. Default 256 KiB. */
  readonly streamBytesMax?: number
  /** Connections at a time, sockets included; more are closed at once. Default 20000. */
  readonly connectionsMax?: number
}

/** A whole request: headers copied, body complete and bounded. */
export interface HttpRequest {
  /** Upper case. */
  readonly method: string
  /** Path without the query, as received. */
  readonly path: string
  /** Raw query without `?`; empty when there is none. */
  readonly query: string
  /** Values of the pattern's `:name` segments, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  /** Lower-case names; a repeated header is joined by ", ". */
  readonly headers: ReadonlyMap<string, string>
  /** Textual address of the peer. */
  readonly remoteAddress: string
  /** The body as received (a copy that may be kept); empty for GET. */
  readonly body: Buffer
}

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** An answer that goes on until either side ends it (server-sent events). */
export interface HttpStream {
  readonly status: 200
  readonly headers: Readonly<Record<string, string>>
  /** Called once the headers are out. Returns what to do when the peer has gone or the server drains. */
  readonly open: (writer: StreamWriter) => () => void
}

export interface StreamWriter {
  /** False: the peer is too slow, this write was buffered over the limit; the owner should end the stream. */
  write(text: string): boolean
  /** True: nothing waits for the peer. Who has much to send sends on when this is so. */
  drained(): boolean
  end(): void
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** uWebSockets.js pattern: literal segments and `:name`. */
  readonly pattern: string
  /** Default: server.bodyBytesMax. */
  readonly bodyBytesMax?: number
  /** Takes `Transfer-Encoding: chunked`, within the same bounds. */
  readonly acceptsChunked?: boolean
  readonly answer: (request: HttpRequest) => HttpAnswer | HttpStream | Promise<HttpAnswer | HttpStream>
  /** Told of a request whose body was refused before `answer` could see it. */
  readonly refused?: (request: HttpRequest, code: ErrorCode) => void
}

/** The upgrade request, as far as it is known before a byte of state exists. */
export interface UpgradeRequest {
  readonly path: string
  readonly query: string
  readonly params: Readonly<Record<string, string>>
  readonly headers: ReadonlyMap<string, string>
  readonly remoteAddress: string
}

/** A socket as its route sees it. Every method is safe after the peer has gone. */
export interface Socket {
  /** 1: sent, 0: built up, 2: dropped (then the socket should be closed). */
  send(text: string | Uint8Array): 0 | 1 | 2
  /** Bytes sent that the peer has not taken; 0 after it has gone. */
  bufferedBytes(): number
  /** Close with a code of RFC 6455 section 7.4. */
  close(code: number, reason: string): void
  readonly remoteAddress: string
}

export type UpgradeVerdict<State> =
  | { readonly accept: State }
  | { readonly refuse: ErrorCode; readonly detail: string; readonly headers?: Readonly<Record<string, string>> }

/** `State` is made by `upgrade` and belongs to one socket. */
export interface SocketRoute<State> {
  readonly pattern: string
  readonly messageBytesMax: number
  /** s without any message either way before the socket is closed; multiple of 4. */
  readonly idleTimeoutSeconds: number
  /** Bytes a peer may be behind; what is sent beyond is dropped (`send` answers 2). Default: the library's 64 KiB. */
  readonly backlogBytesMax?: number
  /** State to go on with, or the refusal that is answered instead of 101. */
  readonly upgrade: (request: UpgradeRequest) => UpgradeVerdict<State> | Promise<UpgradeVerdict<State>>
  readonly open: (socket: Socket, state: State) => void
  /** `bytes` is valid during the call only. */
  readonly message: (socket: Socket, state: State, bytes: Uint8Array, isBinary: boolean) => void
  readonly close: (socket: Socket, state: State, code: number) => void
}
