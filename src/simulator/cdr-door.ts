/**
 * A server's doors for CDRs as a sender sees them: `POST /v1/cdr`, or the WebSocket of the same path. A door takes a
 * batch until the server has answered for it: what was refused for the moment, or was not answered before the
 * connection broke, is sent again, unchanged. Main thread.
 */
import { PostDoor } from './cdr-post-door.ts'
import type { CdrDoor, CdrEncoding } from './cdr-receipt.ts'
import { type CreditWindow, SocketDoor, usualWindow } from './cdr-socket-door.ts'

export interface DoorOptions {
  /** http(s):// posts, ws(s):// keeps a socket open; without a path, that of the contract. */
  readonly url: string
  /** Bearer token. */
  readonly key?: string | undefined
  /** Between tries. */
  readonly retryMs?: number
  /** Of a socket's messages; posts are NDJSON. */
  readonly encoding?: CdrEncoding | undefined
  /** What the server lets a socket have unacknowledged. */
  readonly window?: CreditWindow | undefined
}

const retryMsUsual = 500

export function cdrDoor(options: DoorOptions): CdrDoor {
  const { encoding = 'msgpack', window = usualWindow, retryMs = retryMsUsual } = options
  const url = new URL(options.url)
  if (url.pathname === '/') url.pathname = '/v1/cdr'
  if (!url.searchParams.has('source')) url.searchParams.set('source', 'canonical')
  const headers = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }
  if (url.protocol.startsWith('ws')) return new SocketDoor({ url: url.href, headers, retryMs, encoding, window })
  return new PostDoor({ url: url.href, headers, retryMs })
}
